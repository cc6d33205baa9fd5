//! One identity as an operator sees it: shown, joined with another, parted from what was joined wrongly.
//!
//! A change is one commit of `identities`, worked out from its newest version and begun again where that has moved on.
//! Rows of other tables are never written: they follow through the merges that every read looks up.

mod known;
mod merge;
mod show;
mod split;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;

pub use known::Who;
pub use merge::Joined;
pub use show::{Identifier, Merged, Person};
pub use split::Split;

use super::identity::{IDENTITIES, MERGED, Row, batch};
use super::load::{Loader, PUBLIC, stream_of};
use crate::error::{Reason, Result};
use crate::lake::{TableName, WriteRequest};
use known::Known;

/// `source` of rows that an operator made.
const OPERATOR: &str = "operator";
/// How often a change begins again because a load got in first.
const ATTEMPTS_MAX: u64 = 20;
const ATTEMPT_PAUSE_MS: u64 = 100;

impl Loader {
    /// Commits what `plan` makes of the newest identities: rows that take the place of those with their key, none where nothing is to change.
    /// Gives its outcome once that is durable.
    async fn change_persons<T>(
        &self,
        mut plan: impl AsyncFnMut(&Known<'_>) -> Result<(Vec<Row<'static>>, T)>,
    ) -> Result<T> {
        let mut attempts = 1;
        loop {
            let turn = self.turn.lock().await;
            let known = self.known().await?;
            let (rows, outcome) = plan(&known).await?;
            if rows.is_empty() {
                return Ok(outcome);
            }
            let schema = known.contract.stored_schema();
            let request = WriteRequest {
                load_id: String::new(),
                rows: stream_of(vec![batch(&schema, &rows)?], schema),
                notes: BTreeMap::new(),
            };
            let table = TableName::new(PUBLIC, IDENTITIES);
            let written = self.store.write_onto(&table, known.snapshot.version, request).await;
            drop(turn);
            match written {
                Ok(_) => return Ok(outcome),
                Err(error) if error.reason() == Reason::Serialization && attempts < ATTEMPTS_MAX => {
                    let wait_ms = rand::rng().random_range(0..ATTEMPT_PAUSE_MS * attempts);
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    attempts += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// A row that says: person `old` is now `survivor`; the same twice says that it is itself again.
fn merge_row(old: i64, survivor: i64, now_us: i64) -> Row<'static> {
    Row {
        id_type: MERGED.into(),
        id_value: old.to_string(),
        person: survivor,
        first_seen_us: Some(now_us),
        last_seen_us: Some(now_us),
        source: Some(OPERATOR.into()),
    }
}
