//! A lake follows another text of its dataset: `henna dataset diff` tells what would change, `henna dataset apply` does it.
//!
//! 1. What a lake with rows cannot follow is refused before anything is written.
//! 2. The texts are put into a folder of their own, new tables are made, tables get their new columns: nobody sees it yet.
//! 3. One record of the security log names the folder and what is new and gone, with the statements of `access.sql` that are
//!    new: from there on the new text counts, and whoever follows the log reads it.
//!
//! A cut before the record leaves columns and tables that no contract names; the same dataset, applied again, goes on from there.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::ddl::Place;
use super::engine::Lake;
use super::founded::{Founded, folder_by, folder_of};
use super::session::Session;
use super::statement;
use crate::access::{AuditEvent, AuditKind, ObjectChange, ObjectId, TableId};
use crate::catalog::definition::{DatasetDefinition, Definition};
use crate::catalog::inventory::{Inventory, PUBLIC, Relation};
use crate::dataset::{Change, Column, Contract, Dataset, Difference, Refusal, Turn};
use crate::error::{Error, Reason, Result};
use crate::ingest;
use crate::ingest::identity::{IDENTITIES, keeps_identities};
use crate::lake::TableName;

/// The command tag in the logs.
const TAG: &str = "APPLY DATASET";

/// What another text of the dataset would change.
#[derive(Debug, Clone, Default)]
pub struct DatasetPlan {
    pub difference: Difference,
    /// Statements of its access.sql that the text before did not have: they are run.
    pub access_new: Vec<String>,
    /// Statements that it has no more: what they did stays.
    pub access_gone: Vec<String>,
    is_same: bool,
}

impl DatasetPlan {
    /// Whether the texts are those by which the lake goes already.
    pub fn is_same(&self) -> bool {
        self.is_same
    }

    fn require_possible(&self) -> Result<()> {
        let refusals = &self.difference.refusals;
        let Some(Refusal { advice, .. }) = refusals.first() else { return Ok(()) };
        let what: Vec<&str> = refusals.iter().map(|refusal| refusal.what.as_str()).collect();
        let text = format!("the lake cannot follow this dataset: {}", what.join("; "));
        Err(Error::new(Reason::Unsupported, text).with_hint(*advice))
    }
}

impl Lake {
    /// What it would change to go by another text of the dataset.
    pub async fn plan_dataset(&self, to: &Dataset) -> Result<DatasetPlan> {
        self.follow().await?;
        let from = self.datasets().current();
        let mut difference = Difference::between(&from.dataset, to);
        let inventory = self.inventory_at(&self.security().snapshot());
        let coming = Founded::new(&folder_of(&to.files), to.clone())?;
        difference.refusals.extend(other_identities(&from.dataset, to));
        difference.refusals.extend(in_the_way(&inventory, &from.inventory, &coming.inventory));
        let statements = |dataset: &Dataset| -> Result<Vec<String>> {
            let sql = dataset.access_sql.as_deref().unwrap_or_default();
            statement::texts(sql)
        };
        let (before, now) = (statements(&from.dataset)?, statements(to)?);
        let absent = |from: &[String], of: Vec<String>| -> Vec<String> {
            let known: BTreeSet<String> = from.iter().map(|text| blanks_apart(text)).collect();
            of.into_iter().filter(|text| !known.contains(&blanks_apart(text))).collect()
        };
        let access_new = absent(&before, now.clone());
        let access_gone = absent(&now, before);
        let is_same = from.dataset.files == to.files;
        Ok(DatasetPlan { difference, access_new, access_gone, is_same })
    }

    /// Goes by another text of the dataset; tells what that changed. Repeated after a cut it does what is missing.
    pub async fn apply_dataset(&self, to: Dataset) -> Result<DatasetPlan> {
        let plan = self.plan_dataset(&to).await?;
        plan.require_possible()?;
        if plan.is_same() {
            return Ok(plan);
        }
        let folder = folder_of(&to.files);
        let fills = new_columns(&self.dataset(), &to)?;
        for file in &to.files {
            self.store().put(&format!("{folder}{}", file.path), Bytes::from(file.bytes.clone())).await?;
        }
        for contract in &to.contracts {
            let name = TableName::new(PUBLIC, &contract.name);
            match self.dataset().contract(&contract.name) {
                Some(_) => {
                    let none = HashMap::new();
                    let fills = fills.get(&contract.name).unwrap_or(&none);
                    self.store().alter_table(&name, &ingest::table_spec(contract), fills).await?;
                }
                None => self.make_table(&name, contract).await?,
            }
        }
        let founded = Founded::new(&folder, to)?;
        self.datasets().set_coming(Some(Arc::clone(&founded)));
        let applied = self.switch(&founded, &plan).await;
        self.datasets().set_coming(None);
        applied?;
        self.datasets().replace(founded);
        self.audit().record(AuditEvent {
            command: TAG.to_owned(),
            subject: Some(folder),
            tables: altered(&plan),
            sqlstate: Some("00000".to_owned()),
            ..AuditEvent::now(AuditKind::Security)
        });
        Ok(plan)
    }

    /// A new table; one that an apply before made and never named is made anew.
    async fn make_table(&self, name: &TableName, contract: &Contract) -> Result<()> {
        let spec = ingest::table_spec(contract);
        match self.store().create_table(name, &spec).await {
            Err(error) if error.reason() == Reason::DuplicateTable => {
                if self.store().snapshot(name).await?.rows() > 0 {
                    return Err(error);
                }
                self.store().drop_table(name).await?;
                self.store().create_table(name, &spec).await
            }
            made => made,
        }
    }

    /// Makes the new text count, in one record.
    async fn switch(&self, founded: &Arc<Founded>, plan: &DatasetPlan) -> Result<()> {
        let session = self.session(self.security().bootstrap_principal()).await?;
        session.run_script(TAG, "BEGIN").await?;
        let outcome = session.follow_text(founded, plan).await;
        let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = session.run_script(TAG, end).await;
        outcome.and(ended)
    }
}

impl Session {
    async fn follow_text(&self, founded: &Arc<Founded>, plan: &DatasetPlan) -> Result<()> {
        let before = self.lake().datasets().current();
        let definition = Definition::Dataset(DatasetDefinition { folder: founded.folder.clone() }).text()?;
        let changes = object_changes(&before.inventory, &founded.inventory, definition);
        self.author(TAG, move |place: &Place<'_>| {
            if folder_by(place.security)? != before.folder {
                return Err(Error::new(Reason::Serialization, "another text of the dataset was applied meanwhile"));
            }
            Ok((changes.clone(), ()))
        })
        .await?;
        // Their columns are what policies and masks of the new text are held against.
        self.plan_views(&founded.inventory).await?;
        for statement in &plan.access_new {
            self.run_script("access.sql", statement).await?;
        }
        Ok(())
    }
}

/// What comes, what goes, and by which text the lake goes.
fn object_changes(before: &Inventory, now: &Inventory, definition: String) -> Vec<ObjectChange> {
    let schemas = now.schemas().filter(|(name, _)| !before.has_schema(name));
    let mut changes: Vec<_> = schemas.map(|(name, _)| ObjectChange::SchemaCreated(name.to_owned())).collect();
    changes.extend(apart(now, before).map(|relation| ObjectChange::RelationCreated(relation.id())));
    changes.extend(apart(before, now).map(|relation| ObjectChange::RelationDropped(relation.id())));
    changes.push(ObjectChange::Defined { object: ObjectId::Database, definition });
    changes
}

/// The relations of one inventory that the other has not.
fn apart<'a>(of: &'a Inventory, other: &'a Inventory) -> impl Iterator<Item = &'a Arc<Relation>> {
    of.relations().filter(move |relation| other.find(&relation.schema, &relation.name).is_none())
}

/// The table of identities is read and written by the program itself.
fn other_identities(from: &Dataset, to: &Dataset) -> Option<Refusal> {
    let kept = |dataset: &Dataset| dataset.contract(IDENTITIES).filter(|contract| keeps_identities(contract)).cloned();
    let columns = |contract: Option<Contract>| contract.map(|contract| contract.stored_schema());
    (columns(kept(from)) != columns(kept(to))).then(|| Refusal {
        what: format!("table {IDENTITIES} has other columns"),
        advice: "it stays as it was made: begin a lake with it by henna init",
    })
}

/// What users made where something new is to come, or over what is to go.
fn in_the_way(all: &Inventory, before: &Inventory, now: &Inventory) -> Vec<Refusal> {
    let taken = apart(now, before).filter(|relation| all.find(&relation.schema, &relation.name).is_some());
    let taken = taken.map(|relation| Refusal {
        what: format!("{} is there already: a user made it", relation.id()),
        advice: "rename that one with ALTER TABLE or ALTER VIEW ... RENAME TO",
    });
    let reads = |id: &TableId| all.relations().find(|relation| relation.reads().contains(id));
    let read = apart(before, now).filter_map(|relation| {
        let by = reads(&relation.id())?.id();
        Some(Refusal {
            what: format!("view {} is gone, and {by} reads it", relation.id()),
            advice: "drop the views that read it first",
        })
    });
    let turned = before.relations().filter_map(|relation| {
        let now = now.find(&relation.schema, &relation.name)?;
        (now.is_view() != relation.is_view()).then(|| Refusal {
            what: format!("{} turns from a table into a view or back", relation.id()),
            advice: "give the new one another name",
        })
    });
    taken.chain(read).chain(turned).collect()
}

/// By table, what rows that are there get in its new columns.
fn new_columns(from: &Dataset, to: &Dataset) -> Result<HashMap<String, HashMap<String, arrow::array::ArrayRef>>> {
    let mut fills = HashMap::new();
    for contract in &to.contracts {
        let Some(before) = from.contract(&contract.name) else { continue };
        let new = contract.columns.iter().filter(|column: &&Column| before.column(&column.name).is_none());
        let found = ingest::fills(new, &to.time_zone)
            .map_err(|error| Error::new(error.reason(), format!("table {}: {error}", contract.name)))?;
        fills.insert(contract.name.clone(), found);
    }
    Ok(fills)
}

fn altered(plan: &DatasetPlan) -> Vec<String> {
    let named = plan.difference.changes.iter().filter_map(|change| match change {
        Change::Table { table, .. } | Change::Column { table, .. } | Change::Nullable { table, .. } => {
            Some(TableId::new(PUBLIC, table).to_string())
        }
        Change::View { schema, name, turn: Turn::New | Turn::Gone } => Some(TableId::new(schema, name).to_string()),
        _ => None,
    });
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The text with one blank between its words, so that another layout is no other statement.
fn blanks_apart(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
