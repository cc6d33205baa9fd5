//! Sorts rows that memory has no room for, in runs on the disk.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::{SortOptions, concat_batches};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, TryStreamExt};

use super::super::error::LakeError;
use super::super::table::TableSpec;

/// Sorted in memory before a merge, at most about so many.
const RUNS: usize = 16;
const MERGE_ROWS: usize = 1024;
const BATCHES_AHEAD: usize = 4;

/// The rows in file order. Merging goes on while the rows before are written.
pub fn sorted(
    rows: SendableRecordBatchStream,
    spec: &TableSpec,
    runtime: &Arc<RuntimeEnv>,
    bytes_max: usize,
) -> Result<SendableRecordBatchStream, LakeError> {
    let rows = in_large_runs(rows, bytes_max / RUNS);
    let schema = rows.schema();
    let options = SortOptions { descending: false, nulls_first: false };
    let column =
        |name: &String| Ok(PhysicalSortExpr::new(Arc::new(Column::new(name, schema.index_of(name)?)), options));
    let columns = spec.order().iter().map(column);
    let Some(ordering) = LexOrdering::new(columns.collect::<Result<Vec<_>, LakeError>>()?) else { return Ok(rows) };
    let source = Arc::new(Incoming { schema: Arc::clone(&schema), rows: Mutex::new(Some(rows)) });
    let scan = StreamingTableExec::try_new(Arc::clone(&schema), vec![source], None, [], false, None)?;
    let context = TaskContext::default().with_session_config(merging(bytes_max)).with_runtime(Arc::clone(runtime));
    Ok(ahead(SortExec::new(ordering, Arc::new(scan)).execute(0, Arc::new(context))?))
}

/// The same rows, some batches of which are made while those before are worked on.
pub fn ahead(mut rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut ahead = RecordBatchReceiverStream::builder(rows.schema(), BATCHES_AHEAD);
    let sender = ahead.tx();
    ahead.spawn(async move {
        while let Some(batch) = rows.next().await {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    ahead.build()
}

/// How rows are merged: in small batches, of which each run has one in memory in two forms.
fn merging(bytes_max: usize) -> SessionConfig {
    let config = SessionConfig::new().with_batch_size(MERGE_ROWS);
    let reserved = config.options().execution.sort_spill_reservation_bytes;
    config.with_sort_spill_reservation_bytes(reserved.min(bytes_max / RUNS))
}

/// Readers give small batches. Each would be a run of its own, and a merge of all of them holds every row a second time, for
/// which the memory that they take leaves no room: a few large runs need little.
fn in_large_runs(rows: SendableRecordBatchStream, bytes: usize) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let shape = Arc::clone(&schema);
    let runs = futures::stream::try_unfold(rows, move |mut rows| {
        let shape = Arc::clone(&shape);
        async move {
            let (mut held, mut batches) = (0, Vec::new());
            while held < bytes
                && let Some(batch) = rows.try_next().await?
            {
                held += batch.get_array_memory_size();
                batches.push(batch);
            }
            let run = match batches.len() {
                0 => None,
                1 => batches.pop(),
                _ => Some(concat_batches(&shape, &batches)?),
            };
            Ok::<_, DataFusionError>(run.map(|run| (run, rows)))
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, runs))
}

/// A stream as the leaf of a plan; it can be run once.
struct Incoming {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming")
    }
}

impl PartitionStream for Incoming {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let taken = self.rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.unwrap_or_else(|| {
            let spent = DataFusionError::Internal("incoming rows were read twice".to_owned());
            Box::pin(RecordBatchStreamAdapter::new(
                Arc::clone(&self.schema),
                futures::stream::once(async { Err(spent) }),
            ))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::super::runtime;
    use super::*;

    /// Many times the memory, in batches as readers give them.
    #[tokio::test]
    async fn rows_beyond_the_memory_are_sorted_on_the_disk() {
        const BATCHES: i64 = 1_100;
        const ROWS: i64 = 1000;
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("id", DataType::Utf8, false),
        ]));
        let mut spec = TableSpec::plain(&schema);
        spec.sort = vec!["id".into(), "n".into()];
        let shape = Arc::clone(&schema);
        let batches = (0..BATCHES).map(move |batch| {
            let numbers = || (0..ROWS).map(move |row| (batch * ROWS + row) * 7_919 % (BATCHES * ROWS));
            let ids = numbers().map(|n| format!("an identifier of some length {n:09}"));
            let columns: Vec<ArrayRef> =
                vec![Arc::new(numbers().collect::<Int64Array>()), Arc::new(StringArray::from_iter_values(ids))];
            Ok(RecordBatch::try_new(Arc::clone(&shape), columns)?)
        });
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches)));
        let mut sorted = sorted(rows, &spec, &runtime(32 << 20).unwrap(), 32 << 20).unwrap();
        let mut expected = 0;
        while let Some(batch) = sorted.next().await {
            for n in batch.unwrap().column(0).as_primitive::<Int64Type>().values() {
                assert_eq!(*n, expected);
                expected += 1;
            }
        }
        assert_eq!(expected, BATCHES * ROWS);
    }
}
