//! Identifiers that were joined to a person wrongly become another one's, and stay so.
//!
//! Rows of tables name a person by number alone, so what was loaded under the person's own number cannot be told apart. Rows
//! under a number that was merged into it can: where all identifiers of such a number go, its merge is undone, and its rows
//! are its own again.

use std::collections::{BTreeMap, BTreeSet};

use super::super::error::IngestError;
use super::super::identity::{PARTED, Row, shown_pair};
use super::super::load::Loader;
use super::known::{Known, RowsByNumber, Who};
use super::{OPERATOR, merge_row};
use crate::error::Result;
use crate::lake::TableName;

/// What a split did.
#[derive(Debug, PartialEq, Eq)]
pub struct Split {
    pub one_id: i64,
    /// The person that the identifiers are now: one that was merged before, or a new one.
    pub to: i64,
    pub is_new: bool,
    /// How many identifiers went.
    pub identifiers: usize,
    /// Numbers whose merges were undone.
    pub undone: BTreeSet<i64>,
    /// The rows that went with them.
    pub rows: BTreeMap<TableName, RowsByNumber>,
    /// Numbers that stay merged into the person.
    pub left: BTreeSet<i64>,
}

impl Loader {
    /// Takes identifiers off a person, or numbers that were merged into it with all that they brought, in one durable commit.
    /// No load joins the two persons again; a merge by an operator does.
    pub async fn split_person(&self, one_id: i64, named: &[Who]) -> Result<Split> {
        let mut split = self
            .change_persons(async |known| {
                let one_id = self.person_named(known, &Who::Number(one_id)).await?;
                let own = known.identifiers(&known.beneath(one_id)).await?;
                let (mut values, mut numbers) = (BTreeSet::new(), BTreeSet::new());
                for named in named {
                    match named {
                        Who::Number(number) => {
                            numbers.insert(*number);
                        }
                        Who::Identifier { id_type, value } => {
                            let row = self.identifier(known, id_type, value).await?;
                            if known.now(row.person) != one_id {
                                let (id_type, value, person) = (id_type.clone(), value.clone(), known.now(row.person));
                                return Err(IngestError::IdentifierElsewhere { id_type, value, person, one_id }.into());
                            }
                            values.insert(row.id_value);
                        }
                    }
                }
                let next = self.person_max().await? + 1;
                Ok(planned(known, one_id, own, &values, &numbers, next.max(known.after_merges()))?)
            })
            .await?;
        let moved = {
            let known = self.known().await?;
            split.undone.iter().flat_map(|number| known.beneath(*number)).collect()
        };
        split.rows = self.rows_of(&moved).await?;
        Ok(split)
    }
}

/// The rows that part `values`, and all that came with `numbers`, from a person; a new one gets number `next`.
fn planned(
    known: &Known<'_>,
    one_id: i64,
    own: Vec<Row<'static>>,
    values: &BTreeSet<String>,
    numbers: &BTreeSet<i64>,
    next: i64,
) -> Result<(Vec<Row<'static>>, Split), IngestError> {
    let merged: BTreeSet<i64> = known.beneath(one_id).into_iter().filter(|number| *number != one_id).collect();
    if let Some(number) = numbers.iter().find(|number| !merged.contains(number)) {
        return Err(IngestError::NotMerged { number: *number, one_id });
    }
    let named: BTreeSet<i64> = numbers.iter().flat_map(|number| known.beneath(*number)).collect();
    let goes = |row: &Row| values.contains(&row.id_value) || named.contains(&row.person);
    // A merge is undone where nothing that it brought stays.
    let is_undone = |number: &i64| {
        let beneath = known.beneath(*number);
        let mut brought = own.iter().filter(|row| beneath.contains(&row.person)).peekable();
        named.contains(number) || brought.peek().is_some() && brought.all(goes)
    };
    let gone: BTreeSet<i64> = merged.iter().copied().filter(is_undone).collect();
    // Of those that were merged one into the other, the last survivor.
    let undone: BTreeSet<i64> = gone
        .iter()
        .copied()
        .filter(|number| !gone.iter().any(|other| other != number && known.beneath(*other).contains(number)))
        .collect();
    let (to, is_new) = undone.first().map_or((next, true), |first| (*first, false));
    let all = own.len();
    let going: Vec<Row<'static>> = own.into_iter().filter(goes).collect();
    if is_new && going.len() == all {
        return Err(IngestError::NothingLeft { one_id });
    }
    let (identifiers, now_us) = (going.len(), chrono::Utc::now().timestamp_micros());
    let rewritten = going.into_iter().filter(|row| !gone.contains(&row.person)).map(|row| Row { person: to, ..row });
    let parted = Row {
        id_type: PARTED.into(),
        id_value: shown_pair(one_id, to),
        person: to,
        first_seen_us: Some(now_us),
        last_seen_us: Some(now_us),
        source: Some(OPERATOR.into()),
    };
    let rows = undone.iter().map(|number| merge_row(*number, to, now_us)).chain(rewritten).chain([parted]).collect();
    let left = merged.difference(&gone).copied().collect();
    Ok((rows, Split { one_id, to, is_new, identifiers, undone, rows: BTreeMap::new(), left }))
}
