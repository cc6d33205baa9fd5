//! The records in order, a segment at a time.

use std::collections::VecDeque;

use super::super::error::AccessError;
use super::super::store::seal;
use super::chain::{AuditRecord, lines};
use super::segments::{Segment, Segments};

/// How often the list of segments is read anew because one has gone meanwhile.
const RELISTINGS_MAX: usize = 64;

/// A line of the log.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// The number that its place says it has.
    pub place: u64,
    /// None where the line is not what was written.
    pub record: Option<AuditRecord>,
    /// The SHA-256 of the line, in hex.
    pub hash: String,
}

/// Reads the log from its begin to what was its end when reading began.
#[derive(Debug)]
pub struct AuditReader {
    segments: Segments,
    /// None before the first read.
    left: Option<VecDeque<Segment>>,
    /// The record after the last one that was given.
    next: u64,
    relistings: usize,
}

impl AuditReader {
    pub(super) fn new(segments: Segments) -> Self {
        Self { segments, left: None, next: 0, relistings: 0 }
    }

    /// The lines of the next segment; None at the end. Holds one segment at a time.
    pub async fn next(&mut self) -> Result<Option<Vec<AuditEntry>>, AccessError> {
        loop {
            if self.left.is_none() {
                self.left = Some(self.segments.list().await?.into());
            }
            let Some(segment) = self.left.as_mut().and_then(VecDeque::pop_front) else { return Ok(None) };
            match self.segments.read(segment).await? {
                Some(content) => {
                    let entries = self.entries(segment, &content);
                    if !entries.is_empty() {
                        return Ok(Some(entries));
                    }
                }
                None if self.relistings < RELISTINGS_MAX => {
                    self.relistings += 1;
                    self.left = None;
                }
                None => return Err(AccessError::AuditContended),
            }
        }
    }

    /// The lines that were not given yet: those of an open segment may come again in the closed one that took its place.
    fn entries(&mut self, segment: Segment, content: &[u8]) -> Vec<AuditEntry> {
        let places = (segment.first..).zip(lines(content));
        let entry = |(place, line)| AuditEntry { place, record: seal::open(line), hash: seal::hash(line) };
        let entries: Vec<_> = places.filter(|(place, _)| *place >= self.next).map(entry).collect();
        if let Some(last) = entries.last() {
            self.next = last.place + 1;
        }
        entries
    }
}
