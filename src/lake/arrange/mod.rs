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
