//! Keys, references and checks.

use super::yes;
use crate::catalog::model::RelationEntry;
use crate::catalog::pg::Rows;
use crate::catalog::snapshot::{Constraint, Rule, Snapshot, column_numbers};
use crate::functions::value::Value;

/// Keys and checks, and NOT NULL as the check that the standard takes it for.
pub fn table_constraints(snapshot: &Snapshot, rows: &mut Rows) {
    let mut push = |relation: &RelationEntry, name: Value, kind: &str| {
        rows.push([
            ("constraint_catalog", (&snapshot.visible.database).into()),
            ("constraint_schema", (&relation.schema).into()),
            ("constraint_name", name),
            ("table_catalog", (&snapshot.visible.database).into()),
            ("table_schema", (&relation.schema).into()),
            ("table_name", (&relation.name).into()),
            ("constraint_type", kind.into()),
            ("is_deferrable", yes(false)),
            ("initially_deferred", yes(false)),
            ("enforced", yes(true)),
        ]);
    };
    for constraint in snapshot.constraints() {
        let kind = match constraint.rule {
            Rule::PrimaryKey { .. } => "PRIMARY KEY",
            Rule::ForeignKey { .. } => "FOREIGN KEY",
            Rule::Check { .. } => "CHECK",
        };
        push(constraint.relation, (&constraint.name).into(), kind);
    }
    for (relation, _, name) in not_nulls(snapshot) {
        push(relation, name.into(), "CHECK");
    }
}

/// Relation, column and constraint name of each NOT NULL.
fn not_nulls(snapshot: &Snapshot) -> impl Iterator<Item = (&RelationEntry, &str, String)> {
    snapshot.visible.relations.iter().flat_map(|relation| {
        let schema = snapshot.namespace_oid(&relation.schema);
        (1..).zip(&relation.columns).filter_map(move |(number, column): (u32, _)| {
            let is_not_null = !column.nullable || relation.primary_key.contains(&column.name);
            let name = format!("{schema}_{}_{number}_not_null", relation.oid);
            is_not_null.then_some((relation, column.name.as_str(), name))
        })
    })
}

pub fn key_column_usage(snapshot: &Snapshot, rows: &mut Rows) {
    for constraint in snapshot.constraints() {
        let (columns, target): (&[String], Option<(&RelationEntry, &[String])>) = match &constraint.rule {
            Rule::PrimaryKey { .. } => (&constraint.relation.primary_key, None),
            Rule::ForeignKey { key, target, target_columns, .. } => (&key.columns, Some((target, target_columns))),
            Rule::Check { .. } => continue,
        };
        for (position, column) in columns.iter().enumerate() {
            push_key_column(snapshot, rows, &constraint, column, position, place_in_target(target, position));
        }
    }
}

/// Where the referenced column stands in the key that it belongs to.
fn place_in_target(target: Option<(&RelationEntry, &[String])>, position: usize) -> Option<usize> {
    let (relation, columns) = target?;
    let column = columns.get(position)?;
    relation.primary_key.iter().position(|key| key == column)
}

fn push_key_column(
    snapshot: &Snapshot,
    rows: &mut Rows,
    constraint: &Constraint<'_>,
    column: &str,
    position: usize,
    place_in_target: Option<usize>,
) {
    let number = |position: usize| i32::try_from(position + 1).unwrap_or(i32::MAX);
    rows.push([
        ("constraint_catalog", (&snapshot.visible.database).into()),
        ("constraint_schema", (&constraint.relation.schema).into()),
        ("constraint_name", (&constraint.name).into()),
        ("table_catalog", (&snapshot.visible.database).into()),
        ("table_schema", (&constraint.relation.schema).into()),
        ("table_name", (&constraint.relation.name).into()),
        ("column_name", column.into()),
        ("ordinal_position", number(position).into()),
        ("position_in_unique_constraint", place_in_target.map(number).into()),
    ]);
}

pub fn referential_constraints(snapshot: &Snapshot, rows: &mut Rows) {
    for constraint in snapshot.constraints() {
        let Rule::ForeignKey { target, .. } = &constraint.rule else { continue };
        let unique = snapshot.indexes().find(|index| index.relation.oid == target.oid).map(|index| index.name);
        rows.push([
            ("constraint_catalog", (&snapshot.visible.database).into()),
            ("constraint_schema", (&constraint.relation.schema).into()),
            ("constraint_name", (&constraint.name).into()),
            ("unique_constraint_catalog", (&snapshot.visible.database).into()),
            ("unique_constraint_schema", (&target.schema).into()),
            ("unique_constraint_name", unique.into()),
            ("match_option", "NONE".into()),
            ("update_rule", "NO ACTION".into()),
            ("delete_rule", "NO ACTION".into()),
        ]);
    }
}

/// The columns that a constraint leads to: its own for a key and a check, the target's for a foreign key.
pub fn constraint_column_usage(snapshot: &Snapshot, rows: &mut Rows) {
    for constraint in snapshot.constraints() {
        let (relation, columns) = match &constraint.rule {
            Rule::PrimaryKey { .. } => (constraint.relation, constraint.relation.primary_key.clone()),
            Rule::ForeignKey { target, target_columns, .. } => (*target, target_columns.clone()),
            Rule::Check { check } => {
                let numbers = crate::catalog::pg::columns_in(constraint.relation, &check.condition);
                let named = constraint.relation.columns.iter().map(|column| column.name.clone());
                let named = named.filter(|name| {
                    column_numbers(constraint.relation, std::slice::from_ref(name)).iter().any(|n| numbers.contains(n))
                });
                (constraint.relation, named.collect())
            }
        };
        for column in columns {
            rows.push([
                ("table_catalog", (&snapshot.visible.database).into()),
                ("table_schema", (&relation.schema).into()),
                ("table_name", (&relation.name).into()),
                ("column_name", column.into()),
                ("constraint_catalog", (&snapshot.visible.database).into()),
                ("constraint_schema", (&constraint.relation.schema).into()),
                ("constraint_name", (&constraint.name).into()),
            ]);
        }
    }
}

pub fn constraint_table_usage(snapshot: &Snapshot, rows: &mut Rows) {
    for constraint in snapshot.constraints() {
        let relation = match &constraint.rule {
            Rule::PrimaryKey { .. } => constraint.relation,
            Rule::ForeignKey { target, .. } => *target,
            Rule::Check { .. } => continue,
        };
        rows.push([
            ("table_catalog", (&snapshot.visible.database).into()),
            ("table_schema", (&relation.schema).into()),
            ("table_name", (&relation.name).into()),
            ("constraint_catalog", (&snapshot.visible.database).into()),
            ("constraint_schema", (&constraint.relation.schema).into()),
            ("constraint_name", (&constraint.name).into()),
        ]);
    }
}

pub fn check_constraints(snapshot: &Snapshot, rows: &mut Rows) {
    let mut push = |schema: &str, name: &str, clause: String| {
        rows.push([
            ("constraint_catalog", (&snapshot.visible.database).into()),
            ("constraint_schema", schema.into()),
            ("constraint_name", name.into()),
            ("check_clause", clause.into()),
        ]);
    };
    for constraint in snapshot.constraints() {
        if let Rule::Check { check } = &constraint.rule {
            push(&constraint.relation.schema, &constraint.name, format!("({})", check.condition));
        }
    }
    for (relation, column, name) in not_nulls(snapshot) {
        push(&relation.schema, &name, format!("{column} IS NOT NULL"));
    }
}
