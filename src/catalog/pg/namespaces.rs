//! The surroundings of relations: schemas, the database, tablespaces, access methods, languages, collations.

use super::Rows;
use crate::catalog::snapshot::{DATABASE_OID, PG_CATALOG_OID, PG_TOAST_OID, SYSTEM_OWNER_OID, Snapshot};
use crate::functions::value::Value;

/// The default tablespace, as PostgreSQL numbers it.
const DEFAULT_TABLESPACE: u32 = 1663;
const UTF8: i32 = 6;
/// The access method of a Delta table; PostgreSQL leaves this number free.
pub const DELTA_AM: u32 = 9990;
pub const BTREE_AM: u32 = 403;

pub fn pg_namespace(snapshot: &Snapshot, rows: &mut Rows) {
    for schema in snapshot.namespaces() {
        rows.push([
            ("oid", schema.oid.into()),
            ("nspname", schema.name.into()),
            ("nspowner", schema.owner.into()),
            ("nspacl", acl(schema.acl)),
        ]);
    }
    rows.push([("oid", PG_TOAST_OID.into()), ("nspname", "pg_toast".into()), ("nspowner", SYSTEM_OWNER_OID.into())]);
}

pub fn pg_database(snapshot: &Snapshot, rows: &mut Rows) {
    rows.push([
        ("oid", DATABASE_OID.into()),
        ("datname", (&snapshot.visible.database).into()),
        ("datdba", SYSTEM_OWNER_OID.into()),
        ("encoding", UTF8.into()),
        ("datlocprovider", 'c'.into()),
        ("datallowconn", true.into()),
        ("datconnlimit", (-1).into()),
        ("dattablespace", DEFAULT_TABLESPACE.into()),
        ("datcollate", "C.UTF-8".into()),
        ("datctype", "C.UTF-8".into()),
        ("datacl", acl(&snapshot.visible.database_acl)),
    ]);
}

pub fn pg_tablespace(_: &Snapshot, rows: &mut Rows) {
    for (oid, name) in [(DEFAULT_TABLESPACE, "pg_default"), (1664, "pg_global")] {
        rows.push([("oid", oid.into()), ("spcname", name.into()), ("spcowner", SYSTEM_OWNER_OID.into())]);
    }
}

pub fn pg_am(_: &Snapshot, rows: &mut Rows) {
    let methods = [(2, "heap", 't'), (DELTA_AM, "delta", 't'), (BTREE_AM, "btree", 'i'), (405, "hash", 'i')];
    for (oid, name, kind) in methods {
        let handler = format!("{name}handler");
        rows.push([
            ("oid", oid.into()),
            ("amname", name.into()),
            ("amhandler", handler.into()),
            ("amtype", kind.into()),
        ]);
    }
}

pub fn pg_language(_: &Snapshot, rows: &mut Rows) {
    for (oid, name, trusted) in [(12, "internal", false), (14, "sql", true)] {
        rows.push([
            ("oid", Value::Int(oid)),
            ("lanname", name.into()),
            ("lanowner", SYSTEM_OWNER_OID.into()),
            ("lanpltrusted", trusted.into()),
        ]);
    }
}

pub fn pg_collation(_: &Snapshot, rows: &mut Rows) {
    for (oid, name, provider, locale) in
        [(100, "default", 'd', None), (950, "C", 'c', Some("C")), (951, "POSIX", 'c', Some("POSIX"))]
    {
        rows.push([
            ("oid", Value::Int(oid)),
            ("collname", name.into()),
            ("collnamespace", PG_CATALOG_OID.into()),
            ("collowner", SYSTEM_OWNER_OID.into()),
            ("collprovider", provider.into()),
            ("collisdeterministic", true.into()),
            ("collencoding", (-1).into()),
            ("collcollate", locale.into()),
            ("collctype", locale.into()),
        ]);
    }
}

/// Privileges as an array; NULL where none were given, which means the owner's alone.
pub fn acl(items: &[String]) -> Value {
    if items.is_empty() { Value::Null } else { items.to_vec().into() }
}
