//! What this room asks of the catalog while it applies a statement.

use async_trait::async_trait;

use super::super::model::object::{ObjectId, RelationKind, TableId};
use super::super::model::role::RoleId;
use crate::error::Result;

/// A table or view that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    pub id: TableId,
    pub kind: RelationKind,
    pub columns: Vec<String>,
}

/// The catalog as the statement's author sees it: what is hidden from them is absent.
#[async_trait]
pub trait Objects: Send + Sync {
    /// What the name means; without a schema the author's search path decides.
    async fn relation(&self, schema: Option<&str>, name: &str) -> Result<Option<Relation>>;

    /// All tables and views of a schema; None where there is no such schema.
    async fn relations_in(&self, schema: &str) -> Result<Option<Vec<Relation>>>;

    /// An error where `expression` is no boolean over the table's columns. Names in it are full.
    async fn validate_policy(&self, table: &TableId, expression: &str) -> Result<()>;

    /// An error where `expression` cannot stand for the column. Names in it are full.
    async fn validate_mask(&self, table: &TableId, column: &str, expression: &str) -> Result<()>;
}

/// What the catalog did to its objects, for grants and policies to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectChange {
    /// A new schema, owned by the author.
    SchemaCreated(String),
    /// A new table or view, owned by the author, without anything that one of its name had.
    RelationCreated(TableId),
    /// The text by which the catalog knows the object again.
    Defined {
        object: ObjectId,
        definition: String,
    },
    Owned {
        object: ObjectId,
        owner: RoleId,
    },
    /// The relations in it go too.
    SchemaDropped(String),
    RelationDropped(TableId),
    PolicyDropped {
        table: TableId,
        id: u32,
    },
    SchemaRenamed {
        from: String,
        to: String,
    },
    RelationRenamed {
        from: TableId,
        to: TableId,
    },
    ColumnDropped {
        table: TableId,
        column: String,
    },
    ColumnRenamed {
        table: TableId,
        from: String,
        to: String,
    },
}
