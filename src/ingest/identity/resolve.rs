//! The first pass of a load: every file's identifiers into the graph; then, row for row, the person of each.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Int64Array, Int64Builder, StringArray};

use super::super::cell::{Cells, TextCells, typed};
use super::super::check::{ID_PREFIX, Mapping};
use super::super::error::IngestError;
use super::super::reader::{Chunk, Format, Input, Reader, Rows};
use super::super::request::{Phase, Progress, ProgressSink};
use super::graph::{Graph, Node, Resolution};
use super::key::IdentityKey;
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

/// Gathers the identifiers of rows, to find the person of each.
pub struct Resolver<'a> {
    contract: &'a Contract,
    key: &'a IdentityKey,
    graph: Graph,
    rows: RowNodes,
    found: bool,
}

impl<'a> Resolver<'a> {
    pub fn new(contract: &'a Contract, key: &'a IdentityKey, shared_max: usize) -> Result<Self, IngestError> {
        Ok(Self { contract, key, graph: Graph::new(shared_max), rows: RowNodes::new()?, found: false })
    }

    pub fn mapping(&self, names: &[String], file: &str) -> Result<Mapping, IngestError> {
        Mapping::of(names, self.contract, file, true)
    }

    /// The rows follow those of the call before.
    pub fn take(&mut self, chunk: &Chunk, mapping: &Mapping) -> Result<(), IngestError> {
        self.found |= !mapping.ids.is_empty();
        take(chunk, mapping, self.key, &mut self.graph, &mut self.rows)
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
    contract: &Contract,
    key: &IdentityKey,
    shared_max: usize,
    progress: Option<&ProgressSink>,
) -> Result<Option<Gathered>, IngestError> {
    let mut resolver = Resolver::new(contract, key, shared_max)?;
    let (bytes, mut rows_read) = (Arc::default(), 0);
    let bytes_total = inputs.iter().map(Input::bytes_len).sum();
    for input in inputs {
        let mut reader = identifiers_of(input, &bytes)?;
        let mut names: Arc<[String]> = Arc::from([]);
        let mut mapping = Mapping::default();
        while let Some(chunk) = reader.next()? {
            if !Arc::ptr_eq(&names, &chunk.names) {
                names = Arc::clone(&chunk.names);
                mapping = resolver.mapping(&names, &input.name)?;
            }
            resolver.take(&chunk, &mapping)?;
            rows_read += chunk.rows.len() as u64;
            if let Some(progress) = progress {
                let (phase, bytes) = (Phase::Identities, bytes.load(Ordering::Relaxed));
                progress(Progress { phase, rows: rows_read, bytes, bytes_total });
            }
        }
    }
    Ok(resolver.gathered())
}

impl Resolved {
    /// The persons of the next `rows` rows.
    pub fn persons(&mut self, rows: usize) -> Result<Int64Array, IngestError> {
        let mut persons = Int64Builder::with_capacity(rows);
        let mut nodes = Vec::new();
        for _ in 0..rows {
            self.rows.read(&mut nodes)?;
            persons.append_option(nodes.iter().find_map(|node| self.resolution.persons[*node as usize]));
        }
        Ok(persons.finish())
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

fn take(
    chunk: &Chunk,
    mapping: &Mapping,
    key: &IdentityKey,
    graph: &mut Graph,
    spool: &mut RowNodes,
) -> Result<(), IngestError> {
    let types: Vec<u16> = mapping.ids.iter().map(|(id_type, _)| graph.id_type(id_type)).collect();
    let mut nodes = Vec::with_capacity(types.len());
    match &chunk.rows {
        Rows::Text(rows) => {
            let columns: Vec<TextCells<'_>> =
                mapping.ids.iter().map(|(_, column)| TextCells { rows, column: *column }).collect();
            for row in 0..rows.len() {
                nodes.clear();
                if rows.row(row).fault.is_none() {
                    identifiers(row, &columns, mapping, &types, key, graph, &mut nodes);
                }
                graph.occur(&nodes);
                spool.write(&nodes)?;
            }
        }
        Rows::Typed { batch, .. } => {
            let columns: Result<Vec<StringArray>, _> =
                mapping.ids.iter().map(|(_, column)| typed::as_texts(batch.column(*column))).collect();
            let columns = columns?;
            for row in 0..batch.num_rows() {
                nodes.clear();
                identifiers(row, &columns, mapping, &types, key, graph, &mut nodes);
                graph.occur(&nodes);
                spool.write(&nodes)?;
            }
        }
    }
    Ok(())
}

fn identifiers<C: Cells>(
    row: usize,
    columns: &[C],
    mapping: &Mapping,
    types: &[u16],
    key: &IdentityKey,
    graph: &mut Graph,
    nodes: &mut Vec<Node>,
) {
    for ((cells, (id_type, _)), number) in columns.iter().zip(&mapping.ids).zip(types) {
        if let Some(hash) = cells.get(row).and_then(|text| key.hashed(id_type, text)) {
            nodes.push(graph.node(*number, hash));
        }
    }
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

    fn write(&mut self, nodes: &[Node]) -> Result<(), IngestError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        // A row has at most as many identifiers as a header has columns that are read here; more would be cut, not lost.
        let count = u8::try_from(nodes.len()).unwrap_or(u8::MAX);
        writer.write_all(&[count]).map_err(spool)?;
        for node in &nodes[..usize::from(count)] {
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

    fn read(&mut self, nodes: &mut Vec<Node>) -> Result<(), IngestError> {
        nodes.clear();
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let mut count = [0];
        reader.read_exact(&mut count).map_err(spool)?;
        for _ in 0..count[0] {
            let mut node = [0; 4];
            reader.read_exact(&mut node).map_err(spool)?;
            nodes.push(Node::from_le_bytes(node));
        }
        Ok(())
    }
}

fn spool(source: std::io::Error) -> IngestError {
    IngestError::SpoolFile { source }
}
