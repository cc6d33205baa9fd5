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

/// A row of `identities`, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id_type: String,
    pub id_value: String,
    pub person: i64,
    pub first_seen_us: Option<i64>,
    pub last_seen_us: Option<i64>,
    pub source: Option<String>,
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
        // The number that it has before all merges stays, so that a merge can be undone.
        person: stored.given(hash).unwrap_or(person),
        first_seen_us: known.map_or(Some(now_us), |entry| entry.first_seen_us),
        last_seen_us: Some(now_us),
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
        last_seen_us: Some(now_us),
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
        last_seen_us: Some(now_us),
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
pub fn batch(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch, IngestError> {
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
        "last_seen" => Some(times(|row| row.last_seen_us)),
        "source" => Some(texts(|row| row.source.as_deref())),
        _ => None,
    };
    let arrays = schema
        .fields()
        .iter()
        .map(|field| column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), rows.len())));
    Ok(RecordBatch::try_new(Arc::clone(schema), arrays.collect())?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    /// Were it written under the survivor, the merge could never be undone.
    #[test]
    fn an_identifier_that_is_renewed_keeps_the_number_before_its_merge() {
        let mut stored = Stored::default();
        stored.learn("phone", 1, 3);
        stored.learn("member", 2, 8);
        let mut graph = Graph::new(20);
        let (phone, member) = (graph.id_type("phone"), graph.id_type("member"));
        let row = [graph.node(phone, 1), graph.node(member, 2), graph.node(member, 9)];
        graph.occur(&row);
        let schema = Arc::new(Schema::new(vec![
            Field::new("id_value", DataType::Utf8, false),
            Field::new("one_id", DataType::Int64, false),
        ]));
        let numbers = |stored: &Stored, resolution: &Resolution| -> Vec<i64> {
            let rows = identity_rows(&schema, (&graph, resolution), (stored, 0), "orders", 0).unwrap();
            let batches = rows.new.iter().chain(&rows.changed);
            batches.flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values().to_vec()).collect()
        };
        let resolution = graph.resolve(&stored);
        // The new one, the two that are renewed, the merge.
        assert_eq!(numbers(&stored, &resolution), [3, 3, 8, 3]);
        stored.extend((&graph, &resolution), "orders", 0, false);
        let mut again = Graph::new(20);
        let member = again.id_type("member");
        again.node(member, 2);
        let resolution = again.resolve(&stored);
        assert_eq!((stored.person(2), stored.given(2)), (Some(3), Some(8)));
        let rows = identity_rows(&schema, (&again, &resolution), (&stored, 0), "orders", 0).unwrap();
        assert_eq!(rows.changed[0].column(1).as_primitive::<Int64Type>().values(), &[8]);
    }
}
