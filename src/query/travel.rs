//! Time travel: the setting `henna.table_versions` says at which versions a session's own statements read tables.
//!
//! Who may see what is decided by today's rules over today's rows: what policies and masks look up is the newest version.

use super::names::{Names, lock};
use super::session::instant;
use crate::catalog::inventory::{PUBLIC, Relation};
use crate::error::{Error, Reason, Result};
use crate::lake::Moment;

/// An instant for all tables, or versions by name: `orders=12, mart_own.visits=3`.
pub(super) const TABLE_VERSIONS: &str = "henna.table_versions";

impl Names {
    /// The version at which the session has chosen to read a table; `None` is the newest.
    pub(super) fn chosen_version(&self, relation: &Relation) -> Result<Option<Moment>> {
        let state = self.state();
        let (text, zone) = {
            let state = lock(&state);
            (state.settings.show(TABLE_VERSIONS)?.trim().to_owned(), state.settings.time_zone().to_owned())
        };
        if text.is_empty() {
            return Ok(None);
        }
        if !text.contains('=') {
            return instant(&text, &zone).map(|instant_us| Some(Moment::Instant(instant_us)));
        }
        for entry in text.split(',') {
            let invalid = || {
                let text =
                    format!("{TABLE_VERSIONS}: \"{}\" is not a table and its version, such as orders=12", entry.trim());
                Error::new(Reason::InvalidParameter, text)
            };
            let (table, version) = entry.split_once('=').ok_or_else(invalid)?;
            let (schema, table) = table.trim().split_once('.').unwrap_or((PUBLIC, table.trim()));
            let version = version.trim().parse().map_err(|_| invalid())?;
            if schema == relation.schema && table == relation.name {
                return Ok(Some(Moment::Version(version)));
            }
        }
        Ok(None)
    }
}
