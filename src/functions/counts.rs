//! `num_nulls`, `num_nonnulls` and `isfinite`: what arguments are, whatever their types.

use super::plain::{Outcome, PlainFunction, called, strict};
use super::value::Value;

/// The most arguments, as in PostgreSQL.
const MOST: usize = 100;

pub const FUNCTIONS: &[PlainFunction] = &[
    called("num_nulls", (1, MOST), Outcome::Integer, |arguments| Ok(count(arguments, Value::is_null).into())),
    called("num_nonnulls", (1, MOST), Outcome::Integer, |arguments| {
        Ok(count(arguments, |value| !value.is_null()).into())
    }),
    strict("isfinite", (1, 1), Outcome::Boolean, |arguments| {
        let text = arguments.first().map(Value::display).unwrap_or_default();
        Ok((!matches!(text.as_str(), "infinity" | "-infinity")).into())
    }),
];

fn count(arguments: &[Value], test: impl Fn(&Value) -> bool) -> i32 {
    i32::try_from(arguments.iter().filter(|value| test(value)).count()).unwrap_or(i32::MAX)
}
