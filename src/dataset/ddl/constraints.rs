//! The keys and checks of a table while its statement is read, named as PostgreSQL names them.

use datafusion::sql::sqlparser::ast::{Expr, ForeignKeyConstraint, Ident, IndexColumn, Spanned, TableConstraint};

use super::super::contract::{Check, Column, Contract, ForeignKey};
use super::super::error::SqlFault;
use super::{blank, fold, unqualified};

pub struct Constraints {
    contract: Contract,
}

impl Constraints {
    pub fn of(table: &str) -> Self {
        Self { contract: blank(table) }
    }

    pub fn of_table(&mut self, constraint: &TableConstraint) -> Result<(), SqlFault> {
        match constraint {
            TableConstraint::PrimaryKey(key) => self.primary_key(plain_columns(&key.columns)?),
            TableConstraint::ForeignKey(key) => {
                self.foreign_key(key.name.as_ref(), key.columns.iter().map(fold).collect(), key)
            }
            TableConstraint::Check(check) => {
                self.check(check.name.as_ref(), None, &check.expr);
                Ok(())
            }
            other => Err(SqlFault::Clause { clause: other.to_string() }),
        }
    }

    pub fn primary_key(&mut self, columns: Vec<String>) -> Result<(), SqlFault> {
        if !self.contract.primary_key.is_empty() {
            return Err(SqlFault::KeyTwice);
        }
        self.contract.primary_key = columns;
        Ok(())
    }

    pub fn check(&mut self, name: Option<&Ident>, column: Option<&str>, condition: &Expr) {
        let table = &self.contract.name;
        let name = name.map(fold).unwrap_or_else(|| {
            self.free_name(&column.map_or(format!("{table}_check"), |column| format!("{table}_{column}_check")))
        });
        self.contract.checks.push(Check { name, condition: condition.to_string() });
    }

    pub fn foreign_key(
        &mut self,
        name: Option<&Ident>,
        columns: Vec<String>,
        key: &ForeignKeyConstraint,
    ) -> Result<(), SqlFault> {
        let name = name
            .map(fold)
            .unwrap_or_else(|| self.free_name(&format!("{}_{}_fkey", self.contract.name, columns.join("_"))));
        self.contract.foreign_keys.push(ForeignKey {
            name,
            columns,
            table: unqualified(&key.foreign_table, "public")?,
            table_columns: key.referred_columns.iter().map(fold).collect(),
        });
        Ok(())
    }

    /// The contract with `columns`, once every constraint is known to name some of them.
    pub fn finish(mut self, mut columns: Vec<Column>) -> Result<Contract, SqlFault> {
        let named = self.contract.foreign_keys.iter().flat_map(|key| &key.columns).chain(&self.contract.primary_key);
        for name in named {
            if !columns.iter().any(|column| column.name == *name) {
                return Err(SqlFault::ColumnUnknown { column: name.clone() });
            }
        }
        for column in &mut columns {
            column.nullable &= !self.contract.primary_key.contains(&column.name);
        }
        self.contract.columns = columns;
        Ok(self.contract)
    }

    fn free_name(&self, wanted: &str) -> String {
        let taken = |name: &str| {
            self.contract.checks.iter().any(|check| check.name == name)
                || self.contract.foreign_keys.iter().any(|key| key.name == name)
        };
        let numbered = (1..).map(|number| format!("{wanted}{number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
    }
}

/// The line of a table constraint, 0 where the parser kept none.
pub fn line_of(constraint: &TableConstraint) -> u64 {
    constraint.span().start.line
}

fn plain_columns(columns: &[IndexColumn]) -> Result<Vec<String>, SqlFault> {
    columns
        .iter()
        .map(|index| match &index.column.expr {
            Expr::Identifier(name) => Ok(fold(name)),
            other => Err(SqlFault::Clause { clause: other.to_string() }),
        })
        .collect()
}
