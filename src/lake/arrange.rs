//! Puts incoming rows in the order of the files: by partition, then by the table's sort columns, in bounded memory.
//!
//! Rows that do not fit into memory are sorted in runs on the disk. A hidden month column is made on the way in and taken
//! away again by [`partitions`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::{DatePart, SortOptions, concat_batches, date_part, partition};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryLimit};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, TryStreamExt};

use super::error::LakeError;
use super::table::{MONTH, PartitionSpec, TableSpec};

/// Sorted in memory before a merge, at most about so many.
const RUNS: usize = 16;
const MERGE_ROWS: usize = 1024;

/// A runtime for writes, apart from that of queries. They may hold so much in memory together before rows go to the disk.
pub fn runtime(bytes_max: usize) -> Result<Arc<RuntimeEnv>, LakeError> {
    let pool = Arc::new(FairSpillPool::new(bytes_max));
    Ok(RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?)
}

/// The rows in file order. They may hold columns beyond those of the spec, which travel along.
pub fn arranged(
    rows: SendableRecordBatchStream,
    spec: &TableSpec,
    runtime: &Arc<RuntimeEnv>,
) -> Result<SendableRecordBatchStream, LakeError> {
    let MemoryLimit::Finite(bytes_max) = runtime.memory_pool.memory_limit() else {
        return Err(DataFusionError::Internal("writes have no limit of memory".to_owned()).into());
    };
    let rows = in_large_runs(with_month(rows, spec), bytes_max / RUNS);
    let schema = rows.schema();
    let partition = spec.partition.iter().map(PartitionSpec::column);
    let options = SortOptions { descending: false, nulls_first: false };
    let column = |name: &str| Ok(PhysicalSortExpr::new(Arc::new(Column::new(name, schema.index_of(name)?)), options));
    let columns = partition.chain(spec.order().iter().map(String::as_str)).map(column);
    let Some(ordering) = LexOrdering::new(columns.collect::<Result<Vec<_>, LakeError>>()?) else { return Ok(rows) };
    let source = Arc::new(Incoming { schema: Arc::clone(&schema), rows: Mutex::new(Some(rows)) });
    let scan = StreamingTableExec::try_new(schema, vec![source], None, [], false, None)?;
    let context = TaskContext::default().with_session_config(merging(bytes_max)).with_runtime(Arc::clone(runtime));
    Ok(SortExec::new(ordering, Arc::new(scan)).execute(0, Arc::new(context))?)
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

fn with_month(rows: SendableRecordBatchStream, spec: &TableSpec) -> SendableRecordBatchStream {
    let Some(PartitionSpec::Month(source)) = spec.partition.clone() else { return rows };
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(MONTH, DataType::Int32, true)));
    let schema = Arc::new(Schema::new(fields));
    let target = Arc::clone(&schema);
    let stream = rows.map(move |batch| {
        let batch = batch?;
        let mut columns = batch.columns().to_vec();
        let source = batch.schema().index_of(&source)?;
        columns.push(months(batch.column(source))?);
        Ok(RecordBatch::try_new(Arc::clone(&target), columns)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, stream))
}

/// Months since the year 0, in UTC (stored times have no other zone).
fn months(values: &ArrayRef) -> Result<ArrayRef, DataFusionError> {
    let years = date_part(values, DatePart::Year)?;
    let months = date_part(values, DatePart::Month)?;
    let (years, months) = (years.as_primitive::<Int32Type>(), months.as_primitive::<Int32Type>());
    let count = |(year, month): (Option<i32>, Option<i32>)| Some(year?.saturating_mul(12).saturating_add(month? - 1));
    Ok(Arc::new(years.iter().zip(months).map(count).collect::<Int32Array>()))
}

/// A batch in file order as runs of one partition each, in the columns of the spec, with the partition's name in the log.
pub fn partitions(batch: &RecordBatch, spec: &TableSpec) -> Result<Vec<(Option<String>, RecordBatch)>, LakeError> {
    let schema = spec.schema();
    let indices: Vec<usize> =
        schema.fields().iter().map(|field| batch.schema().index_of(field.name())).collect::<Result<_, _>>()?;
    let rows = batch.project(&indices)?.with_schema(schema)?;
    let Some(by) = &spec.partition else { return Ok(vec![(None, rows)]) };
    let values = batch.column(batch.schema().index_of(by.column())?);
    let runs = partition(std::slice::from_ref(values))?.ranges();
    runs.into_iter().map(|run| Ok((name(by, values, run.start)?, rows.slice(run.start, run.len())))).collect()
}

fn name(by: &PartitionSpec, values: &ArrayRef, row: usize) -> Result<Option<String>, LakeError> {
    if values.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match by {
        PartitionSpec::Month(_) => {
            let months = values.as_primitive::<Int32Type>().value(row);
            format!("{:04}-{:02}", months.div_euclid(12), months.rem_euclid(12) + 1)
        }
        PartitionSpec::Column(_) => match values.as_any().downcast_ref::<StringArray>() {
            Some(texts) => texts.value(row).to_owned(),
            None => array_value_to_string(values, row)?,
        },
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::Int64Array;

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
        let mut sorted = arranged(rows, &spec, &runtime(32 << 20).unwrap()).unwrap();
        let mut expected = 0;
        while let Some(batch) = sorted.next().await {
            for n in batch.unwrap().column(0).as_primitive::<arrow::datatypes::Int64Type>().values() {
                assert_eq!(*n, expected);
                expected += 1;
            }
        }
        assert_eq!(expected, BATCHES * ROWS);
    }
}
