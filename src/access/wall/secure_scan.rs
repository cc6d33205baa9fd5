//! The leaf that the caller's plan sees in place of a policy, its masks, and the table below them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, reset_plan_states};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, future};

use super::super::error::AccessError;
use super::super::model::object::TableId;
use super::compact::compact;
use super::environment::external;
use super::totals::{CountedScan, ScanCounters};

/// Whether the number of rows behind a wall may be told before they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowCount {
    /// Whether it is known depends on rows that may be hidden.
    Untold,
    /// The layout of the table decides the policy, so that it is known of whatever rows there are.
    Told,
}

/// A plan that cannot be looked into: no children, no statistics but a number of visible rows that may be told, no metrics but
/// its own row count, no order, nothing to push into it. Its number of partitions is the session's, whatever lies below. Errors from below become one text.
#[derive(Debug)]
pub struct SecureScanExec {
    id: TableId,
    /// What is behind the wall. Nothing may hand it out.
    inner: Arc<dyn ExecutionPlan>,
    config: SessionConfig,
    /// Rows of a partition after which it may stop.
    row_limit: Option<usize>,
    row_count: RowCount,
    /// What an error from below becomes.
    failure: fn(String) -> AccessError,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// Sums up the metrics of the inside, for the embedding program alone.
    counted: Option<Arc<CountedScan>>,
}

impl SecureScanExec {
    /// `inner` is run with `config`; its columns are those of `schema`, which may call them nullable.
    pub fn try_new(
        id: TableId,
        inner: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
        config: SessionConfig,
    ) -> Result<Self> {
        let partitions = config.target_partitions();
        let inner = with_partitions(inner, partitions)?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        let (failure, properties) = (AccessError::PolicyFailed, Arc::new(properties));
        let (row_limit, row_count, counted) = (None, RowCount::Untold, None);
        Ok(Self { id, inner, config, row_limit, row_count, failure, properties, metrics, counted })
    }

    /// Lets each partition stop after so many rows.
    pub fn with_row_limit(self, row_limit: Option<usize>) -> Self {
        Self { row_limit, ..self }
    }

    pub fn with_row_count(self, row_count: RowCount) -> Self {
        Self { row_count, ..self }
    }

    /// Adds what is read behind the wall to the counters, once it has been read.
    pub fn with_counters(self, counters: Arc<ScanCounters>) -> Self {
        let counted = Some(Arc::new(CountedScan::new(Arc::clone(&self.inner), counters)));
        Self { counted, ..self }
    }

    /// Says of an error from below that a view failed.
    pub fn of_view(self) -> Self {
        Self { failure: AccessError::ViewFailed, ..self }
    }

    fn with_inner(&self, inner: Arc<dyn ExecutionPlan>) -> Self {
        let counted = self.counted.as_ref().map(|counted| Arc::new(counted.with_inner(Arc::clone(&inner))));
        Self {
            id: self.id.clone(),
            inner,
            counted,
            config: self.config.clone(),
            row_limit: self.row_limit,
            row_count: self.row_count,
            failure: self.failure,
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

/// How many partitions the inside has could tell how many files it reads.
fn with_partitions(plan: Arc<dyn ExecutionPlan>, count: usize) -> Result<Arc<dyn ExecutionPlan>> {
    if plan.output_partitioning().partition_count() == count {
        return Ok(plan);
    }
    Ok(Arc::new(RepartitionExec::try_new(plan, Partitioning::RoundRobinBatch(count))?))
}

impl DisplayAs for SecureScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "SecureScan: table={}, columns=[{}]", self.id, columns.join(", "))
            }
            DisplayFormatType::TreeRender => writeln!(f, "table={}", self.id),
        }
    }
}

impl ExecutionPlan for SecureScanExec {
    fn name(&self) -> &str {
        "SecureScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            return Ok(self);
        }
        Err(DataFusionError::Internal("a secure scan takes no children".to_string()))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(self.with_inner(reset_plan_states(Arc::clone(&self.inner))?)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (table, failure) = (self.id.table.clone(), self.failure);
        let inner = self.inner.execute(partition, self.inner_context(&context));
        let inner = inner.map_err(|error| conceal(&error, &table, failure))?;
        let schema = self.schema();
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let counted = self.counted.clone().inspect(|counted| counted.run());
        let (left, kept) = (self.row_limit, Arc::clone(&schema));
        let mut outlet = Outlet { table, failure, schema: kept, left, rows, _counted: counted };
        let stream = inner
            .map(move |batch| outlet.pass(batch))
            .take_while(|batch| future::ready(!matches!(batch, Ok(None))))
            .filter_map(|batch| future::ready(batch.transpose()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    /// How many rows there are, if that may be told. Nothing else.
    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut shown = Statistics::new_unknown(&self.schema());
        if self.row_count == RowCount::Told && args.partition().is_none() && self.row_limit.is_none() {
            let inner = StatisticsContext::new().compute(self.inner.as_ref(), args)?;
            if inner.num_rows.is_exact() == Some(true) {
                shown.num_rows = inner.num_rows;
            }
        }
        Ok(Arc::new(shown))
    }

    /// Filters stay above, those too that a sort or join learns while it runs.
    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let refused = vec![PushedDown::No; result.parent_filters.len()];
        Ok(FilterPushdownPropagation::with_parent_pushdown_result(refused))
    }
}

impl SecureScanExec {
    /// The caller's memory, disk and stores, with none of the caller's options.
    fn inner_context(&self, caller: &TaskContext) -> Arc<TaskContext> {
        Arc::new(TaskContext::new(
            caller.task_id(),
            caller.session_id(),
            self.config.clone(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            caller.runtime_env(),
        ))
    }
}

/// What leaves one partition.
struct Outlet {
    table: String,
    failure: fn(String) -> AccessError,
    schema: SchemaRef,
    left: Option<usize>,
    rows: Count,
    /// Held until the partition ends.
    _counted: Option<Arc<CountedScan>>,
}

impl Outlet {
    /// The batch as the caller may have it; None ends the stream.
    fn pass(&mut self, batch: Result<RecordBatch>) -> Result<Option<RecordBatch>> {
        if self.left == Some(0) {
            return Ok(None);
        }
        let batch = batch.map_err(|error| conceal(&error, &self.table, self.failure))?;
        let length = self.left.map_or(batch.num_rows(), |left| left.min(batch.num_rows()));
        self.left = self.left.map(|left| left - length);
        let batch = batch.slice(0, length);
        let batch = compact(&batch, &self.schema).map_err(|error| conceal(&error.into(), &self.table, self.failure))?;
        self.rows.add(batch.num_rows());
        Ok(Some(batch))
    }
}

/// An error from behind the wall without its text, which may quote hidden rows.
fn conceal(error: &DataFusionError, table: &str, failure: fn(String) -> AccessError) -> DataFusionError {
    let table = table.to_string();
    let root = error.find_root();
    tracing::warn!(table, kind = kind(root), "a secured scan ended early");
    external(match root {
        DataFusionError::ResourcesExhausted(_) => AccessError::OutOfMemory(table),
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) | DataFusionError::ParquetError(_) => {
            AccessError::ReadFailed(table)
        }
        _ => failure(table),
    })
}

/// A word for the log, without the text of the error.
fn kind(error: &DataFusionError) -> &'static str {
    match error {
        DataFusionError::ArrowError(..) => "compute",
        DataFusionError::ResourcesExhausted(_) => "resources exhausted",
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => "storage",
        DataFusionError::ParquetError(_) => "parquet",
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) => "plan",
        DataFusionError::External(_) => "external",
        _ => "other",
    }
}
