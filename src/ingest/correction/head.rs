//! What a file of corrected rows must begin with: kept of each file of which rows were refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use tokio::task::spawn_blocking;

use super::super::error::IngestError;
use super::super::load::{Load, Loader, stream_of};
use super::super::reader::{Format, Input, Reader};
use super::super::system;
use crate::dataset::{Feed, Source};
use crate::error::Result;
use crate::lake::TableName;

/// The rows of a file before its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub file: Arc<str>,
    /// `None` where its rows are JSON objects.
    pub delimiter: Option<u8>,
    /// As they stand in the file.
    pub rows: Vec<String>,
    /// Of them, from 1.
    pub header_row: u32,
    /// Whether rows that are refused are kept as they stood in the file.
    pub is_verbatim: bool,
}

impl Head {
    /// Of a file as it is read, before a SELECT of its source.
    pub fn of(input: &Input) -> Result<Self, IngestError> {
        Ok(Self::read(input, &Reader::open(input, None, &Arc::default())?))
    }

    /// The same of a file that is open.
    pub fn read(input: &Input, reader: &Reader) -> Self {
        let delimiter = match input.format {
            Format::Delimited(delimiter) => Some(delimiter),
            Format::NdJson | Format::Parquet => None,
        };
        Self {
            file: Arc::clone(&input.name),
            delimiter,
            rows: reader.head().unwrap_or_default().to_vec(),
            header_row: input.layout.as_ref().map_or(1, |layout| layout.header_row),
            is_verbatim: input.format != Format::Parquet,
        }
    }
}

impl Loader {
    /// Keeps what stands before the data of those files of a load that are among `refusing`, of which rows were refused.
    pub(in super::super) async fn write_heads(&self, load: &Load, refusing: &BTreeSet<Arc<str>>) -> Result<()> {
        let inputs: Vec<Input> =
            load.originals.iter().filter(|input| refusing.contains(&input.name)).cloned().collect();
        if inputs.is_empty() {
            return Ok(());
        }
        let heads = spawn_blocking(move || inputs.iter().map(Head::of).collect::<std::result::Result<Vec<_>, _>>());
        let heads = heads.await.map_err(|_| IngestError::ThreadEnded)??;
        let (load_id, table, source) = (load.id.as_str(), load.table.table.as_str(), load.source.as_ref());
        let rows: Vec<HeadRow<'_>> = heads.iter().map(|head| HeadRow { load_id, table, source, head }).collect();
        self.append_heads(&rows).await
    }

    /// Keeps heads of files.
    pub(in super::super) async fn append_heads(&self, rows: &[HeadRow<'_>]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let schema = system::schema(system::REJECT_FILES)?;
        let batch = batch(rows, &schema)?;
        let table = TableName::new(system::SCHEMA, system::REJECT_FILES);
        self.append(table, String::new(), stream_of(vec![batch], schema)).await?;
        Ok(())
    }
}

/// A head as a row of `henna.reject_files`.
pub struct HeadRow<'a> {
    pub load_id: &'a str,
    pub table: &'a str,
    pub source: Option<&'a Source>,
    pub head: &'a Head,
}

fn batch(rows: &[HeadRow<'_>], schema: &SchemaRef) -> std::result::Result<RecordBatch, IngestError> {
    let text = |of: &dyn Fn(&HeadRow<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let source = |row: &HeadRow<'_>| row.source.filter(|_| row.head.is_verbatim).map(|source| source.name.clone());
    let head = |row: &HeadRow<'_>| Some(serde_json::Value::from(row.head.rows.clone()).to_string());
    let is_mapped = |row: &HeadRow<'_>| {
        let feed = row.source.and_then(|source| source.tables.get(row.table));
        Some(matches!(feed, Some(Feed::Select(_))))
    };
    let arrays: Vec<ArrayRef> = vec![
        text(&|row| Some(row.load_id.to_owned())),
        text(&|row| Some(row.head.file.to_string())),
        text(&|row| Some(row.table.to_owned())),
        text(&source),
        text(&|row| row.head.delimiter.map(|byte| char::from(byte).to_string())),
        text(&head),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.head.header_row.cast_signed()))),
        Arc::new(rows.iter().map(is_mapped).collect::<BooleanArray>()),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), arrays)?)
}
