//! What is known of how much lies in a table.

use super::Rows;
use crate::catalog::model::{RelationEntry, RelationKind};
use crate::catalog::snapshot::Snapshot;

fn tables(snapshot: &Snapshot) -> impl Iterator<Item = &RelationEntry> {
    snapshot.visible.relations.iter().filter(|entry| entry.kind == RelationKind::Table)
}

pub fn pg_stat_user_tables(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in tables(snapshot) {
        rows.push([
            ("relid", entry.oid.into()),
            ("schemaname", (&entry.schema).into()),
            ("relname", (&entry.name).into()),
            ("n_live_tup", entry.rows.and_then(|rows| i64::try_from(rows).ok()).into()),
            ("n_dead_tup", 0.into()),
        ]);
    }
}

pub fn pg_statio_user_tables(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in tables(snapshot) {
        rows.push([
            ("relid", entry.oid.into()),
            ("schemaname", (&entry.schema).into()),
            ("relname", (&entry.name).into()),
        ]);
    }
}

pub fn pg_stat_user_indexes(snapshot: &Snapshot, rows: &mut Rows) {
    for index in snapshot.indexes() {
        rows.push([
            ("relid", index.relation.oid.into()),
            ("indexrelid", index.oid.into()),
            ("schemaname", (&index.relation.schema).into()),
            ("relname", (&index.relation.name).into()),
            ("indexrelname", (&index.name).into()),
        ]);
    }
}
