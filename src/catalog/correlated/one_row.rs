//! Sub-queries that aggregate all that they read, without GROUP BY: one row each, whatever is there to read.
//!
//! A join in the place of such a query has no row where nothing was read. So EXISTS is true, IN compares one value, and a lateral
//! one stands as values beside the row that it is joined to; of a value [`super::scalar`] and the engine know what it is of nothing,
//! if it is made of the aggregates at once and asked without HAVING.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{
    Distinct, Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, lit, when,
};
use datafusion::optimizer::AnalyzerRule;

use super::domain::leans;
use crate::functions::change_expressions;

/// The rule, to be added before types are coerced.
pub fn one_row_rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(OneRowSubqueries)
}

#[derive(Debug)]
struct OneRowSubqueries;

impl AnalyzerRule for OneRowSubqueries {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = change_expressions(plan, |expr, _| valued(expr))?;
        let plan = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Join(join) => joined(join),
            other => Ok(Transformed::no(other)),
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &str {
        "one_row_subqueries"
    }
}

/// The one row of a sub-query that leans on what is around it.
struct OneRow {
    aggregate: Arc<LogicalPlan>,
    /// What the sub-query puts out, of the columns of the aggregate.
    outputs: Vec<Expr>,
    /// Without which there is no row: HAVING, and conditions on what was aggregated.
    conditions: Vec<Expr>,
}

impl OneRow {
    /// None where the sub-query may have several rows, or takes nothing from around it.
    fn of(plan: &Arc<LogicalPlan>) -> Result<Option<Self>> {
        if leans(plan) { Self::of_plan(plan) } else { Ok(None) }
    }

    fn of_plan(plan: &Arc<LogicalPlan>) -> Result<Option<Self>> {
        match plan.as_ref() {
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                let outputs = aggregate.schema.columns().into_iter().map(Expr::Column).collect();
                Ok(Some(Self { aggregate: Arc::clone(plan), outputs, conditions: Vec::new() }))
            }
            LogicalPlan::SubqueryAlias(alias) => Self::of_plan(&alias.input),
            LogicalPlan::Distinct(Distinct::All(input)) => Self::of_plan(input),
            LogicalPlan::Sort(sort) if sort.fetch.is_none_or(|rows| rows > 0) => Self::of_plan(&sort.input),
            LogicalPlan::Limit(limit) if limit.skip.is_none() && is_above_zero(limit.fetch.as_deref()) => {
                Self::of_plan(&limit.input)
            }
            LogicalPlan::Projection(Projection { expr, input, .. }) => {
                let Some(mut one) = Self::of_plan(input)? else { return Ok(None) };
                let outputs = expr.iter().map(|expr| one.resolved(expr.clone().unalias(), input.schema()));
                one.outputs = outputs.collect::<Result<_>>()?;
                Ok(Some(one))
            }
            LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                let Some(mut one) = Self::of_plan(input)? else { return Ok(None) };
                let condition = one.resolved(predicate.clone(), input.schema())?;
                one.conditions.push(condition);
                Ok(Some(one))
            }
            _ => Ok(None),
        }
    }

    /// An expression over the outputs as one over the columns of the aggregate.
    fn resolved(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        let resolved = expr.transform_down(|expr| {
            let place = if let Expr::Column(column) = &expr { schema.maybe_index_of_column(column) } else { None };
            Ok(match place.and_then(|place| self.outputs.get(place)) {
                Some(output) => Transformed::new(output.clone(), true, TreeNodeRecursion::Jump),
                None => Transformed::no(expr),
            })
        })?;
        Ok(resolved.data)
    }

    /// The output in a place, as a value of its own.
    fn value(&self, place: usize, subquery: &Subquery) -> Result<Expr> {
        let output = self.outputs.get(place).cloned().unwrap_or_else(|| lit(ScalarValue::Null));
        self.scalar(output, subquery)
    }

    /// Whether there is the row; None where it always is.
    fn is_there(&self, subquery: &Subquery) -> Result<Option<Expr>> {
        let condition = self.conditions.iter().cloned().reduce(Expr::and);
        condition.map(|condition| Ok(self.scalar(condition, subquery)?.is_true())).transpose()
    }

    fn scalar(&self, output: Expr, subquery: &Subquery) -> Result<Expr> {
        let plan = Projection::try_new(vec![output.alias("value")], Arc::clone(&self.aggregate))?;
        let subquery = Subquery { subquery: Arc::new(LogicalPlan::Projection(plan)), ..subquery.clone() };
        Ok(Expr::ScalarSubquery(subquery))
    }
}

fn is_above_zero(rows: Option<&Expr>) -> bool {
    matches!(rows, None | Some(Expr::Literal(ScalarValue::Int64(Some(1..)), _)))
}

fn valued(expr: Expr) -> Result<Transformed<Expr>> {
    let subquery = match &expr {
        Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::ScalarSubquery(subquery) => subquery.clone(),
        _ => return Ok(Transformed::no(expr)),
    };
    let Some(one) = OneRow::of(&subquery.subquery)? else { return Ok(Transformed::no(expr)) };
    let is_there = one.is_there(&subquery)?;
    let negate = |expr, negated| if negated { Expr::Not(Box::new(expr)) } else { expr };
    Ok(Transformed::yes(match expr {
        Expr::Exists(Exists { negated, .. }) => negate(is_there.unwrap_or(lit(true)), negated),
        Expr::InSubquery(InSubquery { expr, negated, .. }) => {
            let equal = expr.as_ref().clone().eq(one.value(0, &subquery)?);
            negate(is_there.map_or(Ok(equal.clone()), |is_there| when(is_there, equal).otherwise(lit(false)))?, negated)
        }
        _ => {
            let value = one.value(0, &subquery)?;
            is_there.map_or(Ok(value.clone()), |is_there| when(is_there, value).end())?
        }
    }))
}

/// A join with a lateral sub-query of one row: its columns as values beside those of the left side.
fn joined(join: Join) -> Result<Transformed<LogicalPlan>> {
    let is_known = matches!(join.join_type, JoinType::Inner | JoinType::Left) && join.on.is_empty();
    let subquery = if is_known { lateral(&join.right).cloned() } else { None };
    let Some(subquery) = subquery else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
    let Some(one) = OneRow::of(&subquery.subquery)? else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
    let shown = join.right.schema().columns();
    let values = shown.iter().enumerate().map(|(place, column)| Ok(named(one.value(place, &subquery)?, column)));
    let left = || join.left.schema().columns().into_iter().map(Expr::Column);
    let beside: Vec<Expr> = left().chain(values.collect::<Result<Vec<_>>>()?).collect();
    let mut plan = LogicalPlanBuilder::from(join.left.as_ref().clone()).project(beside)?;
    // Of the left side: whether there is the row is asked beside it, too.
    let is_there = one.is_there(&subquery)?;
    let condition = join.filter.into_iter().chain(is_there).reduce(Expr::and);
    if let Some(condition) = condition {
        plan = if join.join_type == JoinType::Inner {
            plan.filter(condition)?
        } else {
            let kept =
                |column: &Column| Ok(named(when(condition.clone(), Expr::Column(column.clone())).end()?, column));
            plan.project(left().chain(shown.iter().map(kept).collect::<Result<Vec<_>>>()?).collect::<Vec<_>>())?
        };
    }
    Ok(Transformed::yes(plan.build()?))
}

fn named(value: Expr, column: &Column) -> Expr {
    value.alias_qualified(column.relation.clone(), column.name.clone())
}

fn lateral(plan: &LogicalPlan) -> Option<&Subquery> {
    match plan {
        LogicalPlan::Subquery(subquery) => Some(subquery),
        LogicalPlan::SubqueryAlias(alias) => lateral(&alias.input),
        _ => None,
    }
}
