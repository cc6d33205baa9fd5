//! DROP: an object goes with its grants, policies and text in one record; what depends on it refuses that, or goes too.

use std::collections::BTreeSet;

use super::place::{Place, shown};
use super::{DropBehaviour, ObjectKind};
use crate::access::statement::RelationName;
use crate::access::{NamingKind, ObjectChange, TableId, Visible};
use crate::catalog::inventory::{Body, Origin};
use crate::error::{Error, Reason, Result};
use crate::lake::TableName;
use crate::query::session::Session;

/// What a DROP takes away.
#[derive(Debug, Default)]
struct Doomed {
    schemas: BTreeSet<String>,
    relations: BTreeSet<TableId>,
    /// Policies on tables that stay: table, id and name.
    policies: BTreeSet<(TableId, u32, String)>,
    notices: Vec<String>,
}

/// What stays behind in the lake, and what to tell.
struct Dropped {
    folders: Vec<TableName>,
    notices: Vec<String>,
}

impl Session {
    pub(super) async fn drop_objects(
        &self,
        kind: ObjectKind,
        names: &[RelationName],
        if_exists: bool,
        behaviour: DropBehaviour,
    ) -> Result<()> {
        let (names, path) = (names.to_vec(), self.search_path());
        let tag = match kind {
            ObjectKind::Schema => "DROP SCHEMA",
            ObjectKind::Table => "DROP TABLE",
            ObjectKind::View => "DROP VIEW",
        };
        let dropped = self.author(tag, move |place| {
            let mut doomed = Doomed::default();
            for name in &names {
                match place.doom(&mut doomed, kind, name, &path) {
                    Err(error)
                        if if_exists && matches!(error.reason(), Reason::UndefinedTable | Reason::UndefinedSchema) =>
                    {
                        let text = format!("{} \"{}\" does not exist, skipping", kind.word(), shown(name));
                        doomed.notices.push(text);
                    }
                    other => other?,
                }
            }
            place.doom_dependents(&mut doomed, kind, &names, behaviour)?;
            Ok((doomed.changes(), place.dropped(doomed)))
        });
        let dropped = dropped.await?;
        dropped.notices.into_iter().for_each(|notice| self.tell(notice));
        self.take_away(dropped.folders).await;
        Ok(())
    }
}

impl Doomed {
    fn changes(&self) -> Vec<ObjectChange> {
        let policies = self.policies.iter().map(|(table, id, _)| (table.clone(), *id));
        let policies = policies.map(|(table, id)| ObjectChange::PolicyDropped { table, id });
        let relations = self.relations.iter().cloned().map(ObjectChange::RelationDropped);
        let schemas = self.schemas.iter().cloned().map(ObjectChange::SchemaDropped);
        policies.chain(relations).chain(schemas).collect()
    }
}

impl Place<'_> {
    /// Adds what a name means to what goes.
    fn doom(&self, doomed: &mut Doomed, kind: ObjectKind, name: &RelationName, path: &[String]) -> Result<()> {
        if kind == ObjectKind::Schema {
            self.require_own_schema(&name.name, "drop")?;
            doomed.schemas.insert(name.name.clone());
            return Ok(());
        }
        let relation = self.find(name, path)?;
        self.require_droppable(relation, kind)?;
        doomed.relations.insert(relation.id());
        Ok(())
    }

    /// Adds what depends on what goes, or refuses because of it.
    fn doom_dependents(
        &self,
        doomed: &mut Doomed,
        kind: ObjectKind,
        names: &[RelationName],
        behaviour: DropBehaviour,
    ) -> Result<()> {
        let named = doomed.relations.clone();
        let mut dependents = Vec::new();
        for relation in self.inventory.relations() {
            if doomed.schemas.contains(&relation.schema) && doomed.relations.insert(relation.id()) {
                let (word, id) = (self.word(&relation.id()), relation.id());
                let text = format!("{word} {id} depends on schema {}", relation.schema);
                dependents.push((id, text));
            }
        }
        let mut open: Vec<TableId> = doomed.relations.iter().cloned().collect();
        while let Some(gone) = open.pop() {
            for relation in self.inventory.relations().filter(|relation| relation.reads().contains(&gone)) {
                if doomed.relations.insert(relation.id()) {
                    let text = format!("view {} depends on {} {gone}", relation.id(), self.word(&gone));
                    dependents.push((relation.id(), text));
                    open.push(relation.id());
                }
            }
        }
        let kept_by = self.rules_that_read(doomed, behaviour)?;
        dependents.extend(kept_by);
        if dependents.is_empty() {
            return Ok(());
        }
        let seen = Visible::new(self.security, self.principal);
        if behaviour == DropBehaviour::Restrict {
            let what = names.first().map(shown).unwrap_or_default();
            let text = format!("cannot drop {} {what} because other objects depend on it", kind.word());
            // What the principal may not know of is not told.
            let told = dependents.iter().filter(|(id, _)| seen.may_see(id)).map(|(_, text)| text.as_str());
            let detail = told.collect::<Vec<_>>().join("\n");
            let error = Error::new(Reason::DependentObjects, text);
            let error = if detail.is_empty() { error } else { error.with_detail(detail) };
            return Err(error.with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        let cascaded = doomed.relations.difference(&named).filter(|id| seen.may_see(id));
        let mut notices: Vec<String> = cascaded.map(|id| format!("drop cascades to {} {id}", self.word(id))).collect();
        let policies = doomed.policies.iter();
        notices.extend(policies.map(|(table, _, name)| format!("drop cascades to policy {name} on table {table}")));
        doomed.notices.extend(notices);
        Ok(())
    }

    /// The policies on tables that stay which read what goes: with CASCADE those on the principal's own tables go too. One on
    /// another's table stays, whatever the statement says, since without a policy rows may show that it hid; so does a mask.
    fn rules_that_read(&self, doomed: &mut Doomed, behaviour: DropBehaviour) -> Result<Vec<(TableId, String)>> {
        let mut dependents = Vec::new();
        for gone in doomed.relations.clone() {
            for rule in self.security.rules_naming(&gone) {
                if doomed.relations.contains(&rule.table) {
                    continue;
                }
                let own = self.owns(&rule.table);
                match rule.kind {
                    NamingKind::Policy { id, name } => {
                        dependents.push((
                            rule.table.clone(),
                            format!("policy {name} on table {} depends on {} {gone}", rule.table, self.word(&gone)),
                        ));
                        if behaviour == DropBehaviour::Cascade && !own {
                            return Err(stays(&gone, self.word(&gone), "a policy on a table of another owner"));
                        }
                        doomed.policies.insert((rule.table, id, name));
                    }
                    NamingKind::Mask { column } => {
                        let text = format!(
                            "the mask of column {column} of table {} depends on {} {gone}",
                            rule.table,
                            self.word(&gone)
                        );
                        if behaviour == DropBehaviour::Cascade {
                            return Err(stays(&gone, self.word(&gone), "a mask"));
                        }
                        dependents.push((rule.table, text));
                    }
                }
            }
        }
        Ok(dependents)
    }

    fn word(&self, id: &TableId) -> &'static str {
        let view = self.inventory.find(&id.schema, &id.table).is_some_and(|relation| relation.is_view());
        if view { "view" } else { "table" }
    }

    fn dropped(&self, doomed: Doomed) -> Dropped {
        let relations = doomed.relations.iter().filter_map(|id| self.inventory.find(&id.schema, &id.table));
        let tables =
            relations.filter(|relation| relation.origin == Origin::Authored && matches!(relation.body, Body::Table(_)));
        Dropped { folders: tables.map(|table| table.folder.clone()).collect(), notices: doomed.notices }
    }
}

fn stays(id: &TableId, kind: &str, because: &str) -> Error {
    let text = format!("cannot drop {kind} {} because {because} reads it", id.table);
    Error::new(Reason::DependentObjects, text).with_hint("CASCADE does not drop what may hide rows or values")
}
