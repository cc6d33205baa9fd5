//! The PostgreSQL door: protocol 3 over TCP, from the socket to a [`Session`] and back.
//!
//! A connection runs through these steps: the listener accepts it and keeps the count; the greeting settles encryption;
//! the login proves the user; the conversation takes messages, gives statements to the session, and sends the rows of
//! its streams batch by batch, never faster than the client reads.

mod cancel;
mod connection;
mod copy;
mod decode;
mod encode;
mod extended;
mod listener;
pub mod login;
mod portal;
mod protocol;
mod rows;
mod simple;
mod strangers;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
mod text;
pub mod types;

use std::net::SocketAddr;

use async_trait::async_trait;

pub use self::listener::{Settings, serve};
pub use self::login::scram::ScramVerifier;
pub use self::login::tls;
pub use self::text::text_rows;
pub use crate::error::sqlstate::of as sqlstate;
use crate::error::{Reason, Result};
use crate::query::Session;

/// What the door needs of the house behind it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The verifier of a user's password. For a user that does not exist, or may not log in, it gives one that no
    /// password fits and that is the same each time, so that nobody learns who exists.
    async fn verifier(&self, user: &str) -> ScramVerifier;

    /// Opens the session of a user whose password was right.
    async fn open(&self, user: &str, startup: Startup) -> Result<Session>;

    /// Takes note of a login that came to its end; it must not wait. Clients that left before that are not told of.
    fn tell_login(&self, user: &str, peer: SocketAddr, outcome: Result<(), Reason>);
}

/// What a client says of the session it wants.
#[derive(Debug, Clone)]
pub struct Startup {
    pub database: String,
    pub application_name: Option<String>,
    /// Settings, in the order in which they apply.
    pub options: Vec<(String, String)>,
    pub peer: SocketAddr,
    pub encrypted: bool,
    /// What `pg_backend_pid()` is in this session, and what a client cancels it by.
    pub pid: i32,
}
