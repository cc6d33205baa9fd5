//! Sessions that are connected now.

use super::Rows;
use crate::catalog::snapshot::{DATABASE_OID, Snapshot};
use crate::functions::value::Value;

pub fn pg_stat_activity(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in &snapshot.visible.activity {
        let user = snapshot.visible.roles.iter().find(|role| role.name == entry.user).map(|role| role.oid);
        rows.push([
            ("datid", DATABASE_OID.into()),
            ("datname", (&snapshot.visible.database).into()),
            ("pid", entry.pid.into()),
            ("usesysid", user.into()),
            ("usename", (&entry.user).into()),
            ("application_name", (&entry.application).into()),
            ("client_addr", entry.client.as_deref().into()),
            ("backend_start", entry.backend_start_us.into()),
            ("query_start", entry.query_start_us.into()),
            ("state_change", entry.query_start_us.into()),
            ("state", (&entry.state).into()),
            ("query", entry.query.as_deref().unwrap_or("<insufficient privilege>").into()),
            ("backend_type", "client backend".into()),
        ]);
    }
}

pub fn pg_stat_database(snapshot: &Snapshot, rows: &mut Rows) {
    rows.push([
        ("datid", DATABASE_OID.into()),
        ("datname", (&snapshot.visible.database).into()),
        ("numbackends", Value::Int(i64::try_from(snapshot.visible.activity.len()).unwrap_or(0))),
    ]);
}
