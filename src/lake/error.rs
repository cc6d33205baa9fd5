//! What goes wrong in the lake, and what each case asks of the caller.

use crate::error::{Error, Reason};

#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error("table \"{table}\" does not exist")]
    TableAbsent { table: String },
}

impl From<LakeError> for Error {
    fn from(error: LakeError) -> Self {
        let reason = match &error {
            LakeError::TableAbsent { .. } => Reason::UndefinedTable,
        };
        Error::of(reason, error)
    }
}
