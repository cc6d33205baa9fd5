//! The first pass of a load: every file's identifiers into the graph; then, row for row, the person of each.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Int64Array, StringArray};

use super::super::ahead::Ahead;
use super::super::cell::{Cells, TextCells, typed};
use super::super::check::{ID_PREFIX, Mapping};
use super::super::error::IngestError;
use super::super::reader::{Chunk, Format, Input, Reader, Rows};
use super::super::request::{Phase, Progress, ProgressSink};
use super::graph::{Graph, Node, Resolution};
use super::key::{Hashed, IdentityKey};
use super::stored::Stored;
use crate::dataset::Contract;

/// The persons of a load's rows, in the order in which the files are read.
pub struct Resolved {
    pub graph: Graph,
    pub resolution: Resolution,
    rows: RowNodes,
}

/// Whether a file may hold identifiers. NDJSON tells only by its rows.
pub fn may_identify(inputs: &[Input]) -> Result<bool, IngestError> {
    for input in inputs {
        let reader = Reader::open(input, None, &Arc::default())?;
        let named = |names: &Arc<[String]>| names.iter().any(|name| is_identifier(name));
        if reader.header().is_none_or(named) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a column of this name identifies persons.
pub fn is_identifier(name: &str) -> bool {
    name.trim().to_lowercase().starts_with(ID_PREFIX)
}

/// The identifiers of a batch of rows, hashed.
pub struct Hashes {
    /// The names of their types.
    types: Arc<[String]>,
    /// Of each row, how many it has.
    counts: Vec<u8>,
    /// Row after row, each with the position of its type.
    hashes: Vec<(u16, Hashed)>,
}

impl Hashes {
    /// `types` are those of `mapping`, as [`types`] gives them.
    pub fn of(chunk: &Chunk, mapping: &Mapping, types: &Arc<[String]>, key: &IdentityKey) -> Result<Self, IngestError> {
        let mut found = Self { types: Arc::clone(types), counts: Vec::new(), hashes: Vec::new() };
        match &chunk.rows {
            Rows::Text(rows) => {
                let cells = |(_, column): &(String, usize)| TextCells { rows, column: *column };
                let columns: Vec<TextCells<'_>> = mapping.ids.iter().map(cells).collect();
                (0..rows.len()).for_each(|row| found.add(row, &columns, rows.row(row).fault.is_none(), key));
            }
            Rows::Typed { batch, .. } => {
                let texts = mapping.ids.iter().map(|(_, column)| typed::as_texts(batch.column(*column)));
                let columns: Vec<StringArray> = texts.collect::<Result<_, _>>()?;
                (0..batch.num_rows()).for_each(|row| found.add(row, &columns, true, key));
            }
        }
        Ok(found)
    }

    fn add<C: Cells>(&mut self, row: usize, columns: &[C], is_whole: bool, key: &IdentityKey) {
        let before = self.hashes.len();
        for (nth, (cells, id_type)) in columns.iter().zip(self.types.iter()).enumerate().filter(|_| is_whole) {
            if let Some(hash) = cells.get(row).and_then(|text| key.hashed(id_type, text)) {
                self.hashes.push((nth as u16, hash));
            }
        }
        // A row has at most as many as a header has columns that are read here; more would be left out, not lost.
        self.hashes.truncate(before + usize::from(u8::MAX));
        self.counts.push((self.hashes.len() - before) as u8);
    }
}

/// The names of the identifier types that a mapping reads.
pub fn types(mapping: &Mapping) -> Arc<[String]> {
    mapping.ids.iter().map(|(id_type, _)| id_type.clone()).collect()
}

/// Gathers the identifiers of rows, to find the person of each.
pub struct Resolver {
    graph: Graph,
    rows: RowNodes,
    found: bool,
}

impl Resolver {
    pub fn new(shared_max: usize) -> Result<Self, IngestError> {
        Ok(Self { graph: Graph::new(shared_max), rows: RowNodes::new()?, found: false })
    }

    /// The rows follow those of the call before.
    pub fn take(&mut self, rows: &Hashes) -> Result<(), IngestError> {
        self.found |= !rows.types.is_empty();
        let numbers: Vec<u16> = rows.types.iter().map(|name| self.graph.id_type(name)).collect();
        let identifiers: Vec<(u16, Hashed)> =
            rows.hashes.iter().map(|(nth, hash)| (numbers[usize::from(*nth)], *hash)).collect();
        let mut nodes = Vec::with_capacity(identifiers.len());
        self.graph.nodes(&identifiers, &mut nodes);
        let mut rest = nodes.as_slice();
        for count in &rows.counts {
            let (own, others) = rest.split_at(usize::from(*count));
            rest = others;
            self.graph.occur(own);
            self.rows.write(own)?;
        }
        Ok(())
    }

    /// How many identifiers there are so far.
    pub fn identifiers(&self) -> usize {
        self.graph.identifiers()
    }

    /// `None` where no row has any.
    pub fn gathered(self) -> Option<Gathered> {
        self.found.then_some(Gathered { graph: self.graph, rows: self.rows })
    }
}

/// The identifiers of rows, whose persons are still to be found.
pub struct Gathered {
    pub graph: Graph,
    rows: RowNodes,
}

impl Gathered {
    /// `stored` knows the identifiers that the lake knows of these.
    pub fn resolve(mut self, stored: &Stored) -> Result<Resolved, IngestError> {
        let resolution = self.graph.resolve(stored);
        self.rows.rewind()?;
        Ok(Resolved { graph: self.graph, resolution, rows: self.rows })
    }
}

/// Reads the identifiers of all files. `None` where no file has any.
pub fn gather(
    inputs: &[Input],
    contract: &Arc<Contract>,
    key: &IdentityKey,
    shared_max: usize,
    progress: Option<&ProgressSink>,
) -> Result<Option<Gathered>, IngestError> {
    let mut resolver = Resolver::new(shared_max)?;
    let (bytes, mut rows_read) = (Arc::default(), 0);
    let bytes_total = inputs.iter().map(Input::bytes_len).sum();
    for input in inputs {
        let mut hashes = hashed(input, contract, key, &bytes)?;
        while let Some(rows) = hashes.next()? {
            resolver.take(&rows)?;
            rows_read += rows.counts.len() as u64;
            if let Some(progress) = progress {
                let (phase, bytes) = (Phase::Identities, bytes.load(Ordering::Relaxed));
                progress(Progress { phase, rows: rows_read, bytes, bytes_total });
            }
        }
    }
    Ok(resolver.gathered())
}

/// The identifiers of a file: rows are read on one thread and hashed on another.
fn hashed(
    input: &Input,
    contract: &Arc<Contract>,
    key: &IdentityKey,
    bytes: &Arc<AtomicU64>,
) -> Result<Ahead<Hashes>, IngestError> {
    let mut reader = identifiers_of(input, bytes)?;
    let mut chunks = Ahead::new(move || reader.next())?;
    let (contract, key, file) = (Arc::clone(contract), key.clone(), Arc::clone(&input.name));
    let mut names: Arc<[String]> = Arc::from([]);
    let (mut mapping, mut id_types) = (Mapping::default(), Arc::from([]));
    Ahead::new(move || {
        let Some(chunk) = chunks.next()? else { return Ok(None) };
        if !Arc::ptr_eq(&names, &chunk.names) {
            names = Arc::clone(&chunk.names);
            mapping = Mapping::of(&names, &contract, &file, true)?;
            id_types = types(&mapping);
        }
        Hashes::of(&chunk, &mapping, &id_types, &key).map(Some)
    })
}

impl Resolved {
    /// The persons of the next `rows` rows.
    pub fn persons(&mut self, rows: usize) -> Result<Int64Array, IngestError> {
        let (mut counts, mut nodes) = (Vec::with_capacity(rows), Vec::new());
        self.rows.read(rows, &mut counts, &mut nodes)?;
        // By themselves, so that several are waited for at once.
        let persons: Vec<Option<i64>> = nodes.iter().map(|node| self.resolution.persons[*node as usize]).collect();
        let mut rest = persons.as_slice();
        let of_row = counts.iter().map(|count| {
            let (own, others) = rest.split_at(usize::from(*count));
            rest = others;
            own.iter().find_map(|person| *person)
        });
        Ok(of_row.collect())
    }
}

/// Opens a file, of Parquet only the identifier columns.
fn identifiers_of(input: &Input, counter: &Arc<AtomicU64>) -> Result<Reader, IngestError> {
    if input.format != Format::Parquet {
        return Reader::open(input, None, counter);
    }
    let reader = Reader::open(input, None, counter)?;
    let names = reader.header().map(|names| names.to_vec()).unwrap_or_default();
    let ids: Vec<String> = names.into_iter().filter(|name| is_identifier(name)).collect();
    Reader::open(input, Some(&ids), counter)
}

/// The nodes of each row, in a file, so that a long load stays out of memory.
struct RowNodes {
    writer: Option<BufWriter<File>>,
    reader: Option<BufReader<File>>,
}

impl RowNodes {
    fn new() -> Result<Self, IngestError> {
        let file = tempfile::tempfile().map_err(spool)?;
        Ok(Self { writer: Some(BufWriter::with_capacity(1 << 18, file)), reader: None })
    }

    /// At most 255 nodes.
    fn write(&mut self, nodes: &[Node]) -> Result<(), IngestError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let count = nodes.len() as u8;
        writer.write_all(&[count]).map_err(spool)?;
        for node in nodes {
            writer.write_all(&node.to_le_bytes()).map_err(spool)?;
        }
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), IngestError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let mut file = writer.into_inner().map_err(|error| spool(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(spool)?;
        self.reader = Some(BufReader::with_capacity(1 << 18, file));
        Ok(())
    }

    /// The nodes of the next `rows` rows, and how many each has.
    fn read(&mut self, rows: usize, counts: &mut Vec<u8>, nodes: &mut Vec<Node>) -> Result<(), IngestError> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        for _ in 0..rows {
            let mut count = [0];
            reader.read_exact(&mut count).map_err(spool)?;
            counts.push(count[0]);
            for _ in 0..count[0] {
                let mut node = [0; 4];
                reader.read_exact(&mut node).map_err(spool)?;
                nodes.push(Node::from_le_bytes(node));
            }
        }
        Ok(())
    }
}

fn spool(source: std::io::Error) -> IngestError {
    IngestError::SpoolFile { source }
}
