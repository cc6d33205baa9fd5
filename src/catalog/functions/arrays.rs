//! The bounds of arrays, as PostgreSQL asks for them.

use super::function::{CatalogFunction, strict};
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("array_lower", (2, 2), "int4", |_, arguments| Ok(length(arguments).map(|_| 1).into())),
    strict("array_upper", (2, 2), "int4", |_, arguments| Ok(length(arguments).into())),
];

/// The number of items; `None` of an empty array, which has no bounds, and of a dimension above the first.
fn length(arguments: &[Value]) -> Option<i32> {
    match (arguments.first(), arguments.get(1).and_then(Value::as_int)) {
        (Some(Value::List(items)), Some(1)) if !items.is_empty() => i32::try_from(items.len()).ok(),
        _ => None,
    }
}
