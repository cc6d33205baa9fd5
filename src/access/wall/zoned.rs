//! The zone that times have behind the wall: the lake's, whatever the session's is.
//!
//! Where a text that names no zone becomes a time, or a time a day, the zone decides; a session that could choose it would
//! move the bounds of a policy by up to a day. What leaves the wall is in the session's zone again, the same instants.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, TableType};
use datafusion::physical_expr::expressions::{Column, cast};
use datafusion::physical_expr::{PhysicalExpr, projection::ProjectionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;

/// A table with its times in another zone, for tables that are small: no predicate goes into it.
#[derive(Debug)]
pub struct ZonedTable {
    table: Arc<dyn TableProvider>,
    schema: SchemaRef,
}

impl ZonedTable {
    pub fn new(table: Arc<dyn TableProvider>, zone: &str) -> Self {
        let schema = Arc::new(in_zone(&table.schema(), zone));
        Self { table, schema }
    }
}

#[async_trait]
impl TableProvider for ZonedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        self.table.table_type()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(indices) => Cow::Owned(self.schema.project(indices)?),
            None => Cow::Borrowed(self.schema.as_ref()),
        };
        shown_as(self.table.scan(state, projection, &[], limit).await?, &columns)
    }
}

/// The same columns with their times in `zone`.
pub fn in_zone(schema: &Schema, zone: &str) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            Arc::new(Field::clone(field).with_data_type(DataType::Timestamp(*unit, Some(zone.into()))))
        }
        _ => Arc::clone(field),
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

/// The columns of `plan` in the types of `columns`, which has them in the same order.
pub fn shown_as(plan: Arc<dyn ExecutionPlan>, columns: &Schema) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    if same_types(&schema, columns) {
        return Ok(plan);
    }
    let item = |(index, field): (usize, &Arc<Field>)| -> Result<ProjectionExpr> {
        let column = Arc::new(Column::new(schema.field(index).name(), index)) as Arc<dyn PhysicalExpr>;
        Ok(ProjectionExpr { expr: cast(column, &schema, field.data_type().clone())?, alias: field.name().clone() })
    };
    let items = columns.fields().iter().enumerate().map(item).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(ProjectionExec::try_new(items, plan)?))
}

/// The columns of `batch` in the types of `columns`, which has them in the same order.
pub fn batch_as(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let pairs = batch.columns().iter().zip(columns.fields());
    let cast = pairs.map(|(column, field)| arrow::compute::cast(column, field.data_type()));
    RecordBatch::try_new(Arc::clone(columns), cast.collect::<Result<_, _>>()?)
}

/// A predicate over the columns of `shown` as one over those of `beneath`; None where the zone decides what it is.
pub fn beneath_as(predicate: Expr, shown: &DFSchema, beneath: &Schema) -> Option<Expr> {
    if same_types(shown.as_arrow(), beneath) {
        return Some(predicate);
    }
    let zone = beneath.fields().iter().find_map(|field| match field.data_type() {
        DataType::Timestamp(_, Some(zone)) => Some(Arc::clone(zone)),
        _ => None,
    })?;
    let moved = predicate.transform(|expr| match expr {
        Expr::Cast(_) | Expr::TryCast(_) if reads_clock(&expr, shown)? => {
            datafusion::common::plan_err!("a cast that the zone decides")
        }
        Expr::Literal(value, metadata) => match value.data_type() {
            DataType::Timestamp(unit, Some(_)) => {
                let moved = value.cast_to(&DataType::Timestamp(unit, Some(Arc::clone(&zone))))?;
                Ok(Transformed::yes(Expr::Literal(moved, metadata)))
            }
            _ => Ok(Transformed::no(Expr::Literal(value, metadata))),
        },
        other => Ok(Transformed::no(other)),
    });
    moved.ok().map(|moved| moved.data)
}

/// Whether a cast turns something into a time, or a time into something else.
fn reads_clock(cast: &Expr, schema: &DFSchema) -> Result<bool> {
    let from = match cast {
        Expr::Cast(cast) => cast.expr.get_type(schema)?,
        Expr::TryCast(cast) => cast.expr.get_type(schema)?,
        other => other.get_type(schema)?,
    };
    Ok(from.is_temporal() || cast.get_type(schema)?.is_temporal())
}

fn same_types(left: &Schema, right: &Schema) -> bool {
    let types = |schema: &Schema| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    types(left) == types(right)
}
