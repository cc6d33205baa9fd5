//! Casts of assignment: a number with a fraction that goes into an integer column is rounded, as PostgreSQL does. The
//! engine's own cast would cut the fraction off.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::functions::math::expr_fn::round;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan};

/// The rows of an INSERT with the casts that the engine put around them rounded: in VALUES, and in the columns that it gives.
pub(super) fn rounded(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut plan = with_rounding(plan)?;
    if let LogicalPlan::Projection(projection) = &mut plan
        && let LogicalPlan::Values(_) = projection.input.as_ref()
    {
        projection.input = with_rounding(projection.input.as_ref().clone())?.into();
    }
    Ok(plan)
}

fn with_rounding(plan: LogicalPlan) -> Result<LogicalPlan> {
    let schema = match &plan {
        LogicalPlan::Projection(projection) => projection.input.schema().as_ref().clone(),
        LogicalPlan::Values(_) => DFSchema::empty(),
        _ => return Ok(plan),
    };
    Ok(plan.map_expressions(|expr| expr.transform_up(|part| round_cast(part, &schema)))?.data)
}

fn round_cast(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::Cast(Cast { expr: inner, field }) = expr else { return Ok(Transformed::no(expr)) };
    let fractional = matches!(
        inner.get_type(schema)?,
        DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Float32 | DataType::Float64
    );
    if !(fractional && field.data_type().is_integer()) {
        return Ok(Transformed::no(Expr::Cast(Cast { expr: inner, field })));
    }
    Ok(Transformed::yes(Expr::Cast(Cast { expr: Box::new(round(vec![*inner])), field })))
}
