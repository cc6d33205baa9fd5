//! Parquet files as batches of typed columns, with the number of each batch's first row.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::super::error::IngestError;

const BATCH_ROWS: usize = 8192;

pub struct ParquetRows {
    file: Arc<str>,
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    /// Rows given so far.
    row: u64,
}

impl ParquetRows {
    /// `only` keeps the top-level columns of these names.
    pub fn open(file: Arc<str>, opened: File, only: Option<&[String]>) -> Result<Self, IngestError> {
        let reader = decoded(&file, || {
            let mut builder = ParquetRecordBatchReaderBuilder::try_new(opened)?.with_batch_size(BATCH_ROWS);
            if let Some(names) = only {
                let fields = builder.schema().fields().iter().enumerate();
                let roots = fields.filter(|(_, field)| names.contains(field.name())).map(|(nth, _)| nth);
                let mask = ProjectionMask::roots(builder.parquet_schema(), roots.collect::<Vec<_>>());
                builder = builder.with_projection(mask);
            }
            builder.build()
        })?;
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        Ok(Self { file, reader, schema, row: 0 })
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A batch and the number of its first row, from 1.
    pub fn next(&mut self) -> Result<Option<(RecordBatch, u64)>, IngestError> {
        let reader = &mut self.reader;
        let Some(batch) = decoded(&self.file, || Ok(reader.next().transpose()?))? else { return Ok(None) };
        let first = self.row + 1;
        self.row += batch.num_rows() as u64;
        Ok(Some((batch, first)))
    }
}

/// Decoders of other crates panic on some files that are damaged: that is an error of the file like any other.
fn decoded<T>(file: &str, decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, IngestError> {
    let damaged = |_| Err(ParquetError::General("it is damaged where its columns are described or stored".to_owned()));
    let decoded = catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(damaged);
    decoded.map_err(|source| IngestError::NotParquet { file: file.to_owned(), source })
}
