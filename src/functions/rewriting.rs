//! Expressions of a plan, each replaced where it stands, under the name that it had.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ExprSchema};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

/// The plan with `change` made to every expression in it, from the inside out. `change` sees the columns that the expression
/// may name; those of a query around a sub-query carry their type with them.
pub fn change_expressions(
    plan: LogicalPlan,
    change: impl Fn(Expr, &dyn ExprSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(|node| changed_expressions(node, &change))?.data)
}

/// The same for the expressions of one node.
pub fn changed_expressions(
    node: LogicalPlan,
    change: impl Fn(Expr, &dyn ExprSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let schema = columns_of(&node);
    let preserver = NamePreserver::new(&node);
    let changed = node.map_expressions(|expr| {
        let name = preserver.save(&expr);
        Ok(expr.transform_up(|expr| change(expr, &schema))?.update_data(|expr| name.restore(expr)))
    })?;
    if changed.transformed { changed.map_data(with_new_schema) } else { Ok(changed) }
}

/// The node with the types that its expressions have now. A VALUES keeps the schema that it was made with.
fn with_new_schema(node: LogicalPlan) -> Result<LogicalPlan> {
    match node {
        LogicalPlan::Values(values) => LogicalPlanBuilder::values(values.values)?.build(),
        other => other.recompute_schema(),
    }
}

fn columns_of(node: &LogicalPlan) -> DFSchema {
    let mut schema = DFSchema::empty();
    if let LogicalPlan::TableScan(scan) = node {
        schema.merge(&scan.projected_schema);
    }
    for input in node.inputs() {
        schema.merge(input.schema());
    }
    schema
}
