//! What keeps a table quick to read and its folder clean.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{BooleanArray, RecordBatch};
use chrono::{DateTime, Utc};
use deltalake::DeltaTable;
use deltalake::kernel::Action;
use deltalake::protocol::checkpoints::create_checkpoint;
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::data_file::Layout;
use super::error::LakeError;
use super::snapshot::{FileEntry, Snapshot};
use super::store::Store;
use super::stored::{Rows, read, remove, without};
use super::table::TableName;
use super::write::{Commit, Load, Outcome, sized};
use crate::error::Result;

/// No load takes longer than this from its first file to its commit.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

impl Store {
    /// Writes a checkpoint of the table's newest version, so that opening it need not replay all commits.
    pub async fn checkpoint(&self, name: &TableName) -> Result<()> {
        Ok(self.write_checkpoint(name).await?)
    }

    pub(super) async fn write_checkpoint(&self, name: &TableName) -> Result<(), LakeError> {
        let mut table = DeltaTable::new(self.log(name)?);
        table.load().await?;
        Ok(create_checkpoint(&table, None).await?)
    }

    /// Removes the rows for which `doomed` is true, and gives their number in `rows_removed`. Their bytes stay in the
    /// files of earlier versions until [`Store::vacuum`]. `doomed` sees batches in stored types, a mark a row.
    pub async fn delete_rows(&self, name: &TableName, doomed: Doomed<'_>) -> Result<Commit> {
        let _turn = self.locks().hold(name).await?;
        let snapshot = self.newest(name).await?;
        let layout = Layout::new(self.object_store(), name, &snapshot.spec)?;
        let (mut files, mut actions, mut rows_removed) = (Vec::new(), Vec::new(), 0);
        for file in &snapshot.files {
            let positions = self.positions(file, &layout, doomed).await?;
            if positions.is_empty() {
                continue;
            }
            rows_removed += positions.len() as u64;
            actions.push(remove(file, &layout.spec, true));
            files.extend(without(&self.object_store(), &layout, file, &positions).await?);
        }
        if actions.is_empty() {
            return Ok(Commit { version: snapshot.version, ..Commit::default() });
        }
        actions.extend(files.iter().map(|file| Action::Add(layout.add(file, true))));
        let version = self.commit_upkeep(&snapshot, actions, "delete").await?;
        Ok(sized(Commit { version, rows_removed, ..Commit::default() }, &files))
    }

    pub(super) async fn positions(&self, file: &FileEntry, layout: &Layout, doomed: Doomed<'_>) -> Result<Vec<u64>> {
        let mut rows = read(&self.object_store(), &file.path, file.bytes, &layout.schema, Rows::All).await?;
        let (mut positions, mut first) = (Vec::new(), 0);
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let marks = doomed(&batch)?;
            positions.extend((first..).zip(marks.iter()).filter(|(_, mark)| *mark == Some(true)).map(|(row, _)| row));
            first += batch.num_rows() as u64;
        }
        Ok(positions)
    }

    pub(super) async fn commit_upkeep(
        &self,
        snapshot: &Arc<Snapshot>,
        actions: Vec<Action>,
        work: &str,
    ) -> Result<u64, LakeError> {
        let operation = DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None };
        let load_id = format!("{work}:{}", uuid::Uuid::new_v4());
        let load =
            Load { load_id: &load_id, notes: &BTreeMap::new(), operation, onto: Some(snapshot.version), parts: &[] };
        match self.commit(snapshot, actions, &load, &[]).await? {
            Outcome::Committed(version) => Ok(version),
            Outcome::Overtaken => Err(LakeError::Contended { table: snapshot.name.to_string(), attempts: 1 }),
        }
    }

    /// Deletes what writers that died left behind, data files that left the table longer than `retain` ago, and files that no commit ever named and that are
    /// older than a day as well (younger ones may belong to a load on its way). Gives their number.
    /// Queries that began on an earlier version and run for longer than `retain` may then fail to read.
    pub async fn vacuum(&self, name: &TableName, retain: Duration) -> Result<u64> {
        Ok(self.clear_away(name, retain).await?)
    }

    async fn clear_away(&self, name: &TableName, retain: Duration) -> Result<u64, LakeError> {
        let _turn = self.locks().hold(name).await?;
        let snapshot = self.newest(name).await?;
        let ago = |span| Utc::now() - chrono::Duration::from_std(span).unwrap_or(chrono::Duration::MAX);
        let (before, abandoned) = (ago(retain), ago(retain.max(ABANDONED)));
        let removed = removed(&snapshot).await?;
        let is_due = |stray: &ObjectMeta| match removed.get(stray.location.as_ref()) {
            Some(since) => *since <= before,
            None => stray.last_modified <= abandoned,
        };
        let due: Vec<Path> =
            self.strays(&snapshot).await?.into_iter().filter(is_due).map(|stray| stray.location).collect();
        let deleted = due.len() as u64;
        self.delete_all(due).await?;
        Ok(deleted + self.sweep(name).await?)
    }

    /// The data files in a table's folder that its newest version does not name.
    pub(super) async fn strays(&self, snapshot: &Snapshot) -> Result<Vec<ObjectMeta>, LakeError> {
        let known: HashSet<&str> = snapshot.files.iter().map(|file| file.path.as_str()).collect();
        let folder = snapshot.name.folder();
        let listed: Vec<ObjectMeta> = self.object_store().list(Some(&folder)).try_collect().await?;
        let data = |meta: &ObjectMeta| {
            meta.location.extension() == Some("parquet")
                && meta
                    .location
                    .prefix_match(&folder)
                    .and_then(|mut rest| rest.next())
                    .is_some_and(|first| first.as_ref() != "_delta_log")
        };
        Ok(listed.into_iter().filter(|meta| data(meta) && !known.contains(meta.location.as_ref())).collect())
    }
}

/// When each file that left the table did so, by path from the root of the lake.
async fn removed(snapshot: &Snapshot) -> Result<HashMap<String, DateTime<Utc>>, LakeError> {
    let folder = snapshot.name.folder();
    let tombstones = snapshot.state.all_tombstones(snapshot.log.as_ref()).map_ok(|tombstone| {
        let since = tombstone.deletion_timestamp().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
        (format!("{folder}/{}", tombstone.path()), since)
    });
    Ok(tombstones.try_collect().await?)
}

/// Marks the rows of a batch that are to go.
pub type Doomed<'a> = &'a (dyn Fn(&RecordBatch) -> Result<BooleanArray> + Send + Sync);
