//! ALTER TABLE ... ADD COLUMN: the table in the lake first, its text after it: a cut between leaves a column that no text names.

use datafusion::sql::sqlparser::ast;

use super::place::Place;
use super::table::with_columns;
use super::{NewColumn, ObjectKind};
use crate::access::statement::RelationName;
use crate::access::{ObjectChange, ObjectId};
use crate::catalog::definition::{Definition, TableDefinition, kept};
use crate::catalog::inventory::{Body, Origin, Relation};
use crate::dataset::Contract;
use crate::error::{Error, Reason, Result};
use crate::ingest;
use crate::query::session::Session;
use crate::sql::folded;

impl Session {
    pub(super) async fn add_columns(&self, name: &RelationName, if_exists: bool, columns: &[NewColumn]) -> Result<()> {
        let added = self.add_to(name, columns).await;
        self.unless_missing(added, if_exists)
    }

    async fn add_to(&self, name: &RelationName, columns: &[NewColumn]) -> Result<()> {
        let (path, principal) = (self.search_path(), self.principal().get());
        let security = self.security().snapshot();
        let (id, folder, before, contract) = self.names().at_place(&security, &principal, |place| {
            let relation = place.find(name, &path)?;
            require_alterable(place, relation)?;
            let Body::Table(contract) = &relation.body else { return Err(not_a_table(relation)) };
            Ok((relation.id(), relation.folder.clone(), kept_table(place, relation)?, contract.clone()))
        })?;
        let new = self.wanted(&contract, columns)?;
        if new.is_empty() {
            return Ok(());
        }
        if self.in_block() {
            let text = "ALTER TABLE ... ADD COLUMN in a transaction block is not supported";
            return Err(Error::new(Reason::Unsupported, text).with_hint("run it by itself: it is one commit"));
        }
        let sql = with_columns(&before.sql, &new)?;
        let mut altered = self.checked_contract(&before.name, &sql).await?;
        altered.name.clone_from(&id.table);
        if altered.primary_key != contract.primary_key {
            let text = format!("the primary key of \"{}\" stays as it was made", id.table);
            return Err(Error::new(Reason::Unsupported, text));
        }
        let added = altered.columns.iter().filter(|column| contract.column(&column.name).is_none());
        if let Some(column) = added.clone().find(|column| !column.nullable && column.default.is_none()) {
            let text = format!("column \"{}\" is NOT NULL, and rows that are there would have no value", column.name);
            return Err(Error::new(Reason::NotNull, text).with_hint("give it a DEFAULT"));
        }
        let fills = ingest::fills(added, &self.time_zone())?;
        let (store, spec) = (self.lake().store().clone(), ingest::table_spec(&altered));
        self.lake().pool().run(async move { store.alter_table(&folder, &spec, &fills).await }).await?;
        let name = RelationName { schema: Some(id.schema.clone()), name: id.table.clone() };
        self.author("ALTER TABLE", move |place: &Place<'_>| {
            let relation = place.find(&name, &[])?;
            require_alterable(place, relation)?;
            if kept_table(place, relation)?.sql != before.sql {
                let text = format!("another session has altered table \"{}\" meanwhile", name.name);
                return Err(Error::new(Reason::Serialization, text));
            }
            let change: ObjectChange = place.changed(ObjectId::Relation(relation.id()), |definition| {
                if let Definition::Table(table) = definition {
                    table.sql.clone_from(&sql);
                }
                Ok(())
            })?;
            Ok((vec![change], ()))
        })
        .await
    }

    /// Those that the table has not; one that it has is an error unless the statement says otherwise.
    fn wanted(&self, contract: &Contract, columns: &[NewColumn]) -> Result<Vec<ast::ColumnDef>> {
        let mut wanted = Vec::new();
        for NewColumn { if_not_exists, column } in columns {
            let name = folded(&column.name);
            match contract.column(&name) {
                None => wanted.push(column.clone()),
                Some(_) => {
                    let text = format!("column \"{name}\" of relation \"{}\" already exists", contract.name);
                    if !if_not_exists {
                        return Err(Error::new(Reason::DuplicateColumn, text));
                    }
                    self.tell(format!("{text}, skipping"));
                }
            }
        }
        Ok(wanted)
    }
}

fn require_alterable(place: &Place<'_>, relation: &Relation) -> Result<()> {
    place.require_own(relation, ObjectKind::Table, "alter").map_err(|error| {
        let is_founded = relation.origin == Origin::Founded && error.reason() == Reason::DependentObjects;
        if is_founded {
            error.with_hint("add it to the table's file in the dataset: henna dataset apply")
        } else {
            error
        }
    })
}

fn not_a_table(relation: &Relation) -> Error {
    Error::new(Reason::WrongKind, format!("\"{}\" is not a table", relation.name))
}

fn kept_table(place: &Place<'_>, relation: &Relation) -> Result<TableDefinition> {
    match kept(place.security, &ObjectId::Relation(relation.id()))? {
        Some(Definition::Table(table)) => Ok(table),
        _ => Err(not_a_table(relation)),
    }
}
