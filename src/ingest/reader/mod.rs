//! Files of every format as one stream of bounded batches: text cells with their lines, or typed columns with row numbers.
//!
//! `paths` and `bucket` find the files, `input` opens one, `decode` and `workbook` make UTF-8 text of other encodings and of sheets;
//! `delimited`, `ndjson` and `parquet` split it into rows; `shape` gives those the columns of a source by the steps of `clean`.

mod blocks;
mod bucket;
mod clean;
mod decode;
mod delimited;
mod input;
mod ndjson;
mod parquet;
mod paths;
mod shape;
mod text_rows;
mod workbook;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;

use self::delimited::{Delimited, Grid, LineUnit};
pub use self::input::{Format, Input};
use self::ndjson::NdJson;
use self::parquet::ParquetRows;
pub use self::paths::inputs;
pub use self::shape::{HeaderChanges, Shape, key};
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
    /// As they stand in the file.
    names: Arc<[String]>,
    shape: Option<Shape>,
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
        let layout = input.layout.as_ref();
        let kind = match input.format {
            Format::Delimited(delimiter) => {
                Kind::Delimited(Delimited::open(file, input.text(counter)?, grid(input, delimiter))?)
            }
            Format::NdJson => Kind::NdJson(NdJson::open(file, input.text(counter)?)),
            Format::Parquet => {
                Kind::Parquet(ParquetRows::open(file, input.file()?, only.filter(|_| layout.is_none()))?)
            }
        };
        let names: Arc<[String]> = match &kind {
            Kind::Delimited(reader) => Arc::clone(reader.names()),
            Kind::NdJson(reader) => reader.names(),
            Kind::Parquet(reader) => reader.schema().fields().iter().map(|field| field.name().clone()).collect(),
        };
        let shape = layout.filter(|layout| !layout.columns.is_empty()).map(|layout| Shape::of(layout, &names));
        Ok(Self { kind, names, shape })
    }

    /// The header where the format has one; NDJSON has none, its names come with its rows.
    pub fn header(&self) -> Option<&Arc<[String]>> {
        (!matches!(self.kind, Kind::NdJson(_))).then(|| self.names())
    }

    /// The header as it stands in the file; of NDJSON the names that were met until now.
    pub fn file_header(&self) -> &[String] {
        &self.names
    }

    /// The rows of a delimited text before its data, as they stand in the file.
    pub fn head(&self) -> Option<&[String]> {
        match &self.kind {
            Kind::Delimited(reader) => Some(reader.head()),
            Kind::NdJson(_) | Kind::Parquet(_) => None,
        }
    }

    fn names(&self) -> &Arc<[String]> {
        self.shape.as_ref().map_or(&self.names, Shape::names)
    }

    /// How the file's columns become those of its source, where it has one that says so.
    pub fn shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
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
                    self.shape = self.shape.take().map(|shape| shape.over(&self.names));
                }
                rows.map(Rows::Text)
            }
            Kind::Parquet(reader) => reader.next()?.map(|(batch, first)| Rows::Typed { batch, first }),
        };
        let Some(rows) = rows else { return Ok(None) };
        let rows = match &self.shape {
            Some(shape) => shape.rows(rows)?,
            None => rows,
        };
        Ok(Some(Chunk { names: Arc::clone(self.names()), rows }))
    }
}

fn grid(input: &Input, delimiter: u8) -> Grid {
    let unit = if input.sheet.is_some() { LineUnit::Row } else { LineUnit::Break };
    let rows = input.layout.as_ref().map_or((1, 2), |layout| (layout.header_row, layout.data_row));
    Grid { delimiter, header_row: rows.0, data_row: rows.1, unit }
}

/// `a, a, ''` -> `a, a_2, column_3`.
pub fn unique(names: &[String]) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::with_capacity(names.len());
    let mut unique = Vec::with_capacity(names.len());
    for (nth, name) in names.iter().enumerate() {
        let name = if name.is_empty() { format!("column_{}", nth + 1) } else { name.clone() };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|free| !taken.contains(free));
        let free = free.unwrap_or(name);
        taken.insert(free.clone());
        unique.push(free);
    }
    unique
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_become_unique() {
        let names = ["分销员", "", "分销员", "分销员_2"].map(str::to_owned);
        assert_eq!(unique(&names), ["分销员", "column_2", "分销员_2", "分销员_2_2"]);
    }
}
