//! Indexes and constraints as the SQL that would make them.

use crate::catalog::snapshot::{Constraint, Index, Rule, Snapshot, quote_ident};

/// `CREATE UNIQUE INDEX ...`, as `pg_get_indexdef` writes it.
pub fn index_definition(index: &Index<'_>) -> String {
    format!(
        "CREATE UNIQUE INDEX {} ON {}.{} USING btree ({})",
        quote_ident(&index.name),
        quote_ident(&index.relation.schema),
        quote_ident(&index.relation.name),
        columns(&index.relation.primary_key),
    )
}

/// What follows `CONSTRAINT name`, as `pg_get_constraintdef` writes it.
pub fn constraint_definition(snapshot: &Snapshot, constraint: &Constraint<'_>) -> String {
    match &constraint.rule {
        Rule::PrimaryKey { .. } => format!("PRIMARY KEY ({})", columns(&constraint.relation.primary_key)),
        Rule::ForeignKey { key, target, target_columns, .. } => {
            let table = snapshot.relation_text(target.oid).unwrap_or_else(|| quote_ident(&target.name));
            format!("FOREIGN KEY ({}) REFERENCES {table}({})", columns(&key.columns), columns(target_columns))
        }
        Rule::Check { check } => format!("CHECK (({}))", check.condition),
    }
}

fn columns(names: &[String]) -> String {
    names.iter().map(|name| quote_ident(name)).collect::<Vec<_>>().join(", ")
}
