//! What holds for the rows of a join's input need not hold for the nulls that an outer join puts in their place.
//!
//! The engine hands the constants and equal expressions of both inputs to the output of any join. Above
//! `a LEFT JOIN (SELECT id, 1 AS bought FROM b) ..` the column `bought` then counts as the constant 1: a sort or a window
//! over it is dropped, a GROUP BY of it closes groups early. So such an input gets a node over it that knows less.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Statistics};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PiecewiseMergeJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};

/// Puts a [`NullSuppliedExec`] over each input whose rows an outer join may replace by nulls.
#[derive(Debug)]
pub struct NullSuppliedInputs;

impl PhysicalOptimizerRule for NullSuppliedInputs {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_up(|node| {
            let Some([left, right]) = join_type(node.as_ref()).map(null_supplied) else {
                return Ok(Transformed::no(node));
            };
            let children = node.children();
            let [first, second] = children[..] else { return Ok(Transformed::no(node)) };
            let inputs = [(first, left), (second, right)];
            if !inputs.iter().any(|(input, supplied)| *supplied && knows_too_much(input.as_ref())) {
                return Ok(Transformed::no(node));
            }
            let inputs = inputs.map(|(input, supplied)| match supplied && knows_too_much(input.as_ref()) {
                true => Arc::new(NullSuppliedExec::new(Arc::clone(input))) as Arc<dyn ExecutionPlan>,
                false => Arc::clone(input),
            });
            let recomputed = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            node.replace_children(inputs.into(), recomputed).map(Transformed::yes)
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &str {
        "null_supplied_inputs"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn join_type(plan: &dyn ExecutionPlan) -> Option<JoinType> {
    let hash = plan.downcast_ref::<HashJoinExec>().map(|join| *join.join_type());
    let nested = || plan.downcast_ref::<NestedLoopJoinExec>().map(|join| *join.join_type());
    let merge = || plan.downcast_ref::<SortMergeJoinExec>().map(SortMergeJoinExec::join_type);
    let piecewise = || plan.downcast_ref::<PiecewiseMergeJoinExec>().map(PiecewiseMergeJoinExec::join_type);
    hash.or_else(nested).or_else(merge).or_else(piecewise)
}

/// Whether the left and the right input may be replaced by nulls.
fn null_supplied(join: JoinType) -> [bool; 2] {
    match join {
        JoinType::Left => [false, true],
        JoinType::Right => [true, false],
        JoinType::Full => [true, true],
        _ => [false, false],
    }
}

fn knows_too_much(input: &dyn ExecutionPlan) -> bool {
    !input.is::<NullSuppliedExec>() && !input.equivalence_properties().eq_group().is_empty()
}

/// Its input, without what would not hold for a row of nulls: of what is known to be equal, columns alone remain.
#[derive(Debug, Clone)]
struct NullSuppliedExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl NullSuppliedExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let known = input.equivalence_properties();
        let orderings = known.oeq_class().iter().cloned();
        let mut kept = EquivalenceProperties::new_with_orderings(Arc::clone(known.schema()), orderings);
        for class in known.eq_group().iter() {
            let columns: Vec<&Arc<dyn PhysicalExpr>> = class.iter().filter(|expr| expr.is::<Column>()).collect();
            for pair in columns.windows(2) {
                // Equal columns that are not told to be so cost a sort, no more.
                kept.add_equal_conditions(Arc::clone(pair[0]), Arc::clone(pair[1])).ok();
            }
        }
        let properties = PlanProperties::clone(input.properties()).with_eq_properties(kept);
        Self { properties: Arc::new(properties), input }
    }
}

impl DisplayAs for NullSuppliedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NullSupplied")
    }
}

impl ExecutionPlan for NullSuppliedExec {
    fn name(&self) -> &'static str {
        "NullSuppliedExec"
    }

    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.pop()) {
            (Some(input), None) => Ok(Arc::new(Self::new(input))),
            _ => Err(DataFusionError::Internal("NullSuppliedExec has one input".to_owned())),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let input = inputs.first().map(Arc::clone);
        Ok(input.unwrap_or_else(|| Arc::new(Statistics::new_unknown(&self.schema()))))
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}
