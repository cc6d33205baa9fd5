//! The options of COPY, in PostgreSQL's spelling of today and in the older one that psql passes on.

use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::form::{Columns, CopyCsv, CopyForm, CopyHeader, CopyText};
use crate::access::statement::names::{self, expect_word, word};
use crate::error::{Error, Reason, Result};
use crate::sql::folded;

/// Which way the rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// One option as it was written.
#[derive(Debug, Clone)]
pub struct CopyOption {
    /// In lower case.
    name: String,
    argument: Argument,
}

#[derive(Debug, Clone)]
enum Argument {
    None,
    /// A word, a number or a text.
    Text(String),
    Columns(Columns),
}

/// [[WITH] (option [argument], ...)] or [WITH] option argument ...
pub fn parse(parser: &mut Parser<'_>) -> Result<Vec<CopyOption>, ParserError> {
    let _ = word(parser, "with");
    if !parser.consume_token(&Token::LParen) {
        return older(parser);
    }
    let options = parser.parse_comma_separated(|parser| {
        let name = parser.parse_identifier()?.value.to_lowercase();
        let argument = match &parser.peek_token_ref().token {
            Token::Comma | Token::RParen => Argument::None,
            Token::LParen | Token::Mul => Argument::Columns(columns(parser)?),
            _ => Argument::Text(text(parser)?),
        };
        Ok(CopyOption { name, argument })
    })?;
    parser.expect_token(&Token::RParen)?;
    Ok(options)
}

fn older(parser: &mut Parser<'_>) -> Result<Vec<CopyOption>, ParserError> {
    let mut options = Vec::new();
    loop {
        let option = |name: &str, argument| CopyOption { name: name.to_owned(), argument };
        options.push(if word(parser, "binary") {
            option("format", Argument::Text("binary".to_owned()))
        } else if word(parser, "csv") {
            option("format", Argument::Text("csv".to_owned()))
        } else if word(parser, "header") {
            option("header", Argument::None)
        } else if word(parser, "freeze") {
            option("freeze", Argument::None)
        } else if word(parser, "force") {
            let name = if word(parser, "quote") {
                "force_quote"
            } else if word(parser, "not") {
                expect_word(parser, "null")?;
                "force_not_null"
            } else {
                expect_word(parser, "null")?;
                "force_null"
            };
            option(name, Argument::Columns(bare_columns(parser)?))
        } else if let Some(name) = ["delimiter", "delimiters", "null", "quote", "escape", "encoding"]
            .into_iter()
            .find(|name| word(parser, name))
        {
            let _ = word(parser, "as");
            let name = if name == "delimiters" { "delimiter" } else { name };
            option(name, Argument::Text(text(parser)?))
        } else {
            return Ok(options);
        });
    }
}

fn columns(parser: &mut Parser<'_>) -> Result<Columns, ParserError> {
    if parser.consume_token(&Token::Mul) {
        return Ok(Columns::All);
    }
    parser.expect_token(&Token::LParen)?;
    let columns = bare_columns(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(columns)
}

fn bare_columns(parser: &mut Parser<'_>) -> Result<Columns, ParserError> {
    if parser.consume_token(&Token::Mul) {
        return Ok(Columns::All);
    }
    let names = parser.parse_comma_separated(Parser::parse_identifier)?;
    Ok(Columns::Named(names.iter().map(folded).collect()))
}

fn text(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    let next = parser.next_token();
    match next.token {
        Token::Word(word) => Ok(word.value),
        Token::Number(number, _) => Ok(number),
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) | Token::UnicodeStringLiteral(text) => {
            Ok(text)
        }
        _ => Err(names::error("an option of COPY takes a word or a text")),
    }
}

/// What the options say, before it is known which form they are for.
#[derive(Default)]
struct Asked {
    format: Option<String>,
    delimiter: Option<u8>,
    null: Option<String>,
    quote: Option<u8>,
    escape: Option<u8>,
    header: CopyHeader,
    force_quote: Option<Columns>,
    force_null: Option<Columns>,
    force_not_null: Option<Columns>,
}

pub fn form(options: &[CopyOption], direction: Direction) -> Result<CopyForm> {
    let mut asked = Asked::default();
    options.iter().try_for_each(|option| asked.take(option))?;
    asked.form(direction)
}

impl Asked {
    fn take(&mut self, option: &CopyOption) -> Result<()> {
        let CopyOption { name, argument } = option;
        match (name.as_str(), argument) {
            ("format", Argument::Text(format)) => self.format = Some(format.to_ascii_lowercase()),
            ("delimiter", Argument::Text(text)) => self.delimiter = Some(byte(name, text)?),
            ("null", Argument::Text(text)) => self.null = Some(null(text)?),
            ("quote", Argument::Text(text)) => self.quote = Some(byte(name, text)?),
            ("escape", Argument::Text(text)) => self.escape = Some(byte(name, text)?),
            ("header", Argument::None) => self.header = CopyHeader::Present,
            ("header", Argument::Text(text)) => self.header = header(text)?,
            ("force_quote", Argument::Columns(columns)) => self.force_quote = Some(columns.clone()),
            ("force_null", Argument::Columns(columns)) => self.force_null = Some(columns.clone()),
            ("force_not_null", Argument::Columns(columns)) => self.force_not_null = Some(columns.clone()),
            ("encoding", Argument::Text(name)) if ["utf8", "utf-8"].contains(&name.to_ascii_lowercase().as_str()) => {}
            ("freeze", Argument::Text(text)) if ["false", "off", "0"].contains(&text.to_ascii_lowercase().as_str()) => {
            }
            ("freeze" | "encoding" | "default" | "on_error" | "log_verbosity", _) => {
                return Err(Error::new(Reason::Unsupported, format!("COPY option {name} is not supported")));
            }
            _ => return Err(Error::new(Reason::Syntax, format!("option \"{name}\" not recognized"))),
        }
        Ok(())
    }

    fn form(self, direction: Direction) -> Result<CopyForm> {
        let forced = self.force_quote.is_some() || self.force_null.is_some() || self.force_not_null.is_some();
        let csv_only = self.quote.is_some() || self.escape.is_some() || forced;
        let any = csv_only || self.delimiter.is_some() || self.null.is_some() || self.header != CopyHeader::Absent;
        match direction {
            Direction::In if self.force_quote.is_some() => {
                return Err(misplaced("COPY FORCE_QUOTE cannot be used with COPY FROM"));
            }
            Direction::Out if self.force_null.is_some() || self.force_not_null.is_some() => {
                return Err(misplaced("COPY FORCE_NULL and FORCE_NOT_NULL cannot be used with COPY TO"));
            }
            Direction::Out if self.header == CopyHeader::Match => {
                return Err(misplaced("cannot use \"match\" with HEADER in COPY TO"));
            }
            Direction::In | Direction::Out => {}
        }
        match self.format.as_deref() {
            None | Some("text") if csv_only => Err(misplaced("QUOTE, ESCAPE and FORCE_* need the format csv")),
            None | Some("text") => {
                let delimiter = self.delimiter.unwrap_or(b'\t');
                if delimiter == b'\\'
                    || delimiter == b'.'
                    || delimiter.is_ascii_lowercase()
                    || delimiter.is_ascii_digit()
                {
                    return Err(misplaced(&format!("COPY delimiter cannot be \"{}\"", char::from(delimiter))));
                }
                let null = self.null.unwrap_or_else(|| "\\N".to_owned());
                require_apart(delimiter, &null)?;
                Ok(CopyForm::Text(CopyText { delimiter, null, header: self.header }))
            }
            Some("csv") => {
                let (delimiter, quote) = (self.delimiter.unwrap_or(b','), self.quote.unwrap_or(b'"'));
                let null = self.null.unwrap_or_default();
                if delimiter == quote {
                    return Err(misplaced("COPY delimiter and quote must be different"));
                }
                require_apart(delimiter, &null)?;
                if null.bytes().any(|byte| byte == quote) {
                    return Err(misplaced("CSV quote character must not appear in the NULL specification"));
                }
                Ok(CopyForm::Csv(CopyCsv {
                    delimiter,
                    quote,
                    escape: self.escape.unwrap_or(quote),
                    null,
                    header: self.header,
                    force_quote: self.force_quote.unwrap_or(Columns::none()),
                    force_null: self.force_null.unwrap_or(Columns::none()),
                    force_not_null: self.force_not_null.unwrap_or(Columns::none()),
                }))
            }
            Some("binary") if any => Err(misplaced("the format binary takes no further options")),
            Some("binary") => Ok(CopyForm::Binary),
            Some(other) => Err(Error::new(Reason::InvalidParameter, format!("COPY format \"{other}\" not recognized"))),
        }
    }
}

fn require_apart(delimiter: u8, null: &str) -> Result<()> {
    if null.bytes().any(|byte| byte == delimiter) {
        return Err(misplaced("COPY delimiter character must not appear in the NULL specification"));
    }
    Ok(())
}

fn header(text: &str) -> Result<CopyHeader> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(CopyHeader::Present),
        "false" | "off" | "0" => Ok(CopyHeader::Absent),
        "match" => Ok(CopyHeader::Match),
        _ => Err(misplaced("header requires a Boolean value or \"match\"")),
    }
}

fn null(text: &str) -> Result<String> {
    if text.contains(['\n', '\r']) {
        return Err(misplaced("COPY null representation cannot use newline or carriage return"));
    }
    Ok(text.to_owned())
}

fn byte(option: &str, text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(*byte),
        _ => Err(misplaced(&format!("COPY {option} must be a single one-byte character"))),
    }
}

fn misplaced(rule: &str) -> Error {
    Error::new(Reason::InvalidParameter, rule)
}
