//! Filters that a sort or join of the caller learns while it runs, let through the wall where they can fail on no row.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::utils::conjunction;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

use super::leakproof::is_simple;

/// Whether a filter compares plain columns with what the caller has seen so far. `plain` is no mask's column.
/// A filter over anything but columns computes, and what computes may fail on a hidden row.
pub fn is_harmless(filter: &Arc<dyn PhysicalExpr>, schema: &Schema, plain: &dyn Fn(&str) -> bool) -> bool {
    let Some(dynamic) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() else { return false };
    dynamic.children().into_iter().all(|child| match child.downcast_ref::<Column>() {
        Some(column) => {
            let field = schema.fields().get(column.index());
            field.is_some_and(|field| plain(field.name()) && is_simple(field.data_type()))
        }
        None => false,
    })
}

/// The plan with the filters on top and, as far as its nodes take them, within.
pub fn filtered(
    plan: Arc<dyn ExecutionPlan>,
    filters: Vec<Arc<dyn PhysicalExpr>>,
    options: &ConfigOptions,
) -> Result<Arc<dyn ExecutionPlan>> {
    let filter = FilterExec::try_new(conjunction(filters), plan)?;
    FilterPushdown::new().optimize(Arc::new(filter), options)
}
