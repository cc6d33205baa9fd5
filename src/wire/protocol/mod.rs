//! The messages of PostgreSQL's protocol 3 over one socket: frames in, frames out, errors in between.

pub mod failure;
pub mod input;
pub mod message;
pub mod output;

pub use failure::Failure;
pub use input::{Frame, Input};
pub use output::Output;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// Bytes both ways: a socket of TCP, or a pipe in memory where a test stands for the network.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

pub type Plain = Box<dyn Transport>;

/// The socket of a client, plain or encrypted.
pub type Socket = Either<Plain, Box<TlsStream<Plain>>>;
