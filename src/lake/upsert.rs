//! Writes to a table with a key: the stored rows that newer ones replace leave in the same commit.
//!
//! ```text
//! rows -> note key, version, content -> by partition   nothing is held but hashes and what memory has room for
//! for each file whose key range is met: read key and version, decide each met key's fate
//! write the rows that stay; write the met files anew without the rows that are replaced; commit both at once
//! ```
//! So every version of the table holds one row per key, and a scan needs no further step.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::physical_plan::SendableRecordBatchStream;
use deltalake::kernel::Action;
use futures::StreamExt;

use super::arrange::Arranged;
use super::data_file::Layout;
use super::error::LakeError;
use super::key_index::{Hashes, meet};
use super::keys::{Fate, Fingerprint, Key, Taken, hash_of, may_touch, taken};
use super::snapshot::{FileEntry, Snapshot};
use super::store::Store;
use super::stored::{Rows, chained, key_schema, read, remove, without};
use super::table::TableName;
use super::write::{ATTEMPTS_MAX, Commit, Load, Outcome, TakenKey, ensure_unaltered, sized};

/// A stored file and the positions of its rows whose keys the load has, ascending.
pub(super) struct Met {
    pub file: Arc<FileEntry>,
    /// Those that go.
    pub doomed: Vec<u64>,
    /// Those that stay: they are the same, or newer.
    pub spared: Vec<u64>,
}

/// What the versions in a file tell of its rows whose keys the load has.
#[derive(Default)]
struct Compared {
    older: Vec<u64>,
    newer: Vec<u64>,
    /// Of the load's version, with their keys.
    even: Vec<(u64, Key)>,
}

impl Store {
    pub(super) async fn upsert(
        &self,
        name: &TableName,
        layout: &Layout,
        rows: SendableRecordBatchStream,
        load: &Load<'_>,
        taken_key: TakenKey<'_>,
    ) -> Result<(Commit, Vec<Commit>), LakeError> {
        let (mut rows, mut settled, mut turn) = (rows, Commit::default(), None);
        for _ in 0..ATTEMPTS_MAX {
            let (noted, keys) = taken(rows, &layout.spec, name.to_string())?;
            let arranged = Arranged::take(noted, &layout.spec, self.writing()).await?;
            if turn.is_none() {
                turn = Some(self.locks().hold(name).await?);
            }
            let snapshot = self.newest(name).await?;
            if self.has(load, &snapshot).await? {
                return Ok((Commit { version: snapshot.version, repeated: true, ..Commit::default() }, Vec::new()));
            }
            load.ensure_unmoved(&snapshot)?;
            ensure_unaltered(&snapshot, layout)?;
            let met = self.met(&snapshot, layout, &keys).await?;
            self.ask_owners(&met, layout, &keys, load.parts).await?;
            if let TakenKey::Refuse { beside } = taken_key {
                if let Some(beside) = beside {
                    self.met(self.newest(beside).await?.as_ref(), layout, &keys).await?;
                }
                if !keys.lock().are_new() {
                    return Err(LakeError::KeyTaken { table: name.to_string() });
                }
            }
            let chosen = keys.lock().chosen();
            let added = arranged.write(layout, Some(chosen)).await?;
            let (mut files, mut actions) = (added.clone(), Vec::new());
            for met in met.iter().filter(|met| !met.doomed.is_empty()) {
                actions.push(remove(&met.file, &layout.spec, true));
                files.extend(without(&self.object_store(), layout, &met.file, &met.doomed).await?);
            }
            actions.extend(files.iter().map(|file| Action::Add(layout.add(file, true))));
            settled = counted(settled, &keys);
            let done = keys.lock().tallies(load.parts);
            if let Outcome::Committed(version) = self.commit(&snapshot, actions, load, &done).await? {
                return Ok((sized(Commit { version, ..settled }, &files), done));
            }
            if !load.parts.is_empty() {
                // In the new files the rows lie in another order, which does not tell whose they are.
                return Err(LakeError::Contended { table: name.to_string(), attempts: 1 });
            }
            // Another process committed first: what was found new may now be old. The rows lie in the new files.
            let files = added.iter().map(|file| (format!("{}/{}", name.folder(), file.name), file.bytes)).collect();
            rows = chained(self.object_store(), files, Arc::clone(&layout.schema));
        }
        Err(LakeError::Contended { table: name.to_string(), attempts: ATTEMPTS_MAX })
    }

    /// Decides the fate of each key that is stored, and finds the stored rows that have it.
    async fn met(&self, snapshot: &Snapshot, layout: &Layout, keys: &Taken) -> Result<Vec<Met>, LakeError> {
        let mut met = Vec::new();
        let (hashes, bounds) = {
            let mut keys = keys.lock();
            (keys.hashes(), keys.bounds()?)
        };
        for file in &snapshot.files {
            let is_apart = |known: Hashes| !meet(&hashes, &known);
            if !may_touch(&bounds, file, &layout.spec) || self.key_index().of(&file.path).is_some_and(is_apart) {
                continue;
            }
            let Compared { older: mut doomed, newer: mut spared, even } =
                self.compare_versions(file, layout, keys).await?;
            if !even.is_empty() {
                self.compare_contents(file, layout, keys, even, &mut doomed, &mut spared).await?;
                doomed.sort_unstable();
                spared.sort_unstable();
            }
            met.push(Met { file: Arc::clone(file), doomed, spared });
        }
        Ok(met)
    }

    async fn compare_versions(&self, file: &FileEntry, layout: &Layout, keys: &Taken) -> Result<Compared, LakeError> {
        let schema = key_schema(&layout.spec);
        let fingerprint = Fingerprint::over(&schema, &layout.spec)?;
        let mut stored = read(&self.object_store(), &file.path, file.bytes, &schema, Rows::All).await?;
        let (mut compared, mut position, mut hashes) = (Compared::default(), 0, Vec::new());
        while let Some(batch) = stored.next().await {
            let batch = batch?;
            let versions = fingerprint.versions(&batch)?;
            let mut keys = keys.lock();
            for (key, version) in fingerprint.keys(&batch)?.into_iter().zip(versions) {
                hashes.push(hash_of(&key));
                if let Some(winner) = keys.get_mut(&key) {
                    match winner.version.cmp(&version) {
                        Ordering::Greater => {
                            winner.fate = Fate::Update;
                            compared.older.push(position);
                        }
                        Ordering::Less => {
                            winner.fate = Fate::Stale;
                            compared.newer.push(position);
                        }
                        Ordering::Equal => compared.even.push((position, key)),
                    }
                }
                position += 1;
            }
        }
        self.key_index().learn(&file.path, hashes);
        Ok(compared)
    }

    /// Of rows of one version the load's stays, unless both are the same: then nothing needs writing.
    async fn compare_contents(
        &self,
        file: &FileEntry,
        layout: &Layout,
        keys: &Taken,
        even: Vec<(u64, Key)>,
        doomed: &mut Vec<u64>,
        spared: &mut Vec<u64>,
    ) -> Result<(), LakeError> {
        let fingerprint = Fingerprint::new(&layout.spec)?;
        let positions = Rows::At(even.iter().map(|(position, _)| *position).collect());
        let mut stored = read(&self.object_store(), &file.path, file.bytes, &layout.schema, positions).await?;
        let mut even = even.into_iter();
        while let Some(batch) = stored.next().await {
            let contents = fingerprint.contents(&batch?)?;
            let mut keys = keys.lock();
            for (content, (position, key)) in contents.into_iter().zip(even.by_ref()) {
                let Some(winner) = keys.get_mut(&key) else { continue };
                if winner.content == content {
                    winner.fate = Fate::Duplicate;
                    spared.push(position);
                } else {
                    winner.fate = Fate::Update;
                    doomed.push(position);
                }
            }
        }
        Ok(())
    }
}

/// The counts of this attempt, with the rows that earlier attempts set aside.
fn counted(earlier: Commit, keys: &Taken) -> Commit {
    let keys = keys.lock();
    Commit {
        rows_added: keys.count(Fate::New),
        rows_updated: keys.count(Fate::Update),
        rows_duplicate: earlier.rows_duplicate + keys.count(Fate::Duplicate) + keys.beaten(),
        rows_stale: earlier.rows_stale + keys.count(Fate::Stale),
        ..earlier
    }
}
