//! Functions and their arguments.

use super::columns::TypeFacts;
use super::yes;
use crate::catalog::model::FunctionEntry;
use crate::catalog::pg::{Rows, arguments, signature_type};
use crate::catalog::snapshot::Snapshot;

pub fn routines(snapshot: &Snapshot, rows: &mut Rows) {
    for function in &snapshot.visible.functions {
        let facts = TypeFacts::of(signature_type(&function.result), -1);
        rows.push([
            ("specific_catalog", (&snapshot.visible.database).into()),
            ("specific_schema", (&function.schema).into()),
            ("specific_name", specific_name(function).into()),
            ("routine_catalog", (&snapshot.visible.database).into()),
            ("routine_schema", (&function.schema).into()),
            ("routine_name", (&function.name).into()),
            ("routine_type", "FUNCTION".into()),
            ("data_type", facts.data_type.into()),
            ("type_udt_catalog", (&snapshot.visible.database).into()),
            ("type_udt_schema", crate::catalog::spec::PG_CATALOG.into()),
            ("type_udt_name", facts.udt_name.into()),
            ("dtd_identifier", "0".into()),
            ("routine_body", "EXTERNAL".into()),
            ("external_language", "INTERNAL".into()),
            ("parameter_style", "GENERAL".into()),
            ("is_deterministic", yes(false)),
            ("sql_data_access", "MODIFIES".into()),
            ("schema_level_routine", yes(true)),
            ("is_user_defined_cast", yes(false)),
            ("security_type", "INVOKER".into()),
            ("as_locator", yes(false)),
            ("is_udt_dependent", yes(false)),
        ]);
    }
}

/// The name that tells overloads apart.
fn specific_name(function: &FunctionEntry) -> String {
    format!("{}_{}", function.name, function.oid)
}

pub fn parameters(snapshot: &Snapshot, rows: &mut Rows) {
    for function in &snapshot.visible.functions {
        for (number, (name, text)) in (1..).zip(arguments(&function.arguments)) {
            let facts = TypeFacts::of(signature_type(&text), -1);
            rows.push([
                ("specific_catalog", (&snapshot.visible.database).into()),
                ("specific_schema", (&function.schema).into()),
                ("specific_name", specific_name(function).into()),
                ("ordinal_position", i32::into(number)),
                ("parameter_mode", "IN".into()),
                ("is_result", yes(false)),
                ("as_locator", yes(false)),
                ("parameter_name", Some(name).filter(|name| !name.is_empty()).into()),
                ("data_type", facts.data_type.into()),
                ("udt_catalog", (&snapshot.visible.database).into()),
                ("udt_schema", crate::catalog::spec::PG_CATALOG.into()),
                ("udt_name", facts.udt_name.into()),
                ("dtd_identifier", number.to_string().into()),
            ]);
        }
    }
}
