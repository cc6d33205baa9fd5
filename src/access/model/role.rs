//! A role: who may log in, what it may do everywhere, and the attributes that an administrator pinned to it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::store::scram::Verifier;

/// Identifies a role for good: renaming keeps it, dropping and creating again does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoleId(pub u32);

impl RoleId {
    /// Everyone; a grantee, never a principal.
    pub const PUBLIC: Self = Self(0);
    /// The superuser whom the first record of the log makes.
    pub const BOOTSTRAP: Self = Self(10);
    /// The first one that CREATE ROLE gives out.
    pub const FIRST_FREE: Self = Self(16_384);
}

/// A role's own state. Its attributes (superuser, login, ...) are never inherited by its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub id: RoleId,
    pub name: String,
    pub superuser: bool,
    /// Whether memberships granted to this role inherit unless they say otherwise.
    pub inherit: bool,
    pub create_role: bool,
    pub create_db: bool,
    pub login: bool,
    pub replication: bool,
    pub bypass_rls: bool,
    /// -1 is no limit.
    pub connection_limit: i32,
    /// As written; compared as RFC 3339 or `YYYY-MM-DD[ HH:MM:SS]` in UTC. None never ends.
    pub valid_until: Option<String>,
    /// None cannot log in by password.
    pub verifier: Option<Verifier>,
    /// What ALTER ROLE ... SET pinned, by full name, e.g. `henna.guide_id`.
    pub settings: BTreeMap<String, String>,
    pub comment: Option<String>,
}

impl Role {
    /// A role with the defaults of CREATE ROLE.
    pub fn named(id: RoleId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_db: false,
            login: false,
            replication: false,
            bypass_rls: false,
            connection_limit: -1,
            valid_until: None,
            verifier: None,
            settings: BTreeMap::new(),
            comment: None,
        }
    }

    /// Whether its VALID UNTIL lies behind. A text that cannot be read is over.
    pub fn expired(&self, now: DateTime<Utc>) -> bool {
        self.valid_until.as_deref().is_some_and(|text| parse_time(text).is_none_or(|until| until <= now))
    }

    /// The moment of its VALID UNTIL; None where it never ends, or where the text says no moment.
    pub fn ends(&self) -> Option<DateTime<Utc>> {
        self.valid_until.as_deref().and_then(parse_time)
    }

    /// The value that `role_attribute(name)` gives; `name` without its `henna.`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.settings.get(&format!("henna.{name}")).map(String::as_str)
    }
}

/// A moment as VALID UNTIL takes it: RFC 3339, or `YYYY-MM-DD[ HH:MM:SS]` in UTC.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%F %T%#z")) {
        return Some(moment.to_utc());
    }
    let day = || NaiveDate::parse_from_str(text, "%F").ok().map(|day| day.and_time(NaiveTime::MIN));
    NaiveDateTime::parse_from_str(text, "%F %T").ok().or_else(day).map(|moment| moment.and_utc())
}

/// `member` is in `role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub role: RoleId,
    pub member: RoleId,
    pub grantor: RoleId,
    /// May grant the role to others.
    pub admin: bool,
    /// Has the role's privileges without SET ROLE.
    pub inherit: bool,
    /// May SET ROLE to it.
    pub set: bool,
}
