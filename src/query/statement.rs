//! A text, split into statements; each is one of SQL's own, one about objects, or one of the access room's.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::copy::CopyStatement;
use super::cursor::CursorStatement;
use super::ddl::{self, Ddl};
use super::failure::syntax;
use super::location::{at, located};
use super::prepared::PreparedStatement;
use super::size::{require_short_chains, require_small};
use crate::access::store::seal;
use crate::access::{self, AccessStatement};
use crate::error::{Error, Reason, Result};
use crate::sql::{mend_precedence, mend_tokens};

/// Longest text of a message that is looked at.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// One parsed statement and the text that it came from.
#[derive(Debug, Clone)]
pub struct Statement {
    pub text: String,
    pub kind: StatementKind,
    /// All that the client sent, which places in errors count from.
    pub source: Arc<str>,
    /// Whether it is all of that.
    pub is_alone: bool,
}

impl Statement {
    /// The cursor of a MOVE and how many rows it passes over; `None` of those is all.
    pub fn as_move(&self) -> Option<(&str, Option<usize>)> {
        match &self.kind {
            StatementKind::Cursor(cursor) => match cursor.as_ref() {
                CursorStatement::Fetch { name, rows_max, count_only: true } => Some((name, *rows_max)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Refuses what would become too large to be planned.
    fn require_small(&self) -> Result<()> {
        match &self.kind {
            StatementKind::Sql(statement) => require_small(statement),
            StatementKind::Cursor(cursor) => match cursor.as_ref() {
                CursorStatement::Declare { query, .. } => require_small(&ast::Statement::Query(query.clone())),
                _ => Ok(()),
            },
            StatementKind::Copy(copy) => match copy.as_ref() {
                CopyStatement::Out { query, .. } => require_small(query),
                CopyStatement::In { .. } | CopyStatement::File => Ok(()),
            },
            StatementKind::Prepared(prepared) => match prepared.as_ref() {
                PreparedStatement::Prepare { statement, .. } => statement.require_small(),
                PreparedStatement::Execute { .. } | PreparedStatement::Deallocate { .. } => Ok(()),
            },
            StatementKind::Ddl(ddl) => match ddl.as_ref() {
                Ddl::CreateView(create) => require_small(&ast::Statement::Query(create.query.clone())),
                Ddl::CreateTable(create) => require_small(&ast::Statement::CreateTable(create.as_ref().clone())),
                _ => Ok(()),
            },
            // Conditions of policies: their chains are bounded, and they name no WITH of another's.
            StatementKind::Access(_) => Ok(()),
        }
    }

    /// An error of this statement, with its place in what the client sent.
    pub fn located(&self, error: Error) -> Error {
        match &self.kind {
            StatementKind::Sql(statement) => located(error, statement, &self.source),
            StatementKind::Cursor(cursor) => match cursor.as_ref() {
                CursorStatement::Declare { query, .. } => {
                    located(error, &ast::Statement::Query(query.clone()), &self.source)
                }
                _ => error,
            },
            StatementKind::Copy(copy) => match copy.as_ref() {
                CopyStatement::Out { query, .. } => located(error, query, &self.source),
                CopyStatement::In { .. } | CopyStatement::File => error,
            },
            StatementKind::Prepared(prepared) => match prepared.as_ref() {
                PreparedStatement::Prepare { statement, .. } => statement.located(error),
                PreparedStatement::Execute { .. } | PreparedStatement::Deallocate { .. } => error,
            },
            StatementKind::Access(_) | StatementKind::Ddl(_) => error,
        }
    }
}

#[derive(Debug, Clone)]
pub enum StatementKind {
    Sql(Box<ast::Statement>),
    Access(Box<AccessStatement>),
    Cursor(Box<CursorStatement>),
    Prepared(Box<PreparedStatement>),
    Copy(Box<CopyStatement>),
    Ddl(Box<Ddl>),
}

/// Splits a text into its statements. An empty text gives none.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    if sql.len() > TEXT_BYTES_MAX {
        return Err(Error::new(Reason::LimitExceeded, format!("a statement text may have {TEXT_BYTES_MAX} bytes")));
    }
    let source: Arc<str> = sql.into();
    let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| syntax(&ParserError::from(error)))?;
    require_short_chains(&tokens)?;
    mend_tokens(&mut tokens);
    let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens);
    let mut statements: Vec<Statement> = Vec::new();
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token_ref().token == Token::EOF {
            if let [alone] = &mut statements[..] {
                alone.is_alone = true;
            }
            return Ok(statements);
        }
        let statement = next(&mut parser, &source)?;
        statement.require_small()?;
        statements.push(statement);
        let following = parser.peek_token_ref();
        if following.token != Token::EOF && following.token != Token::SemiColon {
            let text = format!("syntax error at or near \"{}\"", following.token);
            return Err(at(Error::new(Reason::Syntax, text), sql, following.span.start));
        }
    }
}

/// The texts of the statements of a script, as they were written, without comments around them.
pub fn texts(sql: &str) -> Result<Vec<String>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).with_unescape(false).tokenize();
    let tokens = tokens.map_err(|error| syntax(&error.into()))?;
    let is_comment = |token: &Token| {
        matches!(token, Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)))
    };
    let statements = tokens.split(|token| *token == Token::SemiColon).map(|statement| {
        let kept = statement.iter().map(|token| if is_comment(token) { " ".to_owned() } else { token.to_string() });
        kept.collect::<String>().trim().to_owned()
    });
    Ok(statements.filter(|text| !text.is_empty()).collect())
}

/// The next statement of a text that has one; `source` is the text.
pub(super) fn next(parser: &mut Parser<'_>, source: &Arc<str>) -> Result<Statement> {
    let kind = if let Some(parsed) = access::parse(parser) {
        StatementKind::Access(Box::new(parsed.map_err(|error| refused(&error))?))
    } else if let Some(parsed) = CursorStatement::parse(parser) {
        StatementKind::Cursor(Box::new(parsed.map_err(|error| syntax(&error))?))
    } else if let Some(parsed) = CopyStatement::parse(parser) {
        StatementKind::Copy(Box::new(parsed?))
    } else if let Some(parsed) = PreparedStatement::parse(parser, source) {
        StatementKind::Prepared(Box::new(parsed?))
    } else if let Some(parsed) = ddl::parse(parser) {
        StatementKind::Ddl(Box::new(parsed.map_err(|error| syntax(&error))?))
    } else if let Some(statement) = session_statement(parser) {
        StatementKind::Sql(Box::new(statement))
    } else {
        let mut parsed = parser.parse_statement().map_err(|error| syntax(&error))?;
        mend_precedence(&mut parsed);
        match parsed {
            ast::Statement::CreateTable(create) => StatementKind::Ddl(Box::new(Ddl::CreateTable(Box::new(create)))),
            other => StatementKind::Sql(Box::new(other)),
        }
    };
    let text = match &kind {
        StatementKind::Sql(statement) => statement.to_string(),
        StatementKind::Cursor(statement) => statement.to_string(),
        StatementKind::Prepared(statement) => statement.to_string(),
        StatementKind::Copy(statement) => statement.to_string(),
        StatementKind::Ddl(ddl) => ddl.tag().to_owned(),
        // May hold a password: never told again.
        StatementKind::Access(_) => String::new(),
    };
    Ok(Statement { text, kind, source: Arc::clone(source), is_alone: false })
}

/// What the access room says of a statement stands by itself; where the parser stopped is a syntax error.
fn refused(error: &ParserError) -> Error {
    match error {
        ParserError::ParserError(text) if !text.contains("found: ") => Error::new(Reason::Syntax, text.clone()),
        other => syntax(other),
    }
}

/// Forms of SET and RESET that sqlparser does not know or misreads.
fn session_statement(parser: &mut Parser<'_>) -> Option<ast::Statement> {
    local_authorization(parser)
        .or_else(|| role_as_setting(parser))
        .or_else(|| reset_authorization(parser))
        .or_else(|| abort(parser))
}

/// `ABORT [WORK | TRANSACTION]`, an older word for ROLLBACK.
fn abort(parser: &mut Parser<'_>) -> Option<ast::Statement> {
    parser.parse_keyword(Keyword::ABORT).then(|| {
        let _ = parser.parse_one_of_keywords(&[Keyword::WORK, Keyword::TRANSACTION]);
        ast::Statement::Rollback { chain: false, savepoint: None }
    })
}

/// `RESET SESSION AUTHORIZATION`
fn reset_authorization(parser: &mut Parser<'_>) -> Option<ast::Statement> {
    let words = [Keyword::RESET, Keyword::SESSION, Keyword::AUTHORIZATION];
    let name = ast::ObjectName::from(vec![ast::Ident::new("session_authorization")]);
    let reset = ast::ResetStatement { reset: ast::Reset::ConfigurationParameter(name) };
    parser.parse_keywords(&words).then_some(ast::Statement::Reset(reset))
}

/// `SET { LOCAL | SESSION } SESSION AUTHORIZATION`, which sqlparser reads without the first of these words only.
fn local_authorization(parser: &mut Parser<'_>) -> Option<ast::Statement> {
    let parsed = parser.try_parse(|parser| {
        parser.expect_keyword(Keyword::SET)?;
        let scope = match parser.expect_one_of_keywords(&[Keyword::LOCAL, Keyword::SESSION])? {
            Keyword::LOCAL => ast::ContextModifier::Local,
            _ => ast::ContextModifier::Session,
        };
        parser.expect_keywords(&[Keyword::SESSION, Keyword::AUTHORIZATION])?;
        let kind = match parser.parse_keyword(Keyword::DEFAULT) {
            true => ast::SetSessionAuthorizationParamKind::Default,
            false => ast::SetSessionAuthorizationParamKind::User(parser.parse_identifier()?),
        };
        Ok(ast::Set::SetSessionAuthorization(ast::SetSessionAuthorizationParam { scope, kind }))
    });
    parsed.ok().map(ast::Statement::Set)
}

/// `SET [LOCAL | SESSION] ROLE { TO | = } name`, in which sqlparser takes TO for the name.
fn role_as_setting(parser: &mut Parser<'_>) -> Option<ast::Statement> {
    let parsed = parser.try_parse(|parser| {
        parser.expect_keyword(Keyword::SET)?;
        let context_modifier = match parser.parse_one_of_keywords(&[Keyword::LOCAL, Keyword::SESSION]) {
            Some(Keyword::LOCAL) => Some(ast::ContextModifier::Local),
            Some(_) => Some(ast::ContextModifier::Session),
            None => None,
        };
        parser.expect_keyword(Keyword::ROLE)?;
        if !parser.consume_token(&Token::Eq) {
            parser.expect_keyword(Keyword::TO)?;
        }
        let nobody = parser.parse_one_of_keywords(&[Keyword::NONE, Keyword::DEFAULT]).is_some();
        let role_name = if nobody { None } else { Some(parser.parse_identifier()?) };
        Ok(ast::Set::SetRole { context_modifier, role_name })
    });
    parsed.ok().map(ast::Statement::Set)
}

/// What others may be shown of a statement.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its text with a question mark for each literal; empty where it may hold a password.
    pub text: Arc<str>,
    /// The SHA-256 of that text, in hex.
    pub hash: Option<Arc<str>>,
}

impl Shown {
    pub fn of(statement: &Statement) -> Self {
        let text = without_literals(&statement.text);
        let hash = (!text.is_empty()).then(|| seal::hash(text.as_bytes()).into());
        Self { text: text.into(), hash }
    }
}

/// The text of a statement with a question mark for each literal.
pub fn without_literals(text: &str) -> String {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize() else { return String::new() };
    let shown = tokens.into_iter().map(|token| match token {
        Token::Word(_) | Token::Whitespace(_) | Token::Placeholder(_) => token.to_string(),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_) => "?".to_owned(),
        other => other.to_string(),
    });
    shown.collect()
}
