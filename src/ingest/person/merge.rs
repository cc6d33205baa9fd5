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
    /// Merges each pair's first person into its second, which is older, in one durable commit: for programs that found by
    /// themselves who is one. None of them is asked for, and a pair that names its older person first is passed over.
    pub async fn merge_pairs(&self, pairs: &[(i64, i64)]) -> Result<()> {
        self.change_persons(async |_| {
            let now_us = chrono::Utc::now().timestamp_micros();
            let older = pairs.iter().filter(|(old, survivor)| survivor < old);
            Ok((older.map(|(old, survivor)| merge_row(*old, *survivor, now_us)).collect(), ()))
        })
        .await
    }

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
