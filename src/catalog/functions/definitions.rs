//! Objects as the SQL that would make them.

use super::function::{CatalogFunction, called, strict};
use crate::catalog::model::{FunctionEntry, FunctionKind, RelationKind};
use crate::catalog::pg::{constraint_definition, index_definition};
use crate::catalog::snapshot::{Snapshot, quote_ident};
use crate::error::{Error, Reason};
use crate::functions::value::Value;

pub const FUNCTIONS: &[CatalogFunction] = &[
    strict("pg_get_expr", (2, 3), "text", |_, arguments| Ok(arguments.first().cloned().unwrap_or_default())),
    strict("pg_get_constraintdef", (1, 2), "text", constraintdef),
    strict("pg_get_indexdef", (1, 3), "text", indexdef),
    strict("pg_get_viewdef", (1, 2), "text", viewdef),
    strict("pg_get_ruledef", (1, 2), "text", ruledef),
    strict("pg_get_functiondef", (1, 1), "text", functiondef),
    strict("pg_get_function_arguments", (1, 1), "text", |snapshot, arguments| {
        Ok(of_function(snapshot, arguments, |function| function.arguments.clone()))
    }),
    strict("pg_get_function_identity_arguments", (1, 1), "text", |snapshot, arguments| {
        Ok(of_function(snapshot, arguments, |function| function.arguments.clone()))
    }),
    strict("pg_get_function_result", (1, 1), "text", |snapshot, arguments| {
        Ok(of_function(snapshot, arguments, |function| function.result.clone()))
    }),
    called("pg_get_function_sqlbody", (1, 1), "text", |_, _| Ok(Value::Null)),
    called("pg_get_function_arg_default", (2, 2), "text", |_, _| Ok(Value::Null)),
    called("pg_get_partkeydef", (1, 1), "text", |_, _| Ok(Value::Null)),
    called("pg_get_partition_constraintdef", (1, 1), "text", |_, _| Ok(Value::Null)),
    called("pg_get_triggerdef", (1, 2), "text", |_, _| Ok(Value::Null)),
    called("pg_get_statisticsobjdef", (1, 1), "text", |_, _| Ok(Value::Null)),
    called("pg_get_statisticsobjdef_columns", (1, 1), "text", |_, _| Ok(Value::Null)),
    called("pg_get_serial_sequence", (2, 2), "text", |_, _| Ok(Value::Null)),
    called("pg_get_replica_identity_index", (1, 1), "oid", |_, _| Ok(Value::Null)),
    strict("pg_relation_is_publishable", (1, 1), "bool", is_publishable),
];

fn oid(arguments: &[Value]) -> Option<u32> {
    arguments.first().and_then(Value::as_oid)
}

fn constraintdef(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let constraint = oid(arguments).and_then(|oid| snapshot.constraints().find(|constraint| constraint.oid == oid));
    Ok(constraint.map(|constraint| constraint_definition(snapshot, &constraint)).into())
}

/// The whole definition, or with a column number above 0 that column alone.
fn indexdef(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let Some(index) = oid(arguments).and_then(|oid| snapshot.indexes().find(|index| index.oid == oid)) else {
        return Ok(Value::Null);
    };
    let column = arguments.get(1).and_then(Value::as_int).unwrap_or(0);
    if column <= 0 {
        return Ok(index_definition(&index).into());
    }
    let name = usize::try_from(column - 1).ok().and_then(|position| index.relation.primary_key.get(position));
    Ok(name.map_or_else(String::new, |name| quote_ident(name)).into())
}

fn viewdef(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let by_name = || arguments.first().and_then(Value::as_text).and_then(|name| snapshot.relation_oid_by_name(name));
    Ok(oid(arguments).or_else(by_name).and_then(|oid| view_text(snapshot, oid)).into())
}

/// The SELECT of a view, closed by a semicolon as PostgreSQL closes it.
fn view_text(snapshot: &Snapshot, oid: u32) -> Option<String> {
    let entry = snapshot.user_relation(oid).filter(|entry| entry.kind == RelationKind::View)?;
    let definition = entry.definition.as_deref()?.trim().trim_end_matches(';');
    Some(format!(" {definition};"))
}

fn ruledef(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let rule = |oid: u32| {
        let name = snapshot.relation_text(oid)?;
        let select = view_text(snapshot, oid)?;
        Some(format!("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO {name} DO INSTEAD {select}"))
    };
    Ok(oid(arguments).and_then(rule).into())
}

fn of_function(snapshot: &Snapshot, arguments: &[Value], tell: fn(&FunctionEntry) -> String) -> Value {
    oid(arguments).and_then(|oid| snapshot.function(oid)).map(tell).into()
}

/// What CREATE FUNCTION would say of a function that the server brings.
fn functiondef(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let Some(function) = oid(arguments).and_then(|oid| snapshot.function(oid)) else { return Ok(Value::Null) };
    if function.kind == FunctionKind::Aggregate {
        let message = format!("\"{}\" is an aggregate function", function.name);
        return Err(Error::new(Reason::DatatypeMismatch, message));
    }
    let window = if function.kind == FunctionKind::Window { " WINDOW" } else { "" };
    Ok(format!(
        "CREATE OR REPLACE FUNCTION {}.{}({})\n RETURNS {}\n LANGUAGE internal{window}\nAS $function${}$function$\n",
        quote_ident(&function.schema),
        quote_ident(&function.name),
        function.arguments,
        function.result,
        function.name,
    )
    .into())
}

fn is_publishable(snapshot: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let entry = oid(arguments).and_then(|oid| snapshot.user_relation(oid));
    Ok(entry.is_some_and(|entry| entry.kind == RelationKind::Table).into())
}
