//! The node at work: rows come in, states go out.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion_common::cast::as_boolean_array;
use datafusion_common::{DataFusionError, Result};
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_expr::{EmitTo, GroupsAccumulator};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::aggregates::{AggregateExec, aggregate_expressions};
use datafusion_physical_plan::metrics::BaselineMetrics;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;
use futures::stream::try_unfold;

use super::directory::Directory;

/// The engine asks after 100,000 rows whether they share groups at all, too soon to tell it of a million customers.
const PROBE_LONGER: usize = 10;

/// One aggregate: what it reads of a row, and its states.
struct Function {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    states: Box<dyn GroupsAccumulator>,
}

impl Function {
    fn read(&self, batch: &RecordBatch) -> Result<(Vec<ArrayRef>, Option<BooleanArray>)> {
        let array = |part: &Arc<dyn PhysicalExpr>| part.evaluate(batch)?.into_array(batch.num_rows());
        let arguments = self.arguments.iter().map(array).collect::<Result<_>>()?;
        let filter =
            self.filter.as_ref().map(|filter| Ok::<_, DataFusionError>(as_boolean_array(&array(filter)?)?.clone()));
        Ok((arguments, filter.transpose()?))
    }
}

struct Stage {
    input: SendableRecordBatchStream,
    key: Arc<dyn PhysicalExpr>,
    key_type: DataType,
    functions: Vec<Function>,
    schema: SchemaRef,
    batch_rows: usize,
    directory: Directory,
    groups: Vec<usize>,
    rows: usize,
    /// After so many rows with at least so many groups a row, each row is a state of its own.
    probe_rows: usize,
    probe_ratio: f64,
    apart: bool,
    memory: MemoryReservation,
    metrics: BaselineMetrics,
    ready: VecDeque<RecordBatch>,
    ended: bool,
}

/// The states of one partition's groups. Where memory runs out, those that there are go out early: the second stage merges them.
pub(super) fn dense_groups(
    aggregate: &AggregateExec,
    input: SendableRecordBatchStream,
    context: &TaskContext,
    metrics: BaselineMetrics,
    partition: usize,
) -> Result<SendableRecordBatchStream> {
    let [(key, _)] = aggregate.group_expr().expr() else {
        return datafusion_common::internal_err!("dense groups have one key");
    };
    let arguments = aggregate_expressions(aggregate.aggr_expr(), aggregate.mode(), 1)?;
    let functions = aggregate.aggr_expr().iter().zip(arguments).zip(aggregate.filter_expr());
    let functions = functions.map(|((function, arguments), filter)| {
        Ok(Function { arguments, filter: filter.clone(), states: function.create_groups_accumulator()? })
    });
    let consumer = MemoryConsumer::new(format!("DenseGroups[{partition}]"));
    let schema = aggregate.schema();
    let execution = &context.session_config().options().execution;
    let stage = Stage {
        key: Arc::clone(key),
        key_type: key.data_type(&input.schema())?,
        functions: functions.collect::<Result<_>>()?,
        schema: Arc::clone(&schema),
        batch_rows: context.session_config().batch_size(),
        directory: Directory::default(),
        groups: Vec::new(),
        rows: 0,
        probe_rows: PROBE_LONGER.saturating_mul(execution.skip_partial_aggregation_probe_rows_threshold),
        probe_ratio: execution.skip_partial_aggregation_probe_ratio_threshold,
        apart: false,
        memory: consumer.register(context.memory_pool()),
        metrics,
        ready: VecDeque::new(),
        ended: false,
        input,
    };
    let batches = try_unfold(stage, |mut stage| async move { Ok(stage.next().await?.map(|batch| (batch, stage))) });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
}

impl Stage {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                self.metrics.record_output(batch.num_rows());
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            let next = self.input.try_next().await?;
            let timed = self.metrics.elapsed_compute().clone();
            let _timer = timed.timer();
            match next {
                Some(batch) if self.apart => self.pass(&batch)?,
                Some(batch) => self.take_in(&batch)?,
                None => {
                    self.ended = true;
                    self.emit()?;
                }
            }
        }
    }

    fn take_in(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = self.keys(batch)?;
        self.directory.find(cast(&keys, &DataType::Int64)?.as_primitive::<Int64Type>(), &mut self.groups);
        let total = self.directory.groups();
        for function in &mut self.functions {
            let (arguments, filter) = function.read(batch)?;
            function.states.update_batch(&arguments, &self.groups, filter.as_ref(), total)?;
        }
        self.rows += batch.num_rows();
        let bytes =
            self.directory.bytes() + self.functions.iter().map(|function| function.states.size()).sum::<usize>();
        if self.memory.try_resize(bytes).is_err() {
            return self.emit();
        }
        let probed = self.rows - batch.num_rows() < self.probe_rows && self.rows >= self.probe_rows;
        if probed && total as f64 >= self.probe_ratio * self.rows as f64 {
            self.apart = true;
            return self.emit();
        }
        Ok(())
    }

    /// Rows as states, ungrouped.
    fn pass(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut columns = vec![self.keys(batch)?];
        for function in &self.functions {
            let (arguments, filter) = function.read(batch)?;
            columns.extend(function.states.convert_to_state(&arguments, filter.as_ref())?);
        }
        self.ready.push_back(RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        Ok(())
    }

    fn emit(&mut self) -> Result<()> {
        if self.directory.groups() == 0 {
            return Ok(());
        }
        let mut columns = vec![cast(&self.directory.take(), &self.key_type)?];
        for function in &mut self.functions {
            columns.extend(function.states.state(EmitTo::All)?);
        }
        let states = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let starts = (0..states.num_rows()).step_by(self.batch_rows.max(1));
        self.ready.extend(starts.map(|start| states.slice(start, self.batch_rows.min(states.num_rows() - start))));
        self.memory.free();
        Ok(())
    }

    fn keys(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        self.key.evaluate(batch)?.into_array(batch.num_rows())
    }
}
