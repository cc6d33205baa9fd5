//! The bytes of a request as rows in memory, bounded in what they unpack to.

use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow::ipc::reader::StreamReader;
use bytes::Bytes;
use tempfile::NamedTempFile;

use super::super::check::Mapping;
use super::super::error::IngestError;
use super::super::reader::{Chunk, Format, Input, Reader, Rows};
use crate::dataset::Contract;

/// What the bytes of a body mean; the text ones may be packed by gzip or zstd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    Csv,
    Tsv,
    NdJson,
    /// The streaming format of Arrow IPC.
    ArrowStream,
    Parquet,
}

/// A body may unpack to this much.
pub const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// Rows, and where the table's columns stand among theirs.
pub struct MappedChunk {
    pub chunk: Chunk,
    pub mapping: Arc<Mapping>,
}

/// Whose rows they are.
pub struct Target<'a> {
    pub contract: &'a Contract,
    /// Whether the lake knows the persons of its rows.
    pub identified: bool,
}

/// Reads a body. `file` is the name by which rejects and errors call it.
pub fn read(
    body: &Bytes,
    format: BodyFormat,
    file: &Arc<str>,
    target: &Target<'_>,
) -> Result<Vec<MappedChunk>, IngestError> {
    let mut chunks = Chunks { target, file, mapped: Vec::new(), bytes: 0 };
    match format {
        BodyFormat::ArrowStream => arrow_stream(body, &mut chunks)?,
        _ => file_format(body, format, &mut chunks)?,
    }
    Ok(chunks.mapped)
}

struct Chunks<'a> {
    target: &'a Target<'a>,
    file: &'a Arc<str>,
    mapped: Vec<MappedChunk>,
    bytes: usize,
}

impl Chunks<'_> {
    fn push(&mut self, chunk: Chunk, has_header: bool) -> Result<(), IngestError> {
        self.bytes += bytes_of(&chunk.rows);
        if self.bytes > UNPACKED_BYTES_MAX {
            return Err(IngestError::BodyTooLong { max: UNPACKED_BYTES_MAX });
        }
        let known = self.mapped.last().filter(|last| Arc::ptr_eq(&last.chunk.names, &chunk.names));
        let mapping = match known {
            Some(last) => Arc::clone(&last.mapping),
            None => {
                let Target { contract, identified } = *self.target;
                let mapping = Mapping::of(&chunk.names, contract, self.file, identified)?;
                if has_header {
                    mapping.require(contract, self.file)?;
                }
                Arc::new(mapping)
            }
        };
        self.mapped.push(MappedChunk { chunk, mapping });
        Ok(())
    }
}

fn bytes_of(rows: &Rows) -> usize {
    match rows {
        Rows::Text(rows) => (0..rows.len()).map(|row| rows.raw(row).len()).sum(),
        Rows::Typed { batch, .. } => batch.get_array_memory_size(),
    }
}

fn file_format(body: &Bytes, format: BodyFormat, chunks: &mut Chunks<'_>) -> Result<(), IngestError> {
    let fault = |source| IngestError::SpoolFile { source };
    let mut spool = NamedTempFile::new().map_err(fault)?;
    spool.write_all(body).and_then(|()| spool.flush()).map_err(fault)?;
    let mut input = Input::spooled(chunks.file, spool, None)?;
    input.format = match format {
        BodyFormat::Csv => Format::Delimited(b','),
        BodyFormat::Tsv => Format::Delimited(b'\t'),
        BodyFormat::NdJson => Format::NdJson,
        BodyFormat::Parquet | BodyFormat::ArrowStream => Format::Parquet,
    };
    let mut reader = Reader::open(&input, None, &Arc::default())?;
    let has_header = reader.header().is_some();
    while let Some(chunk) = reader.next()? {
        chunks.push(chunk, has_header)?;
    }
    Ok(())
}

fn arrow_stream(body: &Bytes, chunks: &mut Chunks<'_>) -> Result<(), IngestError> {
    let fault = |source| IngestError::NotArrow { file: chunks.file.to_string(), source };
    let reader = StreamReader::try_new(Cursor::new(body), None).map_err(fault)?;
    let names: Arc<[String]> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut first = 1;
    for batch in reader {
        let batch = batch.map_err(|source| IngestError::NotArrow { file: chunks.file.to_string(), source })?;
        let rows = batch.num_rows() as u64;
        chunks.push(Chunk { names: Arc::clone(&names), rows: Rows::Typed { batch, first } }, true)?;
        first += rows;
    }
    Ok(())
}
