//! Grouping by one integer whose values lie close together, as customer numbers do.
//!
//! The engine looks each row's group up in a hash table, which for a million customers no cache holds. Numbers that were given out one after another need
//! none: [`directory`] is an array with the group of each number. [`DenseGroups`] is the rule that puts [`exec::DenseGroupsExec`] in the place of an aggregation's
//! first stage; its states go on to the engine's second stage. The answer is the same for any numbers, near or far.

mod directory;
mod exec;
mod stream;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_physical_optimizer::PhysicalOptimizerRule;
use datafusion_physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion_physical_plan::{ExecutionPlan, InputOrderMode};

use self::exec::DenseGroupsExec;

/// A rule of physical plans, to be run after the engine's own: `GROUP BY` one integer finds groups by an array.
#[derive(Debug, Default)]
pub struct DenseGroups;

impl PhysicalOptimizerRule for DenseGroups {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_up(|node| {
            Ok(match node.downcast_ref::<AggregateExec>().filter(|aggregate| is_dense(aggregate)) {
                Some(aggregate) => Transformed::yes(Arc::new(DenseGroupsExec::new(aggregate.clone())) as Arc<_>),
                None => Transformed::no(node),
            })
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &str {
        "dense_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A first stage by one integer, without what needs an order or ends early.
fn is_dense(aggregate: &AggregateExec) -> bool {
    let groups = aggregate.group_expr();
    let [(key, _)] = groups.expr() else { return false };
    let schema = aggregate.input().schema();
    *aggregate.mode() == AggregateMode::Partial
        && groups.is_single()
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.limit_options().is_none()
        && aggregate.dynamic_expressions_produced().is_empty()
        && key.data_type(&schema).is_ok_and(|kind| is_integer(&kind))
        && aggregate
            .aggr_expr()
            .iter()
            .all(|function| function.groups_accumulator_supported() && function.order_bys().is_empty())
}

fn is_integer(kind: &DataType) -> bool {
    use DataType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32};
    matches!(kind, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32)
}
