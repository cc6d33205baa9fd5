//! Row policies.

use super::Rows;
use crate::catalog::model::PolicyEntry;
use crate::catalog::snapshot::Snapshot;
use crate::functions::value::Value;

pub fn pg_policy(snapshot: &Snapshot, rows: &mut Rows) {
    for policy in &snapshot.visible.policies {
        let table =
            snapshot.visible.relations.iter().find(|entry| entry.schema == policy.schema && entry.name == policy.table);
        let Some(table) = table else { continue };
        rows.push([
            ("oid", policy.oid.into()),
            ("polname", (&policy.name).into()),
            ("polrelid", table.oid.into()),
            ("polcmd", command_letter(policy).into()),
            ("polpermissive", policy.permissive.into()),
            ("polroles", role_oids(snapshot, policy)),
            ("polqual", policy.using.as_deref().into()),
            ("polwithcheck", policy.check.as_deref().into()),
        ]);
    }
}

/// PUBLIC is role 0.
fn role_oids(snapshot: &Snapshot, policy: &PolicyEntry) -> Value {
    if policy.roles.is_empty() {
        return vec![0_u32].into();
    }
    policy.roles.iter().map(|role| snapshot.role_oid(role)).collect::<Vec<_>>().into()
}

fn command_letter(policy: &PolicyEntry) -> char {
    match policy.command.as_str() {
        "SELECT" => 'r',
        "INSERT" => 'a',
        "UPDATE" => 'w',
        "DELETE" => 'd',
        _ => '*',
    }
}

pub fn pg_policies(snapshot: &Snapshot, rows: &mut Rows) {
    for policy in &snapshot.visible.policies {
        let mut roles = if policy.roles.is_empty() { vec!["public".to_owned()] } else { policy.roles.clone() };
        roles.sort();
        rows.push([
            ("schemaname", (&policy.schema).into()),
            ("tablename", (&policy.table).into()),
            ("policyname", (&policy.name).into()),
            ("permissive", if policy.permissive { "PERMISSIVE" } else { "RESTRICTIVE" }.into()),
            ("roles", roles.into()),
            ("cmd", (&policy.command).into()),
            ("qual", policy.using.as_deref().into()),
            ("with_check", policy.check.as_deref().into()),
        ]);
    }
}
