//! One durable commit for the small statements that add rows to a table at the same moment.
//!
//! While a commit is under way the statements that come wait, and share the next one. The rows of each were checked, and its
//! user's policies asked, before it waits. Keys are refused as if the statements came one after the other: where one is taken,
//! the group is halved until the statement is found that brought it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use tokio::sync::oneshot;

use crate::error::{Error, Reason, Result};
use crate::lake::{Store, TableName, WriteRequest};
use crate::query::names::lock;

/// Rows of one statement that wait for a commit with others; of more it makes its own, and holds none of them.
pub const BYTES_MAX: usize = 1 << 20;
/// Of one commit.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// The statements that wait, by table. A table is there while someone commits for it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    waiting: Arc<Mutex<HashMap<TableName, Vec<Waiting>>>>,
}

/// A statement that waits.
#[derive(Debug)]
struct Waiting {
    schema: SchemaRef,
    rows: Vec<RecordBatch>,
    bytes: usize,
    done: oneshot::Sender<Result<u64>>,
}

impl Groups {
    /// Adds the rows of one statement to a table, all or none; gives their number once they are durable. A key that is taken is
    /// [`Reason::Unique`]. Dropped before its commit begins, it adds nothing. Runs on a runtime that outlives the caller.
    pub async fn add(&self, store: &Store, table: &TableName, rows: Vec<RecordBatch>, bytes: usize) -> Result<u64> {
        let Some(first) = rows.first() else { return Ok(0) };
        let (done, answered) = oneshot::channel();
        let schema = first.schema();
        let waiting = Waiting { schema, rows, bytes, done };
        let leads = {
            let mut tables = lock(&self.waiting);
            let leads = !tables.contains_key(table);
            tables.entry(table.clone()).or_default().push(waiting);
            leads
        };
        if leads {
            let lead = Lead { groups: self.clone(), store: store.clone(), table: table.clone(), ended: false };
            // Others count on it, whatever becomes of this statement.
            tokio::spawn(lead.commit());
        }
        let ended = |_| Error::new(Reason::Internal, "the commit of a group of statements ended early");
        answered.await.map_err(ended)?
    }
}

/// Commits for a table until nothing waits for it.
struct Lead {
    groups: Groups,
    store: Store,
    table: TableName,
    ended: bool,
}

impl Drop for Lead {
    fn drop(&mut self) {
        // Cut off, it leaves nobody to answer those who came meanwhile: they are told by the end of their channel. Once it has ended,
        // what waits for the table has another lead.
        if !self.ended {
            lock(&self.groups.waiting).remove(&self.table);
        }
    }
}

impl Lead {
    async fn commit(mut self) {
        while let Some(group) = self.next() {
            let mut groups = vec![group];
            while let Some(mut group) = groups.pop() {
                // Whoever waited may have gone.
                group.retain(|statement| !statement.done.is_closed());
                match self.write(&group).await {
                    Err(error) if error.reason() == Reason::Unique && group.len() > 1 => {
                        groups.push(group.split_off(group.len() / 2));
                        groups.push(group);
                    }
                    outcome => group.into_iter().for_each(|statement| statement.answer(&outcome)),
                }
            }
        }
    }

    /// Those that came first, of one shape; `None` where nothing waits, and then the next to come leads.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut tables = lock(&self.groups.waiting);
        let waiting = tables.get_mut(&self.table)?;
        let Some(first) = waiting.first() else {
            tables.remove(&self.table);
            self.ended = true;
            return None;
        };
        let (shape, mut bytes) = (Arc::clone(&first.schema), 0);
        let mut fits = |statement: &Waiting| {
            bytes += statement.bytes;
            bytes <= GROUP_BYTES_MAX && statement.schema == shape
        };
        let count = waiting.iter().take_while(|statement| fits(statement)).count().max(1);
        Some(waiting.drain(..count).collect())
    }

    async fn write(&self, group: &[Waiting]) -> Result<()> {
        let Some(first) = group.first() else { return Ok(()) };
        let rows: Vec<_> = group.iter().flat_map(|statement| statement.rows.iter().cloned().map(Ok)).collect();
        let rows = RecordBatchStreamAdapter::new(Arc::clone(&first.schema), futures::stream::iter(rows));
        let load_id = format!("sql-{}", uuid::Uuid::new_v4().simple());
        let request = WriteRequest { load_id, rows: Box::pin(rows), notes: BTreeMap::new() };
        self.store.insert(&self.table, request).await.map(|_| ())
    }
}

impl Waiting {
    fn answer(self, outcome: &Result<()>) {
        let rows = || self.rows.iter().map(|batch| batch.num_rows() as u64).sum();
        let outcome = outcome.as_ref().map(|()| rows()).map_err(|error| {
            let told = Error::new(error.reason(), error.to_string());
            match error.hint() {
                Some(hint) => told.with_hint(hint),
                None => told,
            }
        });
        // It may have gone while the commit was made.
        let _ = self.done.send(outcome);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use datafusion::prelude::SessionContext;
    use futures::future::join_all;

    use super::*;
    use crate::lake::TableSpec;

    fn batch(values: &[i64]) -> RecordBatch {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(values.to_vec()))]).unwrap()
    }

    async fn table(key: &[&str]) -> (Store, TableName) {
        let (store, name) = (Store::create("memory://").await.unwrap(), TableName::new("public", "numbers"));
        let mut spec = TableSpec::plain(&batch(&[]).schema());
        spec.key = key.iter().map(|name| (*name).to_owned()).collect();
        store.create_table(&name, &spec).await.unwrap();
        (store, name)
    }

    async fn values(store: &Store, name: &TableName) -> Vec<i64> {
        let context = SessionContext::new();
        store.register(&context.runtime_env()).unwrap();
        let snapshot = store.snapshot(name).await.unwrap();
        let shape = Arc::clone(&snapshot.schema);
        let frame = context.read_table(snapshot.provider(shape, None)).unwrap();
        let batches = frame.collect().await.unwrap();
        let mut values: Vec<i64> =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        values.sort_unstable();
        values
    }

    #[tokio::test]
    async fn statements_that_come_at_once_share_a_commit() {
        let (store, name) = table(&[]).await;
        let groups = Groups::default();
        let adding = (0..40).map(|n| {
            let (groups, store, name) = (groups.clone(), store.clone(), name.clone());
            async move { groups.add(&store, &name, vec![batch(&[n, n])], 16).await.unwrap() }
        });
        assert_eq!(join_all(adding).await, [2; 40]);
        assert_eq!(values(&store, &name).await, (0..40).flat_map(|n| [n, n]).collect::<Vec<_>>());
        assert!(store.snapshot(&name).await.unwrap().version <= 3, "{}", store.snapshot(&name).await.unwrap().version);
        assert_eq!(groups.add(&store, &name, Vec::new(), 0).await.unwrap(), 0);
        assert!(lock(&groups.waiting).is_empty());
    }

    /// Of the statements that bring a key one comes in, and a statement whose second row is taken brings not even its first.
    #[tokio::test]
    async fn a_taken_key_refuses_its_own_statement_alone() {
        let (store, name) = table(&["n"]).await;
        let groups = Groups::default();
        assert_eq!(groups.add(&store, &name, vec![batch(&[100])], 8).await.unwrap(), 1);
        let statements = [vec![1], vec![2, 100], vec![3], vec![1], vec![5, 5], vec![6, 7], vec![7, 8], vec![9]];
        let outcomes = join_all(statements.iter().map(|rows| groups.add(&store, &name, vec![batch(rows)], 8))).await;
        let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.map_err(|error| error.reason())).collect();
        let taken = Err(Reason::Unique);
        assert_eq!(outcomes, [Ok(1), taken, Ok(1), taken, taken, Ok(2), taken, Ok(1)]);
        assert_eq!(values(&store, &name).await, [1, 3, 6, 7, 9, 100]);
    }

    #[tokio::test]
    async fn a_statement_that_is_given_up_while_it_waits_adds_nothing() {
        let (store, name) = table(&[]).await;
        let groups = Groups::default();
        let given_up = groups.add(&store, &name, vec![batch(&[1])], 8);
        // The commit has not begun when the statement goes.
        assert!(futures::FutureExt::now_or_never(given_up).is_none());
        assert_eq!(groups.add(&store, &name, vec![batch(&[2])], 8).await.unwrap(), 1);
        assert_eq!(values(&store, &name).await, [2]);
    }

    #[tokio::test]
    async fn an_error_of_the_table_is_told_to_all_and_the_next_are_served() {
        let (store, name) = table(&[]).await;
        let groups = Groups::default();
        let absent = TableName::new("public", "absent");
        let outcomes = join_all([1, 2].map(|n| groups.add(&store, &absent, vec![batch(&[n])], 8))).await;
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().reason() == Reason::UndefinedTable));
        assert_eq!(groups.add(&store, &name, vec![batch(&[2])], 8).await.unwrap(), 1);
        assert!(lock(&groups.waiting).is_empty());
    }
}
