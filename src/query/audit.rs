//! What doors and sessions tell the audit log: each login, each statement when it has ended, each refusal.
//!
//! A [`Watch`] goes with a statement from its begin to the end of its rows. It is told once, whichever way it ends: by the
//! last row, by an error, or by being dropped. Telling is handing a value to a queue; no statement waits for the disk.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::RecordBatchStream;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::sql::sqlparser::ast;
use futures::Stream;

use super::answer::{Answer, TransactionStatus};
use super::block::Holding;
use super::cursor::CursorStatement;
use super::engine::Lake;
use super::failure::reason_of;
use super::guard::StatementGuard;
use super::names::lock;
use super::prepared::PreparedStatement;
use super::query_log;
use super::session::Session;
use super::statement::{Shown, Statement, StatementKind};
use super::utility::Utility;
use crate::access::{AuditEvent, AuditKind, AuditLog, AuditUser, RoleId, SecuritySnapshot, SecurityStore, TableId};
use crate::error::{Error, Reason, Result, sqlstate};

/// Names that one record holds; a statement may name more.
const NAMES_MAX: usize = 64;

impl Lake {
    /// Takes note of a login that came to its end at a door. A name that is no role is not kept: people type passwords there.
    pub fn tell_login(&self, door: &str, user: &str, address: IpAddr, outcome: Result<(), Reason>) {
        let security = self.security().snapshot();
        let subject = match outcome {
            Err(Reason::LoginThrottled) => format!("{door}, throttled"),
            _ => door.to_owned(),
        };
        self.audit().record(AuditEvent {
            user: security.role_named(user).map(|role| AuditUser { id: role.id, name: role.name.clone() }),
            client: Some(address.to_canonical().to_string()),
            command: "LOGIN".to_owned(),
            subject: Some(subject),
            epoch: security.epoch(),
            sqlstate: Some(code(outcome).to_owned()),
            ..AuditEvent::now(AuditKind::Login)
        });
    }
}

impl Session {
    /// Begins to watch the running statement.
    pub(super) fn watch(&self, statement: &Statement, shown: &Shown, guard: &StatementGuard) -> Watch {
        let mut watch = self.unplanned(statement, shown);
        (watch.guard, watch.named) = (Some(guard.clone()), self.names().named());
        watch
    }

    /// A statement of which no name was resolved yet.
    fn unplanned(&self, statement: &Statement, shown: &Shown) -> Watch {
        let security = self.security().snapshot();
        let mut what = What::of(statement, &security);
        // A block's changes of rights are done when it is committed; what it loses is told, too.
        let is_commit = self.transaction() == TransactionStatus::Active && what.command == "COMMIT";
        if is_commit && self.holding() == Holding::Steps {
            what.kind = AuditKind::Security;
        }
        if is_end(&what.command) && self.holding() != Holding::Nothing {
            what.is_quiet = false;
        }
        let records = what.kind == AuditKind::Security && (is_commit || !self.in_block());
        let event = AuditEvent {
            command: what.command,
            subject: what.subject,
            statement: shown.hash.as_deref().map(str::to_owned),
            ..self.audit_event(what.kind, &security)
        };
        Watch {
            audit: Arc::clone(self.lake().audit()),
            query_log: Arc::clone(self.lake().query_log()),
            shown: Arc::clone(&shown.text),
            bytes: 0,
            store: Arc::clone(self.lake().security()),
            role: self.principal().get().checked_role(),
            security,
            named: Arc::default(),
            guard: None,
            begun: Instant::now(),
            rows: None,
            is_quiet: what.is_quiet,
            records,
            is_told: false,
            event,
        }
    }

    /// Takes note of a statement that a door has refused before it came to the session.
    pub fn tell_refused(&self, statement: &Statement, error: &Error) {
        self.unplanned(statement, &Shown::of(statement)).fail(error);
    }

    /// Takes note of a text that is no statement. It may be anything, so nothing of it is kept.
    pub(super) fn tell_unparsed(&self, error: &Error) {
        let security = self.security().snapshot();
        let sqlstate = Some(code(Err(error.reason())).to_owned());
        self.lake().audit().record(AuditEvent { sqlstate, ..self.audit_event(AuditKind::Statement, &security) });
    }

    /// Takes note of a role that the start-up message took on.
    pub(super) fn tell_role(&self, command: &str, name: &str, outcome: &Result<()>) {
        let security = self.security().snapshot();
        let outcome = outcome.as_ref().map(|_| ()).map_err(Error::reason);
        let kind = if outcome == Err(Reason::Privilege) { AuditKind::Denial } else { AuditKind::Role };
        self.lake().audit().record(AuditEvent {
            command: command.to_owned(),
            subject: known_role(&security, name),
            sqlstate: Some(code(outcome).to_owned()),
            ..self.audit_event(kind, &security)
        });
    }

    /// Takes note of a load whose rows came over the session's socket.
    pub(super) fn tell_load(&self, table: &TableId, begun: Instant, outcome: Result<u64, Reason>) {
        let security = self.security().snapshot();
        let denied = outcome == Err(Reason::Privilege);
        let kind = if denied { AuditKind::Denial } else { AuditKind::Statement };
        self.lake().audit().record(AuditEvent {
            command: "LOAD".to_owned(),
            tables: vec![table.to_string()],
            policies: security.is_bound(self.principal().get().checked_role(), table),
            rows: outcome.ok(),
            sqlstate: Some(code(outcome.map(|_| ())).to_owned()),
            elapsed_us: u64::try_from(begun.elapsed().as_micros()).ok(),
            ..self.audit_event(kind, &security)
        });
    }

    /// An event of this session, as it stands now.
    fn audit_event(&self, kind: AuditKind, security: &SecuritySnapshot) -> AuditEvent {
        let principal = self.principal().get();
        let user = principal.authenticated_user();
        let role = principal.current_role();
        AuditEvent {
            user: Some(AuditUser { id: user, name: security.role_name(user) }),
            role: (role != user).then(|| security.role_name(role)),
            client: self.names().about.client_address.as_ref().map(|(address, _)| address.clone()),
            session: Some(self.pid()),
            epoch: security.epoch(),
            ..AuditEvent::now(kind)
        }
    }
}

/// What a statement does, as far as it is told.
struct What {
    kind: AuditKind,
    command: String,
    subject: Option<String>,
    /// Its success is not worth a record: it touches neither rows nor rights.
    is_quiet: bool,
}

impl What {
    fn of(statement: &Statement, security: &SecuritySnapshot) -> Self {
        let plain = |command: &str, is_quiet| Self {
            kind: AuditKind::Statement,
            command: command.to_owned(),
            subject: None,
            is_quiet,
        };
        let sql = match &statement.kind {
            StatementKind::Access(change) => {
                let (command, subject) = (change.tag().to_owned(), Some(change.subject()));
                return Self { kind: AuditKind::Security, command, subject, is_quiet: false };
            }
            StatementKind::Ddl(ddl) => {
                let (command, subject) = (ddl.tag().to_owned(), Some(ddl.subject()));
                return Self { kind: AuditKind::Security, command, subject, is_quiet: false };
            }
            // FETCH gives the rows; the relations stand in the record of DECLARE.
            StatementKind::Cursor(cursor) => {
                return plain(cursor.tag(), matches!(**cursor, CursorStatement::Close { .. }));
            }
            StatementKind::Copy(_) => return plain("COPY", false),
            StatementKind::Prepared(prepared) => {
                return plain(prepared.tag(), !matches!(**prepared, PreparedStatement::Execute { .. }));
            }
            StatementKind::Sql(sql) => sql,
        };
        match Utility::of(sql) {
            Ok(Some(utility)) => match role_change(&utility) {
                Some((command, name)) => Self {
                    kind: AuditKind::Role,
                    command: command.to_owned(),
                    subject: known_role(security, name),
                    is_quiet: false,
                },
                None => plain(utility.tag(), true),
            },
            Ok(None) | Err(_) => plain(&command(sql, &statement.text), false),
        }
    }
}

fn is_end(command: &str) -> bool {
    ["COMMIT", "ROLLBACK"].contains(&command)
}

/// The role that a statement takes on; `none` and `default` are one's own.
fn role_change(utility: &Utility) -> Option<(&'static str, &str)> {
    const ROLE: &str = "SET ROLE";
    const AUTHORIZATION: &str = "SET SESSION AUTHORIZATION";
    match utility {
        Utility::SetRole { name, .. } => Some((ROLE, name.as_deref().unwrap_or("none"))),
        Utility::SetSessionAuthorization { name, .. } => Some((AUTHORIZATION, name.as_deref().unwrap_or("default"))),
        Utility::Set { name, value, .. } if name.eq_ignore_ascii_case("role") => Some((ROLE, value)),
        Utility::Set { name, value, .. } if name.eq_ignore_ascii_case("session_authorization") => {
            Some((AUTHORIZATION, value))
        }
        _ => None,
    }
}

/// A name is told where it is a role's; another one may be anything.
fn known_role(security: &SecuritySnapshot, name: &str) -> Option<String> {
    (["none", "default"].contains(&name) || security.role_named(name).is_some()).then(|| name.to_owned())
}

/// The first word of a statement, which is always the grammar's own.
fn command(sql: &ast::Statement, text: &str) -> String {
    match sql {
        ast::Statement::Query(_) => "SELECT".to_owned(),
        _ => text.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

/// `00000`, or the code of an error.
fn code(outcome: Result<(), Reason>) -> &'static str {
    outcome.map_or_else(sqlstate::of, |()| "00000")
}

/// The relations that a statement names. What its policies read is not among them: that would tell of the policies.
#[derive(Debug, Default)]
pub(super) struct Named {
    relations: Mutex<Relations>,
    /// What runs, until it has ended.
    plan: Mutex<Option<Arc<dyn ExecutionPlan>>>,
}

#[derive(Debug, Default)]
struct Relations {
    shown: BTreeSet<TableId>,
    hidden: BTreeSet<TableId>,
    is_closed: bool,
}

impl Named {
    pub fn show(&self, id: &TableId) {
        self.note(|relations| &mut relations.shown, id);
    }

    /// One that exists, and that the role may not know of.
    pub fn hide(&self, id: &TableId) {
        self.note(|relations| &mut relations.hidden, id);
    }

    /// Those that are not hidden.
    pub fn shown(&self) -> Vec<TableId> {
        lock(&self.relations).shown.iter().cloned().collect()
    }

    /// The plan whose costs are those of the statement.
    pub fn runs(&self, plan: &Arc<dyn ExecutionPlan>) {
        *lock(&self.plan) = Some(Arc::clone(plan));
    }

    /// The statement is planned: names that are resolved from now on are not its own.
    pub fn close(&self) {
        lock(&self.relations).is_closed = true;
    }

    fn note(&self, among: impl FnOnce(&mut Relations) -> &mut BTreeSet<TableId>, id: &TableId) {
        let mut relations = lock(&self.relations);
        if !relations.is_closed {
            among(&mut relations).insert(id.clone());
        }
    }

    fn texts(ids: &BTreeSet<TableId>) -> Vec<String> {
        let mut texts: Vec<String> = ids.iter().take(NAMES_MAX).map(ToString::to_string).collect();
        if ids.len() > NAMES_MAX {
            texts.push("...".to_owned());
        }
        texts
    }
}

/// A statement on its way.
pub(super) struct Watch {
    audit: Arc<AuditLog>,
    query_log: Arc<AuditLog>,
    /// The statement's text without literals.
    shown: Arc<str>,
    /// Of the rows that it has given.
    bytes: u64,
    store: Arc<SecurityStore>,
    security: Arc<SecuritySnapshot>,
    role: RoleId,
    named: Arc<Named>,
    guard: Option<StatementGuard>,
    begun: Instant,
    rows: Option<u64>,
    is_quiet: bool,
    /// Its success is a record of the security log.
    records: bool,
    is_told: bool,
    event: AuditEvent,
}

impl Watch {
    /// Goes on with the answer: one that has ended is told now, one with rows when they end.
    pub fn follow(mut self, answer: Result<Answer>) -> Result<Answer> {
        match answer {
            Ok(Answer::Rows { tag, schema, stream, guard }) => {
                self.rows = Some(0);
                let stream: SendableRecordBatchStream = Box::pin(Watched { stream, watch: self });
                Ok(Answer::Rows { tag, schema, stream, guard })
            }
            Ok(Answer::Done { tag }) => {
                self.rows = tag.rsplit(' ').next().and_then(|count| count.parse().ok());
                self.tell(Some(Ok(())));
                Ok(Answer::Done { tag })
            }
            Ok(Answer::CopyIn(copy)) => Ok(Answer::CopyIn(Box::new(copy.watched(self)))),
            Ok(Answer::Empty) => {
                self.is_told = true;
                Ok(Answer::Empty)
            }
            Err(error) => {
                self.fail(&error);
                Err(error)
            }
        }
    }

    pub fn fail(mut self, error: &Error) {
        self.tell(Some(Err(error.reason())));
    }

    /// `outcome` is None where nobody waited for it.
    fn tell(&mut self, outcome: Option<Result<(), Reason>>) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        let outcome = outcome.or_else(|| self.guard.as_ref().and_then(StatementGuard::stopped).map(Err));
        if self.is_quiet && outcome == Some(Ok(())) {
            return;
        }
        let mut event = std::mem::take(&mut self.event);
        let relations = std::mem::take(&mut *lock(&self.named.relations));
        let missing = outcome == Some(Err(Reason::UndefinedTable));
        if missing {
            event.hidden = Named::texts(&relations.hidden);
        }
        if outcome == Some(Err(Reason::Privilege)) || !event.hidden.is_empty() {
            event.kind = AuditKind::Denial;
        }
        if self.records && outcome == Some(Ok(())) {
            event.epoch = self.store.snapshot().epoch();
        }
        event.policies = relations.shown.iter().any(|id| self.security.is_bound(self.role, id));
        event.tables = Named::texts(&relations.shown);
        event.rows = self.rows;
        event.sqlstate = outcome.map(|outcome| code(outcome).to_owned());
        event.elapsed_us = u64::try_from(self.begun.elapsed().as_micros()).ok();
        let plan = lock(&self.named.plan).take();
        let run = query_log::run_of(&self.shown, plan.as_ref(), self.bytes);
        self.query_log.keep(AuditEvent { run: Some(Box::new(run)), hidden: Vec::new(), ..event.clone() });
        self.audit.record(event);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tell(None);
    }
}

/// The rows of a statement that is watched.
struct Watched {
    stream: SendableRecordBatchStream,
    watch: Watch,
}

impl Stream for Watched {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.stream.as_mut().poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(batch))) => {
                let rows = self.watch.rows.unwrap_or_default();
                self.watch.rows = Some(rows.saturating_add(batch.num_rows() as u64));
                let bytes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0));
                self.watch.bytes = self.watch.bytes.saturating_add(bytes.sum::<usize>() as u64);
            }
            Poll::Ready(Some(Err(error))) => self.watch.tell(Some(Err(reason_of(error)))),
            Poll::Ready(None) => self.watch.tell(Some(Ok(()))),
            Poll::Pending => {}
        }
        polled
    }
}

impl RecordBatchStream for Watched {
    fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }
}
