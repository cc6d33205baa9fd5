//! What a load taught about persons, as rows of `identities` and `henna.identity_conflicts`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::super::error::IngestError;
use super::graph::{Graph, Node, Resolution};
use super::key::shown;
use super::resolve::Resolved;
use super::stored::{Entry, MERGED, Stored};

const BATCH_ROWS: usize = 16_384;

/// The order in which new identifiers come.
pub const SORTED_BY: [&str; 2] = ["id_type", "id_value"];

/// A row of `identities`.
struct Row<'a> {
    id_type: &'a str,
    id_value: String,
    person: i64,
    first_seen_us: Option<i64>,
    last_seen_us: i64,
    source: Option<&'a str>,
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
        let mut nodes: Vec<Node> = self.nodes().filter(|node| self.is_new(*node)).collect();
        nodes.sort_unstable_by_key(|node| self.graph.identifier(*node));
        self.rows(schema, nodes, &[])
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
            id_type,
            id_value: shown(hash),
            person,
            first_seen_us: known.map_or(Some(self.now_us), |entry| entry.first_seen_us),
            last_seen_us: self.now_us,
            source: known.map_or(Some(self.source.as_str()), |entry| self.stored.source(entry)),
        }
    }

    fn merge(&self, (old, survivor): (i64, i64)) -> Row<'_> {
        Row {
            id_type: MERGED,
            id_value: old.to_string(),
            person: survivor,
            first_seen_us: Some(self.now_us),
            last_seen_us: self.now_us,
            source: Some(&self.source),
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
        id_type,
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
fn batch(schema: &SchemaRef, rows: &[Row<'_>]) -> Result<RecordBatch, IngestError> {
    let texts = |value: for<'a> fn(&'a Row<'a>) -> Option<&'a str>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    };
    let times = |value: fn(&Row<'_>) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let column = |name: &str| match name {
        "id_type" => Some(texts(|row| Some(row.id_type))),
        "id_value" => Some(texts(|row| Some(&row.id_value))),
        "one_id" => Some(Arc::new(rows.iter().map(|row| row.person).collect::<Int64Array>()) as ArrayRef),
        "first_seen" => Some(times(|row| row.first_seen_us)),
        "last_seen" => Some(times(|row| Some(row.last_seen_us))),
        "source" => Some(texts(|row| row.source)),
        _ => None,
    };
    let arrays = schema
        .fields()
        .iter()
        .map(|field| column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), rows.len())));
    Ok(RecordBatch::try_new(Arc::clone(schema), arrays.collect())?)
}
