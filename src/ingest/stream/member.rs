//! One load of a group: what was asked, its rows, and who waits for its report.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::super::load::hex;
use super::super::request::{LoadReport, OnReject};
use super::body::{Body, BodyKind};
use super::queue::Room;
use crate::dataset::Contract;
use crate::error::Result;
use crate::lake::{Commit, Judge, Owner, TableName};

/// A load whose rows are the body of a request.
pub struct StreamRequest {
    pub table: TableName,
    pub contract: Arc<Contract>,
    /// Whether columns `id_*` name the persons of its rows.
    pub identified: bool,
    /// Who asks: a key is one user's.
    pub user: String,
    /// By which a repeat is known; `None` is a load that nobody will repeat.
    pub key: Option<String>,
    /// What the user may not bring and not replace; `None` where that is nothing.
    pub bound: Option<Bound>,
    pub body: Bytes,
    pub kind: BodyKind,
    /// Whether sources of the dataset may feed the table.
    pub is_fed: bool,
    pub on_reject: OnReject,
    /// 0 to 1.
    pub reject_share_max: f64,
    pub room: Room,
}

/// The policies of a table, as they bind one user: each is asked for batches in stored types.
#[derive(Clone)]
pub struct Bound {
    /// New rows.
    pub admits: Judge,
    /// Stored rows of the same keys.
    pub stored: Owner,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bound")
    }
}

/// A load that waits.
pub struct Member {
    pub id: String,
    /// Whether it may be repeated under its id.
    pub is_keyed: bool,
    /// Of its content.
    pub digest: String,
    pub file: Arc<str>,
    pub contract: Arc<Contract>,
    pub identified: bool,
    /// Whose policies bind it; such a load is committed with loads of the same user alone.
    pub bound: Option<(String, Bound)>,
    pub body: Arc<Body>,
    pub bytes: usize,
    pub on_reject: OnReject,
    pub reject_share_max: f64,
    pub started: Instant,
    pub now_us: i64,
    pub reply: oneshot::Sender<Result<LoadReport>>,
    /// Given back when the member goes.
    pub _room: Room,
}

impl Member {
    pub fn answer(self, outcome: Result<LoadReport>) {
        // Whoever waited may have gone.
        let _ = self.reply.send(outcome);
    }

    /// Whether the two may be committed together.
    pub fn may_join(&self, other: &Self) -> bool {
        let user = |member: &Self| member.bound.as_ref().map(|(user, _)| user.clone());
        self.id != other.id && user(self) == user(other) && *self.contract == *other.contract
    }

    pub fn rows_read(&self) -> u64 {
        let rows = self.body.chunks.iter().map(|mapped| mapped.chunk.rows.len() as u64);
        rows.sum::<u64>() + self.body.faulty.len() as u64
    }

    pub fn note(&self, report: &LoadReport) -> serde_json::Value {
        let note = Note {
            digest: self.digest.clone(),
            rows_read: report.rows_read,
            rows_rejected: report.rows_rejected,
            identities_new: report.identities_new,
            identities_merged: report.identities_merged,
        };
        serde_json::to_value(note).unwrap_or_default()
    }

    /// The report with what the commit did.
    pub fn report(&self, found: LoadReport, commit: &Commit) -> LoadReport {
        LoadReport {
            table: self.contract.name.clone(),
            source: self.body.source.as_ref().map(|source| source.name.clone()),
            header: self.body.changes.clone(),
            rows_added: commit.rows_added,
            rows_updated: commit.rows_updated,
            rows_duplicate: commit.rows_duplicate + commit.rows_stale,
            files: commit.files,
            bytes: commit.bytes,
            version: commit.version,
            seconds: self.started.elapsed().as_secs_f64(),
            repeated: commit.repeated,
            load_id: self.id.clone(),
            ..found
        }
    }
}

/// What the commit keeps of a load beside its counts.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    pub digest: String,
    rows_read: u64,
    rows_rejected: u64,
    identities_new: u64,
    identities_merged: u64,
}

impl Note {
    pub fn found(self) -> LoadReport {
        LoadReport {
            rows_read: self.rows_read,
            rows_rejected: self.rows_rejected,
            identities_new: self.identities_new,
            identities_merged: self.identities_merged,
            ..LoadReport::default()
        }
    }
}

/// Of a user's key for a table.
pub fn keyed_id(table: &TableName, user: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["stream", table.schema.as_str(), table.table.as_str(), user, key] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

/// Of a load that nobody will repeat. Later ones are greater, so that their record is found where the newest are.
pub fn fresh_id(now_us: i64) -> String {
    format!("{now_us:016x}{:016x}", rand::random::<u64>())
}

pub fn digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}
