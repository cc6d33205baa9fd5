//! A foreign file through its source's mapping: its rows as the relation `source`, the mapping's SELECT, a canonical file.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono_tz::Tz;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use tempfile::NamedTempFile;

use super::cell::zone::ZoneClock;
use super::cell::{Cells, FaultMap, Faults, TextCells, column, typed};
use super::check::{FILE, LINE, REASON, REJECT, objects, raw_row};
use super::error::IngestError;
use super::reader::{Chunk, Input, Reader, Rows, unique};
use super::reject::Reject;
use crate::dataset::{Feed, Layout, Source, SourceColumn, SqlType};

/// The relation's column that holds what the source has no column for.
const EXTRAS: &str = "extras";
const BATCHES_IN_FLIGHT: usize = 4;
/// What a SELECT may hold before it spills to disk.
const MEMORY_MAX_BYTES: usize = 1 << 30;

/// By file and line: a SELECT may read the relation more than once, and files may share a name.
type FaultyRows = Arc<Mutex<BTreeMap<(usize, u64), Reject>>>;

/// Cells that make rows one, by the layout.
type GroupKey = Vec<String>;

/// The files as rows of `table`. Where the source's columns feed it as they stand that is what their readers give; a SELECT is
/// run over them, once, into a spool file. `zone` is that of its SQL's local times.
pub async fn mapped(
    source: &Source,
    table: &str,
    inputs: Vec<Input>,
    zone: &str,
) -> Result<(Vec<Input>, Vec<Reject>), IngestError> {
    match source.tables.get(table) {
        Some(Feed::Columns) => Ok((inputs, Vec::new())),
        Some(Feed::Select(sql)) => {
            let mapped = selected(source, table, sql, inputs, zone).await?;
            Ok((vec![mapped.input], mapped.rejects))
        }
        None => Err(IngestError::SourceTable {
            source_name: source.name.clone(),
            table: table.to_owned(),
            known: source.tables.keys().cloned().collect::<Vec<_>>().join(", "),
        }),
    }
}

/// Files through a SELECT.
struct Mapped {
    /// The rows that it gave, in typed columns.
    input: Input,
    /// Rows that could not be split into cells; it did not see them.
    rejects: Vec<Reject>,
}

async fn selected(
    source: &Source,
    table: &str,
    sql: &str,
    inputs: Vec<Input>,
    zone: &str,
) -> Result<Mapped, IngestError> {
    let fault =
        |cause| IngestError::Mapping { source_name: source.name.clone(), table: table.to_owned(), source: cause };
    let name = inputs.iter().map(|input| input.name.as_ref()).collect::<Vec<_>>().join(", ");
    let relation = Relation {
        schema: relation_schema(&source.layout, &inputs)?,
        inputs,
        layout: Arc::clone(&source.layout),
        zone: zone.parse().unwrap_or(Tz::UTC),
        faulty: FaultyRows::default(),
        broken: Arc::default(),
        left_out: Arc::default(),
    };
    let fault = |cause| match cause {
        DataFusionError::IoError(source) => IngestError::SpoolFile { source },
        cause => fault(cause),
    };
    let mut spool = run(&relation, sql, zone).await.map_err(fault)?;
    let broken = std::mem::take(&mut *relation.broken.lock().unwrap_or_else(PoisonError::into_inner));
    if !broken.is_empty() {
        // What belongs to a refused row is told too late: the SELECT has added it up.
        let relation = Relation { left_out: Arc::new(broken), ..relation.clone() };
        spool = run(&relation, sql, zone).await.map_err(fault)?;
    }
    let rejects = std::mem::take(&mut *relation.faulty.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Mapped { input: Input::spooled(&name, spool, None)?, rejects: rejects.into_values().collect() })
}

/// Runs the SELECT over the relation, into a spool file.
async fn run(relation: &Relation, sql: &str, zone: &str) -> Result<NamedTempFile, DataFusionError> {
    let mut config = SessionConfig::new();
    config.options_mut().execution.time_zone = Some(zone.to_owned());
    config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(MEMORY_MAX_BYTES, 1.0).build_arc()?;
    let context = SessionContext::new_with_config_rt(config, runtime);
    let provider = StreamingTable::try_new(Arc::clone(&relation.schema), vec![Arc::new(relation.clone())])?;
    context.register_table("source", Arc::new(provider))?;
    let mut stream = context.sql(sql).await?.execute_stream().await?;
    let spool = NamedTempFile::new()?;
    let file: File = spool.reopen()?;
    let mut writer = ArrowWriter::try_new(file, stream.schema(), None)?;
    while let Some(batch) = stream.try_next().await? {
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(spool)
}

/// The columns that the source's layout gives, as texts, and `extras`; without a layout of columns those of all files by name,
/// where one that stands twice gets a number, of text files as texts.
fn relation_schema(layout: &Layout, inputs: &[Input]) -> Result<SchemaRef, IngestError> {
    let kind = |column: &SourceColumn| column.sql_type.as_ref().map_or(DataType::Utf8, SqlType::stored);
    let mut fields: Vec<Field> =
        layout.columns.iter().map(|column| Field::new(&column.name, kind(column), true)).collect();
    if fields.is_empty() {
        for input in inputs {
            for field in file_fields(input)? {
                if !fields.iter().any(|known| known.name() == field.name()) {
                    fields.push(field);
                }
            }
        }
    } else {
        fields.push(text_field(EXTRAS.to_owned()));
    }
    fields.retain(|field| ![LINE, FILE, REJECT, REASON].contains(&field.name().as_str()));
    fields.push(Field::new(LINE, DataType::Int64, false));
    fields.push(Field::new(FILE, DataType::Utf8, false));
    Ok(Arc::new(Schema::new(fields)))
}

fn file_fields(input: &Input) -> Result<Vec<Field>, IngestError> {
    let mut reader = Reader::open(input, None, &Arc::default())?;
    Ok(match (reader.schema().cloned(), reader.header().cloned()) {
        (Some(schema), _) => schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect(),
        (None, Some(names)) => unique(&names).into_iter().map(text_field).collect(),
        (None, None) => {
            let mut names: Arc<[String]> = Arc::from([]);
            while let Some(chunk) = reader.next()? {
                names = chunk.names;
            }
            names.iter().cloned().map(text_field).collect()
        }
    })
}

fn text_field(name: String) -> Field {
    Field::new(name, DataType::Utf8, true)
}

/// The rows of the files.
#[derive(Debug, Clone)]
struct Relation {
    schema: SchemaRef,
    inputs: Vec<Input>,
    /// Without columns the file's own are taken.
    layout: Arc<Layout>,
    /// Of times that name none.
    zone: Tz,
    faulty: FaultyRows,
    /// The keys of refused rows, of a layout whose rows belong together.
    broken: Arc<Mutex<HashSet<GroupKey>>>,
    /// The keys of rows that are refused with others.
    left_out: Arc<HashSet<GroupKey>>,
}

impl PartitionStream for Relation {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), BATCHES_IN_FLIGHT);
        let (sender, schema, inputs) = (builder.tx(), Arc::clone(&self.schema), self.inputs.clone());
        let (layout, faulty) = (Arc::clone(&self.layout), Arc::clone(&self.faulty));
        let (broken, left_out) = (Arc::clone(&self.broken), Arc::clone(&self.left_out));
        let mut clock = ZoneClock::new(self.zone);
        builder.spawn_blocking(move || {
            let external = |error: IngestError| DataFusionError::External(Box::new(error));
            for (nth, input) in inputs.iter().enumerate() {
                let mut reader = Reader::open(input, None, &Arc::default()).map_err(external)?;
                while let Some(chunk) = reader.next().map_err(external)? {
                    let (batch, faults) =
                        relation_batch(&schema, &layout, &input.name, &chunk, &mut clock).map_err(external)?;
                    let mut found = faulty_rows(&input.name, &chunk, &batch, faults);
                    if left_out.is_empty() {
                        let keys = found.keys().filter_map(|row| group_key(&layout, &batch, *row));
                        broken.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
                    } else {
                        companions(&mut found, &batch, &left_out, &layout, &input.name, &chunk);
                    }
                    let batch = without(&found, batch).map_err(external)?;
                    let found = found.into_values().map(|reject| ((nth, reject.line), reject));
                    faulty.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                    if sender.blocking_send(Ok(batch)).is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        builder.build()
    }
}

fn relation_batch(
    schema: &SchemaRef,
    layout: &Layout,
    file: &Arc<str>,
    chunk: &Chunk,
    clock: &mut ZoneClock,
) -> Result<(RecordBatch, FaultMap), IngestError> {
    let names = unique(&chunk.names);
    let rows = chunk.rows.len();
    let mut faults = FaultMap::new();
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for (nth, field) in schema.fields().iter().enumerate() {
        let position = names.iter().position(|name| name == field.name());
        let sql_type = layout.columns.get(nth).and_then(|column| column.sql_type.as_ref());
        let array: ArrayRef = match (field.name().as_str(), position) {
            (LINE, _) => Arc::new(lines(&chunk.rows)),
            (FILE, _) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(file.as_ref(), rows))),
            (EXTRAS, _) if !layout.columns.is_empty() => Arc::new(extras(&names, layout, &chunk.rows)?),
            (_, None) => new_null_array(field.data_type(), rows),
            (_, Some(position)) => match (&chunk.rows, sql_type) {
                (Rows::Text(_), None) => Arc::new(texts(&chunk.rows, position)?),
                (_, Some(sql_type)) => {
                    column(sql_type, clock, &texts(&chunk.rows, position)?, &mut Faults::new(&mut faults, nth))
                }
                (Rows::Typed { batch, .. }, None) => cast(batch.column(position), field.data_type())?,
            },
        };
        arrays.push(array);
    }
    Ok((RecordBatch::try_new(Arc::clone(schema), arrays)?, faults))
}

/// What the source has no column for.
fn extras(names: &[String], layout: &Layout, rows: &Rows) -> Result<StringArray, IngestError> {
    let known = |name: &String| layout.columns.iter().any(|column| column.name == *name);
    let unknown = names.iter().enumerate().filter(|(_, name)| !known(name));
    let members = unknown.map(|(position, name)| Ok((name.as_str(), texts(rows, position)?)));
    let members = members.collect::<Result<Vec<_>, IngestError>>()?;
    Ok(objects(rows.len(), None, &members))
}

fn texts(rows: &Rows, column: usize) -> Result<StringArray, IngestError> {
    match rows {
        Rows::Text(text) => {
            let cells = TextCells { rows: text, column };
            Ok((0..text.len()).map(|row| cells.get(row)).collect())
        }
        Rows::Typed { batch, .. } => Ok(typed::as_texts(batch.column(column))?),
    }
}

/// The rows of a batch that cannot be split into cells or have a cell that is none of its column's type.
fn faulty_rows(file: &Arc<str>, chunk: &Chunk, batch: &RecordBatch, faults: FaultMap) -> BTreeMap<usize, Reject> {
    let mut found: BTreeMap<usize, Reject> = BTreeMap::new();
    for (row, fault) in faults {
        let column = fault.column.map(|nth| batch.schema_ref().field(nth).name().clone());
        found.insert(row, reject(file, chunk, row, column, fault.reason.to_string()));
    }
    if let Rows::Text(text) = &chunk.rows {
        for row in 0..text.len() {
            if let Some(fault) = &text.row(row).fault {
                found.insert(row, reject(file, chunk, row, None, fault.to_string()));
            }
        }
    }
    found
}

/// The key of a row; none where the layout has none, or the row lacks a part of it.
fn group_key(layout: &Layout, batch: &RecordBatch, row: usize) -> Option<GroupKey> {
    let cell = |name: &String| {
        let column = batch.column_by_name(name).filter(|column| column.is_valid(row))?;
        Some(typed::shown(column, row))
    };
    layout.together.iter().map(cell).collect::<Option<GroupKey>>().filter(|key| !key.is_empty())
}

/// Refuses the rows that belong to refused ones.
fn companions(
    found: &mut BTreeMap<usize, Reject>,
    batch: &RecordBatch,
    left_out: &HashSet<GroupKey>,
    layout: &Layout,
    file: &Arc<str>,
    chunk: &Chunk,
) {
    for row in 0..batch.num_rows() {
        let Some(key) = group_key(layout, batch, row).filter(|key| left_out.contains(key)) else { continue };
        let named = layout.together.iter().zip(&key).map(|(name, value)| format!("{name} \"{value}\""));
        let named = named.collect::<Vec<_>>().join(", ");
        let reason = || format!("another row of {named} is refused");
        found.entry(row).or_insert_with(|| reject(file, chunk, row, None, reason()));
    }
}

fn without(faulty: &BTreeMap<usize, Reject>, batch: RecordBatch) -> Result<RecordBatch, IngestError> {
    if faulty.is_empty() {
        return Ok(batch);
    }
    let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(!faulty.contains_key(&row))).collect();
    Ok(filter_record_batch(&batch, &keep)?)
}

fn reject(file: &Arc<str>, chunk: &Chunk, row: usize, column: Option<String>, reason: String) -> Reject {
    let (line, raw) = match &chunk.rows {
        Rows::Text(text) => (text.row(row).line, text.raw(row).to_owned()),
        Rows::Typed { batch, first } => (first + row as u64, raw_row(batch, row)),
    };
    Reject { file: Arc::clone(file), line, column, reason, raw }
}

fn lines(rows: &Rows) -> Int64Array {
    match rows {
        Rows::Text(text) => (0..text.len()).map(|row| Some(text.row(row).line.cast_signed())).collect(),
        Rows::Typed { batch, first } => {
            let first = first.cast_signed();
            Int64Array::from_iter_values(first..first + batch.num_rows() as i64)
        }
    }
}
