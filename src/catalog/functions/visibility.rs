//! Whether an object is found by its bare name.

use super::function::{CatalogFunction, strict};
use crate::catalog::snapshot::Snapshot;
use crate::catalog::types;
use crate::error::Error;
use crate::functions::value::Value;

/// What belongs to `pg_catalog` alone is always found.
pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("pg_table_is_visible", (1, 1), "bool", table),
    strict("pg_function_is_visible", (1, 1), "bool", function),
    strict("pg_type_is_visible", (1, 1), "bool", |_, arguments| Ok(types::by_oid(oid(arguments)).is_some().into())),
    strict("pg_operator_is_visible", (1, 1), "bool", always),
    strict("pg_opclass_is_visible", (1, 1), "bool", always),
    strict("pg_opfamily_is_visible", (1, 1), "bool", always),
    strict("pg_collation_is_visible", (1, 1), "bool", always),
    strict("pg_conversion_is_visible", (1, 1), "bool", always),
    strict("pg_statistics_obj_is_visible", (1, 1), "bool", always),
    strict("pg_ts_config_is_visible", (1, 1), "bool", always),
    strict("pg_ts_dict_is_visible", (1, 1), "bool", always),
    strict("pg_ts_parser_is_visible", (1, 1), "bool", always),
    strict("pg_ts_template_is_visible", (1, 1), "bool", always),
];

fn oid(arguments: &[Value]) -> u32 {
    arguments.first().and_then(Value::as_oid).unwrap_or(0)
}

fn always(_: &Snapshot, _: &[Value]) -> Result<Value, Error> {
    Ok(true.into())
}

fn table(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let oid = oid(arguments);
    if let Some(relation) = snapshot.relation(oid) {
        return Ok(snapshot.is_found_unqualified(relation.schema(), relation.name()).into());
    }
    let index = snapshot.indexes().find(|index| index.oid == oid);
    Ok(index.map(|index| snapshot.is_found_unqualified(&index.relation.schema, &index.name)).into())
}

fn function(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let function = snapshot.function(oid(arguments));
    Ok(function.map(|function| snapshot.is_on_search_path(&function.schema)).into())
}
