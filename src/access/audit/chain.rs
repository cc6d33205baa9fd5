//! Records as lines of a chain: numbered from 1, each naming the hash of the one before.

use serde::{Deserialize, Serialize};

use super::super::store::seal;
use super::event::AuditEvent;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    pub number: u64,
    /// The SHA-256 of the line before, in hex; empty in the first.
    pub previous: String,
    pub event: AuditEvent,
}

/// A record as the next one names it; number 0 is the begin of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub number: u64,
    /// The SHA-256 of its line, in hex.
    pub hash: String,
}

impl Head {
    /// Seals `event` as the next record, and moves on to it.
    pub fn extend(&mut self, event: &AuditEvent) -> Result<String, serde_json::Error> {
        let record = AuditRecord { number: self.number + 1, previous: self.hash.clone(), event: event.clone() };
        let line = seal::seal(&record)?;
        *self = Self { number: record.number, hash: seal::hash(line.as_bytes()) };
        Ok(line)
    }
}

/// The lines of a file, each with its end.
pub fn lines(content: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    content.split_inclusive(|byte| *byte == b'\n')
}
