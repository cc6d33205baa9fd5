//! What a load taught about persons, as rows of `identities` and `henna.identity_conflicts`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::super::error::IngestError;
use super::graph::{Graph, Node, Resolution};
use super::key::{Hashed, shown};
use super::resolve::Resolved;
use super::stored::{Entry, MERGED, Stored};

const BATCH_ROWS: usize = 16_384;

/// The order in which new identifiers come.
pub const SORTED_BY: [&str; 2] = ["id_type", "id_value"];

/// A row of `identities`, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    pub id_type: Cow<'a, str>,
    pub id_value: String,
    pub person: i64,
    pub first_seen_us: Option<i64>,
    pub last_seen_us: Option<i64>,
    pub source: Option<Cow<'a, str>>,
}

/// So many identities are written anew, where it must be, whatever a load's share of them is.
const RENEWED_ALWAYS: u64 = 1_000_000;
/// Of more than these, one in so many must have been seen for `last_seen` to be worth writing their files anew.
const RENEWED_SHARE: u64 = 100;

/// What a load taught, and what was known before.
pub struct Lesson {
    pub graph: Graph,
    pub resolution: Resolution,
    pub stored: Stored,
    source: String,
    now_us: i64,
    /// Whether `last_seen` of what is known is brought up to date: a small load of a large lake lets it lag.
    renews: bool,
}

impl Lesson {
    /// `stored_rows` is how many `identities` has in all.
    pub fn new(resolved: Resolved, stored: Stored, stored_rows: u64, source: &str, now_us: i64) -> Self {
        let Resolved { graph, resolution, .. } = resolved;
        let mut lesson = Self { graph, resolution, stored, source: source.to_owned(), now_us, renews: true };
        lesson.renews = stored_rows <= RENEWED_ALWAYS
            || lesson.nodes().filter(|node| lesson.is_stale(*node)).count() as u64 >= stored_rows / RENEWED_SHARE;
        lesson
    }

    /// Whether there are identifiers that `identities` does not hold.
    pub fn adds(&self) -> bool {
        self.nodes().any(|node| self.is_new(node))
    }

    /// Whether rows of `identities` change, or merges come.
    pub fn changes(&self) -> bool {
        !self.resolution.merges.is_empty() || self.nodes().any(|node| self.is_renewed(node))
    }

    /// Rows of identifiers that `identities` does not hold, in order of [`SORTED_BY`].
    pub fn new_rows(self: &Arc<Self>, schema: &SchemaRef) -> SendableRecordBatchStream {
        let mut by_type: BTreeMap<&str, Vec<(Hashed, Node)>> = BTreeMap::new();
        for node in self.nodes().filter(|node| self.is_new(*node)) {
            let (id_type, hash) = self.graph.identifier(node);
            by_type.entry(id_type).or_default().push((hash, node));
        }
        by_type.values_mut().for_each(|nodes| nodes.sort_unstable());
        self.rows(schema, by_type.into_values().flatten().map(|(_, node)| node).collect(), &[])
    }

    /// Rows of identifiers that were not seen for a day, and of merges.
    pub fn changed_rows(self: &Arc<Self>, schema: &SchemaRef) -> SendableRecordBatchStream {
        let nodes = self.nodes().filter(|node| self.is_renewed(*node)).collect();
        self.rows(schema, nodes, &self.resolution.merges)
    }

    /// What reading the tables again would give, once the rows are in them.
    pub fn learned(self) -> Stored {
        let Self { graph, resolution, mut stored, source, now_us, renews } = self;
        stored.extend((&graph, &resolution), &source, now_us, renews);
        stored
    }

    /// Those that have a person.
    fn nodes(&self) -> impl Iterator<Item = Node> {
        let persons = self.resolution.persons.iter();
        (0..).zip(persons).filter_map(|(node, person)| person.map(|_| node))
    }

    fn known(&self, node: Node) -> Option<&Entry> {
        self.stored.entry(self.graph.identifier(node).1)
    }

    fn is_new(&self, node: Node) -> bool {
        self.known(node).is_none()
    }

    fn is_stale(&self, node: Node) -> bool {
        self.known(node).is_some_and(|entry| entry.is_stale(self.now_us))
    }

    fn is_renewed(&self, node: Node) -> bool {
        self.renews && self.is_stale(node)
    }

    fn row(&self, node: Node, person: i64) -> Row<'_> {
        let (id_type, hash) = self.graph.identifier(node);
        let known = self.stored.entry(hash);
        Row {
            id_type: id_type.into(),
            id_value: shown(hash),
            // The number that it has before all merges stays, so that a merge can be undone.
            person: self.stored.given(hash).unwrap_or(person),
            first_seen_us: known.map_or(Some(self.now_us), |entry| entry.first_seen_us),
            last_seen_us: Some(self.now_us),
            source: known.map_or(Some(self.source.as_str()), |entry| self.stored.source(entry)).map(Cow::from),
        }
    }

    fn merge(&self, (old, survivor): (i64, i64)) -> Row<'_> {
        Row {
            id_type: MERGED.into(),
            id_value: old.to_string(),
            person: survivor,
            first_seen_us: Some(self.now_us),
            last_seen_us: Some(self.now_us),
            source: Some(self.source.as_str().into()),
        }
    }

    /// Made batch by batch, as they are asked for.
    fn rows(
        self: &Arc<Self>,
        schema: &SchemaRef,
        nodes: Vec<Node>,
        merges: &[(i64, i64)],
    ) -> SendableRecordBatchStream {
        let (lesson, shape, merges) = (Arc::clone(self), Arc::clone(schema), merges.to_vec());
        let mut begin = 0;
        let batches = std::iter::from_fn(move || {
            let of_node = |node: &Node| Some(lesson.row(*node, lesson.resolution.persons[*node as usize]?));
            let of_merge = |merge: &(i64, i64)| Some(lesson.merge(*merge));
            let rows = nodes[begin.min(nodes.len())..].iter().map(of_node);
            let merged = merges[begin.saturating_sub(nodes.len())..].iter().map(of_merge);
            let rows: Vec<Row<'_>> = rows.chain(merged).take(BATCH_ROWS).flatten().collect();
            begin = (begin + BATCH_ROWS).min(nodes.len() + merges.len());
            let failed = |error| DataFusionError::External(Box::new(crate::Error::from(error)));
            (!rows.is_empty()).then(|| batch(&shape, &rows).map_err(failed))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), futures::stream::iter(batches)))
    }
}

/// Rows of a type that stands for no identifier, one of each person.
pub fn identity_rows_of(
    schema: &SchemaRef,
    id_type: &str,
    persons: &BTreeSet<i64>,
    now_us: i64,
) -> Result<RecordBatch, IngestError> {
    let row = |person: &i64| Row {
        id_type: id_type.into(),
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
pub fn batch(schema: &SchemaRef, rows: &[Row<'_>]) -> Result<RecordBatch, IngestError> {
    let texts = |value: for<'a> fn(&'a Row<'a>) -> Option<&'a str>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    };
    let times = |value: fn(&Row<'_>) -> Option<i64>| -> ArrayRef {
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
    use futures::{StreamExt, TryStreamExt};

    use super::*;

    /// The rows of (type, value), over what is stored.
    fn lesson(rows: &[(&str, u128)], stored: Stored) -> Arc<Lesson> {
        let (mut graph, mut nodes) = (Graph::new(20), Vec::new());
        let identifiers: Vec<_> = rows.iter().map(|(id_type, hash)| (graph.id_type(id_type), *hash)).collect();
        graph.nodes(&identifiers, &mut nodes);
        graph.occur(&nodes);
        let resolution = graph.resolve(&stored);
        Arc::new(Lesson { graph, resolution, stored, source: "orders".to_owned(), now_us: 0, renews: true })
    }

    /// `one_id` of the new rows, then of those that change.
    async fn numbers(lesson: &Arc<Lesson>) -> Vec<i64> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("id_value", DataType::Utf8, false),
            Field::new("one_id", DataType::Int64, false),
        ]));
        let batches = lesson.new_rows(&schema).chain(lesson.changed_rows(&schema));
        let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
        batches.iter().flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    /// Were it written under the survivor, the merge could never be undone.
    #[tokio::test]
    async fn an_identifier_that_is_renewed_keeps_the_number_before_its_merge() {
        let mut stored = Stored::default();
        stored.learn("phone", 1, 3);
        stored.learn("member", 2, 8);
        let first = lesson(&[("phone", 1), ("member", 2), ("member", 9)], stored);
        // The new one, the two that are renewed, the merge.
        assert_eq!(numbers(&first).await, [3, 3, 8, 3]);
        let mut stored = Arc::into_inner(first).unwrap().learned();
        assert_eq!((stored.person(2), stored.given(2)), (Some(3), Some(8)));
        stored.learn("member", 2, 8);
        let again = lesson(&[("member", 2)], stored);
        assert_eq!(numbers(&again).await, [8]);
    }

    #[tokio::test]
    async fn new_identifiers_come_in_the_order_of_their_table() {
        let rows: Vec<(&str, u128)> =
            (0..40_000).map(|nth| (["phone", "member"][nth % 2], (nth as u128 * 7_919 % 40_009) << 64)).collect();
        let mut stored = Stored::default();
        stored.learn("phone", rows[0].1, 1);
        // Each is a person of its own.
        let (mut graph, mut nodes) = (Graph::new(20), Vec::new());
        let identifiers: Vec<_> = rows.iter().map(|(id_type, hash)| (graph.id_type(id_type), *hash)).collect();
        graph.nodes(&identifiers, &mut nodes);
        let resolution = graph.resolve(&stored);
        let lesson = Arc::new(Lesson { graph, resolution, stored, source: String::new(), now_us: 0, renews: true });
        let schema = Arc::new(Schema::new(vec![
            Field::new("id_type", DataType::Utf8, false),
            Field::new("id_value", DataType::Utf8, false),
        ]));
        let batches: Vec<RecordBatch> = lesson.new_rows(&schema).try_collect().await.unwrap();
        let cells = |batch: &RecordBatch, row: usize| {
            let text = |column: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
            (text(0), text(1))
        };
        let found: Vec<(String, String)> =
            batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| cells(batch, row))).collect();
        let mut expected: Vec<(String, String)> =
            rows[1..].iter().map(|(id_type, hash)| ((*id_type).to_owned(), shown(*hash))).collect();
        expected.sort();
        assert_eq!(found, expected);
    }
}
