//! Statements that change who may see what, and the roles that a session takes on.

use std::sync::Arc;

use async_trait::async_trait;

use super::answer::{Notice, TransactionStatus};
use super::names::Names;
use super::session::{Session, State};
use super::settings::Settings;
use super::statement::Statement;
use crate::access::{
    AccessStatement, Objects, Principal, Relation, RelationKind, RoleAlteration, RoleId, SecuritySnapshot, TableId,
    Visible,
};
use crate::catalog::inventory;
use crate::error::{Error, Reason, Result};

impl Session {
    /// Applies a statement of the access room; gives its command tag.
    pub(super) async fn change_access(&self, statement: &AccessStatement) -> Result<String> {
        self.refuse_read_only(statement.tag())?;
        self.require_step(statement.tag())?;
        require_setting(statement)?;
        let (principal, path) = (self.principal().get(), self.search_path());
        let (names, session) = (self.names(), Some(self));
        let objects = AuthorObjects { names, over: None, principal: &principal, path: &path, session };
        let told = if self.in_block() {
            self.step_of_access(statement, &objects).await?.notices
        } else {
            self.lake().security().apply(&principal, statement.clone(), &objects).await?.notices
        };
        let notices = told.into_iter().map(|notice| Notice {
            severity: notice.severity,
            sqlstate: if notice.severity == "WARNING" { "01000" } else { "00000" },
            message: notice.message,
            hint: None,
        });
        self.lock().notices.extend(notices);
        Ok(statement.tag().to_owned())
    }

    /// SET ROLE; `None` is NONE.
    pub(super) fn set_role(&self, state: &mut State, name: Option<&str>, local: bool) -> Result<()> {
        let security = self.security().snapshot();
        let before = self.principal().get();
        let mut principal = before.clone();
        principal.set_role(&security, name.unwrap_or("none"))?;
        if local {
            if state.transaction() == TransactionStatus::Idle {
                return Ok(());
            }
            state.principal_local.get_or_insert(before);
        } else {
            // What SET LOCAL SESSION AUTHORIZATION will bring back keeps the role that is set for longer.
            state.principal_local = state.principal_local.take().map(|local| local.in_role_of(&principal));
        }
        self.principal().set(principal);
        Ok(())
    }

    /// SET SESSION AUTHORIZATION; `None` is DEFAULT.
    pub(super) fn set_session_authorization(&self, state: &mut State, name: Option<&str>, local: bool) -> Result<()> {
        let security = self.security().snapshot();
        let before = self.principal().get();
        let mut principal = before.clone();
        match name {
            Some(name) => principal.set_session_authorization(&security, name)?,
            None => principal.reset_session_authorization(),
        }
        match (local, state.transaction()) {
            (true, TransactionStatus::Idle) => return Ok(()),
            (true, _) => {
                state.principal_local.get_or_insert(before);
            }
            (false, _) => state.principal_local = None,
        }
        self.principal().set(principal);
        Ok(())
    }

    /// What an administrator pinned to the role stays as it is. Other settings of a role are only where it begins.
    pub(super) fn refuse_pinned(&self, name: &str) -> Result<()> {
        let security = self.security().snapshot();
        let name = name.to_ascii_lowercase();
        match self.principal().get().pinned(&security, &name).filter(|_| name.starts_with(ATTRIBUTE)) {
            Some(_) => Err(Error::new(Reason::Privilege, format!("permission denied to set parameter \"{name}\""))
                .with_hint("it is pinned to your role by ALTER ROLE ... SET")),
            None => Ok(()),
        }
    }

    /// The settings of a start-up message, in order: as SET would, and what RESET goes back to.
    pub(super) async fn start_with(&self, options: &[(String, String)]) -> Result<()> {
        {
            let mut state = self.lock();
            for (name, value) in options {
                match name.to_ascii_lowercase().as_str() {
                    "role" => {
                        let taken = self.set_role(&mut state, Some(value), false);
                        self.tell_role("SET ROLE", value, &taken);
                        taken?;
                    }
                    "session_authorization" => {
                        let taken = self.set_session_authorization(&mut state, Some(value), false);
                        self.tell_role("SET SESSION AUTHORIZATION", value, &taken);
                        taken?;
                    }
                    _ => {
                        self.refuse_pinned(name)?;
                        state.settings.start_with_option(name, value)?;
                    }
                }
            }
        }
        self.follow_settings().await
    }
}

/// What begins so is an attribute of a user, for policies to read.
const ATTRIBUTE: &str = "henna.";

/// Begins with what ALTER ROLE gave to the session's user. One that no longer fits is told to the log and left out.
pub(super) fn start_as_role(settings: &mut Settings, security: &SecuritySnapshot, user: RoleId) {
    let Some(role) = security.role(user) else { return };
    for (name, value) in role.settings.iter().filter(|(name, _)| !is_attribute(name)) {
        if let Err(error) = settings.start_with_option(name, value) {
            tracing::warn!(role = role.name, setting = name, %error, "a setting of the role is left out");
        }
    }
}

/// Whether a role's setting is no setting of sessions.
fn is_attribute(name: &str) -> bool {
    name.starts_with(ATTRIBUTE) && Settings::new().show(name).is_err()
}

/// A setting that ALTER ROLE gives must be one, and its value must fit.
fn require_setting(statement: &AccessStatement) -> Result<()> {
    match statement {
        AccessStatement::AlterRole { alteration: RoleAlteration::Setting { name, value: Some(value) }, .. }
            if !is_attribute(name) =>
        {
            Settings::new().start_with_option(name, value)
        }
        _ => Ok(()),
    }
}

/// What exists, for the author of a statement: what is hidden from them is absent.
pub(super) struct AuthorObjects<'a> {
    pub names: &'a Arc<Names>,
    /// What is looked at; None is what the session sees.
    pub over: Option<Arc<SecuritySnapshot>>,
    pub principal: &'a Principal,
    /// Where bare names are looked for.
    pub path: &'a [String],
    /// Plans the expressions of policies and masks; None where that was done before.
    pub session: Option<&'a Session>,
}

impl AuthorObjects<'_> {
    fn security(&self) -> Arc<SecuritySnapshot> {
        self.over.clone().unwrap_or_else(|| self.names.security().snapshot())
    }

    fn visible(&self, relation: &inventory::Relation, security: &SecuritySnapshot) -> Option<Relation> {
        let id = TableId::new(&relation.schema, &relation.name);
        Visible::new(security, self.principal).may_see(&id).then(|| Relation {
            kind: if relation.is_view() { RelationKind::View } else { RelationKind::Table },
            columns: relation.columns().iter().map(|column| column.name.clone()).collect(),
            id,
        })
    }

    /// The one statement that an expression of the author's was put into, and the session that plans it.
    fn one_statement(&self, sql: &str) -> Result<Option<(&Session, Statement)>> {
        let Some(session) = self.session else { return Ok(None) };
        let statements = session.parse(sql)?;
        let [statement] = statements.as_slice() else {
            return Err(Error::new(Reason::Syntax, "an expression must be one expression"));
        };
        Ok(Some((session, statement.clone())))
    }
}

#[async_trait]
impl Objects for AuthorObjects<'_> {
    async fn relation(&self, schema: Option<&str>, name: &str) -> Result<Option<Relation>> {
        let security = self.security();
        let inventory = self.names.inventory_at(&security);
        let one = schema.map(|schema| [schema.to_owned()]);
        let path = one.as_ref().map_or(self.path, |schema| &schema[..]);
        let found: Vec<_> = path.iter().filter_map(|schema| inventory.find(schema, name)).collect();
        let visible = found.iter().find_map(|relation| self.visible(relation, &security));
        if visible.is_none() && self.session.is_some() {
            let hidden = found.iter().map(|relation| TableId::new(&relation.schema, &relation.name));
            hidden.for_each(|id| self.names.named().hide(&id));
        }
        Ok(visible)
    }

    async fn relations_in(&self, schema: &str) -> Result<Option<Vec<Relation>>> {
        let security = self.security();
        let inventory = self.names.inventory_at(&security);
        if !inventory.has_schema(schema) {
            return Ok(None);
        }
        let within = inventory.relations().filter(|relation| relation.schema == schema);
        Ok(Some(within.filter_map(|relation| self.visible(relation, &security)).collect()))
    }

    async fn validate_policy(&self, table: &TableId, expression: &str) -> Result<()> {
        match self.one_statement(&format!("SELECT 1 FROM {table} WHERE ({expression})"))? {
            Some((session, statement)) => session.plan_only(&statement).await,
            None => Ok(()),
        }
    }

    async fn validate_mask(&self, table: &TableId, column: &str, expression: &str) -> Result<()> {
        let column = crate::access::quoted(column);
        match self.one_statement(&format!("SELECT coalesce(({expression}), {column}) FROM {table}"))? {
            Some((session, statement)) => session.plan_mask(&statement).await,
            None => Ok(()),
        }
    }
}
