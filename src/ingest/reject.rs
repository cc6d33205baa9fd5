//! Rejects: rows that the contract refuses, spooled to a file while a load runs, so that they never fill the memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::error::IngestError;

/// The longest raw row that is kept.
pub const RAW_CHARS_MAX: usize = 8192;
const BUFFER_ROWS: usize = 4096;

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub file: Arc<str>,
    /// Of a text file the line, of a Parquet file the row, from 1.
    pub line: u64,
    /// `None` where the row as a whole is at fault.
    pub column: Option<String>,
    pub reason: String,
    /// The row as it stands in the file.
    pub raw: String,
}

impl Reject {
    /// As a message: the column and what is wrong with it.
    pub fn message(&self) -> String {
        match &self.column {
            Some(column) => format!("column {column}: {}", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// The rejects of one load.
pub struct RejectSpool {
    load_id: String,
    table: String,
    loaded_at_us: i64,
    schema: SchemaRef,
    buffer: Vec<Reject>,
    spool: Option<ArrowWriter<File>>,
    /// Of which rows were refused.
    pub files: BTreeSet<Arc<str>>,
    pub count: u64,
}

impl RejectSpool {
    /// `schema` is that of `henna.rejects`.
    pub fn new(load_id: &str, table: &str, loaded_at_us: i64, schema: SchemaRef) -> Self {
        let (load_id, table, buffer) = (load_id.to_owned(), table.to_owned(), Vec::new());
        Self { load_id, table, loaded_at_us, schema, buffer, spool: None, files: BTreeSet::new(), count: 0 }
    }

    pub fn add(&mut self, rejects: Vec<Reject>) -> Result<(), IngestError> {
        self.count += rejects.len() as u64;
        for reject in &rejects {
            if !self.files.contains(&reject.file) {
                self.files.insert(Arc::clone(&reject.file));
            }
        }
        self.buffer.extend(rejects);
        if self.buffer.len() >= BUFFER_ROWS { self.flush() } else { Ok(()) }
    }

    /// The rejects as rows of `henna.rejects`; `None` where there are none.
    pub fn finish(mut self) -> Result<Option<ParquetRecordBatchReader>, IngestError> {
        self.flush()?;
        let Some(writer) = self.spool else { return Ok(None) };
        let file = writer.into_inner()?;
        Ok(Some(ParquetRecordBatchReaderBuilder::try_new(file)?.build()?))
    }

    fn flush(&mut self) -> Result<(), IngestError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let batch = self.batch()?;
        let writer = match &mut self.spool {
            Some(writer) => writer,
            None => {
                let file = tempfile::tempfile().map_err(|source| IngestError::SpoolFile { source })?;
                self.spool.insert(ArrowWriter::try_new(file, Arc::clone(&self.schema), None)?)
            }
        };
        writer.write(&batch)?;
        self.buffer.clear();
        Ok(())
    }

    fn batch(&self) -> Result<RecordBatch, IngestError> {
        let rows = self.buffer.len();
        let (mut loads, mut tables, mut files) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
        let (mut columns, mut reasons, mut raws) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
        let mut lines = Int64Builder::with_capacity(rows);
        for reject in &self.buffer {
            loads.append_value(&self.load_id);
            tables.append_value(&self.table);
            files.append_value(&reject.file);
            lines.append_value(reject.line.cast_signed());
            columns.append_option(reject.column.as_deref());
            reasons.append_value(&reject.reason);
            raws.append_value(reject.raw.chars().take(RAW_CHARS_MAX).collect::<String>());
        }
        let times = TimestampMicrosecondArray::from_value(self.loaded_at_us, rows).with_timezone("UTC");
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(loads.finish()),
            Arc::new(times),
            Arc::new(tables.finish()),
            Arc::new(files.finish()),
            Arc::new(lines.finish()),
            Arc::new(columns.finish()),
            Arc::new(reasons.finish()),
            Arc::new(raws.finish()),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}
