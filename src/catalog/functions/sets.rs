//! Functions that give rows in PostgreSQL and here an array, which the rewrite spreads.

use super::function::{CatalogFunction, strict};
use crate::catalog::snapshot::{Snapshot, reserved_words};
use crate::error::Error;
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("pg_partition_ancestors", (1, 1), "_oid", none),
    strict("pg_partition_children", (1, 1), "_oid", none),
    strict("pg_listening_channels", (0, 0), "_text", none),
    strict("pg_keywords", (0, 0), "_text", |_, _| Ok(reserved_words().to_vec().into())),
];

/// No table is a partition of another.
fn none(_: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(Value::List(Vec::new()))
}
