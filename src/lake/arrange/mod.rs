//! Puts incoming rows in the order of the files: by partition, then by the table's sort columns, in bounded memory.
//!
//! ```text
//! rows -> partition      each on its shelf; what memory has no room for waits in one file on the disk
//! shelf -> sort -> file  several shelves at once; one that memory has no room for is sorted in runs on the disk
//! ```

mod external;
mod order;
mod partition;
mod shelf;
mod spill;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::{StreamExt, TryStreamExt};

use self::external::ahead;
use self::partition::divided;
use self::shelf::{Fitting, Shelf};
use self::spill::SpillFile;
use super::data_file::{FileWriter, Layout, Written};
use super::error::LakeError;
use super::keys::Chosen;
use super::table::TableSpec;

/// The part of a write's memory in which rows wait; the rest is for sorting.
const WAITING_PART: usize = 3;
/// Shelves that are sorted and written at once, at most.
const WRITERS_MAX: usize = 4;

/// A runtime for writes, apart from that of queries. They may hold so much in memory together before rows go to the disk.
pub fn runtime(bytes_max: usize) -> Result<Arc<RuntimeEnv>, LakeError> {
    let pool = Arc::new(FairSpillPool::new(bytes_max));
    Ok(RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?)
}

/// Writes rows that come in the order of the files of a table without partitions.
pub async fn write_in_order(rows: SendableRecordBatchStream, layout: &Layout) -> Result<Vec<Written>, LakeError> {
    let mut writer = FileWriter::new(layout.clone(), layout.spec.order().to_vec());
    let mut rows = ahead(rows);
    while let Some(rows) = rows.try_next().await? {
        writer.write(None, &rows).await?;
    }
    writer.finish().await
}

/// The rows of a write, by partition. They may have columns beyond those of the spec.
pub struct Arranged {
    shelves: BTreeMap<Option<String>, Shelf>,
    schema: SchemaRef,
    spill: SpillFile,
    runtime: Arc<RuntimeEnv>,
    bytes_max: usize,
    waiting: MemoryReservation,
}

impl Arranged {
    /// Takes all rows in.
    pub async fn take(
        mut rows: SendableRecordBatchStream,
        spec: &TableSpec,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<Self, LakeError> {
        let MemoryLimit::Finite(bytes_max) = runtime.memory_pool.memory_limit() else {
            return Err(DataFusionError::Internal("writes have no limit of memory".to_owned()).into());
        };
        let mut arranged = Self {
            shelves: BTreeMap::new(),
            schema: rows.schema(),
            spill: SpillFile::default(),
            runtime: Arc::clone(runtime),
            bytes_max,
            waiting: MemoryConsumer::new("rows to write").with_can_spill(true).register(&runtime.memory_pool),
        };
        while let Some(batch) = rows.try_next().await? {
            for (partition, rows) in divided(&batch, spec)? {
                arranged.put(partition, rows)?;
            }
        }
        Ok(arranged)
    }

    fn put(&mut self, partition: Option<String>, rows: RecordBatch) -> Result<(), LakeError> {
        let bytes = rows.get_array_memory_size();
        let within = self.waiting.size() + bytes <= self.bytes_max / WAITING_PART;
        if !within || self.waiting.try_grow(bytes).is_err() {
            self.spill()?;
            self.waiting.grow(bytes);
        }
        self.shelves.entry(partition).or_default().put(rows, bytes);
        Ok(())
    }

    /// Moves all rows that are in memory to the disk.
    fn spill(&mut self) -> Result<(), LakeError> {
        for shelf in self.shelves.values_mut() {
            shelf.spill(&mut self.spill, &self.schema)?;
        }
        self.waiting.free();
        Ok(())
    }

    /// Writes the rows, or those of `chosen`, as files.
    pub async fn write(self, layout: &Layout, chosen: Option<Chosen>) -> Result<Vec<Written>, LakeError> {
        let writers = available_parallelism().map_or(1, NonZero::get).min(WRITERS_MAX);
        let fitting = Arc::new(Fitting {
            layout: layout.clone(),
            spill: self.spill,
            schema: self.schema,
            chosen,
            runtime: self.runtime,
            bytes_max: (self.bytes_max - self.bytes_max / WAITING_PART) / writers,
        });
        let waiting = self.waiting;
        let tasks = self.shelves.into_iter().map(|(partition, shelf)| {
            // From here on the shelf's rows count where they are sorted.
            let held = waiting.split(shelf.held_bytes().min(waiting.size()));
            SpawnedTask::spawn(shelf.write(partition, Arc::clone(&fitting), held))
        });
        let written = futures::stream::iter(tasks).map(SpawnedTask::join_unwind).buffered(writers);
        let written: Vec<_> = written.collect().await;
        let mut files = Vec::new();
        for outcome in written {
            let outcome = outcome.map_err(|error| DataFusionError::External(Box::new(error)))?;
            files.extend(outcome?);
        }
        Ok(files)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use object_store::ObjectStore;
    use object_store::memory::InMemory;

    use super::super::stored::{Rows, read};
    use super::super::table::{PartitionSpec, TableName};
    use super::*;

    const ROWS: i64 = 60_000;
    const DAY_US: i64 = 86_400_000_000;

    /// Of three months, in no order; months, ids and places in the order in which they must come.
    fn rows() -> (Vec<RecordBatch>, Vec<(i64, String, i64)>) {
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let schema = Arc::new(Schema::new(vec![
            Field::new("at", instant, false),
            Field::new("id", DataType::Utf8, true),
            Field::new("n", DataType::Int64, false),
        ]));
        let of = |n: i64| (n * 7_919 % 90, format!("the same beginning of all ids, then {:04}", n * 31 % 5_000));
        let batch = |first: i64| {
            let numbers = || first..first + 1000;
            let at = TimestampMicrosecondArray::from_iter_values(numbers().map(|n| of(n).0 * DAY_US));
            let columns: Vec<ArrayRef> = vec![
                Arc::new(at.with_timezone("UTC")),
                Arc::new(numbers().map(|n| (n % 100 > 0).then(|| of(n).1)).collect::<StringArray>()),
                Arc::new(Int64Array::from_iter_values(numbers())),
            ];
            RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
        };
        let mut expected: Vec<(i64, String, i64)> = (0..ROWS)
            .map(|n| {
                let (day, id) = of(n);
                // 1970 has 31, 28 and 31 days in its first months. A null is behind all texts.
                let month = i64::from(day >= 31) + i64::from(day >= 59);
                (month, if n % 100 > 0 { id } else { "~".to_owned() }, n)
            })
            .collect();
        expected.sort();
        ((0..ROWS / 1000).map(|nth| batch(nth * 1000)).collect(), expected)
    }

    /// In memory, on the disk and sorted in memory, and too large for that.
    #[tokio::test]
    async fn rows_come_by_partition_and_in_order_whatever_memory_there_is() {
        let (batches, expected) = rows();
        let schema = batches[0].schema();
        let mut spec = TableSpec::plain(&schema);
        spec.partition = Some(PartitionSpec::Month("at".into()));
        spec.sort = vec!["id".into()];
        for (bytes_max, spills) in [(256 << 20, false), (9 << 20, true), (4 << 20, true)] {
            let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let name = TableName::new("public", "t");
            let layout = Layout::new(Arc::clone(&objects), &name, &spec).unwrap();
            let stream = futures::stream::iter(batches.clone().into_iter().map(Ok));
            let stream = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), stream));
            let arranged = Arranged::take(stream, &spec, &runtime(bytes_max).unwrap()).await.unwrap();
            assert_eq!(arranged.spill.bytes() > 0, spills);
            let mut found = Vec::new();
            for (month, file) in arranged.write(&layout, None).await.unwrap().iter().enumerate() {
                assert_eq!(file.partition, Some(format!("1970-{:02}", month + 1)));
                let path = format!("{}/{}", name.folder(), file.name);
                let mut stored = read(&objects, &path, file.bytes, &layout.schema, Rows::All).await.unwrap();
                while let Some(batch) = stored.next().await {
                    let batch = batch.unwrap();
                    let (ids, numbers) =
                        (batch.column(1).as_string::<i32>(), batch.column(2).as_primitive::<Int64Type>());
                    let rows = ids.iter().zip(numbers.values());
                    found.extend(rows.map(|(id, n)| (month as i64, id.unwrap_or("~").to_owned(), *n)));
                }
            }
            assert!(found.is_sorted_by_key(|(month, id, _)| (*month, id.clone())), "with {bytes_max} bytes");
            // The engine's sort keeps no order among equal ids.
            found.sort();
            assert!(found == expected, "with {bytes_max} bytes");
        }
    }
}
