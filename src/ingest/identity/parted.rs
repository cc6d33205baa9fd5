//! Persons that an operator parted: no load joins them again, whatever it brings together.

use std::collections::{BTreeSet, HashMap};

/// `id_type` of a row that says: the two persons of `id_value` are not one. It has no effect while a merge says that they are.
pub const PARTED: &str = "_parted";

/// Two persons as they stand in `id_value`.
pub fn shown(first: i64, second: i64) -> String {
    format!("{} {}", first.min(second), first.max(second))
}

/// The persons that [`shown`] wrote.
pub fn pair(text: &str) -> Option<(i64, i64)> {
    let (first, second) = text.split_once(' ')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

/// Which persons are parted from which.
#[derive(Debug, Default)]
pub struct Parted {
    pairs: BTreeSet<(i64, i64)>,
}

impl Parted {
    /// The pairs as they are after all merges.
    pub fn of(pairs: impl IntoIterator<Item = (i64, i64)>, merged: &HashMap<i64, i64>) -> Self {
        let now = |person: i64| merged.get(&person).copied().unwrap_or(person);
        let pairs = pairs.into_iter().map(|(first, second)| (now(first), now(second)));
        Self { pairs: pairs.filter(|(first, second)| first != second).collect() }
    }

    /// Persons have become others.
    pub fn follow(&mut self, merged: &HashMap<i64, i64>) {
        if !self.pairs.is_empty() {
            *self = Self::of(std::mem::take(&mut self.pairs), merged);
        }
    }
}

/// Which roots of a union-find must not be joined: each with the parted persons that it holds.
#[derive(Debug, Default)]
pub struct Apart {
    pairs: BTreeSet<(i64, i64)>,
    held: HashMap<u32, Vec<i64>>,
}

impl Apart {
    /// `known` gives the root of each person before anything is joined.
    pub fn of(parted: &Parted, known: &HashMap<i64, u32>) -> Self {
        let mut apart = Self::default();
        for (first, second) in &parted.pairs {
            let (Some(one), Some(other)) = (known.get(first), known.get(second)) else { continue };
            apart.pairs.extend([(*first, *second), (*second, *first)]);
            apart.held.insert(*one, vec![*first]);
            apart.held.insert(*other, vec![*second]);
        }
        apart
    }

    pub fn may_join(&self, first: u32, second: u32) -> bool {
        if self.pairs.is_empty() {
            return true;
        }
        let (Some(ones), Some(others)) = (self.held.get(&first), self.held.get(&second)) else { return true };
        !ones.iter().any(|one| others.iter().any(|other| self.pairs.contains(&(*one, *other))))
    }

    /// Root `lost` is now part of `kept`.
    pub fn joined(&mut self, kept: u32, lost: u32) {
        if let Some(persons) = self.held.remove(&lost) {
            self.held.entry(kept).or_default().extend(persons);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_follows_its_persons_and_ends_where_they_are_one() {
        assert_eq!(pair(&shown(7, 3)), Some((3, 7)));
        assert_eq!(pair("0123"), None);
        let mut parted = Parted::of([(7, 3), (9, 3)], &HashMap::from([(9, 3)]));
        parted.follow(&HashMap::from([(7, 5)]));
        assert_eq!(parted.pairs, BTreeSet::from([(5, 3)]));
    }
}
