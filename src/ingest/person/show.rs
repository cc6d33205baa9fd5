//! A person as the lake knows it: identifiers, merges, rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::super::identity::{MERGED, PARTED, parted_pair};
use super::super::load::Loader;
use super::known::{RowsByNumber, Who, in_texts};
use crate::error::Result;
use crate::lake::TableName;
use datafusion::prelude::{col, lit};

/// A person, and all that the lake knows it by.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Person {
    pub one_id: i64,
    pub identifiers: Vec<Identifier>,
    /// Numbers that are this person now, the oldest merge first.
    pub merged: Vec<Merged>,
    /// Persons that no load joins with this one.
    pub parted_from: BTreeSet<i64>,
    /// By table, and by the number under which the rows are stored.
    pub rows: BTreeMap<TableName, RowsByNumber>,
}

/// One of a person's identifiers.
#[derive(Debug, PartialEq, Eq)]
pub struct Identifier {
    pub id_type: String,
    /// Its keyed hash.
    pub id_value: String,
    /// The number under which it is stored: the person's, or one that was merged into it.
    pub number: i64,
    pub first_seen_us: Option<i64>,
    pub last_seen_us: Option<i64>,
    pub source: Option<String>,
    /// Of one that is held to be shared and joins nobody any more: how many others it would join, at least.
    pub shared: Option<i64>,
}

/// A number that became another.
#[derive(Debug, PartialEq, Eq)]
pub struct Merged {
    pub number: i64,
    pub into: i64,
    pub at_us: Option<i64>,
    /// The load's source or table, or `operator`.
    pub source: Option<String>,
}

impl Loader {
    /// Shows the person whom an operator names.
    pub async fn show_person(&self, who: &Who) -> Result<Person> {
        let known = self.known().await?;
        let one_id = self.person_named(&known, who).await?;
        let numbers = known.beneath(one_id);
        let identifiers = known.identifiers(&numbers).await?;
        let values: Vec<String> = identifiers.iter().map(|row| row.id_value.clone()).collect();
        let shared = self.shared(in_texts("id_value", &values)).await?;
        let olds: Vec<String> = numbers.iter().filter(|number| **number != one_id).map(i64::to_string).collect();
        let mut merges = known.rows(col("id_type").eq(lit(MERGED)).and(in_texts("id_value", &olds))).await?;
        merges.sort_by_key(|row| (row.first_seen_us, row.person));
        let merged = merges.into_iter().filter_map(|row| {
            let number = row.id_value.parse().ok()?;
            Some(Merged { number, into: row.person, at_us: row.first_seen_us, source: row.source.map(Cow::into_owned) })
        });
        let pairs = known.rows(col("id_type").eq(lit(PARTED))).await?;
        let parted = pairs.iter().filter_map(|row| parted_pair(&row.id_value)).filter_map(|(first, second)| {
            match (known.now(first), known.now(second)) {
                (first, second) if first == one_id && second != one_id => Some(second),
                (first, second) if second == one_id && first != one_id => Some(first),
                _ => None,
            }
        });
        Ok(Person {
            one_id,
            parted_from: parted.collect(),
            merged: merged.collect(),
            rows: self.rows_of(&numbers).await?,
            identifiers: identifiers
                .into_iter()
                .map(|row| Identifier {
                    shared: shared.get(&row.id_value).copied(),
                    id_type: row.id_type.into_owned(),
                    id_value: row.id_value,
                    number: row.person,
                    first_seen_us: row.first_seen_us,
                    last_seen_us: row.last_seen_us,
                    source: row.source.map(Cow::into_owned),
                })
                .collect(),
        })
    }
}
