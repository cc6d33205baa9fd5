//! Oids to names and back: types, relations, functions, schemas, roles.

use super::function::{CatalogFunction, called, strict};
use crate::catalog::snapshot::{
    SYSTEM_OWNER, SYSTEM_OWNER_OID, Snapshot, quote_ident, split_name, support_function_oid,
};
use crate::catalog::spec::PG_CATALOG;
use crate::catalog::types;
use crate::error::{Error, Reason};
use crate::functions::value::Value;

/// `...in` is the cast to the type, which gives the oid; `...out` the cast from it to text.
pub const FUNCTIONS: &[CatalogFunction] =
    &[
        called("format_type", (2, 2), "text", format_type),
        strict("pg_get_userbyid", (1, 1), "name", user_by_id),
        strict("to_regclass", (1, 1), "oid", |snapshot, arguments| Ok(class_oid(snapshot, arguments).into())),
        strict("to_regtype", (1, 1), "oid", |_, arguments| Ok(types::oid_by_sql_name(&text(arguments)).into())),
        strict("to_regnamespace", (1, 1), "oid", |snapshot, arguments| {
            Ok(namespace_oid(snapshot, &text(arguments)).into())
        }),
        strict("to_regrole", (1, 1), "oid", |snapshot, arguments| Ok(role_oid(snapshot, &text(arguments)).into())),
        strict("to_regproc", (1, 1), "oid", |snapshot, arguments| Ok(function_oid(snapshot, &text(arguments)).into())),
        strict("regclassin", (1, 1), "oid", regclass_in),
        strict("regclassout", (1, 1), "text", regclass_out),
        strict("regtypein", (1, 1), "oid", regtype_in),
        strict("regtypeout", (1, 1), "text", regtype_out),
        strict("regnamespacein", (1, 1), "oid", regnamespace_in),
        strict("regnamespaceout", (1, 1), "text", regnamespace_out),
        strict("regrolein", (1, 1), "oid", regrole_in),
        strict("regroleout", (1, 1), "text", regrole_out),
        strict("regprocin", (1, 1), "oid", regproc_in),
        strict("regprocout", (1, 1), "text", regproc_out),
    ];

fn oid(arguments: &[Value]) -> u32 {
    arguments.first().and_then(Value::as_oid).unwrap_or(0)
}

fn text(arguments: &[Value]) -> String {
    arguments.first().map(Value::display).unwrap_or_default()
}

fn format_type(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let modifier = arguments.get(1).and_then(Value::as_int);
    Ok(arguments.first().and_then(Value::as_oid).map(|oid| types::format(oid, modifier)).into())
}

fn user_by_id(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let oid = oid(arguments);
    Ok(role_name(snapshot, oid).unwrap_or_else(|| format!("unknown (OID={oid})")).into())
}

fn role_name(snapshot: &Snapshot, oid: u32) -> Option<String> {
    let name = snapshot.role(oid).map(|role| role.name.clone());
    name.or_else(|| (oid == SYSTEM_OWNER_OID).then(|| SYSTEM_OWNER.to_owned()))
}

/// A number is its own oid; a name is looked up by `find`, and must be found.
fn resolve(
    arguments: &[Value],
    reason: Reason,
    what: &str,
    find: impl Fn(&str) -> Option<u32>,
) -> Result<Value, Error> {
    if let Some(oid) = arguments.first().and_then(Value::as_oid) {
        return Ok(oid.into());
    }
    let name = text(arguments);
    if name == "-" {
        return Ok(0_u32.into());
    }
    let missing = || Error::new(reason, format!("{what} \"{name}\" does not exist"));
    find(&name).map(Value::from).ok_or_else(missing)
}

fn class_oid(snapshot: &Snapshot, arguments: &[Value]) -> Option<u32> {
    arguments.first().and_then(Value::as_oid).or_else(|| snapshot.relation_oid_by_name(&text(arguments)))
}

fn regclass_in(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    resolve(arguments, Reason::UndefinedTable, "relation", |name| snapshot.relation_oid_by_name(name))
}

/// An oid without a relation is shown as its number.
fn regclass_out(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    named(
        arguments,
        |oid| snapshot.relation_text(oid),
        |name| snapshot.relation_oid_by_name(name),
        Reason::UndefinedTable,
        "relation",
    )
}

/// The name of an oid; the number where it has none, `-` for 0. A name given in place of the oid is looked up first.
fn named(
    arguments: &[Value],
    name_of: impl Fn(u32) -> Option<String>,
    find: impl Fn(&str) -> Option<u32>,
    reason: Reason,
    what: &str,
) -> Result<Value, Error> {
    let oid = resolve(arguments, reason, what, find)?.as_oid().unwrap_or(0);
    if oid == 0 {
        return Ok("-".into());
    }
    Ok(name_of(oid).unwrap_or_else(|| oid.to_string()).into())
}

fn regtype_in(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    resolve(arguments, Reason::UndefinedObject, "type", types::oid_by_sql_name)
}

fn regtype_out(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let name_of = |oid| types::by_oid(oid).map(types::sql_name);
    named(arguments, name_of, types::oid_by_sql_name, Reason::UndefinedObject, "type")
}

fn namespace_oid(snapshot: &Snapshot, text: &str) -> Option<u32> {
    let name = split_name(text)?.pop()?;
    Some(snapshot.namespace_oid(&name)).filter(|oid| *oid != 0)
}

fn regnamespace_in(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    resolve(arguments, Reason::UndefinedSchema, "schema", |name| namespace_oid(snapshot, name))
}

fn regnamespace_out(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let name_of = |oid| snapshot.namespace_name(oid).map(quote_ident);
    named(arguments, name_of, |name| namespace_oid(snapshot, name), Reason::UndefinedSchema, "schema")
}

fn role_oid(snapshot: &Snapshot, text: &str) -> Option<u32> {
    let name = split_name(text)?.pop()?;
    snapshot.visible.roles.iter().find(|role| role.name == name).map(|role| role.oid)
}

fn regrole_in(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    resolve(arguments, Reason::UndefinedObject, "role", |name| role_oid(snapshot, name))
}

fn regrole_out(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let name_of = |oid| role_name(snapshot, oid).map(|name| quote_ident(&name));
    named(arguments, name_of, |name| role_oid(snapshot, name), Reason::UndefinedObject, "role")
}

fn function_oid(snapshot: &Snapshot, text: &str) -> Option<u32> {
    let mut parts = split_name(text.split('(').next()?)?;
    let name = parts.pop()?;
    let schema = parts.pop();
    if types::support_functions().contains(name.as_str()) && schema.as_deref().is_none_or(|schema| schema == PG_CATALOG)
    {
        return Some(support_function_oid(&name));
    }
    let mut functions = snapshot.visible.functions.iter();
    let fits = |owner: &str| match &schema {
        Some(schema) => schema == owner,
        None => snapshot.is_on_search_path(owner),
    };
    functions.find(|function| function.name == name && fits(&function.schema)).map(|function| function.oid)
}

fn regproc_in(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    resolve(arguments, Reason::UndefinedFunction, "function", |name| function_oid(snapshot, name))
}

/// A text is taken to be a function's name already, as the columns of type regproc hold it.
fn regproc_out(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    if let Some(Value::Text(name)) = arguments.first() {
        return Ok(name.into());
    }
    let name_of = |oid| {
        let function = snapshot.function(oid)?;
        let name = quote_ident(&function.name);
        let bare = function.schema == PG_CATALOG || snapshot.is_on_search_path(&function.schema);
        Some(if bare { name } else { format!("{}.{name}", quote_ident(&function.schema)) })
    };
    named(arguments, name_of, |_| None, Reason::UndefinedFunction, "function")
}
