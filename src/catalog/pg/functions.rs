//! Functions and aggregates.

use super::Rows;
use crate::catalog::model::{FunctionEntry, FunctionKind};
use crate::catalog::snapshot::{PG_CATALOG_OID, SYSTEM_OWNER_OID, Snapshot, support_function_oid};
use crate::catalog::types;
use crate::functions::value::Value;

/// The type `any`, which stands for what a signature leaves open.
const ANY: u32 = 2276;
const INTERNAL_LANGUAGE: u32 = 12;

pub fn pg_proc(snapshot: &Snapshot, rows: &mut Rows) {
    for function in &snapshot.visible.functions {
        push_function(snapshot, rows, function);
    }
    for name in types::support_functions() {
        rows.push([
            ("oid", support_function_oid(name).into()),
            ("proname", (*name).into()),
            ("pronamespace", PG_CATALOG_OID.into()),
            ("proowner", SYSTEM_OWNER_OID.into()),
            ("prolang", INTERNAL_LANGUAGE.into()),
            ("procost", Value::Float(1.0)),
            ("prokind", 'f'.into()),
            ("proisstrict", true.into()),
            ("provolatile", 'i'.into()),
            ("proparallel", 's'.into()),
            ("pronargs", 1.into()),
            ("prorettype", ANY.into()),
            ("proargtypes", vec![ANY].into()),
            ("prosrc", (*name).into()),
        ]);
    }
}

fn push_function(snapshot: &Snapshot, rows: &mut Rows, function: &FunctionEntry) {
    let arguments = arguments(&function.arguments);
    let types: Vec<u32> = arguments.iter().map(|(_, text)| signature_type(text)).collect();
    let is_named = arguments.iter().any(|(name, _)| !name.is_empty());
    let names: Vec<String> = arguments.into_iter().map(|(name, _)| name).collect();
    let (set, result) = match function.result.strip_prefix("SETOF ") {
        Some(result) => (true, result),
        None => (false, function.result.as_str()),
    };
    rows.push([
        ("oid", function.oid.into()),
        ("proname", (&function.name).into()),
        ("pronamespace", snapshot.namespace_oid(&function.schema).into()),
        ("proowner", SYSTEM_OWNER_OID.into()),
        ("prolang", INTERNAL_LANGUAGE.into()),
        ("procost", Value::Float(1.0)),
        ("prokind", kind_letter(function.kind).into()),
        ("proretset", set.into()),
        ("provolatile", 's'.into()),
        ("proparallel", 's'.into()),
        ("pronargs", Value::Int(i64::try_from(types.len()).unwrap_or(0))),
        ("prorettype", signature_type(result).into()),
        ("proargtypes", types.into()),
        ("proargnames", if is_named { names.into() } else { Value::Null }),
        ("prosrc", (&function.name).into()),
    ]);
}

fn kind_letter(kind: FunctionKind) -> char {
    match kind {
        FunctionKind::Scalar => 'f',
        FunctionKind::Aggregate => 'a',
        FunctionKind::Window => 'w',
    }
}

/// Name and type of each argument in a text as `\df` shows it; a name is empty where there is none.
pub fn arguments(text: &str) -> Vec<(String, String)> {
    let mut parts = Vec::new();
    let mut depth = 0;
    let mut part = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).map(argument).collect()
}

fn argument(part: &str) -> (String, String) {
    let part = part.split(" DEFAULT ").next().unwrap_or(part);
    let part = part.strip_prefix("VARIADIC ").unwrap_or(part);
    if types::oid_by_sql_name(part).is_some() {
        return (String::new(), part.to_owned());
    }
    match part.split_once(' ') {
        Some((name, text)) => (name.to_owned(), text.to_owned()),
        None => (String::new(), part.to_owned()),
    }
}

/// The oid of a type that a signature names; `any` where it is none that is known.
pub fn signature_type(text: &str) -> u32 {
    types::oid_by_sql_name(text).unwrap_or(ANY)
}

pub fn pg_aggregate(snapshot: &Snapshot, rows: &mut Rows) {
    let aggregates = snapshot.visible.functions.iter().filter(|function| function.kind == FunctionKind::Aggregate);
    for function in aggregates {
        rows.push([
            ("aggfnoid", (&function.name).into()),
            ("aggkind", 'n'.into()),
            ("aggfinalmodify", 'r'.into()),
            ("aggmfinalmodify", 'r'.into()),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_from_their_text() {
        let read = |text: &str| {
            let parts = arguments(text).into_iter().map(|(name, kind)| format!("{name}:{kind}"));
            parts.collect::<Vec<_>>().join("|")
        };
        assert_eq!(read("value numeric(18,2), n integer"), "value:numeric(18,2)|n:integer");
        assert_eq!(read("double precision, text[]"), ":double precision|:text[]");
        assert_eq!(read(""), "");
        assert_eq!(read("at timestamp with time zone DEFAULT now()"), "at:timestamp with time zone");
        assert_eq!(signature_type("double precision"), 701);
        assert_eq!(signature_type("whatever"), ANY);
    }
}
