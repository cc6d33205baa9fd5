//! The table that an INSERT writes to, while it is planned: its columns, its defaults, and nothing to read.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session as EngineSession, TableProvider};
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::{Expr, ExprSchemable, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast;

use crate::access::Pseudonym;
use crate::catalog::speaks_for_its_caller;
use crate::dataset::Contract;
use crate::error::{Error, Reason, Result};
use crate::query::as_of;
use crate::query::calls::called_in;
use crate::query::failure::failure;
use crate::query::session::Session;
use crate::sql::folded;

/// Which columns the statement gives values for, by their positions in the table.
#[derive(Debug, Clone)]
pub struct Columns {
    positions: Vec<usize>,
    /// The statement names them; otherwise those at the end may be left out.
    are_named: bool,
}

impl Columns {
    /// Those that the statement names, else all.
    pub fn named(insert: &ast::Insert, contract: &Contract) -> Result<Self> {
        let name = |name: &ast::ObjectName| match name.0.as_slice() {
            [part] => part.as_ident().map(folded).unwrap_or_else(|| name.to_string()),
            _ => name.to_string(),
        };
        Self::of_names(&insert.columns.iter().map(name).collect::<Vec<_>>(), contract)
    }

    /// Those of these names; of none, all.
    pub fn of_names(names: &[String], contract: &Contract) -> Result<Self> {
        if names.is_empty() {
            return Ok(Self { positions: (0..contract.columns.len()).collect(), are_named: false });
        }
        let mut positions = Vec::with_capacity(names.len());
        for name in names {
            let Some(position) = contract.columns.iter().position(|column| column.name == *name) else {
                let text = format!("column \"{name}\" of relation \"{}\" does not exist", contract.name);
                return Err(Error::new(Reason::UndefinedColumn, text));
            };
            if positions.contains(&position) {
                let text = format!("column \"{name}\" specified more than once");
                return Err(Error::new(Reason::DuplicateColumn, text));
            }
            positions.push(position);
        }
        Ok(Self { positions, are_named: true })
    }

    /// None of them: each gets its default.
    pub fn none() -> Self {
        Self { positions: Vec::new(), are_named: true }
    }

    /// The names of those that get values.
    pub fn given<'a>(&'a self, contract: &'a Contract) -> Vec<&'a str> {
        self.of(&contract.columns).map(|column| column.name.as_str()).collect()
    }

    /// Those of the table's columns that get values, in the order of the values.
    pub fn of<'a, T>(&'a self, columns: &'a [T]) -> impl Iterator<Item = &'a T> {
        self.positions.iter().filter_map(|position| columns.get(*position))
    }

    /// Fits them to rows of `width` values.
    pub fn fitted(mut self, width: usize) -> Result<Self> {
        if !self.are_named {
            self.positions.truncate(width);
        }
        match width.cmp(&self.positions.len()) {
            std::cmp::Ordering::Equal => Ok(self),
            std::cmp::Ordering::Greater => {
                Err(Error::new(Reason::Syntax, "INSERT has more expressions than target columns"))
            }
            std::cmp::Ordering::Less => {
                Err(Error::new(Reason::Syntax, "INSERT has more target columns than expressions"))
            }
        }
    }

    /// Which of the values goes into a column of the table.
    pub fn value_of(&self, column: usize) -> Option<usize> {
        self.positions.iter().position(|position| *position == column)
    }
}

pub struct Target {
    schema: SchemaRef,
    defaults: HashMap<String, Expr>,
}

impl Target {
    /// Every column may be null here; the contract is asked of the rows themselves.
    pub fn new(schema: SchemaRef, defaults: HashMap<String, Expr>) -> Self {
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
        Self { schema, defaults }
    }
}

impl Session {
    /// The DEFAULT of each column that has one, as the engine evaluates it.
    pub(in crate::query) fn defaults_of(&self, contract: &Contract) -> Result<HashMap<String, Expr>> {
        let state = self.context().state();
        let mut defaults = HashMap::new();
        for column in &contract.columns {
            let Some(text) = &column.default else { continue };
            let refused = |error| {
                let error = failure(error);
                Error::new(error.reason(), format!("DEFAULT of column \"{}\": {error}", column.name))
            };
            let expression = state.create_logical_expr(text, &DFSchema::empty()).map_err(refused)?;
            if let Some(function) = called_in(&expression, speaks).map_err(refused)? {
                let text = format!("DEFAULT of column \"{}\" cannot call {function}", column.name);
                return Err(Error::new(Reason::Unsupported, text)
                    .with_hint("it would tell the table what whoever adds a row may see"));
            }
            let target = column.sql_type.arrow(&self.time_zone());
            let expression = expression.cast_to(&target, &DFSchema::empty()).map_err(refused)?;
            defaults.insert(column.name.clone(), expression);
        }
        Ok(defaults)
    }
}

/// Whether a DEFAULT must not call a function: it runs as whoever adds a row, and what it gives is the table's.
fn speaks(function: &str) -> bool {
    speaks_for_its_caller(function) || [as_of::NAME, Pseudonym::NAME].contains(&function)
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target")
    }
}

#[async_trait]
impl TableProvider for Target {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.defaults.get(column)
    }

    async fn scan(
        &self,
        _: &dyn EngineSession,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Err(DataFusionError::Plan("the target of an INSERT cannot be read".to_owned()))
    }
}
