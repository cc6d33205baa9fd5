//! COPY between a client and the server.

use datafusion::sql::sqlparser::ast;

use crate::error::{Error, Reason, Result};
use crate::query::Statement;

/// Refuses COPY.
pub fn refuse(statement: &Statement) -> Result<()> {
    match statement.ast {
        ast::Statement::Copy { .. } => Err(Error::new(Reason::Unsupported, "COPY is not supported")),
        _ => Ok(()),
    }
}
