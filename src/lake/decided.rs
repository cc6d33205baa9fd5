//! Conditions that the partition of a file decides for all of its rows: they are asked of no row, and counts stay known.
//!
//! Whether a condition is one is a matter of the table's layout, never of its rows: under a row policy the answer would tell of
//! rows that are hidden.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::physical_expr::create_physical_expr;

use super::prune::seen_as;
use super::snapshot::FileEntry;

/// Whether each file of a table that is partitioned by `column` has only rows that satisfy `filter`, or none.
///
/// The file without a value holds rows with null and, of texts, with the empty one: a filter that is true of the latter is
/// decided for no file.
pub fn is_decided(filter: &Expr, column: &str, shape: &Schema) -> bool {
    let Ok(index) = shape.index_of(column) else { return false };
    let empty = match shape.field(index).data_type() {
        DataType::Utf8 => ScalarValue::Utf8(Some(String::new())),
        DataType::Utf8View => ScalarValue::Utf8View(Some(String::new())),
        _ => return compares(filter, column),
    };
    compares(filter, column) && holds(filter, index, shape, vec![empty]).is_ok_and(|holds| holds == [false])
}

/// The files whose rows satisfy a decided filter. The schemas are that of their snapshot and that of the session.
pub fn satisfying(
    files: &[Arc<FileEntry>],
    filter: &Expr,
    column: &str,
    (stored, shape): (&Schema, &Schema),
) -> Result<Vec<Arc<FileEntry>>> {
    let index = shape.index_of(column)?;
    let data_type = shape.field(index).data_type();
    let none = ScalarValue::try_from(data_type)?;
    let value = |file: &Arc<FileEntry>| {
        let value = file.partition.as_ref().and_then(|_| file.range(stored, column)?.min.clone());
        value.and_then(|value| seen_as(value, data_type)).unwrap_or_else(|| none.clone())
    };
    let holds = holds(filter, index, shape, files.iter().map(value).collect())?;
    Ok(files.iter().zip(holds).filter(|(_, holds)| *holds).map(|(file, _)| Arc::clone(file)).collect())
}

/// Whether the filter is true of each value of the column.
fn holds(filter: &Expr, index: usize, shape: &Schema, values: Vec<ScalarValue>) -> Result<Vec<bool>> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let schema = Arc::new(Schema::new(vec![shape.field(index).clone().with_nullable(true)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![ScalarValue::iter_to_array(values)?])?;
    let (filter, schema) = (unnormalize_col(filter.clone()), DFSchema::try_from(schema)?);
    let filter = create_physical_expr(&filter, &schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())?;
    let holds = filter.evaluate(&batch)?.into_array(batch.num_rows())?;
    let holds = holds.as_boolean();
    Ok((0..holds.len()).map(|row| holds.is_valid(row) && holds.value(row)).collect())
}

/// Whether an expression compares the column with constants and does nothing else.
fn compares(expr: &Expr, column: &str) -> bool {
    use Operator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(Column { name, .. }) if name == column);
    let is_value = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if !value.is_null());
    match expr {
        Expr::BinaryExpr(binary) => match binary.op {
            And | Or => compares(&binary.left, column) && compares(&binary.right, column),
            Eq | NotEq | Lt | LtEq | Gt | GtEq => {
                let (left, right) = (&binary.left, &binary.right);
                is_column(left) && is_value(right) || is_value(left) && is_column(right)
            }
            _ => false,
        },
        Expr::Not(inner) => compares(inner, column),
        Expr::Between(between) => is_column(&between.expr) && is_value(&between.low) && is_value(&between.high),
        Expr::InList(list) => is_column(&list.expr) && list.list.iter().all(is_value),
        _ => false,
    }
}
