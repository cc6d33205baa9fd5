//! Time travel: `FOR VERSION AS OF` and `FOR SYSTEM_TIME AS OF` say it of one table of a statement, the setting
//! `henna.table_versions` of all that a session's own statements read.
//!
//! Who may see what is decided by today's rules over today's rows: what policies and masks look up is the newest version.

use super::names::{Names, lock};
use super::session::instant;
use crate::catalog::inventory::{PUBLIC, Relation};
use crate::error::{Error, Reason, Result};
use crate::lake::Moment;
use crate::sql::AskedVersion;

/// An instant for all tables, or versions by name: `orders=12, mart_own.visits=3`.
pub(super) const TABLE_VERSIONS: &str = "henna.table_versions";

/// What else than a table of the lake is asked for a version.
pub(super) fn without_versions(name: &str) -> Error {
    Error::new(Reason::WrongKind, format!("\"{name}\" has no versions: it is not a table of the lake"))
        .with_hint(format!("SET {TABLE_VERSIONS} lets views read their tables as they were"))
}

/// The error of a version that cannot be read, by the table's name: its folder may have another one.
pub(super) fn by_name(error: Error, relation: &Relation) -> Error {
    let text =
        error.to_string().replace(&relation.folder.to_string(), &format!("{}.{}", relation.schema, relation.name));
    if error.reason() == Reason::UndefinedObject { Error::new(Reason::UndefinedObject, text) } else { error }
}

impl Names {
    /// The version that the statement itself asks a table for.
    pub(super) fn asked_version(&self, relation: &Relation, asked: AskedVersion<'_>) -> Result<Moment> {
        match asked {
            AskedVersion::Number(text) => text.parse().map(Moment::Version).map_err(|_| {
                let text = format!("{text} is no version of table \"{}\": versions are whole numbers", relation.name);
                Error::new(Reason::InvalidParameter, text)
            }),
            AskedVersion::Time(text) => instant(text, &self.time_zone()).map(Moment::Instant),
        }
    }

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
