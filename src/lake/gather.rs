//! Compaction: many small files of a partition become few large sorted ones, while others read and write the table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use deltalake::kernel::Action;

use super::arrange::Arranged;
use super::data_file::{FILE_BYTES_MAX, Layout, Written};
use super::error::LakeError;
use super::snapshot::{FileEntry, Snapshot};
use super::store::Store;
use super::stored::{chained, remove};
use super::table::TableName;
use super::write::{Commit, sized};
use crate::error::Result;

/// Files of one size class that have piled up in a partition.
const PILE_FILES: usize = 8;
/// Sizes within this factor are one class: a row is written anew once a class.
const CLASS_FACTOR: u64 = 8;
/// How often it works beside writers before it makes them wait.
const UNLOCKED_ATTEMPTS: usize = 3;

/// Which small files are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// All that share their partition with another one.
    Small,
    /// Those of one size class of which there are many.
    Piled,
}

impl Store {
    /// Gathers the small files of each partition into large sorted ones. No row changes; no commit where none is small.
    pub async fn compact(&self, name: &TableName) -> Result<Commit> {
        Ok(self.gather(name, Choice::Small).await?)
    }

    /// The same where many files of like size have piled up, and of those alone: what a server does now and then.
    pub async fn compact_piles(&self, name: &TableName) -> Result<Commit> {
        Ok(self.gather(name, Choice::Piled).await?)
    }

    async fn gather(&self, name: &TableName, choice: Choice) -> Result<Commit, LakeError> {
        for attempt in 0.. {
            // Files never change, so they may be read while others write; what a writer has taken away is found at the end.
            let before = if attempt < UNLOCKED_ATTEMPTS { None } else { Some(self.locks().hold(name).await?) };
            let snapshot = self.newest(name).await?;
            let chosen = chosen(&snapshot, choice);
            if chosen.is_empty() {
                return Ok(Commit { version: snapshot.version, ..Commit::default() });
            }
            let layout = Layout::new(self.object_store(), name, &snapshot.spec)?;
            let files = match self.gathered(&layout, &chosen).await {
                // A file that a writer took out of the table may have been deleted since.
                Err(_) if before.is_none() && self.newest(name).await?.version != snapshot.version => continue,
                outcome => outcome?,
            };
            let _turn = match before {
                Some(turn) => turn,
                None => self.locks().hold(name).await?,
            };
            let newest = self.newest(name).await?;
            let there: HashSet<&str> = newest.files.iter().map(|file| file.name.as_str()).collect();
            if newest.spec != snapshot.spec || !chosen.iter().all(|file| there.contains(file.name.as_str())) {
                continue;
            }
            let gone = chosen.iter().map(|file| remove(file, &layout.spec, false));
            let come = files.iter().map(|file| Action::Add(layout.add(file, false)));
            match self.commit_upkeep(&newest, gone.chain(come).collect(), "compact").await {
                // Another process that does not share the lock was faster.
                Err(LakeError::Contended { .. }) if attempt < 2 * UNLOCKED_ATTEMPTS => {}
                outcome => return Ok(sized(Commit { version: outcome?, ..Commit::default() }, &files)),
            }
        }
        Err(LakeError::Contended { table: name.to_string(), attempts: UNLOCKED_ATTEMPTS })
    }

    async fn gathered(&self, layout: &Layout, chosen: &[Arc<FileEntry>]) -> Result<Vec<Written>, LakeError> {
        let paths = chosen.iter().map(|file| (file.path.clone(), file.bytes)).collect();
        let rows = chained(self.object_store(), paths, Arc::clone(&layout.schema));
        Arranged::take(rows, &layout.spec, self.writing()).await?.write(layout, None).await
    }
}

/// The files to gather: those under half the aimed size that have enough of their like beside them.
fn chosen(snapshot: &Snapshot, choice: Choice) -> Vec<Arc<FileEntry>> {
    let (like_min, class): (usize, fn(u64) -> u32) = match choice {
        Choice::Small => (2, |_| 0),
        Choice::Piled => (PILE_FILES, |bytes| bytes.max(1).ilog(CLASS_FACTOR)),
    };
    let small = |file: &&Arc<FileEntry>| file.bytes < FILE_BYTES_MAX as u64 / 2;
    let mut piles: HashMap<(&Option<String>, u32), usize> = HashMap::new();
    for file in snapshot.files.iter().filter(small) {
        *piles.entry((&file.partition, class(file.bytes))).or_default() += 1;
    }
    let piled = |file: &&Arc<FileEntry>| {
        piles.get(&(&file.partition, class(file.bytes))).is_some_and(|files| *files >= like_min)
    };
    snapshot.files.iter().filter(small).filter(piled).cloned().collect()
}
