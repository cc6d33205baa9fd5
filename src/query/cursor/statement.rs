//! The statements about cursors, and the parser for them: sqlparser's own knows fewer forms of FETCH, and no MOVE.

use std::fmt;

use datafusion::sql::sqlparser::ast::{Ident, Query};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::Reason;
use crate::sql::{folded, mend_precedence};

/// A statement about a cursor.
#[derive(Debug, Clone)]
pub enum CursorStatement {
    /// `hold`: it outlives the transaction that made it.
    Declare { name: String, hold: bool, query: Box<Query> },
    /// `rows_max` of `None` is ALL. `count_only` is MOVE: the rows are passed over.
    Fetch { name: String, rows_max: Option<usize>, count_only: bool },
    /// `None` is ALL.
    Close { name: Option<String> },
    /// Well-formed, and not to be had here.
    Refused { reason: Reason, text: &'static str },
}

impl CursorStatement {
    /// Parses the next statement of `parser` if it is one of these; else `None`, and no token is consumed.
    pub fn parse(parser: &mut Parser<'_>) -> Option<Result<Self, ParserError>> {
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        // MOVE is no keyword of the parser's.
        let parse = match word.value.to_ascii_uppercase().as_str() {
            _ if word.quote_style.is_some() => return None,
            "DECLARE" => declare,
            "FETCH" => |parser: &mut Parser<'_>| fetch(parser, false),
            "MOVE" => |parser: &mut Parser<'_>| fetch(parser, true),
            "CLOSE" => close,
            _ => return None,
        };
        parser.advance_token();
        Some(parse(parser))
    }

    /// The command tag of one that gives no rows.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Declare { .. } => "DECLARE CURSOR",
            Self::Fetch { count_only: false, .. } => "FETCH",
            Self::Fetch { count_only: true, .. } => "MOVE",
            Self::Close { name: Some(_) } => "CLOSE CURSOR",
            Self::Close { name: None } => "CLOSE CURSOR ALL",
            Self::Refused { .. } => "",
        }
    }
}

impl fmt::Display for CursorStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| Ident::with_quote('"', name);
        match self {
            Self::Declare { name, hold, query } => {
                let hold = if *hold { " WITH HOLD" } else { "" };
                write!(f, "DECLARE {} CURSOR{hold} FOR {query}", quoted(name))
            }
            Self::Fetch { name, rows_max, .. } => {
                let count = rows_max.map_or("ALL".to_owned(), |count| count.to_string());
                write!(f, "{} FORWARD {count} FROM {}", self.tag(), quoted(name))
            }
            Self::Close { name: Some(name) } => write!(f, "CLOSE {}", quoted(name)),
            Self::Close { name: None } => f.write_str("CLOSE ALL"),
            Self::Refused { .. } => Ok(()),
        }
    }
}

const FORWARD_ONLY: CursorStatement =
    CursorStatement::Refused { reason: Reason::CursorState, text: "cursor can only scan forward" };
const NO_SCROLL: CursorStatement =
    CursorStatement::Refused { reason: Reason::Unsupported, text: "a cursor that scrolls is not supported" };
const NO_BINARY: CursorStatement = CursorStatement::Refused {
    reason: Reason::Unsupported,
    text: "a binary cursor is not supported: the extended protocol gives binary rows of any cursor",
};

/// name [BINARY | [A|IN]SENSITIVE | [NO] SCROLL]... CURSOR [WITH | WITHOUT HOLD] FOR query
fn declare(parser: &mut Parser<'_>) -> Result<CursorStatement, ParserError> {
    use Keyword::*;
    let name = folded(&parser.parse_identifier()?);
    let mut refused = None;
    loop {
        match parser.parse_one_of_keywords(&[BINARY, INSENSITIVE, ASENSITIVE, NO, SCROLL, CURSOR]) {
            Some(CURSOR) => break,
            Some(NO) => drop(parser.expect_keyword(SCROLL)?),
            Some(BINARY) => refused = Some(NO_BINARY),
            Some(SCROLL) => refused = Some(NO_SCROLL),
            Some(_) => {}
            None => return parser.expected_ref("CURSOR", parser.peek_token_ref()),
        }
    }
    let hold = match parser.parse_one_of_keywords(&[WITH, WITHOUT]) {
        Some(with) => {
            parser.expect_keyword(HOLD)?;
            with == WITH
        }
        None => false,
    };
    parser.expect_keyword(FOR)?;
    let query = parse_query(parser)?;
    Ok(refused.unwrap_or(CursorStatement::Declare { name, hold, query }))
}

/// [NEXT | count | ALL | FORWARD [count | ALL]] [FROM | IN] name; the other directions are refused when they run.
fn fetch(parser: &mut Parser<'_>, count_only: bool) -> Result<CursorStatement, ParserError> {
    use Keyword::*;
    let direction =
        parser.parse_one_of_keywords(&[NEXT, ALL, FORWARD, PRIOR, FIRST, LAST, ABSOLUTE, RELATIVE, BACKWARD]);
    let mut is_forward = matches!(direction, None | Some(NEXT | ALL | FORWARD));
    let is_all = direction == Some(ALL) || matches!(direction, Some(FORWARD | BACKWARD)) && parser.parse_keyword(ALL);
    let mut rows_max = (!is_all).then_some(1);
    if !is_all && !matches!(direction, Some(NEXT | PRIOR | FIRST | LAST)) {
        let is_negative = parser.consume_token(&Token::Minus);
        if is_negative || matches!(parser.peek_token_ref().token, Token::Number(..)) {
            let count = usize::try_from(parser.parse_literal_uint()?).unwrap_or(usize::MAX);
            // Zero asks for the row under the cursor once more.
            is_forward &= !is_negative && count > 0;
            rows_max = Some(count);
        }
    }
    let _ = parser.parse_one_of_keywords(&[FROM, IN]);
    let name = folded(&parser.parse_identifier()?);
    Ok(if is_forward { CursorStatement::Fetch { name, rows_max, count_only } } else { FORWARD_ONLY })
}

fn close(parser: &mut Parser<'_>) -> Result<CursorStatement, ParserError> {
    let name = if parser.parse_keyword(Keyword::ALL) { None } else { Some(folded(&parser.parse_identifier()?)) };
    Ok(CursorStatement::Close { name })
}

fn parse_query(parser: &mut Parser<'_>) -> Result<Box<Query>, ParserError> {
    let mut query = parser.parse_query()?;
    mend_precedence(&mut query);
    Ok(query)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    use super::*;

    fn parsed(sql: &str) -> Result<CursorStatement, ParserError> {
        let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap();
        CursorStatement::parse(&mut parser).unwrap()
    }

    #[test]
    fn every_forward_form_is_understood() {
        for (sql, expected) in [
            ("DECLARE c CURSOR FOR SELECT 1", "DECLARE \"c\" CURSOR FOR SELECT 1"),
            (
                "declare \"C d\" insensitive no scroll cursor with hold for select 1",
                "DECLARE \"C d\" CURSOR WITH HOLD FOR SELECT 1",
            ),
            ("FETCH c", "FETCH FORWARD 1 FROM \"c\""),
            ("FETCH NEXT FROM c", "FETCH FORWARD 1 FROM \"c\""),
            ("FETCH FORWARD IN c", "FETCH FORWARD 1 FROM \"c\""),
            ("fetch 2048 in \"SQL_CUR\"", "FETCH FORWARD 2048 FROM \"SQL_CUR\""),
            ("FETCH FORWARD ALL FROM c", "FETCH FORWARD ALL FROM \"c\""),
            ("FETCH ALL C", "FETCH FORWARD ALL FROM \"c\""),
            ("MOVE 10 IN c", "MOVE FORWARD 10 FROM \"c\""),
            ("CLOSE c", "CLOSE \"c\""),
            ("CLOSE ALL", "CLOSE ALL"),
        ] {
            assert_eq!(parsed(sql).unwrap().to_string(), expected, "{sql}");
        }
    }

    #[test]
    fn what_a_cursor_cannot_do_is_understood_and_refused() {
        for (sql, expected) in [
            ("FETCH PRIOR FROM c", Reason::CursorState),
            ("FETCH -1 FROM c", Reason::CursorState),
            ("FETCH 0 FROM c", Reason::CursorState),
            ("FETCH BACKWARD ALL FROM c", Reason::CursorState),
            ("FETCH FIRST FROM c", Reason::CursorState),
            ("MOVE ABSOLUTE 3 FROM c", Reason::CursorState),
            ("DECLARE c SCROLL CURSOR FOR SELECT 1", Reason::Unsupported),
            ("DECLARE c BINARY CURSOR FOR SELECT 1", Reason::Unsupported),
        ] {
            let refused = matches!(parsed(sql), Ok(CursorStatement::Refused { reason, .. }) if reason == expected);
            assert!(refused, "{sql}");
        }
        assert!(parsed("DECLARE c FOR SELECT 1").is_err());
    }

    #[test]
    fn other_statements_are_left_alone() {
        let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql("SELECT 1").unwrap();
        assert!(CursorStatement::parse(&mut parser).is_none());
        assert!(parser.parse_statement().is_ok());
    }
}
