//! The messages of PostgreSQL's protocol 3 over one socket: frames in, frames out, errors in between.

pub mod failure;
pub mod input;
pub mod message;
pub mod output;

pub use failure::Failure;
pub use input::{Frame, Input};
pub use output::Output;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// The socket of a client, plain or encrypted.
pub type Socket = Either<TcpStream, Box<TlsStream<TcpStream>>>;
