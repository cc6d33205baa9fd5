//! A `.sql` file as statements of PostgreSQL, each with the line on which it begins.

use datafusion::sql::sqlparser::ast::{ObjectName, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::super::error::{DatasetError, SqlFault};
pub use crate::sql::folded as fold;
use crate::sql::mend_precedence;

pub struct Located {
    /// Counted from 1.
    pub line: u64,
    pub statement: Statement,
}

/// Splits `text` into statements. Comments and empty statements give none.
pub fn parse(path: &str, text: &str) -> Result<Vec<Located>, DatasetError> {
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| at(path, error.location.line)(SqlFault::Syntax { message: error.message }))?;
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let mut statements = Vec::new();
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        let next = parser.peek_token();
        if next.token == Token::EOF {
            return Ok(statements);
        }
        let line = next.span.start.line;
        let mut statement = parser.parse_statement().map_err(|error| syntax(path, line, error))?;
        mend_precedence(&mut statement);
        let after = parser.peek_token();
        if !matches!(after.token, Token::SemiColon | Token::EOF) {
            let message = format!("syntax error at or near \"{}\"", after.token);
            return Err(at(path, after.span.start.line)(SqlFault::Syntax { message }));
        }
        statements.push(Located { line, statement });
    }
}

/// The parser says where only within its text: `... at Line: 3, Column: 8`.
fn syntax(path: &str, statement_line: u64, error: ParserError) -> DatasetError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply".to_owned(),
    };
    let (message, place) = text.rsplit_once(" at Line: ").unwrap_or((&text, ""));
    let line = place.split(',').next().and_then(|digits| digits.parse().ok()).unwrap_or(statement_line);
    at(path, line)(SqlFault::Syntax { message: message.to_owned() })
}

/// Puts a fault in its place.
pub fn at(path: &str, line: u64) -> impl Fn(SqlFault) -> DatasetError + '_ {
    move |fault| DatasetError::Sql { path: path.to_owned(), line: line.max(1), fault }
}

/// The last part of a name whose schema, where given, must be `schema`.
pub fn unqualified(name: &ObjectName, schema: &str) -> Result<String, SqlFault> {
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(fold).collect();
    match parts.as_slice() {
        [name] => Ok(name.clone()),
        [given, name] if given == schema => Ok(name.clone()),
        _ => Err(SqlFault::Name { wanted: format!("{schema}.*"), found: name.to_string() }),
    }
}
