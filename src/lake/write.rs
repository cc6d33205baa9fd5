//! A write: rows in, one durable commit out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::DeltaTableError;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::StreamExt;

use super::arrange::{Arranged, write_in_order};
use super::data_file::{Layout, Written};
use super::error::LakeError;
use super::parts::{Part, noted};
use super::snapshot::Snapshot;
use super::store::Store;
use super::stored::conformed;
use super::table::{PartitionSpec, TableName};
use crate::error::Result;

/// How often a write is done over because another process committed first.
pub(super) const ATTEMPTS_MAX: usize = 8;

/// Rows to add, and the identity of the load that brings them.
pub struct WriteRequest {
    /// The same id never writes twice. Stands in the log in plain text. Empty for a write that nobody will repeat.
    pub load_id: String,
    /// Rows in the table's stored schema ([`TableSpec::schema`](super::TableSpec::schema)), in any order, of any number.
    pub rows: SendableRecordBatchStream,
    /// Kept in the commit, in plain text, for whoever reads the log.
    pub notes: BTreeMap<String, String>,
}

/// What a write did. `rows_added + rows_updated + rows_duplicate + rows_stale` is the number of rows that came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The table's version after it.
    pub version: u64,
    /// The load id was committed before: nothing was written, and all counts are zero.
    pub repeated: bool,
    /// Rows whose key is new.
    pub rows_added: u64,
    /// Rows that took the place of a stored row.
    pub rows_updated: u64,
    /// Rows equal to a stored row, or beaten by another row of the same load.
    pub rows_duplicate: u64,
    /// Rows older than the stored row of their key.
    pub rows_stale: u64,
    /// Stored rows that [`Store::delete_rows`] took away.
    pub rows_removed: u64,
    /// Files written, and their bytes.
    pub files: u64,
    pub bytes: u64,
}

/// What becomes of a row whose key is in the table, or stands twice among the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenKey<'a> {
    /// The newer row stays.
    Supersede,
    /// `beside` is another table of the same columns, whose keys are taken, too.
    Refuse { beside: Option<&'a TableName> },
    /// Whoever brings the rows knows that no stored row has their keys, and that each stands once, so none is looked at.
    Absent { sorted_by: &'a [&'a str] },
}

/// What became of an attempt to commit.
pub(super) enum Outcome {
    Committed(u64),
    /// Another commit came first; nothing is written to the log.
    Overtaken,
}

impl Store {
    /// Adds rows in one durable commit; see the module for keys and repeats. Waits for other writers, with a limit.
    ///
    /// After an error the table is as before or holds the whole load; repeating the load with the same id settles it.
    pub async fn write(&self, name: &TableName, request: WriteRequest) -> Result<Commit> {
        Ok(self.write_rows(name, request, TakenKey::Supersede, None).await?)
    }

    /// Writes rows that were worked out from version `seen` of the table: as [`Store::write`] where that is still the newest
    /// one, else nothing is written.
    pub async fn write_onto(&self, name: &TableName, seen: u64, request: WriteRequest) -> Result<Commit> {
        Ok(self.write_rows(name, request, TakenKey::Supersede, Some(seen)).await?)
    }

    /// As [`Store::write_onto`], for rows whose keys are known to be absent from version `seen`, and stand once among them: no
    /// key is looked at. They come in order of `sorted_by`.
    pub async fn add_onto(
        &self,
        name: &TableName,
        seen: u64,
        request: WriteRequest,
        sorted_by: &[&str],
    ) -> Result<Commit> {
        Ok(self.write_rows(name, request, TakenKey::Absent { sorted_by }, Some(seen)).await?)
    }

    /// As [`Store::write`], for rows whose keys must be new: one that is taken, or stands twice among them, is an error,
    /// and the table stays as it was.
    pub async fn insert(&self, name: &TableName, request: WriteRequest) -> Result<Commit> {
        Ok(self.write_rows(name, request, TakenKey::Refuse { beside: None }, None).await?)
    }

    /// As [`Store::insert`], for rows that are to come into `beside` later on: its keys are taken, too.
    pub async fn insert_beside(&self, name: &TableName, beside: &TableName, request: WriteRequest) -> Result<Commit> {
        Ok(self.write_rows(name, request, TakenKey::Refuse { beside: Some(beside) }, None).await?)
    }

    async fn write_rows(
        &self,
        name: &TableName,
        request: WriteRequest,
        taken: TakenKey<'_>,
        onto: Option<u64>,
    ) -> Result<Commit, LakeError> {
        let WriteRequest { load_id, rows, notes } = request;
        let snapshot = self.newest(name).await?;
        let load = Load { load_id: &load_id, notes: &notes, operation: appending(&snapshot), onto, parts: &[] };
        if self.has(&load, &snapshot).await? {
            return Ok(Commit { version: snapshot.version, repeated: true, ..Commit::default() });
        }
        let rows = fitted(name, &snapshot, rows)?;
        let layout = Layout::new(self.object_store(), name, &snapshot.spec)?;
        match taken {
            TakenKey::Absent { sorted_by } => self.append(name, &layout, rows, sorted_by, &load).await,
            _ if layout.spec.key.is_empty() => self.append(name, &layout, rows, &[], &load).await,
            _ => Ok(self.upsert(name, &layout, rows, &load, taken).await?.0),
        }
    }

    /// A table without a key only grows, so its files may be written before its turn to commit comes. Rows that come in the
    /// order of its files are not sorted.
    pub(super) async fn append(
        &self,
        name: &TableName,
        layout: &Layout,
        rows: SendableRecordBatchStream,
        sorted_by: &[&str],
        load: &Load<'_>,
    ) -> Result<Commit, LakeError> {
        let files = if layout.spec.partition.is_none() && !sorted_by.is_empty() && layout.spec.order() == sorted_by {
            write_in_order(rows, layout).await?
        } else {
            Arranged::take(rows, &layout.spec, self.writing()).await?.write(layout, None).await?
        };
        let _turn = self.locks().hold(name).await?;
        for _ in 0..ATTEMPTS_MAX {
            let snapshot = self.newest(name).await?;
            if self.has(load, &snapshot).await? {
                return Ok(Commit { version: snapshot.version, repeated: true, ..Commit::default() });
            }
            load.ensure_unmoved(&snapshot)?;
            ensure_unaltered(&snapshot, layout)?;
            let actions = files.iter().map(|file| Action::Add(layout.add(file, true))).collect();
            if let Outcome::Committed(version) = self.commit(&snapshot, actions, load, &[]).await? {
                let rows_added = files.iter().map(|file| file.rows).sum();
                return Ok(sized(Commit { version, rows_added, ..Commit::default() }, &files));
            }
        }
        Err(LakeError::Contended { table: name.to_string(), attempts: ATTEMPTS_MAX })
    }

    /// Whether a version holds the load. Of parts that is asked before, of each.
    pub(super) async fn has(&self, load: &Load<'_>, snapshot: &Snapshot) -> Result<bool, LakeError> {
        let asks = load.parts.is_empty() && !load.load_id.is_empty();
        Ok(asks && self.loaded_at(snapshot, load.load_id).await?.is_some())
    }

    /// Puts the actions into the log as the version after `snapshot`.
    pub(super) async fn commit(
        &self,
        snapshot: &Arc<Snapshot>,
        actions: Vec<Action>,
        load: &Load<'_>,
        done: &[Commit],
    ) -> Result<Outcome, LakeError> {
        let now = chrono::Utc::now().timestamp_millis();
        let engine = format!("henna {}", env!("CARGO_PKG_VERSION"));
        let mut metadata = vec![
            ("engine".to_owned(), engine.into()),
            ("loadId".to_owned(), load.load_id.into()),
            ("notes".to_owned(), serde_json::json!(load.notes)),
        ];
        metadata.extend(noted(load.parts, done));
        let properties = CommitProperties::default()
            .with_max_retries(0)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false))
            .with_metadata(metadata)
            .with_application_transactions(load.transactions(snapshot.version + 1, now));
        let prepared = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(&snapshot.state), Arc::clone(&snapshot.log), load.operation.clone())
            .into_prepared_commit_future()
            .await?;
        // The commit's own follow-up (checkpoint, reading the table anew) is left undone: it may fail, the commit stands.
        match prepared.await {
            Ok(committed) => {
                self.committed(&snapshot.name, committed.version);
                Ok(Outcome::Committed(committed.version))
            }
            Err(DeltaTableError::VersionAlreadyExists(_)) => Ok(Outcome::Overtaken),
            Err(DeltaTableError::Transaction {
                source: TransactionError::MaxCommitAttempts(_) | TransactionError::CommitConflict(_),
            }) => Ok(Outcome::Overtaken),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a commit says of itself.
pub(super) struct Load<'a> {
    pub load_id: &'a str,
    pub notes: &'a BTreeMap<String, String>,
    pub operation: DeltaOperation,
    /// The one version that it may follow; `None` is any.
    pub onto: Option<u64>,
    /// The loads that it consists of; none where it is one by itself.
    pub parts: &'a [Part],
}

impl Load<'_> {
    /// What makes a repeat known: the id of the load, or of each part that may be repeated, and where it was committed.
    fn transactions(&self, version: u64, now: i64) -> Vec<Transaction> {
        let ids: Vec<&str> = match self.parts {
            [] => vec![self.load_id].into_iter().filter(|id| !id.is_empty()).collect(),
            parts => parts.iter().filter_map(|part| part.load_id.as_deref()).collect(),
        };
        let transaction = |id: &str| Transaction::new_with_last_update(id, version.cast_signed(), Some(now));
        ids.into_iter().map(transaction).collect()
    }

    pub fn ensure_unmoved(&self, snapshot: &Snapshot) -> Result<(), LakeError> {
        match self.onto {
            Some(seen) if seen != snapshot.version => {
                Err(LakeError::Moved { table: snapshot.name.to_string(), seen, found: snapshot.version })
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn appending(snapshot: &Snapshot) -> DeltaOperation {
    let partition_by = snapshot.spec.partition.iter().map(|by: &PartitionSpec| by.column().to_owned()).collect();
    DeltaOperation::Write { mode: SaveMode::Append, partition_by: Some(partition_by), predicate: None }
}

pub(super) fn sized(commit: Commit, files: &[Written]) -> Commit {
    Commit { files: files.len() as u64, bytes: files.iter().map(|file| file.bytes).sum(), ..commit }
}

/// The rows in the table's columns. Columns that the table has gained since the rows were made are null in them.
pub(super) fn fitted(
    name: &TableName,
    snapshot: &Snapshot,
    rows: SendableRecordBatchStream,
) -> Result<SendableRecordBatchStream, LakeError> {
    let (wanted, given) = (&snapshot.schema, rows.schema());
    let mismatch = |difference: String| Err(LakeError::RowsMismatch { table: name.to_string(), difference });
    for field in given.fields() {
        match wanted.field_with_name(field.name()) {
            Ok(wanted) if wanted.data_type() == field.data_type() => {}
            Ok(wanted) => {
                let (found, wanted) = (field.data_type(), wanted.data_type());
                return mismatch(format!("column \"{}\" is {found}, not {wanted}", field.name()));
            }
            Err(_) => return mismatch(format!("the table has no column \"{}\"", field.name())),
        }
    }
    let absent = |field: &FieldRef| given.index_of(field.name()).is_err();
    if let Some(field) = wanted.fields().iter().find(|field| absent(field) && !field.is_nullable()) {
        return mismatch(format!("column \"{}\" is absent", field.name()));
    }
    let names = |schema: &SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    if names(wanted) == names(&given) {
        return Ok(rows);
    }
    let schema = Arc::clone(wanted);
    let fitted = rows.map(move |batch| conformed(&batch?, &schema).map_err(|error| outward(error.into())));
    Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(wanted), fitted)))
}

fn outward(error: crate::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// An error where the table was altered after the rows were laid out.
pub(super) fn ensure_unaltered(snapshot: &Snapshot, layout: &Layout) -> Result<(), LakeError> {
    if snapshot.spec == layout.spec { Ok(()) } else { Err(LakeError::Altered { table: snapshot.name.to_string() }) }
}
