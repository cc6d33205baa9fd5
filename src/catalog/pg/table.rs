//! A system relation as a table: its rows are made from the visible catalog when it is scanned.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::session::CatalogHandle;
use crate::catalog::snapshot::Snapshot;
use crate::catalog::spec::SystemRelation;
use crate::catalog::value::Value;
use crate::error::{Error, Reason};

/// Adds the rows of one relation.
pub type Fill = fn(&Snapshot, &mut Rows);

#[derive(Debug)]
pub struct SystemTable {
    relation: &'static SystemRelation,
    fill: Option<Fill>,
    schema: SchemaRef,
    session: CatalogHandle,
}

impl SystemTable {
    /// `fill` of `None` is a relation without rows.
    pub fn new(relation: &'static SystemRelation, fill: Option<Fill>, session: CatalogHandle) -> Self {
        let zone = session.setting("timezone").unwrap_or_else(|| "UTC".into());
        Self { relation, fill, schema: relation.arrow_schema(&zone), session }
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        if self.relation.kind == 'v' { TableType::View } else { TableType::Base }
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.relation.kind == 'x' {
            let text = format!("permission denied for table {}", self.relation.name);
            return Err(DataFusionError::External(Box::new(Error::new(Reason::Privilege, text))));
        }
        let all: Vec<usize> = (0..self.relation.columns.len()).collect();
        let mut rows = Rows::new(self.relation, projection.unwrap_or(&all));
        if let Some(fill) = self.fill {
            fill(&Snapshot::take(&self.session), &mut rows);
        }
        let schema = Arc::new(self.schema.project(projection.unwrap_or(&all))?);
        let batch = rows.finish(&schema)?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None)?)
    }
}

/// The rows of a system relation while they are made; only the columns that are asked for are kept.
#[derive(Debug)]
pub struct Rows {
    relation: &'static SystemRelation,
    /// By the column's position in the relation: where it goes.
    slots: Vec<Option<usize>>,
    defaults: Vec<Value>,
    columns: Vec<Vec<Value>>,
    count: usize,
}

impl Rows {
    fn new(relation: &'static SystemRelation, projection: &[usize]) -> Self {
        let mut slots = vec![None; relation.columns.len()];
        let mut defaults = Vec::with_capacity(projection.len());
        for (slot, position) in projection.iter().enumerate() {
            if let (Some(place), Some(column)) = (slots.get_mut(*position), relation.columns.get(*position)) {
                *place = Some(slot);
                defaults.push(if column.nullable { Value::Null } else { zero(&column.type_name) });
            }
        }
        let columns = vec![Vec::new(); defaults.len()];
        Self { relation, slots, defaults, columns, count: 0 }
    }

    /// Adds a row. A column that is not given is NULL, or zero, false or empty where it may not be NULL.
    pub fn push<const N: usize>(&mut self, cells: [(&str, Value); N]) {
        for (column, default) in self.columns.iter_mut().zip(&self.defaults) {
            column.push(default.clone());
        }
        for (name, value) in cells {
            let position = self.relation.position(name);
            debug_assert!(position.is_some(), "{} has no column {name}", self.relation.name);
            let slot = position.and_then(|position| self.slots.get(position).copied().flatten());
            let cell = slot.and_then(|slot| self.columns.get_mut(slot)).and_then(|column| column.last_mut());
            if let Some(cell) = cell {
                *cell = value;
            }
        }
        self.count += 1;
    }

    fn finish(self, schema: &SchemaRef) -> Result<RecordBatch> {
        let arrays = self.columns.iter().zip(schema.fields()).map(|(column, field)| {
            debug_assert!(field.data_type() != &DataType::Null);
            Value::array(column, field.data_type())
        });
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
    }
}

/// What stands in a column that may not be NULL when nothing is given.
fn zero(type_name: &str) -> Value {
    match type_name {
        "bool" => Value::Bool(false),
        "int2" | "int4" | "int8" | "oid" | "xid" | "cid" | "timestamptz" => Value::Int(0),
        "float4" | "float8" => Value::Float(0.0),
        "regproc" | "regtype" => Value::Text("-".into()),
        "int2vector" | "oidvector" => Value::List(Vec::new()),
        other if other.starts_with('_') => Value::List(Vec::new()),
        _ => Value::Text(String::new()),
    }
}
