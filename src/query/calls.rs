//! Which functions a plan or an expression calls.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The name of a scalar function that `sought` accepts and that stands anywhere in a plan, in views as caller and
/// sub-queries too.
pub fn called(plan: &LogicalPlan, sought: impl Fn(&str) -> bool) -> Result<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            found = called_in(expression, &sought)?;
            Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}

/// The same of one expression, without the plans within it.
pub fn called_in(expression: &Expr, sought: impl Fn(&str) -> bool) -> Result<Option<String>> {
    let mut found = None;
    expression.apply(|part| {
        if let Expr::ScalarFunction(call) = part
            && sought(call.func.name())
        {
            found = Some(call.func.name().to_owned());
        }
        Ok::<_, DataFusionError>(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Whether a plan calls a scalar function.
pub fn calls(plan: &LogicalPlan, name: &str) -> Result<bool> {
    Ok(called(plan, |found| found == name)?.is_some())
}
