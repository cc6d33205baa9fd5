//! The named statements of the session itself.

use super::Rows;
use crate::catalog::snapshot::Snapshot;
use crate::catalog::types;
use crate::dataset::SqlType;
use crate::functions::value::Value;

pub fn pg_prepared_statements(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in &snapshot.visible.prepared {
        rows.push([
            ("name", (&entry.name).into()),
            ("statement", (&entry.statement).into()),
            ("prepare_time", entry.made_us.into()),
            ("parameter_types", names(&entry.parameters)),
            ("result_types", entry.columns.as_deref().map_or(Value::Null, names)),
            ("from_sql", entry.from_sql.into()),
            ("generic_plans", Value::Int(0)),
            ("custom_plans", Value::Int(0)),
        ]);
    }
}

fn names(sql_types: &[SqlType]) -> Value {
    Value::List(sql_types.iter().map(|sql_type| types::format(types::of_sql(sql_type).0, None).into()).collect())
}
