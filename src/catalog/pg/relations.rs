//! Relations and their columns.

use std::collections::HashSet;

use super::Rows;
use super::namespaces::{BTREE_AM, DELTA_AM, acl};
use crate::catalog::model::{RelationEntry, RelationKind};
use crate::catalog::snapshot::{Attribute, Index, Relation, Rule, SYSTEM_OWNER_OID, Snapshot, default_oid};
use crate::catalog::types;
use crate::functions::value::Value;

pub fn pg_class(snapshot: &Snapshot, rows: &mut Rows) {
    let mut referenced = HashSet::new();
    for constraint in snapshot.constraints() {
        if let Rule::ForeignKey { target, .. } = constraint.rule {
            referenced.extend([target.oid, constraint.relation.oid]);
        }
    }
    for relation in snapshot.relations() {
        match relation {
            Relation::User(entry) => push_user(snapshot, rows, entry, referenced.contains(&entry.oid)),
            Relation::System(system) => rows.push([
                ("oid", system.oid.into()),
                ("relname", (&system.name).into()),
                ("relnamespace", snapshot.namespace_oid(system.schema).into()),
                ("relowner", SYSTEM_OWNER_OID.into()),
                ("reltuples", (-1).into()),
                ("relpersistence", 'p'.into()),
                ("relkind", system.relkind().into()),
                ("relnatts", number(system.columns.len())),
                ("relhasrules", (system.relkind() == 'v').into()),
                ("relispopulated", true.into()),
                ("relreplident", 'n'.into()),
                ("relacl", vec![format!("=r/{}", crate::catalog::snapshot::SYSTEM_OWNER)].into()),
            ]),
        }
    }
    for index in snapshot.indexes() {
        push_index(snapshot, rows, &index);
    }
}

/// A table with foreign keys, or with some that lead to it, is said to have triggers: clients ask for its keys only then.
fn push_user(snapshot: &Snapshot, rows: &mut Rows, entry: &RelationEntry, has_triggers: bool) {
    let is_table = entry.kind == RelationKind::Table;
    rows.push([
        ("oid", entry.oid.into()),
        ("relname", (&entry.name).into()),
        ("relnamespace", snapshot.namespace_oid(&entry.schema).into()),
        ("relowner", snapshot.role_oid(&entry.owner).into()),
        ("relam", if is_table { DELTA_AM } else { 0 }.into()),
        ("relfilenode", if is_table { entry.oid } else { 0 }.into()),
        ("relpages", entry.bytes.map_or(0, pages).into()),
        ("reltuples", Value::Float(entry.rows.map_or(-1.0, |rows| rows as f64))),
        ("relhasindex", (!entry.primary_key.is_empty()).into()),
        ("relpersistence", 'p'.into()),
        ("relkind", Relation::User(entry).kind().into()),
        ("relnatts", number(entry.columns.len())),
        ("relchecks", number(entry.checks.len())),
        ("relhasrules", (!is_table).into()),
        ("relhastriggers", has_triggers.into()),
        ("relrowsecurity", entry.row_security.into()),
        ("relforcerowsecurity", entry.row_security_forced.into()),
        ("relispopulated", true.into()),
        ("relreplident", if is_table { 'd' } else { 'n' }.into()),
        ("relacl", acl(&entry.acl)),
        ("reloptions", acl(&entry.options)),
    ]);
}

fn push_index(snapshot: &Snapshot, rows: &mut Rows, index: &Index<'_>) {
    rows.push([
        ("oid", index.oid.into()),
        ("relname", (&index.name).into()),
        ("relnamespace", snapshot.namespace_oid(&index.relation.schema).into()),
        ("relowner", snapshot.role_oid(&index.relation.owner).into()),
        ("relam", BTREE_AM.into()),
        ("reltuples", Value::Float(index.relation.rows.map_or(-1.0, |rows| rows as f64))),
        ("relpersistence", 'p'.into()),
        ("relkind", 'i'.into()),
        ("relnatts", number(index.keys.len())),
        ("relispopulated", true.into()),
        ("relreplident", 'n'.into()),
    ]);
}

/// Bytes as PostgreSQL's pages of 8 KiB.
fn pages(bytes: u64) -> i32 {
    i32::try_from(bytes.div_ceil(8192)).unwrap_or(i32::MAX)
}

fn number(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

pub fn pg_attribute(snapshot: &Snapshot, rows: &mut Rows) {
    for relation in snapshot.relations() {
        for attribute in relation.attributes() {
            push_attribute(rows, relation.oid(), &attribute);
        }
    }
    for index in snapshot.indexes() {
        let columns = Relation::User(index.relation).attributes();
        for (number, key) in (1..).zip(&index.keys) {
            if let Some(column) = columns.iter().find(|column| column.number == *key) {
                let attribute = Attribute { number, default: None, not_null: false, acl: &[], ..column.clone() };
                push_attribute(rows, index.oid, &attribute);
            }
        }
    }
}

fn push_attribute(rows: &mut Rows, relation: u32, attribute: &Attribute<'_>) {
    let kind = types::by_oid(attribute.type_oid);
    let is_array = kind.is_some_and(|kind| kind.category == 'A' && kind.name.starts_with('_'));
    rows.push([
        ("attrelid", relation.into()),
        ("attname", attribute.name.into()),
        ("atttypid", attribute.type_oid.into()),
        ("attstattarget", (-1).into()),
        ("attlen", kind.map_or(-1, |kind| i32::from(kind.length)).into()),
        ("attnum", i32::from(attribute.number).into()),
        ("attndims", i32::from(is_array).into()),
        ("attcacheoff", (-1).into()),
        ("atttypmod", attribute.modifier.into()),
        ("attbyval", kind.is_some_and(types::PgType::by_value).into()),
        ("attalign", kind.map_or('i', |kind| kind.align).into()),
        ("attstorage", kind.map_or('x', |kind| kind.storage).into()),
        ("attnotnull", attribute.not_null.into()),
        ("atthasdef", attribute.default.is_some().into()),
        ("attislocal", true.into()),
        ("attcollation", kind.map_or(0, |kind| kind.collation).into()),
        ("attacl", acl(attribute.acl)),
    ]);
}

pub fn pg_attrdef(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in &snapshot.visible.relations {
        for attribute in Relation::User(entry).attributes() {
            if let Some(default) = attribute.default {
                rows.push([
                    ("oid", default_oid(entry.oid, attribute.number).into()),
                    ("adrelid", entry.oid.into()),
                    ("adnum", i32::from(attribute.number).into()),
                    ("adbin", default.into()),
                ]);
            }
        }
    }
}

pub fn pg_tables(snapshot: &Snapshot, rows: &mut Rows) {
    for relation in snapshot.relations().filter(|relation| relation.kind() == 'r') {
        let user = snapshot.user_relation(relation.oid());
        rows.push([
            ("schemaname", relation.schema().into()),
            ("tablename", relation.name().into()),
            ("tableowner", owner(user).into()),
            ("hasindexes", user.is_some_and(|entry| !entry.primary_key.is_empty()).into()),
            ("hasrules", false.into()),
            ("hastriggers", user.is_some_and(|entry| !entry.foreign_keys.is_empty()).into()),
            ("rowsecurity", user.is_some_and(|entry| entry.row_security).into()),
        ]);
    }
}

pub fn pg_views(snapshot: &Snapshot, rows: &mut Rows) {
    for relation in snapshot.relations().filter(|relation| relation.kind() == 'v') {
        let user = snapshot.user_relation(relation.oid());
        rows.push([
            ("schemaname", relation.schema().into()),
            ("viewname", relation.name().into()),
            ("viewowner", owner(user).into()),
            ("definition", user.and_then(|entry| entry.definition.as_deref()).into()),
        ]);
    }
}

fn owner(user: Option<&RelationEntry>) -> &str {
    user.map_or(crate::catalog::snapshot::SYSTEM_OWNER, |entry| entry.owner.as_str())
}

/// The rule by which a view is its SELECT. Its oid is the view's, which no other rule has.
pub fn pg_rewrite(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in snapshot.visible.relations.iter().filter(|entry| entry.kind == RelationKind::View) {
        rows.push([
            ("oid", entry.oid.into()),
            ("rulename", "_RETURN".into()),
            ("ev_class", entry.oid.into()),
            ("ev_type", '1'.into()),
            ("ev_enabled", 'O'.into()),
            ("is_instead", true.into()),
            ("ev_qual", "<>".into()),
            ("ev_action", "<>".into()),
        ]);
    }
}
