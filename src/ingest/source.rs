//! A foreign file through its source's mapping: its rows as the relation `source`, the mapping's SELECT, a canonical file.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use tempfile::NamedTempFile;

use super::cell::{Cells, TextCells};
use super::error::IngestError;
use super::reader::{Chunk, Input, Reader, Rows};
use super::reject::Reject;
use crate::dataset::Source;

/// The relation's column that holds the line of the row, or its number in a Parquet file.
const LINE: &str = "_line";
const BATCHES_IN_FLIGHT: usize = 4;

/// Files through a mapping.
pub struct Mapped {
    /// The rows that the mapping's SELECT gave, in typed columns.
    pub input: Input,
    /// Rows that could not be split into cells; the SELECT did not see them.
    pub rejects: Vec<Reject>,
}

type FaultyRows = Arc<Mutex<BTreeMap<(Arc<str>, u64), Reject>>>;

/// Runs the mapping of `source` for `table` over the files, once, into a spool file. `zone` is that of its SQL's local
/// times.
pub async fn mapped(source: &Source, table: &str, inputs: Vec<Input>, zone: &str) -> Result<Mapped, IngestError> {
    let fault =
        |cause| IngestError::Mapping { source_name: source.name.clone(), table: table.to_owned(), source: cause };
    let Some(sql) = source.tables.get(table) else {
        return Err(IngestError::SourceTable {
            source_name: source.name.clone(),
            table: table.to_owned(),
            known: source.tables.keys().cloned().collect::<Vec<_>>().join(", "),
        });
    };
    let name = inputs.iter().map(|input| input.name.as_ref()).collect::<Vec<_>>().join(", ");
    let faulty = FaultyRows::default();
    let relation = Relation { schema: relation_schema(&inputs)?, inputs, faulty: Arc::clone(&faulty) };
    let mut config = SessionConfig::new();
    config.options_mut().execution.time_zone = Some(zone.to_owned());
    config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    let context = SessionContext::new_with_config(config);
    let provider = StreamingTable::try_new(Arc::clone(&relation.schema), vec![Arc::new(relation)]).map_err(fault)?;
    context.register_table("source", Arc::new(provider)).map_err(fault)?;
    let mut stream = context.sql(sql).await.map_err(fault)?.execute_stream().await.map_err(fault)?;
    let spool = NamedTempFile::new().map_err(|source| IngestError::SpoolFile { source })?;
    let file: File = spool.reopen().map_err(|source| IngestError::SpoolFile { source })?;
    let mut writer = ArrowWriter::try_new(file, stream.schema(), None)?;
    while let Some(batch) = stream.try_next().await.map_err(fault)? {
        writer.write(&batch)?;
    }
    writer.close()?;
    let rejects = std::mem::take(&mut *faulty.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Mapped { input: Input::spooled(&name, spool, None)?, rejects: rejects.into_values().collect() })
}

/// The columns of all files by name; a name that stands twice gets a number. Of text files every column is a text.
fn relation_schema(inputs: &[Input]) -> Result<SchemaRef, IngestError> {
    let mut fields: Vec<Field> = Vec::new();
    for input in inputs {
        let mut reader = Reader::open(input, None, &Arc::default())?;
        let header: Vec<Field> = match (reader.schema().cloned(), reader.header().cloned()) {
            (Some(schema), _) => {
                schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect()
            }
            (None, Some(names)) => unique(&names).into_iter().map(text_field).collect(),
            (None, None) => {
                let mut names: Arc<[String]> = Arc::from([]);
                while let Some(chunk) = reader.next()? {
                    names = chunk.names;
                }
                names.iter().cloned().map(text_field).collect()
            }
        };
        for field in header {
            if !fields.iter().any(|known| known.name() == field.name()) {
                fields.push(field);
            }
        }
    }
    fields.retain(|field| field.name() != LINE);
    fields.push(Field::new(LINE, DataType::Int64, false));
    Ok(Arc::new(Schema::new(fields)))
}

fn text_field(name: String) -> Field {
    Field::new(name, DataType::Utf8, true)
}

/// `a, a, ''` -> `a, a_2, column_3`.
fn unique(names: &[String]) -> Vec<String> {
    let mut unique: Vec<String> = Vec::with_capacity(names.len());
    for (nth, name) in names.iter().enumerate() {
        let name = if name.is_empty() { format!("column_{}", nth + 1) } else { name.clone() };
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|free| !unique.contains(free));
        unique.push(free.unwrap_or(name));
    }
    unique
}

/// The rows of the files.
#[derive(Debug)]
struct Relation {
    schema: SchemaRef,
    inputs: Vec<Input>,
    /// By file and line: a mapping may read the relation more than once.
    faulty: FaultyRows,
}

impl PartitionStream for Relation {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), BATCHES_IN_FLIGHT);
        let (sender, schema, inputs) = (builder.tx(), Arc::clone(&self.schema), self.inputs.clone());
        let faulty = Arc::clone(&self.faulty);
        builder.spawn_blocking(move || {
            let external = |error: IngestError| DataFusionError::External(Box::new(error));
            for input in &inputs {
                let mut reader = Reader::open(input, None, &Arc::default()).map_err(external)?;
                while let Some(chunk) = reader.next().map_err(external)? {
                    let batch = relation_batch(&schema, &chunk).map_err(external)?;
                    let batch = without_faulty(&input.name, &chunk.rows, batch, &faulty).map_err(external)?;
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

fn relation_batch(schema: &SchemaRef, chunk: &Chunk) -> Result<RecordBatch, IngestError> {
    let names = unique(&chunk.names);
    let rows = chunk.rows.len();
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let position = names.iter().position(|name| name == field.name());
        let array: ArrayRef = match (&chunk.rows, position) {
            _ if field.name() == LINE => Arc::new(lines(&chunk.rows)),
            (_, None) => new_null_array(field.data_type(), rows),
            (Rows::Text(text), Some(column)) => {
                let cells = TextCells { rows: text, column };
                Arc::new((0..rows).map(|row| cells.get(row)).collect::<StringArray>())
            }
            (Rows::Typed { batch, .. }, Some(column)) => cast(batch.column(column), field.data_type())?,
        };
        arrays.push(array);
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), arrays)?)
}

fn without_faulty(
    file: &Arc<str>,
    rows: &Rows,
    batch: RecordBatch,
    faulty: &FaultyRows,
) -> Result<RecordBatch, IngestError> {
    let Rows::Text(text) = rows else { return Ok(batch) };
    let found = (0..text.len()).filter_map(|row| Some((row, text.row(row).fault.as_ref()?)));
    let found: Vec<(u64, Reject)> = found
        .map(|(row, fault)| {
            let (line, raw) = (text.row(row).line, text.raw(row).to_owned());
            (line, Reject { file: Arc::clone(file), line, column: None, reason: fault.to_string(), raw })
        })
        .collect();
    if found.is_empty() {
        return Ok(batch);
    }
    let keyed = found.into_iter().map(|(line, reject)| ((Arc::clone(file), line), reject));
    faulty.lock().unwrap_or_else(PoisonError::into_inner).extend(keyed);
    let keep: BooleanArray = (0..text.len()).map(|row| Some(text.row(row).fault.is_none())).collect();
    Ok(filter_record_batch(&batch, &keep)?)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_relation_are_unique() {
        let names = ["分销员", "", "分销员", "分销员_2"].map(str::to_owned);
        assert_eq!(unique(&names), ["分销员", "column_2", "分销员_2", "分销员_2_2"]);
    }
}
