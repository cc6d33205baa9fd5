//! IN with a sub-query, held to SQL's meaning wherever it stands in a condition.
//!
//! As a condition of its own the engine makes a join of it that knows NULL. Beneath OR, NOT or a function it makes a mark of
//! it, which is false where SQL says NULL: `x NOT IN (..) OR ..` then holds for every row whose x is NULL. Of two
//! permissive policies, the one would show what neither allows.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit, when,
};
use datafusion::optimizer::AnalyzerRule;

/// The rule, to be added after the engine's own analyzer rules.
pub fn membership_rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(ThreeValuedMembership)
}

#[derive(Debug)]
struct ThreeValuedMembership;

impl AnalyzerRule for ThreeValuedMembership {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_down_with_subqueries(|node| {
            let LogicalPlan::Filter(filter) = node else { return Ok(Transformed::no(node)) };
            let predicate = rewritten(filter.predicate.clone(), Place::Condition, filter.input.schema())?;
            if !predicate.transformed {
                return Ok(Transformed::no(LogicalPlan::Filter(filter)));
            }
            Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate.data, filter.input)?)))
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &str {
        "three_valued_membership"
    }
}

/// Where an expression stands in a filter's predicate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A condition of its own: nothing but AND above it.
    Condition,
    /// One of several: AND and OR above it, to which NULL is as good as false.
    Alternative,
}

fn rewritten(expr: Expr, place: Place, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let place = if op == Operator::Or { Place::Alternative } else { place };
            let (left, right) = (rewritten(*left, place, schema)?, rewritten(*right, place, schema)?);
            let changed = left.transformed || right.transformed;
            let both = BinaryExpr::new(Box::new(left.data), op, Box::new(right.data));
            Ok(Transformed::new_transformed(Expr::BinaryExpr(both), changed))
        }
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let turned = InSubquery { expr, subquery, negated: !negated };
                Ok(Transformed::yes(rewritten(Expr::InSubquery(turned), place, schema)?.data))
            }
            other => within(Expr::Not(Box::new(other)), schema),
        },
        Expr::InSubquery(membership) if place == Place::Condition || !membership.negated => {
            Ok(Transformed::no(Expr::InSubquery(membership)))
        }
        other => within(other, schema),
    }
}

/// Every IN of an expression as what it is: true, false or NULL.
fn within(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_down(|part| match part {
        Expr::InSubquery(membership) if can_be_null(&membership, schema) => {
            Ok(Transformed::new(exact(membership)?, true, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    })
}

fn can_be_null(membership: &InSubquery, schema: &DFSchema) -> bool {
    let items = membership.subquery.subquery.schema();
    membership.expr.nullable(schema).unwrap_or(true) || items.fields().iter().any(|item| item.is_nullable())
}

/// True where an item is equal; else NULL where one is NULL, or the value is and there are items; else false.
fn exact(membership: InSubquery) -> Result<Expr> {
    let InSubquery { expr, subquery, negated } = membership;
    let value = expr.as_ref().clone();
    let items = subquery.subquery.as_ref().clone();
    let null_item = items.schema().columns().into_iter().map(|column| Expr::Column(column).is_null()).next();
    let nulls = LogicalPlanBuilder::from(items).filter(null_item.unwrap_or(lit(false)))?.build()?;
    let some = |plan: Arc<LogicalPlan>| {
        let subquery = Subquery { subquery: plan, ..subquery.clone() };
        Expr::Exists(Exists { subquery, negated: false })
    };
    let unknown = value.is_null().and(some(Arc::clone(&subquery.subquery))).or(some(Arc::new(nulls)));
    let found = Expr::InSubquery(InSubquery { expr, subquery: subquery.clone(), negated: false });
    let exact = when(found, lit(true)).when(unknown, lit(ScalarValue::Boolean(None))).otherwise(lit(false))?;
    Ok(if negated { Expr::Not(Box::new(exact)) } else { exact })
}
