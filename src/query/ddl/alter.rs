//! RENAME, the rights of a view, and comments: changes of an object's text.

use super::place::Place;
use super::schema::require_schema_name;
use super::{CommentTarget, ObjectKind};
use crate::access::statement::RelationName;
use crate::access::{AccessError, ObjectChange, ObjectId, TableId};
use crate::catalog::definition::{Comments, Definition, kept};
use crate::catalog::inventory::ViewRights;
use crate::error::{Error, Reason, Result};
use crate::query::session::Session;

impl Session {
    pub(super) async fn rename(&self, kind: ObjectKind, name: &RelationName, if_exists: bool, to: &str) -> Result<()> {
        let (name, path, to) = (name.clone(), self.search_path(), to.to_owned());
        let tag = if kind == ObjectKind::Schema { "ALTER SCHEMA" } else { "ALTER TABLE" };
        let renamed = self.author(tag, move |place| {
            let change = match kind {
                ObjectKind::Schema => place.renamed_schema(&name.name, &to)?,
                ObjectKind::Table | ObjectKind::View => place.renamed_relation(kind, &name, &path, &to)?,
            };
            Ok((vec![change], ()))
        });
        self.unless_missing(renamed.await, if_exists)
    }

    pub(super) async fn set_view_rights(&self, name: &RelationName, if_exists: bool, rights: ViewRights) -> Result<()> {
        let (name, path) = (name.clone(), self.search_path());
        let set = self.author("ALTER VIEW", move |place| {
            let relation = place.find(&name, &path)?;
            place.require_own(relation, ObjectKind::View, "alter")?;
            let changed = place.changed(ObjectId::Relation(relation.id()), |definition| {
                if let Definition::View(view) = definition {
                    view.security_invoker = rights == ViewRights::Caller;
                }
                Ok(())
            })?;
            Ok((vec![changed], ()))
        });
        self.unless_missing(set.await, if_exists)
    }

    pub(super) async fn comment(&self, on: &CommentTarget, text: Option<&str>) -> Result<()> {
        let (on, path, text) = (on.clone(), self.search_path(), text.map(str::to_owned));
        self.author("COMMENT", move |place| Ok((vec![place.commented(&on, &path, text.as_deref())?], ()))).await
    }

    /// With IF EXISTS what is missing is a notice.
    pub(super) fn unless_missing(&self, outcome: Result<()>, if_exists: bool) -> Result<()> {
        match outcome {
            Err(error) if if_exists && error.reason() == Reason::UndefinedTable => {
                self.tell(format!("{error}, skipping"));
                Ok(())
            }
            other => other,
        }
    }
}

impl Place<'_> {
    fn renamed_relation(
        &self,
        kind: ObjectKind,
        name: &RelationName,
        path: &[String],
        to: &str,
    ) -> Result<ObjectChange> {
        let relation = self.find(name, path)?;
        // As in PostgreSQL, ALTER TABLE takes views too.
        let kind = if relation.is_view() && kind == ObjectKind::Table { ObjectKind::View } else { kind };
        self.require_own(relation, kind, "rename")?;
        self.require_free(&TableId::new(&relation.schema, to))?;
        self.refuse_named(&relation.id())?;
        Ok(ObjectChange::RelationRenamed { from: relation.id(), to: TableId::new(&relation.schema, to) })
    }

    fn renamed_schema(&self, from: &str, to: &str) -> Result<ObjectChange> {
        self.require_own_schema(from, "rename")?;
        require_schema_name(to)?;
        if self.inventory.has_schema(to) || self.security.schema(to).is_some() {
            return Err(Error::new(Reason::DuplicateSchema, format!("schema \"{to}\" already exists")));
        }
        for relation in self.inventory.relations().filter(|relation| relation.schema == from) {
            self.refuse_named(&relation.id())?;
        }
        Ok(ObjectChange::SchemaRenamed { from: from.to_owned(), to: to.to_owned() })
    }

    /// Views and policies hold the names of what they read, so what they read keeps its name.
    fn refuse_named(&self, id: &TableId) -> Result<()> {
        let by_view = self.inventory.relations().any(|relation| relation.reads().contains(id));
        if !by_view && self.security.rules_naming(id).is_empty() {
            return Ok(());
        }
        let text = format!("cannot rename {} because other objects read it by its name", id.table);
        Err(Error::new(Reason::DependentObjects, text).with_hint("drop the views and policies that read it first"))
    }

    /// The object's text after `change`.
    pub(super) fn changed(
        &self,
        object: ObjectId,
        change: impl FnOnce(&mut Definition) -> Result<()>,
    ) -> Result<ObjectChange> {
        let absent = || Error::new(Reason::Corrupt, "an object that a user made has no definition");
        let mut definition = kept(self.security, &object)?.ok_or_else(absent)?;
        change(&mut definition)?;
        Ok(ObjectChange::Defined { object, definition: definition.text()? })
    }

    fn commented(&self, on: &CommentTarget, path: &[String], text: Option<&str>) -> Result<ObjectChange> {
        let text = text.filter(|text| !text.is_empty()).map(str::to_owned);
        match on {
            CommentTarget::Object(ObjectKind::Schema, name) => {
                self.require_own_schema(&name.name, "comment on")?;
                self.changed(ObjectId::Schema(name.name.clone()), |definition| {
                    if let Definition::Schema(schema) = definition {
                        schema.comment = text;
                    }
                    Ok(())
                })
            }
            CommentTarget::Object(kind, name) => {
                let relation = self.find(name, path)?;
                self.require_own(relation, *kind, "comment on")?;
                self.with_comments(relation.id(), |comments| comments.own = text)
            }
            CommentTarget::Column(name, column) => {
                let relation = self.find(name, path)?;
                let kind = if relation.is_view() { ObjectKind::View } else { ObjectKind::Table };
                self.require_own(relation, kind, "comment on")?;
                if !relation.columns().iter().any(|known| known.name == *column) {
                    let (relation, column) = (relation.name.clone(), column.clone());
                    return Err(AccessError::ColumnMissing { relation, column }.into());
                }
                self.with_comments(relation.id(), |comments| {
                    match text {
                        Some(text) => comments.columns.insert(column.clone(), text),
                        None => comments.columns.remove(column),
                    };
                })
            }
        }
    }

    fn with_comments(&self, id: TableId, change: impl FnOnce(&mut Comments)) -> Result<ObjectChange> {
        self.changed(ObjectId::Relation(id), |definition| {
            definition.comments_mut().map(change);
            Ok(())
        })
    }
}
