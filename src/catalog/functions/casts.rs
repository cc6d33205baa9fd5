//! Casts to types that the engine keeps as text: the text is checked, and told as what it is.

use serde::de::IgnoredAny;

use super::function::{CatalogFunction, strict};
use crate::catalog::snapshot::Snapshot;
use crate::error::{Error, Reason};
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] =
    &[strict("uuid_in", (1, 1), "uuid", uuid), strict("json_in", (1, 1), "json", json)];

fn uuid(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let text = text(arguments);
    let parsed = uuid::Uuid::parse_str(text.trim()).map_err(|_| invalid("uuid", &text))?;
    Ok(parsed.hyphenated().to_string().into())
}

fn json(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let text = text(arguments);
    serde_json::from_str::<IgnoredAny>(&text).map_err(|_| invalid("json", &text))?;
    Ok(text.into())
}

fn text(arguments: &[Value]) -> String {
    arguments.first().map(Value::display).unwrap_or_default()
}

fn invalid(kind: &str, text: &str) -> Error {
    Error::new(Reason::InvalidText, format!("invalid input syntax for type {kind}: \"{text}\""))
}
