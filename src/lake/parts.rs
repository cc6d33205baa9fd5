//! Several loads in one commit: each keeps its own id and its own counts, and a repeat finds them in the log.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;
use futures::future::BoxFuture;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::data_file::Layout;
use super::error::LakeError;
use super::keys::{Fingerprint, Taken};
use super::snapshot::FileEntry;
use super::store::{Store, commit_path};
use super::stored::{Rows, read};
use super::table::TableName;
use super::upsert::Met;
use super::write::{Commit, Load, TakenKey, appending, fitted};
use crate::error::Result;

/// Where the commit's own account keeps what is said of its parts.
const PARTS: &str = "parts";

/// Asked of rows: an error keeps the load from being committed.
pub type Judge = Arc<dyn Fn(RecordBatch) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Asked of the stored rows whose keys a part has.
#[derive(Clone)]
pub struct Owner {
    /// Of those that its rows would replace.
    pub replaces: Judge,
    /// Of those that stay, because they are the same or newer: whoever learns so much of them must see them.
    pub sees: Judge,
}

/// One of the loads that are committed together.
#[derive(Clone)]
pub struct Part {
    /// The same id never writes twice; `None` is a load that nobody will repeat.
    pub load_id: Option<String>,
    /// How many rows of the stream are its own: those that follow the rows of the parts before it.
    pub rows: u64,
    /// Kept in the commit, in plain text, for a repeat.
    pub note: Value,
    pub owner: Option<Owner>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("load_id", &self.load_id).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// What the log keeps of a part.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    added: u64,
    updated: u64,
    duplicate: u64,
    stale: u64,
    note: Value,
}

/// How an attempt to commit loads together ended.
#[derive(Debug)]
pub enum Together {
    /// What each of them did.
    Committed(Vec<Commit>),
    /// Nothing was written: this part may not replace rows that it would.
    Refused { part: usize, error: crate::Error },
}

impl Store {
    /// Adds the rows of several loads to version `seen` of a table in one durable commit. Nothing is written where the table
    /// has moved on. Whether a part was committed before must have been asked of that version.
    pub async fn write_together(
        &self,
        name: &TableName,
        seen: u64,
        parts: &[Part],
        rows: SendableRecordBatchStream,
    ) -> Result<Together> {
        match self.write_parts(name, seen, parts, rows).await {
            Ok(done) => Ok(Together::Committed(done)),
            Err(LakeError::PartRefused { part, error }) => Ok(Together::Refused { part, error: *error }),
            Err(error) => Err(error.into()),
        }
    }

    async fn write_parts(
        &self,
        name: &TableName,
        seen: u64,
        parts: &[Part],
        rows: SendableRecordBatchStream,
    ) -> Result<Vec<Commit>, LakeError> {
        let snapshot = self.newest(name).await?;
        let rows = fitted(name, &snapshot, rows)?;
        let layout = Layout::new(self.object_store(), name, &snapshot.spec)?;
        let load_id = format!("together:{}", uuid::Uuid::new_v4());
        let (notes, operation) = (BTreeMap::new(), appending(&snapshot));
        let load = Load { load_id: &load_id, notes: &notes, operation, onto: Some(seen), parts };
        let (whole, done) = if layout.spec.key.is_empty() {
            let added = |part: &Part| Commit { rows_added: part.rows, ..Commit::default() };
            (self.append(name, &layout, rows, &[], &load).await?, parts.iter().map(added).collect())
        } else {
            self.upsert(name, &layout, rows, &load, TakenKey::Supersede).await?
        };
        let placed = |part: Commit| Commit { version: whole.version, files: whole.files, bytes: whole.bytes, ..part };
        Ok(done.into_iter().map(placed).collect())
    }

    /// What a load that was a part of a commit did then, and its note; `None` where the table does not hold it.
    pub async fn committed_part(&self, name: &TableName, load_id: &str) -> Result<Option<(Commit, Value)>> {
        Ok(self.kept_part(name, load_id).await?)
    }

    async fn kept_part(&self, name: &TableName, load_id: &str) -> Result<Option<(Commit, Value)>, LakeError> {
        let snapshot = self.newest(name).await?;
        let Some(version) = self.loaded_at(&snapshot, load_id).await?.and_then(|version| u64::try_from(version).ok())
        else {
            return Ok(None);
        };
        let commit = Commit { version, repeated: true, ..Commit::default() };
        let unknown = Some((commit.clone(), Value::Null));
        let text = match self.object_store().get(&commit_path(name, version)).await {
            Ok(found) => found.bytes().await?,
            // An old log may have been cut by another engine: the load is known, what it did is not.
            Err(object_store::Error::NotFound { .. }) => return Ok(unknown),
            Err(error) => return Err(error.into()),
        };
        let actions = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let mut kept = actions.filter_map(|action| action.get("commitInfo")?.get(PARTS)?.get(load_id).cloned());
        let Some(kept) = kept.next().and_then(|kept| serde_json::from_value::<Kept>(kept).ok()) else {
            return Ok(unknown);
        };
        let commit = Commit {
            rows_added: kept.added,
            rows_updated: kept.updated,
            rows_duplicate: kept.duplicate,
            rows_stale: kept.stale,
            ..commit
        };
        Ok(Some((commit, kept.note)))
    }

    /// Shows each part the stored rows whose keys its own have.
    pub(super) async fn ask_owners(
        &self,
        met: &[Met],
        layout: &Layout,
        keys: &Taken,
        parts: &[Part],
    ) -> Result<(), LakeError> {
        if parts.iter().all(|part| part.owner.is_none()) {
            return Ok(());
        }
        let of_doomed = |owner: &Owner| Arc::clone(&owner.replaces);
        let of_spared = |owner: &Owner| Arc::clone(&owner.sees);
        for Met { file, doomed, spared } in met {
            self.ask_of(file, doomed, layout, keys, parts, of_doomed).await?;
            self.ask_of(file, spared, layout, keys, parts, of_spared).await?;
        }
        Ok(())
    }

    /// Asks one question of each part's own among the rows at `positions` of a file.
    async fn ask_of(
        &self,
        file: &FileEntry,
        positions: &[u64],
        layout: &Layout,
        keys: &Taken,
        parts: &[Part],
        question: impl Fn(&Owner) -> Judge,
    ) -> Result<(), LakeError> {
        if positions.is_empty() {
            return Ok(());
        }
        let fingerprint = Fingerprint::new(&layout.spec)?;
        let positions = Rows::At(positions.to_vec());
        let mut stored = read(&self.object_store(), &file.path, file.bytes, &layout.schema, positions).await?;
        while let Some(batch) = stored.next().await {
            let batch = batch?;
            let found = fingerprint.keys(&batch)?;
            let owners: Vec<Option<usize>> = {
                let keys = keys.lock();
                found.iter().map(|key| keys.owner(key, parts)).collect()
            };
            for (nth, part) in parts.iter().enumerate() {
                let Some(owner) = &part.owner else { continue };
                let own: BooleanArray = owners.iter().map(|owner| Some(*owner == Some(nth))).collect();
                if own.true_count() == 0 {
                    continue;
                }
                let asked = question(owner)(filter_record_batch(&batch, &own)?).await;
                asked.map_err(|error| LakeError::PartRefused { part: nth, error: Box::new(error) })?;
            }
        }
        Ok(())
    }
}

/// What a commit says of its parts, of those that may be repeated.
pub(super) fn noted(parts: &[Part], done: &[Commit]) -> Option<(String, Value)> {
    let kept = |(nth, part): (usize, &Part)| {
        let load_id = part.load_id.clone()?;
        let appended = Commit { rows_added: part.rows, ..Commit::default() };
        let commit = done.get(nth).unwrap_or(&appended);
        let kept = Kept {
            added: commit.rows_added,
            updated: commit.rows_updated,
            duplicate: commit.rows_duplicate,
            stale: commit.rows_stale,
            note: part.note.clone(),
        };
        Some((load_id, serde_json::to_value(kept).ok()?))
    };
    let kept: Map<String, Value> = parts.iter().enumerate().filter_map(kept).collect();
    (!kept.is_empty()).then(|| (PARTS.to_owned(), Value::Object(kept)))
}
