//! The bytes of a request as rows in memory, bounded in what they unpack to.

use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use arrow::ipc::reader::StreamReader;
use bytes::Bytes;
use tempfile::NamedTempFile;
use tokio::runtime::Handle;

use super::super::check::Mapping;
use super::super::correction::Head;
use super::super::error::IngestError;
use super::super::reader::{Chunk, Format, HeaderChanges, Input, Reader, Rows};
use super::super::recognise::{changes, named, recognised, sheets_of};
use super::super::reject::Reject;
use super::super::source::mapped;
use crate::dataset::{Contract, Dataset, Source};

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

/// How the bytes are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyKind {
    pub format: BodyFormat,
    /// Of a text that is not UTF-8 and has no byte order mark: a label of the WHATWG encoding standard.
    pub charset: Option<String>,
    /// The dataset's source that the rows are of. `None` goes by their header, unless that has the names of the table's columns.
    pub source: Option<String>,
}

impl BodyKind {
    /// A body of this format, in UTF-8, of any source.
    pub fn of(format: BodyFormat) -> Self {
        Self { format, charset: None, source: None }
    }

    /// Whether a label names an encoding that can be read.
    pub fn is_charset(label: &str) -> bool {
        encoding_rs::Encoding::for_label(label.as_bytes()).is_some()
    }
}

/// Of a row of JSON, enough to read its names.
const FIRST_ROW_BYTES: u64 = 64 << 10;
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
    /// Whose sources may feed the table; `None` of a table of a user.
    pub dataset: Option<&'a Dataset>,
}

/// A body, read.
#[derive(Default)]
pub struct Body {
    pub chunks: Vec<MappedChunk>,
    /// Rows that a SELECT of the source did not see.
    pub faulty: Vec<Reject>,
    pub source: Option<Source>,
    pub changes: HeaderChanges,
    /// What a file of corrected rows must begin with.
    pub head: Option<Head>,
}

/// Reads a body. `file` is the name by which rejects and errors call it. Blocks, and must be called on a thread that may.
pub fn read(body: &Bytes, kind: &BodyKind, file: &Arc<str>, target: &Target<'_>) -> Result<Body, IngestError> {
    match kind.format {
        BodyFormat::ArrowStream => arrow_stream(body, Chunks::new(target, file)),
        _ => file_format(body, kind, file, target),
    }
}

struct Chunks<'a> {
    target: &'a Target<'a>,
    file: &'a Arc<str>,
    mapped: Vec<MappedChunk>,
    bytes: usize,
}

impl<'a> Chunks<'a> {
    fn new(target: &'a Target<'a>, file: &'a Arc<str>) -> Self {
        Self { target, file, mapped: Vec::new(), bytes: 0 }
    }

    fn push(&mut self, chunk: Chunk, has_header: bool) -> Result<(), IngestError> {
        self.bytes += bytes_of(&chunk.rows);
        if self.bytes > UNPACKED_BYTES_MAX {
            return Err(IngestError::BodyTooLong { max: UNPACKED_BYTES_MAX });
        }
        let known = self.mapped.last().filter(|last| Arc::ptr_eq(&last.chunk.names, &chunk.names));
        let mapping = match known {
            Some(last) => Arc::clone(&last.mapping),
            None => {
                let Target { contract, identified, .. } = *self.target;
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

    fn read(mut self, inputs: &[Input]) -> Result<Vec<MappedChunk>, IngestError> {
        for input in inputs {
            let mut reader = Reader::open(input, None, &Arc::default())?;
            let has_header = reader.header().is_some();
            while let Some(chunk) = reader.next()? {
                self.push(chunk, has_header)?;
            }
        }
        Ok(self.mapped)
    }
}

fn bytes_of(rows: &Rows) -> usize {
    match rows {
        Rows::Text(rows) => (0..rows.len()).map(|row| rows.raw(row).len()).sum(),
        Rows::Typed { batch, .. } => batch.get_array_memory_size(),
    }
}

fn file_format(body: &Bytes, kind: &BodyKind, file: &Arc<str>, target: &Target<'_>) -> Result<Body, IngestError> {
    let fault = |source| IngestError::SpoolFile { source };
    let mut spool = NamedTempFile::new().map_err(fault)?;
    spool.write_all(body).and_then(|()| spool.flush()).map_err(fault)?;
    let mut input = Input::spooled(file, spool, None)?;
    input.charset = kind.charset.as_deref().map(Arc::from);
    input.format = match kind.format {
        BodyFormat::Csv => Format::Delimited(b','),
        BodyFormat::Tsv => Format::Delimited(b'\t'),
        BodyFormat::NdJson => Format::NdJson,
        BodyFormat::Parquet | BodyFormat::ArrowStream => Format::Parquet,
    };
    let (source, input, head) = recognised_body(kind, input, target)?;
    let changes = changes(std::slice::from_ref(&input))?;
    let (inputs, faulty) = match &source {
        Some(source) => {
            bounded(&input)?;
            let runtime = Handle::try_current().map_err(|_| IngestError::ThreadEnded)?;
            let zone = source.time_zone.as_deref().or(target.dataset.map(|dataset| dataset.time_zone.as_str()));
            runtime.block_on(mapped(source, &target.contract.name, vec![input], zone.unwrap_or("UTC")))?
        }
        None => (vec![input], Vec::new()),
    };
    let chunks = Chunks::new(target, file).read(&inputs)?;
    Ok(Body { chunks, faulty, source, changes, head: Some(head) })
}

/// The source that the body is of, the body as that has it, and its head.
fn recognised_body(
    kind: &BodyKind,
    input: Input,
    target: &Target<'_>,
) -> Result<(Option<Source>, Input, Head), IngestError> {
    let sheets = std::slice::from_ref(&input);
    let (source, input) = match (target.dataset, &kind.source) {
        (Some(dataset), Some(name)) => {
            let source = named(dataset, name)?;
            (Some(source.clone()), sheets_of(source, sheets)?.pop().unwrap_or(input))
        }
        (None, Some(name)) => {
            let known = "none for this table".to_owned();
            return Err(IngestError::SourceUnknown { source_name: name.clone(), known });
        }
        (dataset, None) => {
            // A header that is no text may be one in the encoding of a source.
            let look = first_look(&input);
            let is_canonical = look.as_ref().is_ok_and(|(_, names)| is_canonical(names, &input, target));
            let Some(dataset) = dataset.filter(|_| !is_canonical) else { return Ok((None, input, look?.0)) };
            let found = recognised(dataset, Some(&target.contract.name), sheets)?.pop();
            found.map_or((None, input), |(source, input)| (source.cloned(), input))
        }
    };
    let head = Head::of(&input)?;
    Ok((source, input, head))
}

/// The head of the body, and the names of its columns or of the members of its first row.
fn first_look(input: &Input) -> Result<(Head, Vec<String>), IngestError> {
    if input.format == Format::NdJson {
        let unreadable = |source| IngestError::FileUnreadable { file: input.name.to_string(), source };
        let mut text = Vec::new();
        input.text(&Arc::default())?.take(FIRST_ROW_BYTES).read_to_end(&mut text).map_err(unreadable)?;
        let row = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(row).unwrap_or_default();
        return Ok((Head::of(input)?, members.into_iter().map(|(name, _)| name).collect()));
    }
    let reader = Reader::open(input, None, &Arc::default())?;
    let names = reader.header().map(|header| header.to_vec()).unwrap_or_default();
    Ok((Head::read(input, &reader), names))
}

/// Whether a body has the names of the columns that the table must have. Then no source is looked for: rows that come all day do
/// not pay for that.
fn is_canonical(names: &[String], input: &Input, target: &Target<'_>) -> bool {
    let mapping = Mapping::of(names, target.contract, &input.name, target.identified);
    mapping.is_ok_and(|mapping| names.is_empty() || mapping.require(target.contract, &input.name).is_ok())
}

/// An error where the body unpacks to more than may be read at once.
fn bounded(input: &Input) -> Result<(), IngestError> {
    if input.format == Format::Parquet {
        return Ok(());
    }
    let (mut text, mut buffer, mut bytes) = (input.text(&Arc::default())?, vec![0; 1 << 16], 0);
    loop {
        let read = text
            .read(&mut buffer)
            .map_err(|source| IngestError::FileUnreadable { file: input.name.to_string(), source })?;
        if read == 0 {
            return Ok(());
        }
        bytes += read;
        if bytes > UNPACKED_BYTES_MAX {
            return Err(IngestError::BodyTooLong { max: UNPACKED_BYTES_MAX });
        }
    }
}

fn arrow_stream(body: &Bytes, mut chunks: Chunks<'_>) -> Result<Body, IngestError> {
    let file = chunks.file.to_string();
    let fault = |source| IngestError::NotArrow { file: file.clone(), source };
    let reader = StreamReader::try_new(Cursor::new(body), None).map_err(fault)?;
    let names: Arc<[String]> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut first = 1;
    for batch in reader {
        let batch = batch.map_err(fault)?;
        let rows = batch.num_rows() as u64;
        chunks.push(Chunk { names: Arc::clone(&names), rows: Rows::Typed { batch, first } }, true)?;
        first += rows;
    }
    Ok(Body { chunks: chunks.mapped, ..Body::default() })
}
