//! Aggregates that show their values one after the other, over a sub-query that is sorted: they keep its order, as in PostgreSQL.
//! The engine takes the ORDER BY of a sub-query without LIMIT for idle.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr};
use datafusion::optimizer::AnalyzerRule;

use super::rewriting::changed_expressions;

const GATHERING: [&str; 4] = ["array_agg", "string_agg", "json_agg", "jsonb_agg"];

#[derive(Debug)]
pub struct InheritedOrder;

impl AnalyzerRule for InheritedOrder {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(inherited)?.data)
    }

    fn name(&self) -> &str {
        "inherited_order"
    }
}

fn inherited(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let order = match &node {
        LogicalPlan::Aggregate(aggregate) => order_of(&aggregate.input)?,
        _ => None,
    };
    let Some(order) = order else { return Ok(Transformed::no(node)) };
    changed_expressions(node, |expr, _| {
        Ok(match expr {
            Expr::AggregateFunction(AggregateFunction { func, mut params })
                if GATHERING.contains(&func.name()) && params.order_by.is_empty() && !params.distinct =>
            {
                params.order_by = order.clone();
                Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params }))
            }
            other => Transformed::no(other),
        })
    })
}

/// By what the rows of a plan are sorted, in its own columns; None where that is nothing, or no column of its output.
fn order_of(plan: &LogicalPlan) -> Result<Option<Vec<SortExpr>>> {
    match plan {
        LogicalPlan::Sort(sort) => Ok(Some(sort.expr.clone())),
        LogicalPlan::Filter(filter) => order_of(&filter.input),
        LogicalPlan::Limit(limit) => order_of(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => {
            let columns = alias.schema.columns();
            let place = |column: &Column, schema: &DFSchema| schema.maybe_index_of_column(column);
            renamed(&alias.input, |column, schema| place(column, schema).and_then(|place| columns.get(place).cloned()))
        }
        LogicalPlan::Projection(projection) => {
            let shown: Vec<Expr> = projection.expr.iter().map(|expr| expr.clone().unalias()).collect();
            let columns = projection.schema.columns();
            renamed(&projection.input, |column, _| {
                let place = shown.iter().position(|expr| matches!(expr, Expr::Column(shown) if shown == column));
                place.and_then(|place| columns.get(place).cloned())
            })
        }
        _ => Ok(None),
    }
}

/// The order of an input, each column under the name that it has above.
fn renamed(input: &LogicalPlan, name: impl Fn(&Column, &DFSchema) -> Option<Column>) -> Result<Option<Vec<SortExpr>>> {
    let Some(order) = order_of(input)? else { return Ok(None) };
    let mut renamed = Vec::with_capacity(order.len());
    for item in order {
        let mut is_shown = true;
        let expr = item.expr.transform_down(|expr| {
            let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
            Ok(match name(column, input.schema()) {
                Some(column) => Transformed::new(Expr::Column(column), true, TreeNodeRecursion::Jump),
                None => {
                    is_shown = false;
                    Transformed::no(expr)
                }
            })
        })?;
        if !is_shown {
            return Ok(None);
        }
        renamed.push(SortExpr { expr: expr.data, ..item });
    }
    Ok(Some(renamed))
}
