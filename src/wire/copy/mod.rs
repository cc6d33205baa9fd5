//! COPY between a client and the server: understood here, written by [`out`].

mod options;
pub mod out;

use datafusion::sql::sqlparser::ast::{self, CopySource, CopyTarget};

use self::options::form;
use super::encode::copy::CopyForm;
use crate::error::{Error, Reason, Result};
use crate::query::{Session, Statement, StatementKind};

/// A COPY that sends rows to the client.
pub struct CopyOut {
    /// The query whose rows are sent: a table is copied as the query over it, so it is secured like any other.
    pub query: Statement,
    pub form: CopyForm,
}

/// The COPY of a statement; `None` where it is another one.
pub fn of(statement: &Statement, session: &Session) -> Result<Option<CopyOut>> {
    let found = understood(statement, session);
    if let Err(error) = &found {
        session.tell_refused(statement, error);
    }
    found
}

fn understood(statement: &Statement, session: &Session) -> Result<Option<CopyOut>> {
    let StatementKind::Sql(sql) = &statement.kind else { return Ok(None) };
    let ast::Statement::Copy { source, to, target, options, legacy_options, .. } = sql.as_ref() else {
        return Ok(None);
    };
    match (to, target) {
        (true, CopyTarget::Stdout) => {}
        (false, CopyTarget::Stdin) => return Err(Error::new(Reason::Unsupported, "COPY FROM STDIN is not supported")),
        (_, CopyTarget::File { .. } | CopyTarget::Program { .. }) => {
            return Err(Error::new(Reason::Privilege, "COPY to or from a file of the server is not allowed")
                .with_hint("COPY TO STDOUT and psql's \\copy work for every user."));
        }
        (_, CopyTarget::Stdin | CopyTarget::Stdout) => {
            return Err(Error::new(Reason::Syntax, "COPY goes TO STDOUT or comes FROM STDIN"));
        }
    }
    let text = match source {
        CopySource::Query(query) => query.to_string(),
        CopySource::Table { table_name, columns } if columns.is_empty() => format!("SELECT * FROM {table_name}"),
        CopySource::Table { table_name, columns } => {
            let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
            format!("SELECT {} FROM {table_name}", columns.join(", "))
        }
    };
    let form = form(options, legacy_options)?;
    let mut parsed = session.parse(&text)?;
    match parsed.pop() {
        // It is told of as the COPY that it is.
        Some(query) => Ok(Some(CopyOut { query: Statement { text: statement.text.clone(), ..query }, form })),
        None => Err(Error::new(Reason::Syntax, "COPY without a query")),
    }
}
