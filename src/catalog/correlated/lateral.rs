//! LATERAL joins.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection};

use super::domain::{Domain, leans, same};

/// Makes a plain join of one whose right side leans on the left.
pub fn decorrelate(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Join(join) = &node else { return Ok(Transformed::no(node)) };
    let is_lateral = matches!(join.join_type, JoinType::Inner | JoinType::Left) && leans(&join.right);
    if !is_lateral || leans(&join.left) {
        return Ok(Transformed::no(node));
    }
    let Some(domain) = Domain::of(&join.right, &join.left)? else { return Ok(Transformed::no(node)) };
    let Some(free) = domain.free(&join.right)? else { return Ok(Transformed::no(node)) };
    let mut conditions: Vec<Expr> = join.on.iter().map(|(a, b)| a.clone().eq(b.clone())).collect();
    conditions.extend(join.filter.clone());
    let pairs = domain.columns.iter().zip(&free.keys);
    conditions.extend(pairs.map(|(outer, key)| same(Expr::Column(outer.clone()), Expr::Column(key.clone()))));
    let outputs: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
    let joined = LogicalPlanBuilder::from(join.left.as_ref().clone()).join_on(free.plan, join.join_type, conditions)?;
    let plan = Projection::try_new(outputs, Arc::new(joined.build()?))?;
    Ok(Transformed::yes(LogicalPlan::Projection(plan)))
}
