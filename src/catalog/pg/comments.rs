//! Comments on relations, columns, schemas, functions and roles.

use super::Rows;
use crate::catalog::snapshot::{Relation, Snapshot};

/// The oids of the catalogs that a comment's object is listed in.
pub const PG_CLASS: u32 = 1259;
pub const PG_NAMESPACE: u32 = 2615;
pub const PG_PROC: u32 = 1255;
pub const PG_AUTHID: u32 = 1260;

pub fn pg_description(snapshot: &Snapshot, rows: &mut Rows) {
    for entry in &snapshot.visible.relations {
        if let Some(comment) = &entry.comment {
            push(rows, entry.oid, PG_CLASS, 0, comment);
        }
        for attribute in Relation::User(entry).attributes() {
            if let Some(comment) = attribute.comment {
                push(rows, entry.oid, PG_CLASS, attribute.number, comment);
            }
        }
    }
    for schema in snapshot.namespaces() {
        if let Some(comment) = schema.comment {
            push(rows, schema.oid, PG_NAMESPACE, 0, comment);
        }
    }
    for function in snapshot.visible.functions.iter().filter(|function| !function.description.is_empty()) {
        push(rows, function.oid, PG_PROC, 0, &function.description);
    }
}

fn push(rows: &mut Rows, object: u32, catalog: u32, column: i16, comment: &str) {
    rows.push([
        ("objoid", object.into()),
        ("classoid", catalog.into()),
        ("objsubid", i32::from(column).into()),
        ("description", comment.into()),
    ]);
}

pub fn pg_shdescription(snapshot: &Snapshot, rows: &mut Rows) {
    for role in &snapshot.visible.roles {
        if let Some(comment) = &role.comment {
            rows.push([("objoid", role.oid.into()), ("classoid", PG_AUTHID.into()), ("description", comment.into())]);
        }
    }
}
