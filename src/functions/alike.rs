//! Parts of an expression that are compared, added up or chosen among, made alike as PostgreSQL makes them.
//!
//! A double precision beside a numeric makes double precisions of both, in comparisons and sums, lists, CASE, COALESCE, UNION; the
//! engine would make decimals of both, which have no place for 1e30. A real is taken for a double precision beside anything but
//! another real. A day or a timestamp beside an instant is one, by the clocks of the session; the engine would turn the instants into
//! timestamps, and of a column that is turned no file can be left out.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ExprSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Case, InList, ScalarFunction};
use datafusion::logical_expr::{
    Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, Projection, Union,
};
use datafusion::optimizer::AnalyzerRule;

use super::rewriting::change_expressions;

/// The rule, which must come before types are coerced.
#[derive(Debug)]
pub struct AlikeParts;

/// Functions that give one of their arguments.
const CHOOSING: [&str; 4] = ["coalesce", "greatest", "least", "nullif"];

impl AnalyzerRule for AlikeParts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Union(union) => united(union),
            other => Ok(Transformed::no(other)),
        })?;
        change_expressions(plan.data, changed)
    }

    fn name(&self) -> &str {
        "alike_parts"
    }
}

fn changed(mut expr: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
    let parts: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_of_numbers(*op) => vec![left.as_mut(), right.as_mut()],
        Expr::Between(Between { expr, low, high, .. }) => vec![expr.as_mut(), low.as_mut(), high.as_mut()],
        Expr::InList(InList { expr, list, .. }) => std::iter::once(expr.as_mut()).chain(list).collect(),
        Expr::Case(Case { when_then_expr, else_expr, .. }) => {
            let results = when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            results.chain(else_expr.iter_mut().map(|otherwise| otherwise.as_mut())).collect()
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if CHOOSING.contains(&func.name()) => {
            args.iter_mut().collect()
        }
        _ => return Ok(Transformed::no(expr)),
    };
    let is_changed = level(parts, schema);
    Ok(Transformed::new_transformed(expr, is_changed))
}

fn is_of_numbers(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    op.is_numerical_operators() || matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Makes double precisions of numbers among which one is a float and one is no float of its width, and instants of moments
/// among which one is an instant.
fn level(parts: Vec<&mut Expr>, schema: &dyn ExprSchema) -> bool {
    let Ok(types) = parts.iter().map(|part| part.get_type(schema)).collect::<Result<Vec<_>>>() else { return false };
    let instant = types.iter().find(|data_type| matches!(data_type, DataType::Timestamp(_, Some(_)))).cloned();
    let (common, is_other): (DataType, fn(&DataType) -> bool) = match instant {
        Some(instant) => (instant, |other| matches!(other, DataType::Date32 | DataType::Timestamp(_, None))),
        None if is_mixed(&types) => (DataType::Float64, |other| other.is_numeric() && *other != DataType::Float64),
        None => return false,
    };
    let mut is_changed = false;
    for (part, data_type) in parts.into_iter().zip(types) {
        if is_other(&data_type) {
            *part = Expr::Cast(Cast::new(Box::new(std::mem::take(part)), common.clone()));
            is_changed = true;
        }
    }
    is_changed
}

fn is_mixed(types: &[DataType]) -> bool {
    let has_float = types.iter().any(DataType::is_floating);
    let is_other = |data_type: &DataType| data_type.is_numeric() && !data_type.is_floating();
    let has_decimal = types.iter().any(DataType::is_decimal);
    let has_real = types.contains(&DataType::Float32);
    has_float && (has_decimal || has_real && types.iter().any(is_other))
}

fn double(expr: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), DataType::Float64))
}

/// The inputs of a UNION with double precisions where one of them has floats in that place and another decimals.
fn united(union: Union) -> Result<Transformed<LogicalPlan>> {
    let width = union.schema.fields().len();
    let type_in = |input: &Arc<LogicalPlan>, place: usize| {
        input.schema().fields().get(place).map_or(DataType::Null, |field| field.data_type().clone())
    };
    let is_mixed = |place| is_mixed(&union.inputs.iter().map(|input| type_in(input, place)).collect::<Vec<_>>());
    let places: Vec<usize> = (0..width).filter(|place| is_mixed(*place)).collect();
    if places.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.into_iter().map(|input| Ok(Arc::new(doubled(input, &places)?))).collect::<Result<_>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)))
}

fn doubled(input: Arc<LogicalPlan>, places: &[usize]) -> Result<LogicalPlan> {
    let columns = input.schema().columns().into_iter().enumerate().map(|(place, column)| {
        let is_number = input.schema().field(place).data_type().is_numeric();
        let (relation, name) = (column.relation.clone(), column.name.clone());
        let value = Expr::Column(column);
        if places.contains(&place) && is_number { double(value).alias_qualified(relation, name) } else { value }
    });
    let columns = columns.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, input)?))
}
