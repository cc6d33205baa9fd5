//! ORDER BY by a sub-query: its value becomes a column, by which the engine can sort.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Sort};

use super::domain::fresh;

pub fn move_out(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Sort(sort) = &node else { return Ok(Transformed::no(node)) };
    let holds = |expr: &Expr| expr.exists(|expr| Ok(is_subquery(expr))).unwrap_or(false);
    if !sort.expr.iter().any(|item| holds(&item.expr)) {
        return Ok(Transformed::no(node));
    }
    let outputs: Vec<Expr> = sort.input.schema().columns().into_iter().map(Expr::Column).collect();
    let mut columns = outputs.clone();
    let mut order = sort.expr.clone();
    for item in order.iter_mut().filter(|item| holds(&item.expr)) {
        let key = fresh("order");
        columns.push(item.expr.clone().alias(&key));
        item.expr = Expr::Column(Column::new_unqualified(key));
    }
    let keyed = LogicalPlan::Projection(Projection::try_new(columns, Arc::clone(&sort.input))?);
    let sorted = LogicalPlan::Sort(Sort { expr: order, input: Arc::new(keyed), fetch: sort.fetch });
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(outputs, Arc::new(sorted))?)))
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_))
}
