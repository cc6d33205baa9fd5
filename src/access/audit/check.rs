//! Walks the chain and names each record that was changed, taken out or moved.
//!
//! The chain shows what was done to some records. Who rewrites all of them from one on, and the mark of the newest, is found
//! out by a hash that was noted elsewhere: the check gives that of the newest record.

use super::super::error::AccessError;
use super::chain::Head;
use super::reader::{AuditEntry, AuditReader};
use super::segments::{Mark, Segments};

/// Faults that are named; more are counted.
const FAULTS_MAX: usize = 100;

/// What a walk has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditCheck {
    /// Records that are there.
    pub records: u64,
    /// The newest of them.
    pub head: Head,
    /// What is wrong with the log, in words. Of many the first hundred.
    pub faults: Vec<String>,
    /// Faults that are not named.
    pub further: u64,
}

pub async fn check(segments: &Segments) -> Result<AuditCheck, AccessError> {
    // The mark first: what is written while the walk goes on is newer.
    let marked = segments.marked().await?;
    let mut walk = Walk { marked, ..Walk::default() };
    let mut reader = AuditReader::new(segments.clone());
    while let Some(entries) = reader.next().await? {
        entries.into_iter().for_each(|entry| walk.take(entry));
    }
    Ok(walk.end())
}

#[derive(Debug, Default)]
struct Walk {
    found: AuditCheck,
    marked: Mark,
    /// The number that the next record must have; None before the first.
    next: Option<u64>,
    /// What the next record must name; None where the one before it is not known.
    previous: Option<String>,
    /// The record before the first one that is there, as that one names it.
    before: Head,
    /// The newest record that retention took away.
    removed: Head,
}

impl Walk {
    fn take(&mut self, entry: AuditEntry) {
        self.found.records += 1;
        let Some(record) = entry.record else {
            let number = self.next.unwrap_or(entry.place);
            self.fault(format!("record {number} is not what was written"));
            if self.next.is_none() {
                self.before = Head { number: number.saturating_sub(1), hash: String::new() };
            }
            (self.next, self.previous) = (Some(number + 1), None);
            self.found.head = Head { number, hash: entry.hash };
            return;
        };
        let number = record.number;
        match self.next {
            None => self.before = Head { number: number.saturating_sub(1), hash: record.previous },
            Some(next) if number < next => {
                self.fault(format!("record {number} stands after record {}", next - 1));
                return;
            }
            Some(next) if number > next => self.fault(missing(next, number - 1)),
            Some(_) => {
                if self.previous.as_ref().is_some_and(|previous| *previous != record.previous) {
                    self.fault(format!("record {} is not the one that record {number} follows", number - 1));
                }
            }
        }
        if let Mark::Head(marked) = &self.marked
            && marked.number == number
            && marked.hash != entry.hash
        {
            self.fault(format!("record {number} is not the one that was marked as the newest"));
        }
        if let Some(removed) = record.event.removed.filter(|removed| removed.number > self.removed.number) {
            self.removed = removed;
        }
        (self.next, self.previous) = (Some(number + 1), Some(entry.hash.clone()));
        self.found.head = Head { number, hash: entry.hash };
    }

    fn end(mut self) -> AuditCheck {
        let (before, removed) = (std::mem::take(&mut self.before), std::mem::take(&mut self.removed));
        if before.number > removed.number {
            self.fault(missing(removed.number + 1, before.number));
        } else if before.number == removed.number && !before.hash.is_empty() && before.hash != removed.hash {
            self.fault(format!("record {} is not the one that retention left", before.number + 1));
        }
        let last = self.found.head.number;
        match std::mem::take(&mut self.marked) {
            Mark::Head(marked) if marked.number > last => self.fault(missing(last + 1, marked.number)),
            Mark::Head(_) => {}
            Mark::Absent if last == 0 => {}
            Mark::Absent => self.fault("the mark of the newest record is missing".to_owned()),
            Mark::Damaged => self.fault("the mark of the newest record is not what was written".to_owned()),
        }
        self.found
    }

    fn fault(&mut self, text: String) {
        if self.found.faults.len() < FAULTS_MAX {
            self.found.faults.push(text);
        } else {
            self.found.further += 1;
        }
    }
}

fn missing(first: u64, last: u64) -> String {
    if first == last { format!("record {first} is missing") } else { format!("records {first} to {last} are missing") }
}
