//! `tableoid`, the column that every relation has and no list shows.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{Expr, TableFactor, TableWithJoins};

use super::build::{bare, oid, parts};
use crate::catalog::spec::{self, INFORMATION_SCHEMA, PG_CATALOG};

const TABLE_OID: &str = "tableoid";

/// The system relations in FROM, by the name that a SELECT gives them; the innermost SELECT is last.
#[derive(Debug, Default)]
pub struct Scopes {
    frames: Vec<HashMap<String, u32>>,
}

impl Scopes {
    pub fn enter(&mut self, from: &[TableWithJoins], is_cte: impl Fn(&str) -> bool) {
        let mut frame = HashMap::new();
        let joined = from.iter().flat_map(|table| table.joins.iter().map(|join| &join.relation));
        for factor in from.iter().map(|table| &table.relation).chain(joined) {
            frame.extend(named_relation(factor, &is_cte));
        }
        self.frames.push(frame);
    }

    pub fn leave(&mut self) {
        self.frames.pop();
    }

    /// Puts the oid in place of `tableoid`, where the relation is one of the system's.
    pub fn resolve(&self, expr: &mut Expr) {
        let found = match expr {
            Expr::CompoundIdentifier(idents) => match idents.as_slice() {
                [.., table, column] if bare(column) == TABLE_OID => {
                    let table = bare(table);
                    self.frames.iter().rev().find_map(|frame| frame.get(&table)).copied()
                }
                _ => None,
            },
            Expr::Identifier(column) if bare(column) == TABLE_OID => {
                self.frames.last().filter(|frame| frame.len() == 1).and_then(|frame| frame.values().next()).copied()
            }
            _ => None,
        };
        if let Some(found) = found {
            *expr = oid(found);
        }
    }
}

fn named_relation(factor: &TableFactor, is_cte: &impl Fn(&str) -> bool) -> Option<(String, u32)> {
    let TableFactor::Table { name, alias, args: None, .. } = factor else { return None };
    let parts = parts(name);
    let relation = match parts.as_slice() {
        [name] if !is_cte(name) => spec::find(PG_CATALOG, name),
        [.., schema, name] => {
            let schema = [PG_CATALOG, INFORMATION_SCHEMA].into_iter().find(|known| known == schema)?;
            spec::find(schema, name)
        }
        _ => None,
    }?;
    let shown = alias.as_ref().map(|alias| bare(&alias.name)).or_else(|| parts.last().cloned())?;
    Some((shown, relation.oid))
}
