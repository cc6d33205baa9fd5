//! The security log: one immutable file a change, each sealed by a checksum and by the hash of the one before.
//!
//! A chain cannot miss its own end, so a mark beside it names the newest record. It is written after that record: what a
//! crash leaves is the mark of the record before, and a log that ends before its mark was cut off.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::error::AccessError;
use super::super::model::change::Change;
use super::super::model::snapshot::SecuritySnapshot;
use super::seal;

/// Where the log lies. Whole files only; a record that is there is never written again.
#[async_trait]
pub trait LogStore: fmt::Debug + Send + Sync {
    /// Writes a file whole and durably, unless one of that path exists: then nothing changes and the answer says so.
    async fn put_if_absent(&self, path: &str, content: Bytes) -> Result<PutOutcome, LogStoreError>;

    /// Writes or replaces a file, durably.
    async fn put(&self, path: &str, content: Bytes) -> Result<(), LogStoreError>;

    /// None where there is no such file.
    async fn get(&self, path: &str) -> Result<Option<Bytes>, LogStoreError>;

    /// The paths that begin with `prefix`, in any order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, LogStoreError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    Written,
    Exists,
}

/// Why the store did not answer, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LogStoreError(pub String);

/// The folder of the log, within the lake.
pub const FOLDER: &str = "security/";
const MARK: &str = "security/head.json";

/// Where record `number` lies; the first is 1.
pub fn path(number: u64) -> String {
    format!("{FOLDER}{number:020}.json")
}

/// One atomic change of the snapshot, and who made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub number: u64,
    /// The SHA-256 of the file before, in hex; empty in the first.
    pub previous: String,
    pub at_us: i64,
    /// The role that asked for it.
    pub by: String,
    /// The command tag.
    pub tag: String,
    pub changes: Vec<Change>,
}

impl Record {
    /// The bytes of its file.
    pub fn seal(&self) -> Result<Bytes, AccessError> {
        seal::seal(self).map(Bytes::from).map_err(|error| storage("written", error))
    }
}

/// How far a replay came, and what the next record must name as its predecessor.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    pub snapshot: Arc<SecuritySnapshot>,
    pub head: String,
}

impl Replayed {
    /// Takes one more record. One that is not whole, or not the next of this chain, locks the snapshot.
    fn advanced(self, content: &[u8]) -> Self {
        let number = self.snapshot.epoch() + 1;
        match seal::open::<Record>(content).filter(|record| record.number == number && record.previous == self.head) {
            Some(record) => self.extended(&record, content),
            None => self.locked(number),
        }
    }

    /// Takes a record that is known to be the next, and its sealed bytes.
    pub fn extended(self, record: &Record, content: &[u8]) -> Self {
        let snapshot = Arc::unwrap_or_clone(self.snapshot).advanced(&record.changes);
        Self { snapshot: Arc::new(snapshot), head: seal::hash(content) }
    }

    /// Knows nothing after the record before `record`, and locks every table.
    pub fn locked(self, record: u64) -> Self {
        Self { snapshot: Arc::new(Arc::unwrap_or_clone(self.snapshot).locked_at(record)), head: self.head }
    }
}

/// Which record is the newest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    number: u64,
    hash: String,
}

/// Marks the newest record.
pub async fn mark(store: &dyn LogStore, newest: &Replayed) -> Result<(), AccessError> {
    let mark = Mark { number: newest.snapshot.epoch(), hash: newest.head.clone() };
    let content = seal::seal(&mark).map_err(|error| storage("marked", error))?;
    store.put(MARK, content.into()).await.map_err(|error| storage("marked", error))
}

/// Reads all records after those that `from` stands for. A gap, and an end before the mark, locks the snapshot like a
/// damaged record.
pub async fn replay(store: &dyn LogStore, from: Replayed) -> Result<Replayed, AccessError> {
    // The mark first: what is written meanwhile is newer.
    let mark = store.get(MARK).await.map_err(|error| storage("read", error))?;
    let paths = store.list(FOLDER).await.map_err(|error| storage("listed", error))?;
    let last = paths.iter().filter_map(|path| number_of(path)).max().unwrap_or(0);
    let mut replayed = from;
    while replayed.snapshot.is_sound() && replayed.snapshot.epoch() < last {
        let number = replayed.snapshot.epoch() + 1;
        replayed = match store.get(&path(number)).await.map_err(|error| storage("read", error))? {
            Some(content) => replayed.advanced(&content),
            None => replayed.locked(number),
        };
    }
    Ok(match mark.and_then(|mark| missed(&mark, &replayed)) {
        Some(record) if replayed.snapshot.is_sound() => replayed.locked(record),
        _ => replayed,
    })
}

/// The record that the mark knows and the log has not: after its end, or another in its place.
fn missed(mark: &[u8], replayed: &Replayed) -> Option<u64> {
    let last = replayed.snapshot.epoch();
    match seal::open::<Mark>(mark) {
        Some(mark) if mark.number < last => None,
        Some(mark) if mark.number == last => (mark.hash != replayed.head).then_some(last),
        _ => Some(last + 1),
    }
}

fn number_of(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

pub fn storage(action: &'static str, cause: impl fmt::Display) -> AccessError {
    AccessError::Storage { action, cause: cause.to_string() }
}
