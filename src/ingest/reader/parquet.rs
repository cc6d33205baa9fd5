//! Parquet files as batches of typed columns, with the number of each batch's first row.

use std::fs::File;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

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
        let fault = |source| IngestError::NotParquet { file: file.to_string(), source };
        let mut builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(fault)?.with_batch_size(BATCH_ROWS);
        if let Some(names) = only {
            let fields = builder.schema().fields().iter().enumerate();
            let roots = fields.filter(|(_, field)| names.contains(field.name())).map(|(nth, _)| nth);
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots.collect::<Vec<_>>());
            builder = builder.with_projection(mask);
        }
        let reader = builder.build().map_err(fault)?;
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        Ok(Self { file, reader, schema, row: 0 })
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A batch and the number of its first row, from 1.
    pub fn next(&mut self) -> Result<Option<(RecordBatch, u64)>, IngestError> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|error| IngestError::NotParquet {
            file: self.file.to_string(),
            source: parquet::errors::ParquetError::ArrowError(error.to_string()),
        })?;
        let first = self.row + 1;
        self.row += batch.num_rows() as u64;
        Ok(Some((batch, first)))
    }
}
