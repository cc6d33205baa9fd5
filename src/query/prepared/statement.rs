//! PREPARE, EXECUTE and DEALLOCATE, and the parser for them: what is prepared may be any statement that gives or takes rows,
//! parsed as it would be by itself.

use std::fmt;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{self, Ident};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::{Error, Reason, Result};
use crate::query::failure::syntax;
use crate::query::statement::{Statement, StatementKind, next};
use crate::sql::folded;

/// A statement about statements that have a name.
#[derive(Debug, Clone)]
pub enum PreparedStatement {
    Prepare {
        name: String,
        types: Vec<ast::DataType>,
        statement: Box<Statement>,
    },
    Execute {
        name: String,
        arguments: Vec<ast::Expr>,
    },
    /// `None` is ALL.
    Deallocate {
        name: Option<String>,
    },
}

impl PreparedStatement {
    /// Parses the next statement of `parser` if it is one of these; else `None`, and no token is consumed.
    /// `source` is the text that they are in.
    pub fn parse(parser: &mut Parser<'_>, source: &Arc<str>) -> Option<Result<Self>> {
        match parser.parse_one_of_keywords(&[Keyword::PREPARE, Keyword::EXECUTE, Keyword::DEALLOCATE])? {
            Keyword::PREPARE => Some(prepare(parser, source)),
            Keyword::EXECUTE => Some(execute(parser).map_err(|error| syntax(&error))),
            _ => Some(deallocate(parser).map_err(|error| syntax(&error))),
        }
    }

    /// The command tag of one that gives no rows.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Prepare { .. } => "PREPARE",
            Self::Execute { .. } => "EXECUTE",
            Self::Deallocate { name: Some(_) } => "DEALLOCATE",
            Self::Deallocate { name: None } => "DEALLOCATE ALL",
        }
    }
}

impl fmt::Display for PreparedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| Ident::with_quote('"', name);
        match self {
            Self::Prepare { name, types, statement } => {
                write!(f, "PREPARE {}", quoted(name))?;
                list(f, types)?;
                write!(f, " AS {}", statement.text)
            }
            Self::Execute { name, arguments } => {
                write!(f, "EXECUTE {}", quoted(name))?;
                list(f, arguments)
            }
            Self::Deallocate { name: Some(name) } => write!(f, "DEALLOCATE {}", quoted(name)),
            Self::Deallocate { name: None } => f.write_str("DEALLOCATE ALL"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    for (position, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if position == 0 { "(" } else { ", " })?;
    }
    if items.is_empty() { Ok(()) } else { f.write_str(")") }
}

/// name [(type, ...)] AS statement
fn prepare(parser: &mut Parser<'_>, source: &Arc<str>) -> Result<PreparedStatement> {
    let mut head = || -> Result<_, ParserError> {
        let name = folded(&parser.parse_identifier()?);
        let mut types = Vec::new();
        if parser.consume_token(&Token::LParen) {
            types = parser.parse_comma_separated(Parser::parse_data_type)?;
            parser.expect_token(&Token::RParen)?;
        }
        parser.expect_keyword(Keyword::AS)?;
        Ok((name, types))
    };
    let (name, types) = head().map_err(|error| syntax(&error))?;
    let statement = next(parser, source)?;
    let takes_rows = match &statement.kind {
        StatementKind::Sql(sql) => matches!(sql.as_ref(), ast::Statement::Query(_) | ast::Statement::Insert(_)),
        _ => false,
    };
    if !takes_rows {
        return Err(Error::new(Reason::Syntax, "PREPARE takes SELECT, VALUES or INSERT"));
    }
    Ok(PreparedStatement::Prepare { name, types, statement: Box::new(statement) })
}

/// name [(expression, ...)]
fn execute(parser: &mut Parser<'_>) -> Result<PreparedStatement, ParserError> {
    let name = folded(&parser.parse_identifier()?);
    let mut arguments = Vec::new();
    if parser.consume_token(&Token::LParen) {
        arguments = parser.parse_comma_separated(Parser::parse_expr)?;
        parser.expect_token(&Token::RParen)?;
    }
    Ok(PreparedStatement::Execute { name, arguments })
}

/// [PREPARE] name | ALL
fn deallocate(parser: &mut Parser<'_>) -> Result<PreparedStatement, ParserError> {
    let _ = parser.parse_keyword(Keyword::PREPARE);
    let name = if parser.parse_keyword(Keyword::ALL) { None } else { Some(folded(&parser.parse_identifier()?)) };
    Ok(PreparedStatement::Deallocate { name })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use crate::query::statement::parse;

    #[test]
    fn each_form_is_understood() {
        for (sql, expected) in [
            ("PREPARE q AS SELECT 1", "PREPARE \"q\" AS SELECT 1"),
            ("prepare Q (int, text) as select $1, $2", "PREPARE \"q\"(INT, TEXT) AS SELECT $1, $2"),
            ("PREPARE \"Q\" AS INSERT INTO t VALUES ($1)", "PREPARE \"Q\" AS INSERT INTO t VALUES ($1)"),
            ("EXECUTE q", "EXECUTE \"q\""),
            ("EXECUTE q (1, 'a')", "EXECUTE \"q\"(1, 'a')"),
            ("DEALLOCATE q", "DEALLOCATE \"q\""),
            ("DEALLOCATE PREPARE q", "DEALLOCATE \"q\""),
            ("DEALLOCATE ALL", "DEALLOCATE ALL"),
        ] {
            let parsed = parse(sql).unwrap();
            assert_eq!(parsed[0].text, expected, "{sql}");
        }
        assert_eq!(parse("PREPARE q AS SELECT 1; EXECUTE q; DEALLOCATE q").unwrap().len(), 3);
    }

    #[test]
    fn only_what_gives_or_takes_rows_can_be_prepared() {
        for sql in ["PREPARE q AS BEGIN", "PREPARE q AS DROP TABLE t", "PREPARE q AS EXECUTE p", "PREPARE q", "EXECUTE"]
        {
            assert!(parse(sql).is_err(), "{sql}");
        }
    }
}
