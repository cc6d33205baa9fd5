//! Which sub-queries the engine's own rules make joins of: aggregates whose rows are chosen by equality with the outside.

use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use super::domain::leans;

/// Whether the sub-query is an aggregate over rows that only equalities choose, without another that leans on it.
pub fn is_native(plan: &LogicalPlan) -> Result<bool> {
    Ok(is_aggregate(plan) && !has_leaning_subquery(plan)?)
}

fn is_aggregate(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(node) => !plan.contains_outer_reference() && is_aggregate(&node.input),
        LogicalPlan::SubqueryAlias(node) => is_aggregate(&node.input),
        LogicalPlan::Aggregate(node) => {
            node.group_expr.is_empty() && !plan.contains_outer_reference() && has_equalities_only(&node.input)
        }
        _ => false,
    }
}

/// A join that replaces it would take the outside along, which the engine's rules do not follow.
fn has_leaning_subquery(plan: &LogicalPlan) -> Result<bool> {
    let leaning = |expr: &Expr| {
        Ok(match expr {
            Expr::ScalarSubquery(subquery) => leans(&subquery.subquery),
            Expr::Exists(exists) => leans(&exists.subquery.subquery),
            _ => false,
        })
    };
    for expr in plan.expressions() {
        if expr.exists(leaning)? {
            return Ok(true);
        }
    }
    for input in plan.inputs() {
        if has_leaning_subquery(input)? {
            return Ok(true);
        }
    }
    Ok(false)
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
