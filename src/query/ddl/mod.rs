//! Statements that make, change and take away schemas, views and tables.
//!
//! What a user made is kept in the security log, beside its owner and its grants: one record makes the object, its owner and
//! its text, and one record takes all of them away. A table's folder in the lake comes before its record and goes after it,
//! so that what a crash leaves is a folder that nothing names, and never a name without a table.

mod add_column;
mod alter;
mod drop;
mod full_names;
mod parse;
mod place;
mod schema;
mod table;
mod view;

use datafusion::sql::sqlparser::ast;

use super::answer::{Notice, TransactionStatus};
use super::session::Session;
use crate::access::quoted;
use crate::access::statement::{RelationName, RoleSpec};
use crate::catalog::inventory::ViewRights;
use crate::error::{Error, Reason, Result};

pub use parse::parse;
pub(super) use place::{Place, shown};

/// Objects of one lake that users may make.
const OBJECTS_MAX: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ddl {
    /// Without a name it is the owner's.
    CreateSchema {
        name: Option<String>,
        owner: Option<RoleSpec>,
        if_not_exists: bool,
    },
    CreateView(CreateView),
    CreateTable(Box<ast::CreateTable>),
    Drop {
        kind: ObjectKind,
        names: Vec<RelationName>,
        if_exists: bool,
        behaviour: DropBehaviour,
    },
    Rename {
        kind: ObjectKind,
        name: RelationName,
        if_exists: bool,
        to: String,
    },
    SetViewRights {
        name: RelationName,
        if_exists: bool,
        rights: ViewRights,
    },
    AddColumns {
        name: RelationName,
        if_exists: bool,
        columns: Vec<NewColumn>,
    },
    /// `None` takes the comment away.
    Comment {
        on: CommentTarget,
        text: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateView {
    pub name: RelationName,
    pub or_replace: bool,
    /// Names of its first columns, in order.
    pub columns: Vec<String>,
    pub rights: ViewRights,
    pub query: Box<ast::Query>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewColumn {
    pub if_not_exists: bool,
    pub column: ast::ColumnDef,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    Schema,
    Table,
    View,
}

impl ObjectKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Table => "table",
            Self::View => "view",
        }
    }
}

/// What becomes of what depends on a dropped object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropBehaviour {
    Restrict,
    Cascade,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommentTarget {
    Object(ObjectKind, RelationName),
    Column(RelationName, String),
}

impl Ddl {
    /// The command tag; of CREATE TABLE AS it is SELECT and the number of rows.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::CreateSchema { .. } => "CREATE SCHEMA",
            Self::CreateView(_) => "CREATE VIEW",
            Self::CreateTable(create) if create.query.is_some() => "CREATE TABLE AS",
            Self::CreateTable(_) => "CREATE TABLE",
            Self::Drop { kind: ObjectKind::Schema, .. } => "DROP SCHEMA",
            Self::Drop { kind: ObjectKind::Table, .. } => "DROP TABLE",
            Self::Drop { kind: ObjectKind::View, .. } => "DROP VIEW",
            Self::Rename { kind: ObjectKind::Schema, .. } => "ALTER SCHEMA",
            Self::Rename { kind: ObjectKind::Table, .. } | Self::AddColumns { .. } => "ALTER TABLE",
            Self::Rename { kind: ObjectKind::View, .. } | Self::SetViewRights { .. } => "ALTER VIEW",
            Self::Comment { .. } => "COMMENT",
        }
    }

    /// The objects that it names, as they were written: for the audit log. No queries, no defaults, no comments.
    pub fn subject(&self) -> String {
        match self {
            Self::CreateSchema { name, .. } => name.as_deref().map(quoted).unwrap_or_default(),
            Self::CreateView(create) => create.name.to_string(),
            Self::CreateTable(create) => create.name.to_string(),
            Self::Drop { names, .. } => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Self::Rename { name, to, .. } => format!("{name} TO {}", quoted(to)),
            Self::SetViewRights { name, .. } | Self::AddColumns { name, .. } => name.to_string(),
            Self::Comment { on: CommentTarget::Object(_, name), .. } => name.to_string(),
            Self::Comment { on: CommentTarget::Column(name, column), .. } => format!("{name}.{}", quoted(column)),
        }
    }
}

impl Session {
    /// Runs such a statement; gives its command tag.
    pub(super) async fn define(&self, ddl: &Ddl) -> Result<String> {
        self.refuse_read_only(ddl.tag())?;
        self.require_step(ddl.tag())?;
        match ddl {
            Ddl::CreateSchema { name, owner, if_not_exists } => {
                self.create_schema(name.as_deref(), owner.as_ref(), *if_not_exists).await?;
            }
            Ddl::CreateView(create) => self.create_view(create).await?,
            Ddl::CreateTable(create) => return self.create_table(create).await,
            Ddl::Drop { kind, names, if_exists, behaviour } => {
                self.drop_objects(*kind, names, *if_exists, *behaviour).await?;
            }
            Ddl::Rename { kind, name, if_exists, to } => self.rename(*kind, name, *if_exists, to).await?,
            Ddl::SetViewRights { name, if_exists, rights } => self.set_view_rights(name, *if_exists, *rights).await?,
            Ddl::AddColumns { name, if_exists, columns } => self.add_columns(name, *if_exists, columns).await?,
            Ddl::Comment { on, text } => self.comment(on, text.as_deref()).await?,
        }
        Ok(ddl.tag().to_owned())
    }

    /// An error where the transaction only reads.
    pub(super) fn refuse_read_only(&self, tag: &str) -> Result<()> {
        let state = self.lock();
        let setting = match state.transaction() {
            TransactionStatus::Idle => "default_transaction_read_only",
            TransactionStatus::Active | TransactionStatus::Failed => "transaction_read_only",
        };
        if state.settings.is_on(setting) {
            return Err(Error::new(Reason::ReadOnly, format!("cannot execute {tag} in a read-only transaction")));
        }
        Ok(())
    }

    fn tell(&self, message: String) {
        self.lock().notices.push(Notice { severity: "NOTICE", sqlstate: "00000", message, hint: None });
    }
}
