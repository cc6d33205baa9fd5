//! What a load taught about persons, as rows of `identities` and `henna.identity_conflicts`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::SchemaRef;

use super::super::error::IngestError;
use super::graph::{Graph, Node, Resolution};
use super::key::shown;
use super::stored::{MERGED, Stored};

const BATCH_ROWS: usize = 65_536;

/// A row of `identities`.
struct Row {
    id_type: String,
    id_value: String,
    person: i64,
    first_seen_us: Option<i64>,
    last_seen_us: i64,
    source: Option<String>,
}

/// The rows to write to `identities`: new identifiers, those not seen for a day, and merges. Made batch by batch.
pub fn identity_rows(
    schema: &SchemaRef,
    graph: &Graph,
    resolution: &Resolution,
    stored: &Stored,
    source: &str,
    now_us: i64,
) -> Result<Vec<RecordBatch>, IngestError> {
    let seen = (0..graph.len() as Node).filter_map(|node| {
        let person = resolution.persons[node as usize]?;
        let (id_type, hash) = graph.identifier(node);
        let known = stored.entry(hash);
        if known.is_some_and(|entry| !entry.is_stale(now_us)) {
            return None;
        }
        let first_source = known.map_or(Some(source), |entry| stored.source(entry));
        Some(Row {
            id_type: id_type.to_owned(),
            id_value: shown(hash),
            person,
            first_seen_us: known.map_or(Some(now_us), |entry| entry.first_seen_us),
            last_seen_us: now_us,
            source: first_source.map(str::to_owned),
        })
    });
    let merged = resolution.merges.iter().map(|(old, survivor)| Row {
        id_type: MERGED.to_owned(),
        id_value: old.to_string(),
        person: *survivor,
        first_seen_us: Some(now_us),
        last_seen_us: now_us,
        source: Some(source.to_owned()),
    });
    let mut rows = seen.chain(merged).peekable();
    let mut batches = Vec::new();
    while rows.peek().is_some() {
        let part: Vec<Row> = rows.by_ref().take(BATCH_ROWS).collect();
        batches.push(batch(schema, &part)?);
    }
    Ok(batches)
}

/// Rows of a type that stands for no identifier, one of each person.
pub fn identity_rows_of(
    schema: &SchemaRef,
    id_type: &str,
    persons: &BTreeSet<i64>,
    now_us: i64,
) -> Result<RecordBatch, IngestError> {
    let row = |person: &i64| Row {
        id_type: id_type.to_owned(),
        id_value: person.to_string(),
        person: *person,
        first_seen_us: Some(now_us),
        last_seen_us: now_us,
        source: None,
    };
    batch(schema, &persons.iter().map(row).collect::<Vec<_>>())
}

/// The rows to write to `henna.identity_conflicts`.
pub fn conflict_rows(
    schema: &SchemaRef,
    graph: &Graph,
    resolution: &Resolution,
    now_us: i64,
) -> Result<Option<RecordBatch>, IngestError> {
    if resolution.conflicts.is_empty() {
        return Ok(None);
    }
    let conflicts = &resolution.conflicts;
    let types = conflicts.iter().map(|(node, _)| Some(graph.identifier(*node).0));
    let values = conflicts.iter().map(|(node, _)| Some(shown(graph.identifier(*node).1)));
    let others = conflicts.iter().map(|(_, others)| Some(*others as i64));
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(types.collect::<StringArray>()),
        Arc::new(values.collect::<StringArray>()),
        Arc::new(others.collect::<Int64Array>()),
        Arc::new(TimestampMicrosecondArray::from_value(now_us, conflicts.len()).with_timezone("UTC")),
    ];
    Ok(Some(RecordBatch::try_new(Arc::clone(schema), arrays)?))
}

/// By name: a dataset may give `identities` further columns, which stay NULL.
fn batch(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch, IngestError> {
    let texts =
        |value: fn(&Row) -> Option<&str>| -> ArrayRef { Arc::new(rows.iter().map(value).collect::<StringArray>()) };
    let times = |value: fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let column = |name: &str| match name {
        "id_type" => Some(texts(|row| Some(&row.id_type))),
        "id_value" => Some(texts(|row| Some(&row.id_value))),
        "one_id" => Some(Arc::new(rows.iter().map(|row| row.person).collect::<Int64Array>()) as ArrayRef),
        "first_seen" => Some(times(|row| row.first_seen_us)),
        "last_seen" => Some(times(|row| Some(row.last_seen_us))),
        "source" => Some(texts(|row| row.source.as_deref())),
        _ => None,
    };
    let arrays = schema
        .fields()
        .iter()
        .map(|field| column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), rows.len())));
    Ok(RecordBatch::try_new(Arc::clone(schema), arrays.collect())?)
}
