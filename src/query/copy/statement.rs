//! COPY, and the parser for it: sqlparser's own takes what follows COPY FROM STDIN for its rows.

use std::fmt;

use datafusion::sql::sqlparser::ast::{self, Query};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::form::CopyForm;
use super::options::{Direction, form, parse as parse_options};
use crate::access::statement::RelationName;
use crate::access::statement::names;
use crate::error::{Error, Reason, Result};
use crate::query::failure::syntax;
use crate::sql::{folded, mend_precedence};

/// A COPY.
#[derive(Debug, Clone)]
pub enum CopyStatement {
    /// Of the rows of a query: a table is copied as the query over it, so it is secured like any other.
    Out { query: Box<ast::Statement>, form: CopyForm },
    /// Into the columns of a table; none named is all.
    In { table: RelationName, columns: Vec<String>, form: CopyForm },
    /// To or from a file of the server.
    File,
}

impl CopyStatement {
    /// Parses the next statement of `parser` if it is one; else `None`, and no token is consumed.
    pub fn parse(parser: &mut Parser<'_>) -> Option<Result<Self>> {
        if !parser.parse_keyword(Keyword::COPY) {
            return None;
        }
        Some(copy(parser))
    }
}

impl fmt::Display for CopyStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Out { query, .. } => write!(f, "COPY ({query}) TO STDOUT"),
            Self::In { table, .. } => write!(f, "COPY {table} FROM STDIN"),
            Self::File => f.write_str("COPY"),
        }
    }
}

/// What is copied.
enum Source {
    Query(Box<Query>),
    Table(RelationName, Vec<String>),
}

enum Place {
    Stdin,
    Stdout,
    File,
}

fn copy(parser: &mut Parser<'_>) -> Result<CopyStatement> {
    let mut parse = || -> Result<_, ParserError> {
        let source = source(parser)?;
        let direction = match parser.expect_one_of_keywords(&[Keyword::FROM, Keyword::TO])? {
            Keyword::FROM => Direction::In,
            _ => Direction::Out,
        };
        let place = place(parser)?;
        Ok((source, direction, place, parse_options(parser)?))
    };
    let (source, direction, place, options) = parse().map_err(|error| syntax(&error))?;
    if parser.peek_keyword(Keyword::WHERE) {
        return Err(Error::new(Reason::Unsupported, "COPY FROM with WHERE is not supported"));
    }
    match (source, direction, place) {
        (_, _, Place::File) => Ok(CopyStatement::File),
        (Source::Query(query), Direction::Out, Place::Stdout) => {
            Ok(CopyStatement::Out { query: Box::new(ast::Statement::Query(query)), form: form(&options, direction)? })
        }
        (Source::Table(table, columns), Direction::Out, Place::Stdout) => {
            let query = Box::new(whole(&table, &columns)?);
            Ok(CopyStatement::Out { query, form: form(&options, direction)? })
        }
        (Source::Table(table, columns), Direction::In, Place::Stdin) => {
            Ok(CopyStatement::In { table, columns, form: form(&options, direction)? })
        }
        (Source::Query(_), Direction::In, _) => Err(Error::new(Reason::Syntax, "COPY FROM takes a table, not a query")),
        _ => Err(Error::new(Reason::Syntax, "COPY goes TO STDOUT or comes FROM STDIN")),
    }
}

fn source(parser: &mut Parser<'_>) -> Result<Source, ParserError> {
    if parser.consume_token(&Token::LParen) {
        let mut query = parser.parse_query()?;
        mend_precedence(&mut query);
        parser.expect_token(&Token::RParen)?;
        return Ok(Source::Query(query));
    }
    let table = names::relation(parser)?;
    let mut columns = Vec::new();
    if parser.consume_token(&Token::LParen) {
        columns = parser.parse_comma_separated(Parser::parse_identifier)?.iter().map(folded).collect();
        parser.expect_token(&Token::RParen)?;
    }
    Ok(Source::Table(table, columns))
}

fn place(parser: &mut Parser<'_>) -> Result<Place, ParserError> {
    if parser.parse_keyword(Keyword::STDIN) {
        return Ok(Place::Stdin);
    }
    if parser.parse_keyword(Keyword::STDOUT) {
        return Ok(Place::Stdout);
    }
    let _ = parser.parse_keyword(Keyword::PROGRAM);
    parser.parse_literal_string().map(|_| Place::File)
}

/// The query over a table.
fn whole(table: &RelationName, columns: &[String]) -> Result<ast::Statement> {
    let quoted: Vec<String> = columns.iter().map(|column| crate::access::quoted(column)).collect();
    let columns = if quoted.is_empty() { "*".to_owned() } else { quoted.join(", ") };
    let text = format!("SELECT {columns} FROM {table}");
    let dialect = datafusion::sql::sqlparser::dialect::PostgreSqlDialect {};
    let parsed = Parser::new(&dialect).try_with_sql(&text).and_then(|mut parser| parser.parse_statement());
    parsed.map_err(|error| syntax(&error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::form::{Columns, CopyHeader};
    use super::*;
    use crate::query::statement::{StatementKind, parse};

    fn parsed(sql: &str) -> Result<CopyStatement> {
        let mut statements = parse(sql)?;
        match statements.remove(0).kind {
            StatementKind::Copy(copy) => Ok(*copy),
            other => panic!("{other:?}"),
        }
    }

    fn csv(sql: &str) -> super::super::form::CopyCsv {
        match parsed(sql).unwrap() {
            CopyStatement::In { form: CopyForm::Csv(csv), .. }
            | CopyStatement::Out { form: CopyForm::Csv(csv), .. } => csv,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_spellings_of_the_options_are_understood() {
        for sql in [
            "COPY t FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';', NULL 'nil', QUOTE '''', ESCAPE E'\\\\', FORCE_NULL (a, \"B\"))",
            "copy t from stdin (format 'csv', header true, delimiter ';', null 'nil', quote '''', escape '\\', force_null (a, \"B\"))",
            "COPY t FROM STDIN DELIMITER AS ';' CSV HEADER NULL AS 'nil' QUOTE '''' ESCAPE '\\' FORCE NULL a, \"B\"",
        ] {
            let csv = csv(sql);
            assert_eq!((csv.delimiter, csv.quote, csv.escape), (b';', b'\'', b'\\'), "{sql}");
            assert_eq!((csv.null.as_str(), csv.header), ("nil", CopyHeader::Present), "{sql}");
            assert_eq!(csv.force_null, Columns::Named(vec!["a".into(), "B".into()]), "{sql}");
        }
        assert_eq!(csv("COPY t TO STDOUT (FORMAT csv, FORCE_QUOTE *)").force_quote, Columns::All);
        assert!(matches!(
            parsed("COPY \"S\".t (a, B) FROM STDIN BINARY").unwrap(),
            CopyStatement::In { columns, form: CopyForm::Binary, .. } if columns == ["a", "b"]
        ));
    }

    #[test]
    fn what_stands_behind_a_copy_is_a_statement_of_its_own() {
        let statements = parse("COPY t FROM STDIN; SELECT 1;").unwrap();
        assert_eq!(statements.len(), 2);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for sql in [
            "COPY t FROM STDIN (FORMAT xml)",
            "COPY t FROM STDIN (DELIMITER 'ab')",
            "COPY t FROM STDIN (DELIMITER 'a')",
            "COPY t FROM STDIN (QUOTE '\"')",
            "COPY t FROM STDIN (FORMAT csv, DELIMITER '\"')",
            "COPY t FROM STDIN (FORMAT csv, NULL 'a,b')",
            "COPY t FROM STDIN (FORMAT csv, FORCE_QUOTE *)",
            "COPY t TO STDOUT (FORMAT csv, FORCE_NULL (a))",
            "COPY t TO STDOUT (HEADER match)",
            "COPY t FROM STDIN (FORMAT binary, HEADER)",
            "COPY t FROM STDIN (HEADER maybe)",
            "COPY t FROM STDIN (ENCODING 'latin1')",
            "COPY t FROM STDIN (FREEZE)",
            "COPY t FROM STDIN (WHATEVER)",
            "COPY t FROM STDOUT",
            "COPY (SELECT 1) FROM STDIN",
            "COPY t FROM STDIN WHERE a > 1",
        ] {
            assert!(parsed(sql).is_err(), "{sql}");
        }
        assert!(matches!(parsed("COPY t FROM PROGRAM 'cat'").unwrap(), CopyStatement::File));
        assert!(matches!(parsed("COPY t TO '/tmp/x'").unwrap(), CopyStatement::File));
    }
}
