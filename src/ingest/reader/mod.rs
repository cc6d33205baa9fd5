//! Files of every format as one stream of bounded batches: text cells with their lines, or typed columns with row numbers.

mod blocks;
mod delimited;
mod input;
mod ndjson;
mod parquet;
mod text_rows;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;

use self::delimited::Delimited;
pub use self::input::{Format, Input};
use self::ndjson::NdJson;
use self::parquet::ParquetRows;
pub use self::text_rows::{RowFault, TextRows};
use super::error::IngestError;

/// The rows of a batch.
pub enum Rows {
    Text(TextRows),
    Typed {
        batch: RecordBatch,
        /// The number of the first row in its file, from 1.
        first: u64,
    },
}

impl Rows {
    pub fn len(&self) -> usize {
        match self {
            Self::Text(rows) => rows.len(),
            Self::Typed { batch, .. } => batch.num_rows(),
        }
    }
}

/// A batch of rows and the names of its columns. Batches of one file share `names` while they stay the same.
pub struct Chunk {
    pub names: Arc<[String]>,
    pub rows: Rows,
}

/// An open file.
pub struct Reader {
    kind: Kind,
    names: Arc<[String]>,
}

enum Kind {
    Delimited(Delimited),
    NdJson(NdJson),
    Parquet(ParquetRows),
}

impl Reader {
    /// Opens a file and reads its header. `only` leaves out other columns where that saves reading them; `counter`
    /// counts the bytes read, of text formats.
    pub fn open(input: &Input, only: Option<&[String]>, counter: &Arc<AtomicU64>) -> Result<Self, IngestError> {
        let file = Arc::clone(&input.name);
        let kind = match input.format {
            Format::Delimited(delimiter) => Kind::Delimited(Delimited::open(file, input.bytes(counter)?, delimiter)?),
            Format::NdJson => Kind::NdJson(NdJson::open(file, input.bytes(counter)?)),
            Format::Parquet => Kind::Parquet(ParquetRows::open(file, input.file()?, only)?),
        };
        let names = match &kind {
            Kind::Delimited(reader) => Arc::clone(reader.names()),
            Kind::NdJson(reader) => reader.names(),
            Kind::Parquet(reader) => reader.schema().fields().iter().map(|field| field.name().clone()).collect(),
        };
        Ok(Self { kind, names })
    }

    /// The header where the format has one; NDJSON has none, its names come with its rows.
    pub fn header(&self) -> Option<&Arc<[String]>> {
        (!matches!(self.kind, Kind::NdJson(_))).then_some(&self.names)
    }

    /// The Arrow schema of a Parquet file.
    pub fn schema(&self) -> Option<&arrow::datatypes::SchemaRef> {
        match &self.kind {
            Kind::Parquet(reader) => Some(reader.schema()),
            Kind::Delimited(_) | Kind::NdJson(_) => None,
        }
    }

    pub fn next(&mut self) -> Result<Option<Chunk>, IngestError> {
        let rows = match &mut self.kind {
            Kind::Delimited(reader) => reader.next()?.map(Rows::Text),
            Kind::NdJson(reader) => {
                let rows = reader.next()?;
                if reader.names().len() > self.names.len() {
                    self.names = reader.names();
                }
                rows.map(Rows::Text)
            }
            Kind::Parquet(reader) => reader.next()?.map(|(batch, first)| Rows::Typed { batch, first }),
        };
        Ok(rows.map(|rows| Chunk { names: Arc::clone(&self.names), rows }))
    }
}
