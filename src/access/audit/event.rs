//! One deed: who, from where, what, with what outcome. No literals, no passwords, no values of rows.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::super::model::role::RoleId;
use super::chain::Head;

/// What kind of deed it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// Someone tried to log in.
    Login,
    /// A session took on another role, or tried to.
    Role,
    /// A statement about roles, grants, policies or masks; the security log holds what it changed.
    Security,
    /// A statement was refused for want of a right, told (42501) or not: a relation that is hidden looks missing (42P01).
    Denial,
    #[default]
    Statement,
    /// Events that could not be recorded.
    Loss,
    /// Old segments were taken away.
    Retention,
}

impl AuditKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Role => "role",
            Self::Security => "security",
            Self::Denial => "denial",
            Self::Statement => "statement",
            Self::Loss => "loss",
            Self::Retention => "retention",
        }
    }

    /// Whether it is written at once. A statement may wait a second for company.
    pub(super) fn is_urgent(self) -> bool {
        self != Self::Statement
    }
}

/// A user, by the id that no other role ever has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditUser {
    pub id: RoleId,
    pub name: String,
}

/// What is told of a deed. A field that does not apply is empty and takes no room on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When it began, in microseconds since 1970 UTC.
    pub at_us: i64,
    pub kind: AuditKind,
    /// The user that logged in, or tried to. None where that is no role: what was typed may be a password in the wrong field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<AuditUser>,
    /// The role that it acted in, where that was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The address of the client; none in process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The number of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<i32>,
    /// What was done, as a command tag says it: `SELECT`, `GRANT`, `SET ROLE`, `LOGIN`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// What it was done to: the role taken on, the objects of a change of rights, the door of a login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The SHA-256, in hex, of the statement with a question mark for each literal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The tables and views that it named, those within views too, by full name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// Those that it named and that are hidden from the role: to its user they are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Whether row policies or masks bind the role on one of `tables`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub policies: bool,
    /// The record of the security log up to which rights counted.
    #[serde(default)]
    pub epoch: u64,
    /// Rows that it gave or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How it ended: `00000` or the code of its error; none where its reader left before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// From its begin to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_us: Option<u64>,
    /// How many equal deeds this record stands for, where not one; `at_us` and `elapsed_us` are of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What its run cost: in the log of queries alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<AuditRun>>,
    /// The newest record that was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Head>,
}

/// A statement's text, and what it cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRun {
    /// With a question mark for each literal; empty where it may hold a password.
    pub text: String,
    /// Of all threads.
    pub cpu_us: u64,
    /// Of the rows that it gave, as they lay in memory. This and what follows is not told where row policies or masks were in
    /// its way: it follows how the visible rows lie among the hidden ones.
    pub bytes: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub spilled_bytes: Option<u64>,
}

// As serde wants it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl AuditEvent {
    pub fn now(kind: AuditKind) -> Self {
        Self { at_us: now_us(), kind, ..Self::default() }
    }

    /// Whether the deed was done: its error, where it has one, is none.
    pub fn is_done(&self) -> bool {
        self.sqlstate.as_deref() == Some(DONE)
    }

    /// Whether equal ones are told as one: logins, and statements that name no table.
    pub(super) fn may_repeat(&self) -> bool {
        match self.kind {
            AuditKind::Login => true,
            AuditKind::Statement => self.tables.is_empty() && self.hidden.is_empty(),
            AuditKind::Role | AuditKind::Security | AuditKind::Denial | AuditKind::Loss | AuditKind::Retention => false,
        }
    }

    /// Whether `other` is the same deed at another time.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        // What differs most comes first.
        self.session == other.session
            && self.kind == other.kind
            && self.statement == other.statement
            && self.user == other.user
            && self.role == other.role
            && self.client == other.client
            && self.command == other.command
            && self.subject == other.subject
            && self.tables == other.tables
            && self.hidden == other.hidden
            && self.policies == other.policies
            && self.epoch == other.epoch
            && self.rows == other.rows
            && self.sqlstate == other.sqlstate
            && self.run == other.run
            && self.removed == other.removed
    }

    pub(super) fn count(&self) -> u64 {
        self.times.unwrap_or(1)
    }

    /// Tells the program's own log of what concerns rights.
    pub(super) fn trace(&self) {
        if self.kind == AuditKind::Statement {
            return;
        }
        let by = self.user.as_ref().map_or("", |user| user.name.as_str());
        let (kind, command, epoch) = (self.kind.word(), self.command.as_str(), self.epoch);
        match self.sqlstate.as_deref() {
            Some(DONE) | None => tracing::info!(kind, by, command, epoch, "allowed"),
            Some(sqlstate) => tracing::warn!(kind, by, command, epoch, sqlstate, "refused"),
        }
    }
}

/// The code of success.
pub const DONE: &str = "00000";

pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
