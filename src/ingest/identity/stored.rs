//! What the lake knows of identities: the table `identities`, whole or as much of it as a load names, and the identifiers
//! held to be shared.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::prelude::{col, lit};

use super::super::scan::scan;
use super::graph::{Graph, Node, Resolution};
use super::key::{ByHash, Hashed, parsed};
use super::parted::{self, PARTED, Parted};
use crate::dataset::Contract;
use crate::error::Result;
use crate::lake::{Snapshot, Store};

/// `id_type` of a row that says: the person `id_value` is now `one_id`.
pub const MERGED: &str = "_merged";
/// `id_type` of a row that keeps the number of a person who was erased from being given to another one.
pub const FORGOTTEN: &str = "_forgotten";

/// An identifier as `identities` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// After all merges.
    pub person: i64,
    id_type: u16,
    pub first_seen_us: Option<i64>,
    pub last_seen_us: Option<i64>,
    source: u16,
}

/// `last_seen` is exact to this: a load that brings nothing new then leaves the table as it is.
const SEEN_STEP_US: i64 = 86_400_000_000;

impl Entry {
    /// Whether a row that has the identifier now is worth a new `last_seen`.
    pub fn is_stale(&self, now_us: i64) -> bool {
        self.last_seen_us.is_none_or(|seen| now_us - seen >= SEEN_STEP_US)
    }
}

/// Identities of the lake. Costs about a hundred bytes an identifier.
#[derive(Debug, Default)]
pub struct Stored {
    entries: ByHash<Entry>,
    /// Of identifiers whose person was merged away: the number under which they are stored.
    given: ByHash<i64>,
    parted: Parted,
    /// How many identifiers of each type the persons of `entries` have in all; `None` where all identities are entries.
    counts: Option<HashMap<(i64, u16), usize>>,
    shared: HashSet<Hashed>,
    types: Vec<String>,
    sources: Vec<Option<String>>,
    person_max: i64,
}

impl Stored {
    /// Reads a version of `identities`: the identifiers of `wanted`, or all. `person_max` is the greatest one_id that tables
    /// have.
    pub async fn read(
        store: &Store,
        identities: (&Contract, Arc<Snapshot>),
        conflicts: (&Contract, Arc<Snapshot>),
        person_max: i64,
        wanted: Option<&Graph>,
    ) -> Result<Self> {
        let (contract, snapshot) = identities;
        let mut stored = Self { person_max, ..Self::default() };
        let merged = merges(store, contract, Arc::clone(&snapshot)).await?;
        stored.person_max = merged.keys().copied().fold(person_max, i64::max);
        let mut pairs = Vec::new();
        let columns = ["id_type", "id_value", "one_id", "first_seen", "last_seen", "source"];
        let kept = || Some(col("id_type").not_eq(lit(MERGED)));
        let take = |batch: &RecordBatch| stored.take(batch, &merged, wanted, &mut pairs);
        scan(store, contract, Arc::clone(&snapshot), &columns, kept(), take).await?;
        stored.parted = Parted::of(pairs, &merged);
        if wanted.is_some() {
            let mut counts = HashMap::new();
            let persons: HashSet<i64> = stored.entries.values().map(|entry| entry.person).collect();
            let count = |batch: &RecordBatch| stored.count(batch, &merged, &persons, &mut counts);
            if !persons.is_empty() {
                scan(store, contract, snapshot, &["id_type", "one_id"], kept(), count).await?;
            }
            stored.counts = Some(counts);
        }
        scan(store, conflicts.0, conflicts.1, &["id_value"], None, |batch| {
            stored.shared.extend(batch.column(0).as_string::<i32>().iter().flatten().filter_map(parsed));
        })
        .await?;
        Ok(stored)
    }

    /// Counts the identifiers of `persons`.
    fn count(
        &mut self,
        batch: &RecordBatch,
        merged: &HashMap<i64, i64>,
        persons: &HashSet<i64>,
        counts: &mut HashMap<(i64, u16), usize>,
    ) {
        let types = batch.column(0).as_string::<i32>();
        for (row, given) in batch.column(1).as_primitive::<Int64Type>().values().iter().enumerate() {
            let person = merged.get(given).copied().unwrap_or(*given);
            if persons.contains(&person) {
                *counts.entry((person, known(&mut self.types, types.value(row)))).or_default() += 1;
            }
        }
    }

    /// Takes the identifiers of a batch, and puts persons that were parted among `pairs`.
    fn take(
        &mut self,
        batch: &RecordBatch,
        merged: &HashMap<i64, i64>,
        wanted: Option<&Graph>,
        pairs: &mut Vec<(i64, i64)>,
    ) {
        let (types, values) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let persons = batch.column(2).as_primitive::<Int64Type>();
        let first_seen = batch.column(3).as_primitive::<TimestampMicrosecondType>();
        let last_seen = batch.column(4).as_primitive::<TimestampMicrosecondType>();
        let sources = batch.column(5).as_string::<i32>();
        for row in 0..batch.num_rows() {
            let given = persons.value(row);
            self.person_max = self.person_max.max(given);
            let Some(hash) = parsed(values.value(row)) else {
                pairs.extend(Some(values.value(row)).filter(|_| types.value(row) == PARTED).and_then(parted::pair));
                continue;
            };
            if wanted.is_some_and(|graph| !graph.contains(hash)) {
                continue;
            }
            let person = merged.get(&given).copied().unwrap_or(given);
            if person != given {
                self.given.insert(hash, given);
            }
            let entry = Entry {
                person,
                id_type: known(&mut self.types, types.value(row)),
                first_seen_us: first_seen.is_valid(row).then(|| first_seen.value(row)),
                last_seen_us: last_seen.is_valid(row).then(|| last_seen.value(row)),
                source: position(&mut self.sources, sources.is_valid(row).then(|| sources.value(row).to_owned())),
            };
            self.entries.insert(hash, entry);
        }
    }

    pub fn person(&self, hash: Hashed) -> Option<i64> {
        self.entries.get(&hash).map(|entry| entry.person)
    }

    /// The identifiers of a person.
    pub fn hashes_of(&self, person: i64) -> impl Iterator<Item = Hashed> {
        self.entries.iter().filter(move |(_, entry)| entry.person == person).map(|(hash, _)| *hash)
    }

    pub fn entry(&self, hash: Hashed) -> Option<&Entry> {
        self.entries.get(&hash)
    }

    /// The number under which an identifier is stored: what its person was before all merges. `None` where it is not stored.
    pub fn given(&self, hash: Hashed) -> Option<i64> {
        self.given.get(&hash).copied().or_else(|| self.person(hash))
    }

    /// Persons that no load joins.
    pub fn parted(&self) -> &Parted {
        &self.parted
    }

    pub fn source(&self, entry: &Entry) -> Option<&str> {
        self.sources.get(usize::from(entry.source)).and_then(Option::as_deref)
    }

    /// Whether an earlier load held it to be shared.
    pub fn is_shared(&self, hash: Hashed) -> bool {
        self.shared.contains(&hash)
    }

    pub fn next_person(&self) -> i64 {
        self.person_max + 1
    }

    /// How many identifiers of each of `types` the persons have.
    pub fn identifiers_of(&self, persons: impl Iterator<Item = i64>, types: &[String]) -> HashMap<(i64, u16), usize> {
        let persons: HashSet<i64> = persons.collect();
        let mut counts = HashMap::new();
        if persons.is_empty() {
            return counts;
        }
        let number = |name: &String| types.iter().position(|known| known == name).map(|nth| nth as u16);
        let numbers: Vec<Option<u16>> = self.types.iter().map(number).collect();
        if let Some(stored) = &self.counts {
            let known = stored.iter().filter(|((person, _), _)| persons.contains(person));
            return known
                .filter_map(|((person, id_type), count)| Some(((*person, numbers[usize::from(*id_type)]?), *count)))
                .collect();
        }
        for entry in self.entries.values().filter(|entry| persons.contains(&entry.person)) {
            if let Some(id_type) = numbers[usize::from(entry.id_type)] {
                *counts.entry((entry.person, id_type)).or_default() += 1;
            }
        }
        counts
    }

    pub fn identifiers(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds all identities.
    pub fn is_whole(&self) -> bool {
        self.counts.is_none()
    }

    /// The greatest one_id that tables have may have grown.
    pub fn raise_person_max(&mut self, person_max: i64) {
        self.person_max = self.person_max.max(person_max);
    }

    /// What reading the tables again would give, once the rows that the resolution taught are in them.
    pub fn extend(&mut self, (graph, resolution): (&Graph, &Resolution), source: &str, now_us: i64, renews: bool) {
        if !resolution.merges.is_empty() {
            let merged: HashMap<i64, i64> = resolution.merges.iter().copied().collect();
            for (hash, entry) in &mut self.entries {
                if let Some(survivor) = merged.get(&entry.person) {
                    self.given.entry(*hash).or_insert(entry.person);
                    entry.person = *survivor;
                }
            }
            self.parted.follow(&merged);
        }
        let own_source = position(&mut self.sources, Some(source.to_owned()));
        for (node, person) in resolution.persons.iter().enumerate() {
            let (id_type, hash) = graph.identifier(node as Node);
            let Some(person) = *person else {
                self.shared.insert(hash);
                continue;
            };
            self.person_max = self.person_max.max(person);
            match self.entries.get_mut(&hash) {
                Some(entry) if !(renews && entry.is_stale(now_us)) => {}
                Some(entry) => entry.last_seen_us = Some(now_us),
                None => {
                    let id_type = position(&mut self.types, id_type.to_owned());
                    let (first_seen_us, last_seen_us) = (Some(now_us), Some(now_us));
                    let entry = Entry { person, id_type, first_seen_us, last_seen_us, source: own_source };
                    self.entries.insert(hash, entry);
                }
            }
        }
    }

    #[cfg(test)]
    pub fn learn(&mut self, id_type: &str, hash: Hashed, person: i64) {
        let id_type = position(&mut self.types, id_type.to_owned());
        let source = position(&mut self.sources, None);
        self.entries.insert(hash, Entry { person, id_type, first_seen_us: None, last_seen_us: None, source });
        self.person_max = self.person_max.max(person);
    }

    #[cfg(test)]
    pub fn part(&mut self, first: i64, second: i64) {
        self.parted = Parted::of([(first, second)], &HashMap::new());
    }

    #[cfg(test)]
    pub fn share(&mut self, hash: Hashed) {
        self.shared.insert(hash);
    }
}

/// The number of a type, which most rows share with the one before.
fn known(types: &mut Vec<String>, name: &str) -> u16 {
    match types.iter().position(|known| known == name) {
        Some(nth) => u16::try_from(nth).unwrap_or(u16::MAX),
        None => position(types, name.to_owned()),
    }
}

fn position<T: PartialEq>(known: &mut Vec<T>, value: T) -> u16 {
    let nth = known.iter().position(|other| *other == value).unwrap_or_else(|| {
        known.push(value);
        known.len() - 1
    });
    u16::try_from(nth).unwrap_or(u16::MAX)
}

/// Of each person that was merged away the one that it is now, at the end of all its merges. For the remap of every read.
pub async fn merges(store: &Store, identities: &Contract, snapshot: Arc<Snapshot>) -> Result<HashMap<i64, i64>> {
    Ok(compressed(&steps(store, identities, snapshot).await?))
}

/// Each merge by itself: old and surviving number, which may have been merged on. One that was undone leads to itself.
pub async fn steps(store: &Store, identities: &Contract, snapshot: Arc<Snapshot>) -> Result<HashMap<i64, i64>> {
    let mut steps: HashMap<i64, i64> = HashMap::new();
    let kept = col("id_type").eq(lit(MERGED));
    scan(store, identities, snapshot, &["id_value", "one_id"], Some(kept), |batch| {
        let (olds, survivors) = (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        let pairs = olds.iter().flatten().zip(survivors.values());
        steps.extend(pairs.filter_map(|(old, survivor)| Some((old.parse().ok()?, *survivor))));
    })
    .await?;
    Ok(steps)
}

/// Follows each step to its end. Survivors are smaller than those they replace, so there is no way round in circles.
fn compressed(steps: &HashMap<i64, i64>) -> HashMap<i64, i64> {
    let end = |start: i64| {
        let mut at = start;
        while let Some(next) = steps.get(&at).filter(|next| **next < at) {
            at = *next;
        }
        at
    };
    steps.keys().map(|old| (*old, end(*old))).filter(|(old, survivor)| old != survivor).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_of_merges_ends_at_the_last_survivor() {
        let steps = HashMap::from([(9, 7), (7, 3), (8, 3), (3, 1), (4, 4)]);
        assert_eq!(compressed(&steps), HashMap::from([(9, 1), (7, 1), (8, 1), (3, 1)]));
    }
}
