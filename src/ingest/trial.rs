//! A load that loads nothing: which source a file is of, what its header has, and what its rows would become.

use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch};
use tokio::task::spawn_blocking;

use super::cell::{Cells, TextCells, typed};
use super::check::{Checker, Mapping, ONE_ID};
use super::error::IngestError;
use super::identity::identifies;
use super::reader::{Chunk, HeaderChanges, Input, Reader, Rows, inputs};
use super::recognise::{named, recognised, sheets_of};
use super::reject::Reject;
use super::source::mapped;
use crate::dataset::{Contract, Dataset, Feed, Source};
use crate::error::{Error, Reason, Result};

const REJECTS_SHOWN: usize = 5;
const ROWS_SHOWN: usize = 3;

/// What would become of a file.
pub struct Trial {
    pub file: String,
    /// `None` where no source recognises it.
    pub source: Option<Source>,
    /// As they stand in the file.
    pub header: Vec<String>,
    pub changes: HeaderChanges,
    pub tables: Vec<TableTrial>,
}

/// What would become of its rows in one table.
pub struct TableTrial {
    pub table: String,
    pub feed: Feed,
    pub rows_read: u64,
    pub rows_kept: u64,
    /// Those of the kept that name a person.
    pub rows_identified: u64,
    pub rows_rejected: u64,
    /// The first of them.
    pub rejects: Vec<Reject>,
    /// The first kept rows, in the table's stored schema.
    pub rows: Option<RecordBatch>,
    pub ignored_columns: Vec<String>,
}

/// Reads the files whole and writes nothing. `source` names their source.
pub async fn trial(dataset: &Arc<Dataset>, source: Option<&str>, files: &[String]) -> Result<Vec<Trial>> {
    let (of, wanted, files) = (Arc::clone(dataset), source.map(str::to_owned), files.to_vec());
    let found = spawn_blocking(move || -> Result<Vec<(Option<Source>, Input)>, IngestError> {
        let mut found = Vec::new();
        for sheets in inputs(&files)? {
            match &wanted {
                Some(name) => {
                    let source = named(&of, name)?;
                    found.extend(sheets_of(source, &sheets)?.into_iter().map(|input| (Some(source.clone()), input)));
                }
                None => {
                    let known = recognised(&of, None, &sheets)?;
                    found.extend(known.into_iter().map(|(source, input)| (source.cloned(), input)));
                }
            }
        }
        Ok(found)
    });
    let mut trials = Vec::new();
    for (source, input) in found.await.map_err(|_| IngestError::ThreadEnded)?? {
        trials.push(of_file(dataset, source, input).await?);
    }
    Ok(trials)
}

async fn of_file(dataset: &Arc<Dataset>, source: Option<Source>, input: Input) -> Result<Trial> {
    let mut reader = Reader::open(&input, None, &Arc::default())?;
    if reader.header().is_none() {
        reader.next()?;
    }
    let mut trial = Trial {
        file: input.name.to_string(),
        header: reader.file_header().to_vec(),
        changes: reader.shape().map(|shape| shape.changes()).unwrap_or_default(),
        source: None,
        tables: Vec::new(),
    };
    if let Some(source) = source {
        for (table, feed) in &source.tables {
            let contract = dataset.contract(table).cloned().map(Arc::new);
            let contract = contract.ok_or_else(|| IngestError::TableUnknown { table: table.clone() })?;
            trial.tables.push(of_table(dataset, &source, contract, feed, &input).await?);
        }
        trial.source = Some(source);
    }
    Ok(trial)
}

async fn of_table(
    dataset: &Arc<Dataset>,
    source: &Source,
    contract: Arc<Contract>,
    feed: &Feed,
    input: &Input,
) -> Result<TableTrial> {
    let zone = source.time_zone.clone().unwrap_or_else(|| dataset.time_zone.clone());
    let (inputs, faulty) = mapped(source, &contract.name, vec![input.clone()], &zone).await?;
    let parsed = zone.parse().map_err(|_| Error::new(Reason::Configuration, format!("unknown time zone '{zone}'")))?;
    let checker = Checker::new(Arc::clone(&contract), parsed, &dataset.time_zone)?;
    let feed = feed.clone();
    let rejected = faulty.len() as u64;
    let trial = TableTrial {
        table: contract.name.clone(),
        feed,
        rows_read: rejected,
        rows_kept: 0,
        rows_identified: 0,
        rows_rejected: rejected,
        rejects: faulty.into_iter().take(REJECTS_SHOWN).collect(),
        rows: None,
        ignored_columns: Vec::new(),
    };
    let checked = spawn_blocking(move || checked(trial, checker, &inputs));
    Ok(checked.await.map_err(|_| IngestError::ThreadEnded)??)
}

fn checked(mut trial: TableTrial, mut checker: Checker, inputs: &[Input]) -> Result<TableTrial, IngestError> {
    let contract = Arc::clone(checker.contract());
    for input in inputs {
        let mut reader = Reader::open(input, None, &Arc::default())?;
        if let Some(header) = reader.header() {
            Mapping::of(header, &contract, &input.name, true)?.require(&contract, &input.name)?;
        }
        while let Some(chunk) = reader.next()? {
            let mapping = Mapping::of(&chunk.names, &contract, &input.name, true)?;
            let persons = (!mapping.ids.is_empty()).then(|| persons(&chunk, &mapping)).transpose()?;
            let found = checker.check(&input.name, &chunk, &mapping, persons)?;
            trial.rows_read += chunk.rows.len() as u64;
            trial.rows_kept += found.kept.num_rows() as u64;
            trial.rows_rejected += found.rejects.len() as u64;
            if let Some(ids) = found.kept.column_by_name(ONE_ID) {
                trial.rows_identified += (ids.len() - ids.null_count()) as u64;
            }
            trial
                .rejects
                .extend(found.rejects.into_iter().take(REJECTS_SHOWN - trial.rejects.len().min(REJECTS_SHOWN)));
            trial.ignored_columns = mapping.ignored;
            if trial.rows.is_none() && found.kept.num_rows() > 0 {
                trial.rows = Some(found.kept.slice(0, found.kept.num_rows().min(ROWS_SHOWN)));
            }
        }
    }
    Ok(trial)
}

/// Somebody for each row that has an identifier: who it is only the lake knows.
fn persons(chunk: &Chunk, mapping: &Mapping) -> Result<Int64Array, IngestError> {
    let rows = chunk.rows.len();
    let mut known = vec![None; rows];
    for (id_type, position) in &mapping.ids {
        match &chunk.rows {
            Rows::Text(text) => mark(&TextCells { rows: text, column: *position }, id_type, &mut known),
            Rows::Typed { batch, .. } => mark(&typed::as_texts(batch.column(*position))?, id_type, &mut known),
        }
    }
    Ok(known.into_iter().collect())
}

fn mark(cells: &impl Cells, id_type: &str, known: &mut [Option<i64>]) {
    for (row, person) in known.iter_mut().enumerate() {
        if cells.get(row).is_some_and(|text| identifies(id_type, text)) {
            *person = Some(0);
        }
    }
}
