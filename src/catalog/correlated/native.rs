//! Which sub-queries the engine's own rules make joins of: aggregates whose rows are chosen by equality with the outside.

use datafusion::error::Result;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use super::domain::leans;

/// Whether the sub-query is an aggregate over rows that only equalities choose.
pub fn is_native(plan: &LogicalPlan) -> Result<bool> {
    Ok(match plan {
        LogicalPlan::Projection(node) => !plan.contains_outer_reference() && is_native(&node.input)?,
        LogicalPlan::SubqueryAlias(node) => is_native(&node.input)?,
        LogicalPlan::Aggregate(node) => {
            node.group_expr.is_empty() && !plan.contains_outer_reference() && has_equalities_only(&node.input)
        }
        _ => false,
    })
}

fn has_equalities_only(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(node) => {
            let fits = |part: &&Expr| !part.contains_outer() || is_equality(part);
            split_conjunction(&node.predicate).iter().all(fits) && has_equalities_only(&node.input)
        }
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
            !plan.contains_outer_reference() && plan.inputs().into_iter().all(has_equalities_only)
        }
        other => !leans(other),
    }
}

/// One side from inside only, the other from outside only.
fn is_equality(expr: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return false };
    let inside = |side: &Expr| !side.contains_outer() && !side.column_refs().is_empty();
    let outside = |side: &Expr| side.contains_outer() && side.column_refs().is_empty();
    inside(left) && outside(right) || inside(right) && outside(left)
}
