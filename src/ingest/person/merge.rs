//! Persons whom an operator knows to be one.

use std::collections::BTreeSet;

use super::super::load::Loader;
use super::known::Who;
use super::merge_row;
use crate::error::Result;

/// What a merge did.
#[derive(Debug, PartialEq, Eq)]
pub struct Joined {
    /// The oldest number, which stays.
    pub one_id: i64,
    /// Persons that are now this one; none where they were before.
    pub joined: BTreeSet<i64>,
}

impl Loader {
    /// Makes one person of those that an operator names, in one durable commit: every query after it sees the oldest number.
    /// It joins persons that were parted, too.
    pub async fn merge_persons(&self, numbers: &[i64]) -> Result<Joined> {
        self.change_persons(async |known| {
            let mut persons = BTreeSet::new();
            for number in numbers {
                persons.insert(self.person_named(known, &Who::Number(*number)).await?);
            }
            let one_id = persons.pop_first().unwrap_or_default();
            let now_us = chrono::Utc::now().timestamp_micros();
            let rows = persons.iter().map(|old| merge_row(*old, one_id, now_us)).collect();
            Ok((rows, Joined { one_id, joined: persons }))
        })
        .await
    }
}
