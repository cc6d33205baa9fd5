//! Primary keys with their indexes, foreign keys, checks.

use super::Rows;
use super::definitions::index_definition;
use super::types::operator_class;
use crate::catalog::model::RelationEntry;
use crate::catalog::snapshot::{Constraint, Relation, Rule, Snapshot, column_numbers};
use crate::catalog::types;
use crate::functions::value::Value;

pub fn pg_index(snapshot: &Snapshot, rows: &mut Rows) {
    for index in snapshot.indexes() {
        let columns = Relation::User(index.relation).attributes();
        let key_types: Vec<u32> = index
            .keys
            .iter()
            .filter_map(|key| columns.iter().find(|column| column.number == *key))
            .map(|column| column.type_oid)
            .collect();
        let collations: Vec<u32> =
            key_types.iter().map(|oid| types::by_oid(*oid).map_or(0, |item| item.collation)).collect();
        let width = Value::Int(i64::try_from(index.keys.len()).unwrap_or(0));
        rows.push([
            ("indexrelid", index.oid.into()),
            ("indrelid", index.relation.oid.into()),
            ("indnatts", width.clone()),
            ("indnkeyatts", width),
            ("indisunique", true.into()),
            ("indisprimary", true.into()),
            ("indimmediate", true.into()),
            ("indisvalid", true.into()),
            ("indisready", true.into()),
            ("indislive", true.into()),
            ("indkey", numbers(&index.keys)),
            ("indcollation", collations.into()),
            ("indclass", Value::List(key_types.iter().map(|oid| operator_class(*oid)).collect())),
            ("indoption", numbers(&vec![0; index.keys.len()])),
        ]);
    }
}

pub fn pg_indexes(snapshot: &Snapshot, rows: &mut Rows) {
    for index in snapshot.indexes() {
        rows.push([
            ("schemaname", (&index.relation.schema).into()),
            ("tablename", (&index.relation.name).into()),
            ("indexname", (&index.name).into()),
            ("indexdef", index_definition(&index).into()),
        ]);
    }
}

pub fn pg_constraint(snapshot: &Snapshot, rows: &mut Rows) {
    for constraint in snapshot.constraints() {
        push_constraint(snapshot, rows, &constraint);
    }
}

fn push_constraint(snapshot: &Snapshot, rows: &mut Rows, constraint: &Constraint<'_>) {
    let mut index = Value::Int(0);
    let mut target_oid = 0;
    let mut action = ' ';
    let mut matching = ' ';
    let mut target_keys = Value::Null;
    let mut condition = Value::Null;
    let keys = match &constraint.rule {
        Rule::PrimaryKey { index: oid, keys } => {
            index = (*oid).into();
            numbers(keys)
        }
        Rule::ForeignKey { target, keys, target_columns, .. } => {
            index = primary_index(snapshot, target);
            target_oid = target.oid;
            (action, matching) = ('a', 's');
            target_keys = numbers(&column_numbers(target, target_columns));
            numbers(keys)
        }
        Rule::Check { check } => {
            condition = (&check.condition).into();
            numbers(&columns_in(constraint.relation, &check.condition))
        }
    };
    rows.push([
        ("oid", constraint.oid.into()),
        ("conname", (&constraint.name).into()),
        ("connamespace", snapshot.namespace_oid(&constraint.relation.schema).into()),
        ("contype", constraint.rule.letter().into()),
        ("convalidated", true.into()),
        ("conrelid", constraint.relation.oid.into()),
        ("conindid", index),
        ("confrelid", target_oid.into()),
        ("confupdtype", action.into()),
        ("confdeltype", action.into()),
        ("confmatchtype", matching.into()),
        ("conislocal", true.into()),
        ("connoinherit", (constraint.rule.letter() != 'c').into()),
        ("conkey", keys),
        ("confkey", target_keys),
        ("conbin", condition),
    ]);
}

fn primary_index(snapshot: &Snapshot, relation: &RelationEntry) -> Value {
    snapshot.indexes().find(|index| index.relation.oid == relation.oid).map_or(0, |index| index.oid).into()
}

fn numbers(keys: &[i16]) -> Value {
    Value::List(keys.iter().map(|key| Value::Int(i64::from(*key))).collect())
}

/// The columns that a condition names, as far as its words tell.
pub fn columns_in(relation: &RelationEntry, condition: &str) -> Vec<i16> {
    let words: Vec<&str> = condition.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let named: Vec<String> = relation
        .columns
        .iter()
        .filter(|column| words.iter().any(|word| word.eq_ignore_ascii_case(&column.name)))
        .map(|column| column.name.clone())
        .collect();
    column_numbers(relation, &named)
}
