//! Schemas, tables and views.

use super::yes;
use crate::catalog::model::{RelationEntry, RelationKind};
use crate::catalog::pg::Rows;
use crate::catalog::snapshot::{SYSTEM_OWNER, Snapshot};

pub fn catalog_name(snapshot: &Snapshot, rows: &mut Rows) {
    rows.push([("catalog_name", (&snapshot.visible.database).into())]);
}

pub fn schemata(snapshot: &Snapshot, rows: &mut Rows) {
    let system =
        [(crate::catalog::spec::PG_CATALOG, SYSTEM_OWNER), (crate::catalog::spec::INFORMATION_SCHEMA, SYSTEM_OWNER)];
    let user = snapshot.visible.schemas.iter().map(|schema| (schema.name.as_str(), schema.owner.as_str()));
    for (name, owner) in system.into_iter().chain(user) {
        rows.push([
            ("catalog_name", (&snapshot.visible.database).into()),
            ("schema_name", name.into()),
            ("schema_owner", owner.into()),
        ]);
    }
}

pub fn tables(snapshot: &Snapshot, rows: &mut Rows) {
    for relation in snapshot.relations() {
        let can_insert = snapshot.user_relation(relation.oid()).is_some_and(|entry| may(entry, "INSERT"));
        rows.push([
            ("table_catalog", (&snapshot.visible.database).into()),
            ("table_schema", relation.schema().into()),
            ("table_name", relation.name().into()),
            ("table_type", if relation.kind() == 'v' { "VIEW" } else { "BASE TABLE" }.into()),
            ("is_insertable_into", yes(relation.kind() == 'r' && can_insert)),
            ("is_typed", yes(false)),
        ]);
    }
}

fn may(entry: &RelationEntry, privilege: &str) -> bool {
    entry.privileges.iter().any(|held| held == privilege)
}

pub fn views(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in snapshot.visible.relations.iter().filter(|entry| entry.kind == RelationKind::View) {
        rows.push([
            ("table_catalog", (&snapshot.visible.database).into()),
            ("table_schema", (&entry.schema).into()),
            ("table_name", (&entry.name).into()),
            ("view_definition", entry.definition.as_deref().into()),
            ("check_option", "NONE".into()),
            ("is_updatable", yes(false)),
            ("is_insertable_into", yes(false)),
            ("is_trigger_updatable", yes(false)),
            ("is_trigger_deletable", yes(false)),
            ("is_trigger_insertable_into", yes(false)),
        ]);
    }
}

pub fn character_sets(snapshot: &Snapshot, rows: &mut Rows) {
    rows.push([
        ("character_set_name", "UTF8".into()),
        ("character_repertoire", "UCS".into()),
        ("form_of_use", "UTF8".into()),
        ("default_collate_catalog", (&snapshot.visible.database).into()),
    ]);
}
