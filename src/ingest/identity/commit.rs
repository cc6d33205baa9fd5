//! What a load taught about persons, as rows of `identities` and `henna.identity_conflicts`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::SchemaRef;

use super::super::error::IngestError;
use super::graph::{Graph, Node, Resolution};
use super::key::{Hashed, shown};
use super::stored::{Entry, MERGED, Stored};

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

/// So many identities are written anew, where it must be, whatever a load's share of them is.
const RENEWED_ALWAYS: u64 = 1_000_000;
/// Of more than these, one in so many must have been seen for `last_seen` to be worth writing their files anew.
const RENEWED_SHARE: u64 = 100;

/// The rows to write to `identities`.
pub struct IdentityRows {
    /// Of identifiers that it does not hold.
    pub new: Vec<RecordBatch>,
    /// Merges, and identifiers that were not seen for a day.
    pub changed: Vec<RecordBatch>,
    /// Whether `last_seen` of what is known is brought up to date: a small load of a large lake lets it lag.
    pub renews: bool,
}

/// What a load teaches `identities`, which have `stored_rows` rows.
pub fn identity_rows(
    schema: &SchemaRef,
    (graph, resolution): (&Graph, &Resolution),
    (stored, stored_rows): (&Stored, u64),
    source: &str,
    now_us: i64,
) -> Result<IdentityRows, IngestError> {
    let seen = || {
        (0..graph.identifiers() as Node).filter_map(|node| {
            let person = resolution.persons[node as usize]?;
            let (id_type, hash) = graph.identifier(node);
            Some((id_type, hash, person, stored.entry(hash)))
        })
    };
    let row = |id_type: &str, hash: Hashed, person: i64, known: Option<&Entry>| Row {
        id_type: id_type.to_owned(),
        id_value: shown(hash),
        person,
        first_seen_us: known.map_or(Some(now_us), |entry| entry.first_seen_us),
        last_seen_us: now_us,
        source: known.map_or(Some(source), |entry| stored.source(entry)).map(str::to_owned),
    };
    let new = seen().filter(|(.., known)| known.is_none());
    let new = new.map(|(id_type, hash, person, known)| row(id_type, hash, person, known));
    let stale = || seen().filter(|(.., known)| known.is_some_and(|entry| entry.is_stale(now_us)));
    let renews = stored_rows <= RENEWED_ALWAYS || stale().count() as u64 >= stored_rows / RENEWED_SHARE;
    let renewed = stale().filter(|_| renews);
    let renewed = renewed.map(|(id_type, hash, person, known)| row(id_type, hash, person, known));
    let merged = resolution.merges.iter().map(|(old, survivor)| Row {
        id_type: MERGED.to_owned(),
        id_value: old.to_string(),
        person: *survivor,
        first_seen_us: Some(now_us),
        last_seen_us: now_us,
        source: Some(source.to_owned()),
    });
    Ok(IdentityRows { new: batches(schema, new)?, changed: batches(schema, renewed.chain(merged))?, renews })
}

/// Made batch by batch.
fn batches(schema: &SchemaRef, rows: impl Iterator<Item = Row>) -> Result<Vec<RecordBatch>, IngestError> {
    let mut rows = rows.peekable();
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
