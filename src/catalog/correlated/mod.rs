//! Sub-queries that lean on the row around them, made joins where the engine's own rules cannot.
//!
//! The values that a sub-query takes from outside become a table of their own, each combination once (the domain); the
//! sub-query runs once over all of them, and its results are joined back. After Neumann and Kemper, "Unnesting Arbitrary
//! Queries" (BTW 2015).

mod domain;
mod lateral;
mod native;
mod one_row;
mod scalar;
mod single_value;
mod sort;
mod unanswered;

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;

pub use self::one_row::one_row_rule;

/// The rule, to be added after the engine's own analyzer rules.
pub fn analyzer_rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(DecorrelateSubqueries)
}

#[derive(Debug)]
struct DecorrelateSubqueries;

impl AnalyzerRule for DecorrelateSubqueries {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        decorrelate(plan)
    }

    fn name(&self) -> &str {
        "decorrelate_subqueries"
    }
}

/// From the top down: once a sub-query is a join, those inside of it lean on what that join gives.
fn decorrelate(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_down_with_subqueries(|node| {
        let node = match node {
            LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::Aggregate(_) => {
                scalar::decorrelate(node)?
            }
            LogicalPlan::Sort(_) => sort::move_out(node)?,
            LogicalPlan::Join(_) => lateral::decorrelate(node)?,
            other => Transformed::no(other),
        };
        Ok(node)
    })?;
    Ok(rewritten.data)
}
