//! Comments on objects.

use super::function::{CatalogFunction, strict};
use crate::catalog::snapshot::{Relation, Snapshot};
use crate::error::Error;
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("obj_description", (1, 2), "text", obj_description),
    strict("col_description", (2, 2), "text", col_description),
    strict("shobj_description", (2, 2), "text", shobj_description),
];

fn oid(arguments: &[Value]) -> u32 {
    arguments.first().and_then(Value::as_oid).unwrap_or(0)
}

/// The second argument names the catalog that lists the object; without it all are searched.
fn obj_description(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let oid = oid(arguments);
    let catalog = arguments.get(1).and_then(Value::as_text);
    let within = |name: &str| catalog.is_none_or(|catalog| catalog == name);
    let relation = || snapshot.user_relation(oid).and_then(|entry| entry.comment.clone());
    let schema = || {
        let schema = snapshot.namespaces().into_iter().find(|schema| schema.oid == oid)?;
        schema.comment.map(str::to_owned)
    };
    let function = || {
        let function = snapshot.function(oid)?;
        Some(function.description.clone()).filter(|description| !description.is_empty())
    };
    let found = within("pg_class").then(relation).flatten();
    let found = found.or_else(|| within("pg_namespace").then(schema).flatten());
    Ok(found.or_else(|| within("pg_proc").then(function).flatten()).into())
}

fn col_description(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let number = arguments.get(1).and_then(Value::as_int).unwrap_or(0);
    let Some(entry) = snapshot.user_relation(oid(arguments)) else { return Ok(Value::Null) };
    let attributes = Relation::User(entry).attributes();
    let column = attributes.iter().find(|attribute| i64::from(attribute.number) == number);
    Ok(column.and_then(|column| column.comment).into())
}

fn shobj_description(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let of_role = arguments.get(1).and_then(Value::as_text) == Some("pg_authid");
    let role = snapshot.role(oid(arguments)).filter(|_| of_role);
    Ok(role.and_then(|role| role.comment.clone()).into())
}
