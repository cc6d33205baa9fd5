//! How much lies in a table, and how to write it.

use super::function::{CatalogFunction, called, strict};
use crate::catalog::snapshot::Snapshot;
use crate::error::Error;
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("pg_relation_size", (1, 2), "int8", relation_size),
    strict("pg_table_size", (1, 1), "int8", relation_size),
    strict("pg_total_relation_size", (1, 1), "int8", relation_size),
    strict("pg_indexes_size", (1, 1), "int8", |_, _| Ok(Value::Int(0))),
    strict("pg_database_size", (1, 1), "int8", database_size),
    strict("pg_tablespace_size", (1, 1), "int8", database_size),
    strict("pg_size_pretty", (1, 1), "text", size_pretty),
    strict("pg_tablespace_location", (1, 1), "text", |_, _| Ok("".into())),
    called("pg_relation_filenode", (1, 1), "oid", |_, _| Ok(Value::Null)),
    called("pg_relation_filepath", (1, 1), "text", |_, _| Ok(Value::Null)),
];

fn bytes(size: u64) -> Value {
    Value::Int(i64::try_from(size).unwrap_or(i64::MAX))
}

/// 0 for what has no files of its own.
fn relation_size(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let by_name = || arguments.first().and_then(Value::as_text).and_then(|name| snapshot.relation_oid_by_name(name));
    let oid = arguments.first().and_then(Value::as_oid).or_else(by_name);
    let known = oid.and_then(|oid| snapshot.user_relation(oid)).and_then(|entry| entry.bytes);
    Ok(bytes(known.unwrap_or(0)))
}

fn database_size(snapshot: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(bytes(snapshot.visible.relations.iter().filter_map(|entry| entry.bytes).sum()))
}

fn size_pretty(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    Ok(arguments.first().and_then(Value::as_int).map(pretty).into())
}

/// The size in the unit in which it is below 10240, rounded to the nearest.
fn pretty(size: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let mut scaled = i128::from(size);
    let mut divisor = 1_i128;
    for (number, unit) in UNITS.iter().enumerate() {
        if scaled.abs() < 10 * 1024 || number + 1 == UNITS.len() {
            return format!("{scaled} {unit}");
        }
        divisor *= 1024;
        let half = if size < 0 { -divisor / 2 } else { divisor / 2 };
        scaled = (i128::from(size) + half) / divisor;
    }
    format!("{size} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    // The texts are what PostgreSQL 15 gives.
    #[test]
    fn sizes_are_written_as_postgres_writes_them() {
        for (size, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (16_384, "16 kB"),
            (10_485_248, "10 MB"),
            (123_456_789, "118 MB"),
            (-20_480, "-20 kB"),
        ] {
            assert_eq!(pretty(size), text);
        }
    }
}
