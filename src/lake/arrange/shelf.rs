//! The rows of one partition, in memory and on the disk, and how they become files.

use std::sync::Arc;

use arrow::compute::{filter_record_batch, interleave_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};

use super::super::data_file::{FileWriter, Layout, Written};
use super::super::error::LakeError;
use super::super::keys::Chosen;
use super::external::sorted;
use super::order::order;
use super::spill::{Piece, SpillFile};

/// Rows that are handed to the writer at once.
const BATCH_ROWS: usize = 8192;
/// What a row's place and sort key take beside it.
const ORDER_BYTES: usize = 128;

#[derive(Default)]
pub struct Shelf {
    held: Vec<RecordBatch>,
    held_bytes: usize,
    pieces: Vec<Piece>,
    rows: usize,
}

/// What the shelves of one write share.
pub struct Fitting {
    pub layout: Layout,
    pub spill: SpillFile,
    /// Of the rows as they came.
    pub schema: SchemaRef,
    pub chosen: Option<Chosen>,
    pub runtime: Arc<RuntimeEnv>,
    /// A shelf with more is sorted on the disk.
    pub bytes_max: usize,
}

impl Shelf {
    pub fn put(&mut self, rows: RecordBatch, bytes: usize) {
        self.rows += rows.num_rows();
        self.held.push(rows);
        self.held_bytes += bytes;
    }

    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub fn spill(&mut self, file: &mut SpillFile, schema: &SchemaRef) -> Result<(), LakeError> {
        if !self.held.is_empty() {
            self.pieces.extend(file.put(std::mem::take(&mut self.held), schema)?);
            self.held_bytes = 0;
        }
        Ok(())
    }

    /// `held` accounts for the rows that are in memory.
    pub async fn write(
        self,
        partition: Option<String>,
        fitting: Arc<Fitting>,
        held: MemoryReservation,
    ) -> Result<Vec<Written>, LakeError> {
        let spec = &fitting.layout.spec;
        let mut writer = FileWriter::new(fitting.layout.clone(), spec.order().to_vec());
        let on_disk: usize = self.pieces.iter().map(|piece| piece.bytes).sum();
        let more = on_disk + self.rows * ORDER_BYTES;
        if self.held_bytes + more <= fitting.bytes_max && held.try_grow(more).is_ok() {
            let batches = self.batches(&fitting)?;
            let columns = spec.order().iter().map(|name| fitting.schema.index_of(name));
            let order = order(&batches, &columns.collect::<Result<Vec<_>, _>>()?, fitting.chosen.as_ref())?;
            let batches = batches.iter().map(|batch| stored(batch, &fitting.layout)).collect::<Result<Vec<_>, _>>()?;
            let batches: Vec<&RecordBatch> = batches.iter().collect();
            for rows in order.chunks(BATCH_ROWS) {
                writer.write(partition.as_ref(), &interleave_record_batch(&batches, rows)?).await?;
            }
        } else {
            let mut rows = sorted(self.stream(&fitting), spec, &fitting.runtime, fitting.bytes_max)?;
            drop(held);
            while let Some(rows) = rows.try_next().await? {
                writer.write(partition.as_ref(), &stored(&rows, &fitting.layout)?).await?;
            }
        }
        writer.finish().await
    }

    /// In order of arrival.
    fn batches(self, fitting: &Fitting) -> Result<Vec<RecordBatch>, LakeError> {
        let mut batches = Vec::new();
        for piece in self.pieces {
            batches.extend(fitting.spill.read(piece)?);
        }
        batches.extend(self.held);
        Ok(batches)
    }

    /// The chosen rows, a piece in memory at a time.
    fn stream(self, fitting: &Arc<Fitting>) -> SendableRecordBatchStream {
        let (schema, fitting) = (Arc::clone(&fitting.schema), Arc::clone(fitting));
        let chooser = Arc::clone(&fitting);
        let held = futures::stream::iter(self.held.into_iter().map(Ok));
        let pieces = futures::stream::iter(self.pieces).map(move |piece| fitting.spill.read(piece));
        let pieces = pieces.map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok))).try_flatten();
        let chosen = pieces.chain(held).map(move |batch: Result<RecordBatch, LakeError>| {
            let batch = batch.map_err(crate::Error::from).map_err(external)?;
            match &chooser.chosen {
                None => Ok(batch),
                Some(chosen) => {
                    let keep = chosen.of(&batch).map_err(|error| external(error.into()))?;
                    Ok(filter_record_batch(&batch, &keep)?)
                }
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, chosen))
    }
}

fn external(error: crate::Error) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::External(Box::new(error))
}

/// The columns of the spec.
fn stored(batch: &RecordBatch, layout: &Layout) -> Result<RecordBatch, LakeError> {
    let schema: &Schema = batch.schema_ref();
    let columns = layout.schema.fields().iter().map(|field| schema.index_of(field.name()));
    Ok(batch.project(&columns.collect::<Result<Vec<_>, _>>()?)?.with_schema(Arc::clone(&layout.schema))?)
}
