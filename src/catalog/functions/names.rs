//! Names and texts as SQL writes them, and encodings by name.

use super::function::{CatalogFunction, called, strict};
use crate::catalog::snapshot::{Snapshot, quote_ident, split_name};
use crate::error::{Error, Reason};
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("quote_ident", (1, 1), "text", |_, arguments| Ok(quote_ident(&text(arguments, 0)).into())),
    strict("quote_literal", (1, 1), "text", |_, arguments| Ok(quote_literal(&text(arguments, 0)).into())),
    called("quote_nullable", (1, 1), "text", |_, arguments| Ok(literal_or_null(arguments.first()).into())),
    strict("parse_ident", (1, 2), "_text", parse_ident),
    strict("pg_encoding_to_char", (1, 1), "name", encoding_name),
    strict("pg_char_to_encoding", (1, 1), "int4", encoding_number),
    strict("getdatabaseencoding", (0, 0), "name", |_, _| Ok("UTF8".into())),
    strict("pg_client_encoding", (0, 0), "name", |_, _| Ok("UTF8".into())),
];

const UTF8: i64 = 6;

fn text(arguments: &[Value], position: usize) -> String {
    arguments.get(position).map(Value::display).unwrap_or_default()
}

fn quote_literal(text: &str) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    if text.contains('\\') { format!("E{}", quoted.replace('\\', "\\\\")) } else { quoted }
}

pub fn literal_or_null(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "NULL".to_owned(),
        Some(value) => quote_literal(&value.display()),
    }
}

fn parse_ident(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let name = text(arguments, 0);
    let message = format!("string is not a valid identifier: \"{name}\"");
    split_name(&name).map(Value::from).ok_or_else(|| Error::new(Reason::InvalidParameter, message))
}

/// UTF-8 is the one encoding that is held; the others are known by name as far as clients ask.
fn encoding_name(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    Ok(match arguments.first().and_then(Value::as_int) {
        Some(UTF8) => "UTF8",
        Some(0) => "SQL_ASCII",
        Some(8) => "LATIN1",
        _ => "",
    }
    .into())
}

fn encoding_number(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let name: String = text(arguments, 0).to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    Ok(Value::Int(match name.as_str() {
        "utf8" | "unicode" => UTF8,
        "sqlascii" => 0,
        "latin1" | "iso88591" => 8,
        _ => -1,
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_quoted_as_postgres_quotes_them() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\b"), "E'a\\\\b'");
        assert_eq!(literal_or_null(None), "NULL");
    }
}
