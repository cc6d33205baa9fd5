//! How a step of a conversation fails: the statement, the connection, or the client.

use std::io;

use crate::error::{Error, Reason, sqlstate};

/// Why a step of a conversation did not come to its end.
#[derive(Debug)]
pub enum Failure {
    /// The statement failed; the conversation goes on.
    Statement(Error),
    /// The connection ends with one last message.
    Fatal(Fatal),
    /// The client has gone, or its socket failed: there is nobody to tell.
    Gone,
}

/// The last message of a connection.
#[derive(Debug)]
pub struct Fatal {
    pub sqlstate: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn fatal(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self::Fatal(Fatal { sqlstate, message: message.into(), hint: None })
    }

    /// A message that breaks the protocol in a way after which its stream of frames cannot be trusted.
    pub fn broken(message: impl Into<String>) -> Self {
        Self::fatal("08P01", message)
    }

    /// A statement's failure during start-up ends the connection; the others stay as they are.
    pub fn at_startup(self) -> Self {
        match self {
            Self::Statement(error) => Self::Fatal(Fatal {
                sqlstate: sqlstate::of(error.reason()),
                message: error.to_string(),
                hint: error.hint().map(str::to_owned),
            }),
            other => other,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Statement(error)
    }
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// A frame whose body is not what its kind asks for.
pub fn malformed(what: &str) -> Error {
    Error::new(Reason::Protocol, format!("invalid message format: {what}"))
}
