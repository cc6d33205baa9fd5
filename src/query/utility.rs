//! Statements about the session itself: settings, transactions, roles, DISCARD.

use std::sync::{MutexGuard, PoisonError};

use datafusion::sql::sqlparser::ast::{
    self, ContextModifier, Expr, Reset, Set, SetSessionAuthorizationParamKind, TransactionAccessMode, TransactionMode,
    Value,
};

use super::answer::{Notice, TransactionStatus};
use super::session::{Savepoint, Session, State};
use crate::error::{Error, Reason, Result};
use crate::sql::folded;

/// Savepoints of one transaction. A client that never releases its own would fill the memory.
const SAVEPOINTS_MAX: usize = 1_000;

/// What a session statement does, before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Utility {
    Set {
        name: String,
        value: String,
        local: bool,
    },
    /// SET name TO DEFAULT, RESET name.
    Reset {
        name: String,
    },
    ResetAll,
    /// `None` is NONE.
    SetRole {
        name: Option<String>,
        local: bool,
    },
    /// `None` is DEFAULT.
    SetSessionAuthorization {
        name: Option<String>,
        local: bool,
    },
    /// SET TRANSACTION; `session` is SET SESSION CHARACTERISTICS.
    SetTransaction {
        modes: Modes,
        session: bool,
    },
    Show {
        name: String,
    },
    ShowAll,
    Begin {
        modes: Modes,
    },
    Commit {
        end: bool,
    },
    RollBack,
    Savepoint {
        name: String,
    },
    Release {
        name: String,
    },
    RollBackTo {
        name: String,
    },
    Discard {
        what: &'static str,
    },
    Unlisten,
}

/// What a transaction asks for; None leaves it as the session has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modes {
    read_only: Option<bool>,
    isolation: Option<String>,
}

impl Modes {
    fn of(modes: &[TransactionMode]) -> Self {
        let mut asked = Self::default();
        for mode in modes {
            match mode {
                TransactionMode::AccessMode(mode) => asked.read_only = Some(*mode == TransactionAccessMode::ReadOnly),
                TransactionMode::IsolationLevel(level) => asked.isolation = Some(level.to_string().to_lowercase()),
            }
        }
        asked
    }

    /// The settings that say so, and their values.
    fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let read_only = self.read_only.map(|on| ("transaction_read_only", if on { "on" } else { "off" }));
        let isolation = self.isolation.as_deref().map(|level| ("transaction_isolation", level));
        read_only.into_iter().chain(isolation)
    }
}

impl Utility {
    /// The statement as one of these; `None` where it is about data.
    pub fn of(statement: &ast::Statement) -> Result<Option<Self>> {
        use ast::Statement as S;
        Ok(Some(match statement {
            S::Set(set) => of_set(set)?,
            S::Reset(reset) => match &reset.reset {
                Reset::ALL => Self::ResetAll,
                Reset::ConfigurationParameter(name) => of_reset(&name.to_string()),
            },
            S::ShowVariable { variable } => of_show(variable),
            S::ShowVariables { .. } => Self::ShowAll,
            S::StartTransaction { modes, .. } => Self::Begin { modes: Modes::of(modes) },
            S::Commit { end, .. } => Self::Commit { end: *end },
            S::Rollback { savepoint: None, .. } => Self::RollBack,
            S::Rollback { savepoint: Some(name), .. } => Self::RollBackTo { name: folded(name) },
            S::Savepoint { name } => Self::Savepoint { name: folded(name) },
            S::ReleaseSavepoint { name } => Self::Release { name: folded(name) },
            S::Discard { object_type } => Self::Discard { what: discarded(object_type) },
            S::UNLISTEN { .. } => Self::Unlisten,
            _ => return Ok(None),
        }))
    }

    /// The command tag.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Set { .. }
            | Self::SetRole { .. }
            | Self::SetSessionAuthorization { .. }
            | Self::SetTransaction { .. } => "SET",
            Self::Reset { .. } | Self::ResetAll => "RESET",
            Self::Show { .. } | Self::ShowAll => "SHOW",
            Self::Begin { .. } => "BEGIN",
            Self::Commit { .. } => "COMMIT",
            Self::RollBack | Self::RollBackTo { .. } => "ROLLBACK",
            Self::Savepoint { .. } => "SAVEPOINT",
            Self::Release { .. } => "RELEASE",
            Self::Discard { what } => what,
            Self::Unlisten => "UNLISTEN",
        }
    }

    /// Whether a failed transaction lets it through.
    pub fn ends_transaction(&self) -> bool {
        matches!(self, Self::Commit { .. } | Self::RollBack | Self::RollBackTo { .. })
    }
}

fn of_set(set: &Set) -> Result<Utility> {
    match set {
        Set::SingleAssignment { scope, variable, values, .. } => {
            let name = variable.to_string().replace('"', "");
            let local = matches!(scope, Some(ContextModifier::Local));
            match values.as_slice() {
                [Expr::Identifier(word)] if word.value.eq_ignore_ascii_case("default") => Ok(of_reset(&name)),
                values => Ok(Utility::Set { name, value: list(values)?, local }),
            }
        }
        Set::SetTimeZone { local, value } => match value {
            Expr::Identifier(word) if ["default", "local"].contains(&word.value.to_ascii_lowercase().as_str()) => {
                Ok(of_reset("TimeZone"))
            }
            value => Ok(Utility::Set { name: "TimeZone".into(), value: text(value)?, local: *local }),
        },
        Set::SetRole { context_modifier, role_name } => Ok(Utility::SetRole {
            name: role_name.as_ref().map(folded),
            local: matches!(context_modifier, Some(ContextModifier::Local)),
        }),
        Set::SetSessionAuthorization(param) => Ok(Utility::SetSessionAuthorization {
            name: match &param.kind {
                SetSessionAuthorizationParamKind::Default => None,
                SetSessionAuthorizationParamKind::User(name) => Some(folded(name)),
            },
            local: param.scope == ContextModifier::Local,
        }),
        Set::SetNames { charset_name, .. } => {
            Ok(Utility::Set { name: "client_encoding".into(), value: charset_name.value.clone(), local: false })
        }
        Set::SetTransaction { modes, session, .. } => {
            Ok(Utility::SetTransaction { modes: Modes::of(modes), session: *session })
        }
        Set::ParenthesizedAssignments { .. }
        | Set::MultipleAssignments { .. }
        | Set::SetSessionParam(_)
        | Set::SetNamesDefault {} => Err(Error::new(Reason::Syntax, "this form of SET is not PostgreSQL's")),
    }
}

fn of_reset(name: &str) -> Utility {
    match name.to_ascii_lowercase().as_str() {
        "all" => Utility::ResetAll,
        "role" => Utility::SetRole { name: None, local: false },
        "session_authorization" => Utility::SetSessionAuthorization { name: None, local: false },
        _ => Utility::Reset { name: name.to_owned() },
    }
}

fn of_show(words: &[ast::Ident]) -> Utility {
    let name = words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>();
    match name.join(" ").to_ascii_lowercase().as_str() {
        "all" => Utility::ShowAll,
        "time zone" => Utility::Show { name: "TimeZone".into() },
        "transaction isolation level" => Utility::Show { name: "transaction_isolation".into() },
        "session authorization" => Utility::Show { name: "session_authorization".into() },
        _ => Utility::Show { name: name.join(".") },
    }
}

fn discarded(object: &ast::DiscardObject) -> &'static str {
    match object {
        ast::DiscardObject::ALL => "DISCARD ALL",
        ast::DiscardObject::PLANS => "DISCARD PLANS",
        ast::DiscardObject::SEQUENCES => "DISCARD SEQUENCES",
        ast::DiscardObject::TEMP => "DISCARD TEMP",
    }
}

fn list(values: &[Expr]) -> Result<String> {
    Ok(values.iter().map(text).collect::<Result<Vec<_>>>()?.join(", "))
}

/// The value of a setting as text: a literal, or bare words.
fn text(value: &Expr) -> Result<String> {
    match value {
        Expr::Value(literal) => match &literal.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Ok(text.clone()),
            Value::Number(number, _) => Ok(number.clone()),
            Value::Boolean(flag) => Ok(if *flag { "on" } else { "off" }.to_owned()),
            other => Err(not_a_value(&other.to_string())),
        },
        Expr::Identifier(word) => Ok(word.value.clone()),
        Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => Ok(format!("-{}", text(expr)?)),
        other => Err(not_a_value(&other.to_string())),
    }
}

fn not_a_value(shown: &str) -> Error {
    Error::new(Reason::Syntax, format!("'{shown}' is not the value of a setting"))
}

impl Session {
    /// Does a session statement that gives no rows.
    pub(super) async fn do_utility(&self, utility: &Utility) -> Result<()> {
        if let Utility::RollBackTo { name } = utility {
            let mark = {
                let state = self.lock();
                let found = find_savepoint(&state, utility, name)?;
                state.savepoints[found].block.clone()
            };
            self.take_block_back_to(&mark).await?;
        }
        if *utility == Utility::RollBack {
            self.discard_block().await;
        }
        let changed = self.change(utility)?;
        if changed {
            self.follow_settings().await?;
        }
        Ok(())
    }

    /// COMMIT: what the transaction did is durable, or nothing of it is, and it is over either way.
    pub(super) async fn commit(&self) -> Result<()> {
        let outcome = match self.transaction() {
            TransactionStatus::Active => self.commit_block().await,
            TransactionStatus::Failed => {
                self.discard_block().await;
                Ok(())
            }
            TransactionStatus::Idle => Ok(()),
        };
        self.end(&mut self.lock(), if outcome.is_ok() { End::Commit } else { End::RollBack });
        self.follow_settings().await?;
        outcome
    }

    fn change(&self, utility: &Utility) -> Result<bool> {
        let mut state = self.lock();
        match utility {
            Utility::Set { name, value, local } => self.set(&mut state, name, value, *local)?,
            Utility::Reset { name } => state.settings.reset(name)?,
            Utility::ResetAll => state.settings.reset_all(),
            Utility::SetRole { name, local } => {
                warn_outside(&mut state, *local);
                self.set_role(&mut state, name.as_deref(), *local)?;
            }
            Utility::SetSessionAuthorization { name, local } => {
                warn_outside(&mut state, *local);
                self.set_session_authorization(&mut state, name.as_deref(), *local)?;
            }
            Utility::SetTransaction { modes, session } => set_transaction(&mut state, modes, *session)?,
            Utility::Unlisten => return Ok(false),
            Utility::Show { .. } | Utility::ShowAll => return Ok(false),
            Utility::Begin { modes } => self.begin(&mut state, modes)?,
            Utility::Commit { .. } => {
                return Err(Error::new(Reason::Internal, "COMMIT is no change of the session alone"));
            }
            Utility::RollBack => self.end(&mut state, End::RollBack),
            Utility::Savepoint { name } => self.savepoint(&mut state, name)?,
            Utility::Release { name } => {
                let found = find_savepoint(&state, utility, name)?;
                state.savepoints.truncate(found);
            }
            Utility::RollBackTo { name } => {
                let found = find_savepoint(&state, utility, name)?;
                self.roll_back_to(&mut state, found);
            }
            Utility::Discard { what } => {
                if ["DISCARD ALL", "DISCARD PLANS"].contains(what) {
                    self.kept.clear();
                }
                if *what == "DISCARD ALL" {
                    if state.transaction() != TransactionStatus::Idle {
                        let text = format!("{what} cannot run inside a transaction block");
                        return Err(Error::new(Reason::TransactionActive, text));
                    }
                    self.cursors.close(None)?;
                    self.named_statements().clear();
                    state.settings.reset_all();
                    self.set_session_authorization(&mut state, None, false)?;
                }
            }
        }
        Ok(true)
    }

    fn set(&self, state: &mut State, name: &str, value: &str, local: bool) -> Result<()> {
        if name.eq_ignore_ascii_case("role") {
            return self.set_role(state, (!value.eq_ignore_ascii_case("none")).then_some(value), local);
        }
        if name.eq_ignore_ascii_case("session_authorization") {
            return self.set_session_authorization(state, Some(value), local);
        }
        self.refuse_pinned(name)?;
        if name.eq_ignore_ascii_case("henna.as_of") {
            super::session::instant(value, state.settings.time_zone())?;
        }
        match (local, state.transaction()) {
            (true, TransactionStatus::Idle) => {
                // Without effect, yet an unknown name or a wrong value is an error.
                state.settings.clone().set(name, value)?;
                state.notices.push(outside_transaction("SET LOCAL"));
                Ok(())
            }
            (true, _) => state.settings.set_local(name, value),
            (false, _) => state.settings.set(name, value),
        }
    }

    pub(super) fn begin(&self, state: &mut State, modes: &Modes) -> Result<()> {
        if std::mem::take(&mut state.is_implicit) {
            // The statements of the message before it are of the block, too.
            return modes.settings().try_for_each(|(name, value)| state.settings.set_local(name, value));
        }
        if state.transaction() != TransactionStatus::Idle {
            state.notices.push(warning("25001", "there is already a transaction in progress"));
            return Ok(());
        }
        state.set_transaction(TransactionStatus::Active);
        state.settings.begin();
        state.principal_before = Some(self.principal().get());
        for (name, default) in DEFAULTS {
            let value = state.settings.show(default)?.to_owned();
            state.settings.set_local(name, &value)?;
        }
        modes.settings().try_for_each(|(name, value)| state.settings.set_local(name, value))
    }

    fn end(&self, state: &mut State, end: End) {
        if state.transaction() == TransactionStatus::Idle || std::mem::take(&mut state.is_implicit) {
            state.notices.push(warning("25P01", "there is no transaction in progress"));
        }
        if state.transaction() == TransactionStatus::Idle {
            return;
        }
        let committed = end == End::Commit && state.transaction() == TransactionStatus::Active;
        self.cursors.end_transaction(committed);
        let before = state.principal_before.take();
        let local = state.principal_local.take();
        if committed {
            state.settings.commit();
            if let Some(principal) = local {
                self.principal().set(principal);
            }
        } else {
            state.settings.roll_back();
            if let Some(principal) = before {
                self.principal().set(principal);
            }
        }
        state.savepoints.clear();
        state.set_transaction(TransactionStatus::Idle);
        self.leave_block();
    }

    fn savepoint(&self, state: &mut State, name: &str) -> Result<()> {
        if state.transaction() == TransactionStatus::Idle || state.is_implicit {
            return Err(no_transaction("SAVEPOINT"));
        }
        if state.savepoints.len() >= SAVEPOINTS_MAX {
            let text = format!("a transaction can have {SAVEPOINTS_MAX} savepoints");
            return Err(Error::new(Reason::LimitExceeded, text).with_hint("release those that are done"));
        }
        let (settings, principal) = (state.settings.mark(), self.principal().get());
        let (principal_local, block) = (state.principal_local.clone(), self.mark_block());
        state.savepoints.push(Savepoint { name: name.to_owned(), settings, principal, principal_local, block });
        Ok(())
    }

    /// Brings back what was so at a savepoint, which stays; those after it go.
    fn roll_back_to(&self, state: &mut State, found: usize) {
        state.savepoints.truncate(found + 1);
        if let Some(savepoint) = state.savepoints.last().cloned() {
            state.settings.go_back_to(savepoint.settings);
            self.principal().set(savepoint.principal);
            state.principal_local = savepoint.principal_local;
        }
        state.set_transaction(TransactionStatus::Active);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    RollBack,
}

/// What a transaction begins with, and where it takes it from.
const DEFAULTS: [(&str, &str); 2] = [
    ("transaction_read_only", "default_transaction_read_only"),
    ("transaction_isolation", "default_transaction_isolation"),
];

fn set_transaction(state: &mut State, modes: &Modes, session: bool) -> Result<()> {
    if session {
        return modes.settings().try_for_each(|(name, value)| state.settings.set(&format!("default_{name}"), value));
    }
    if state.transaction() == TransactionStatus::Idle {
        state.notices.push(outside_transaction("SET TRANSACTION"));
        return Ok(());
    }
    modes.settings().try_for_each(|(name, value)| state.settings.set_local(name, value))
}

/// The place of the latest savepoint of that name.
fn find_savepoint(state: &State, utility: &Utility, name: &str) -> Result<usize> {
    if state.transaction() == TransactionStatus::Idle || state.is_implicit {
        let what =
            if matches!(utility, Utility::Release { .. }) { "RELEASE SAVEPOINT" } else { "ROLLBACK TO SAVEPOINT" };
        return Err(no_transaction(what));
    }
    let found = state.savepoints.iter().rposition(|savepoint| savepoint.name == name);
    found.ok_or_else(|| Error::new(Reason::UndefinedSavepoint, format!("savepoint \"{name}\" does not exist")))
}

fn no_transaction(what: &str) -> Error {
    Error::new(Reason::NoTransaction, format!("{what} can only be used in transaction blocks"))
}

fn warn_outside(state: &mut State, local: bool) {
    if local && state.transaction() == TransactionStatus::Idle {
        state.notices.push(outside_transaction("SET LOCAL"));
    }
}

fn outside_transaction(what: &str) -> Notice {
    warning("25P01", &format!("{what} can only be used in transaction blocks"))
}

fn warning(sqlstate: &'static str, message: &str) -> Notice {
    Notice { severity: "WARNING", sqlstate, message: message.to_owned(), hint: None }
}
