//! What a statement gives back to the door that sent it.

use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::SendableRecordBatchStream;

use super::copy::CopyIn;
use super::guard::StatementGuard;
use crate::error::{Error, Reason};

/// The outcome of one statement.
pub enum Answer {
    /// Rows, streamed. `tag` is the word before the row count in the command tag: `SELECT`, `SHOW`, `EXPLAIN`, ...
    Rows { tag: &'static str, schema: SchemaRef, stream: SendableRecordBatchStream, guard: StatementGuard },
    /// No rows; the complete command tag, for example `SET` or `CREATE ROLE`.
    Done { tag: String },
    /// It waits for rows: [`Session::copy_in`](super::Session::copy_in) takes them.
    CopyIn(Box<CopyIn>),
    /// An empty statement.
    Empty,
}

impl Answer {
    /// The error of a door through which no rows come in.
    pub fn no_copy_here() -> Error {
        Error::new(Reason::Unsupported, "COPY FROM STDIN needs a client of the Postgres wire")
    }
}

/// Where the session stands; the letter in ReadyForQuery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    Active,
    Failed,
}

impl TransactionStatus {
    /// What a session that does nothing is called in `pg_stat_activity`.
    pub fn idle(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "idle in transaction",
            Self::Failed => "idle in transaction (aborted)",
        }
    }
}

/// A message beside the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `NOTICE` or `WARNING`.
    pub severity: &'static str,
    pub sqlstate: &'static str,
    pub message: String,
    pub hint: Option<String>,
}
