//! Names, words and literals, folded as PostgreSQL folds them.

use std::fmt;

use datafusion::sql::sqlparser::ast::{Expr, ObjectName};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::super::model::object::quoted;
use crate::sql::folded;

/// A role as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleSpec {
    Name(String),
    Public,
    CurrentUser,
    SessionUser,
}

/// A table or view as a statement names it; without a schema the search path decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationName {
    pub schema: Option<String>,
    pub name: String,
}

impl fmt::Display for RelationName {
    /// As it is written in SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.name))
    }
}

pub fn name(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    parser.parse_identifier().map(|name| folded(&name))
}

pub fn names(parser: &mut Parser<'_>) -> Result<Vec<String>, ParserError> {
    parser.parse_comma_separated(name)
}

/// A role, where PUBLIC and the session's own are allowed. In quotes they are names like others.
pub fn role(parser: &mut Parser<'_>) -> Result<RoleSpec, ParserError> {
    let _ = parser.parse_keyword(Keyword::GROUP);
    let ident = parser.parse_identifier()?;
    if ident.quote_style.is_some() {
        return Ok(RoleSpec::Name(ident.value));
    }
    Ok(match ident.value.to_lowercase().as_str() {
        "public" => RoleSpec::Public,
        "current_user" | "current_role" => RoleSpec::CurrentUser,
        "session_user" => RoleSpec::SessionUser,
        name => RoleSpec::Name(name.to_string()),
    })
}

pub fn roles(parser: &mut Parser<'_>) -> Result<Vec<RoleSpec>, ParserError> {
    parser.parse_comma_separated(role)
}

/// `name`, `schema.name` or `database.schema.name`; the database is not looked at.
pub fn relation(parser: &mut Parser<'_>) -> Result<RelationName, ParserError> {
    relation_name(&parser.parse_object_name(false)?)
}

/// The same of a name that was parsed.
pub fn relation_name(name: &ObjectName) -> Result<RelationName, ParserError> {
    let mut parts = parts(name.clone())?;
    let name = parts.pop().ok_or_else(|| error("a relation name is expected"))?;
    match parts.len() {
        0..=2 => Ok(RelationName { schema: parts.pop(), name }),
        _ => Err(error("improper qualified name: too many dotted names")),
    }
}

/// The last part is the column, the ones before it the relation.
pub fn column(parser: &mut Parser<'_>) -> Result<(RelationName, String), ParserError> {
    let mut parts = parts(parser.parse_object_name(false)?)?;
    let column = parts.pop();
    match (parts.pop(), column) {
        (Some(name), Some(column)) => Ok((RelationName { schema: parts.pop(), name }, column)),
        _ => Err(error("column name must be qualified")),
    }
}

fn parts(name: ObjectName) -> Result<Vec<String>, ParserError> {
    let part = |part: datafusion::sql::sqlparser::ast::ObjectNamePart| part.as_ident().map(folded);
    name.0.into_iter().map(part).collect::<Option<Vec<_>>>().ok_or_else(|| error("a plain name is expected"))
}

/// Consumes `word` if it is next; for words that are no keywords of sqlparser too.
pub fn word(parser: &mut Parser<'_>, word: &str) -> bool {
    let next = match &parser.peek_token_ref().token {
        Token::Word(next) => next.quote_style.is_none() && next.value.eq_ignore_ascii_case(word),
        _ => false,
    };
    if next {
        parser.next_token();
    }
    next
}

pub fn expect_word(parser: &mut Parser<'_>, expected: &str) -> Result<(), ParserError> {
    if word(parser, expected) { Ok(()) } else { parser.expected(&expected.to_uppercase(), parser.peek_token()) }
}

/// `IF EXISTS`
pub fn if_exists(parser: &mut Parser<'_>) -> bool {
    parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS])
}

/// An expression in parentheses, as text.
pub fn expression(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let expression: Expr = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    Ok(expression.to_string())
}

/// `'text'` in any of its forms.
pub fn text(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    let next = parser.next_token();
    match next.token {
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) | Token::UnicodeStringLiteral(text) => {
            Ok(text)
        }
        Token::DollarQuotedString(text) => Ok(text.value),
        _ => parser.expected("a string literal", next),
    }
}

/// `'text'` or NULL.
pub fn text_or_null(parser: &mut Parser<'_>) -> Result<Option<String>, ParserError> {
    if parser.parse_keyword(Keyword::NULL) { Ok(None) } else { text(parser).map(Some) }
}

pub fn error(message: impl Into<String>) -> ParserError {
    ParserError::ParserError(message.into())
}
