//! The helpers of `information_schema`.

use super::function::{CatalogFunction, called, strict};
use crate::catalog::information::TypeFacts;
use crate::catalog::snapshot::Snapshot;
use crate::error::Error;
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    called("_pg_char_max_length", (2, 2), "int4", |_, arguments| Ok(facts(arguments).character_length.into())),
    called("_pg_char_octet_length", (2, 2), "int4", |_, arguments| Ok(facts(arguments).octet_length.into())),
    called("_pg_numeric_precision", (2, 2), "int4", |_, arguments| Ok(facts(arguments).precision.into())),
    called("_pg_numeric_precision_radix", (2, 2), "int4", |_, arguments| Ok(facts(arguments).radix.into())),
    called("_pg_numeric_scale", (2, 2), "int4", |_, arguments| Ok(facts(arguments).scale.into())),
    called("_pg_datetime_precision", (2, 2), "int4", |_, arguments| Ok(facts(arguments).datetime_precision.into())),
    called("_pg_interval_type", (2, 2), "text", |_, _| Ok(Value::Null)),
    strict("_pg_index_position", (2, 2), "int4", index_position),
];

fn facts(arguments: &[Value]) -> TypeFacts {
    let type_oid = arguments.first().and_then(Value::as_oid).unwrap_or(0);
    let modifier = arguments.get(1).and_then(Value::as_int).and_then(|modifier| i32::try_from(modifier).ok());
    TypeFacts::of(type_oid, modifier.unwrap_or(-1))
}

/// Where the column stands in the index, from 1.
fn index_position(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let oid = arguments.first().and_then(Value::as_oid);
    let column = arguments.get(1).and_then(Value::as_int);
    let index = snapshot.indexes().find(|index| Some(index.oid) == oid);
    let position = index.and_then(|index| index.keys.iter().position(|key| Some(i64::from(*key)) == column));
    Ok(position.and_then(|position| i32::try_from(position + 1).ok()).into())
}
