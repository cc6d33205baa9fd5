//! Rows that a block inserts into a table which existed before it.
//!
//! They wait in a table beside it, of the same contract, that the session reads along with it. COMMIT inserts them by the
//! path of every INSERT: the right to it, the policies, the contract and the keys are asked again, of that moment.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;

use super::{BlockMark, Private};
use crate::access::{Principal, PrincipalHandle, RawTables, SecuredTable, TableId};
use crate::catalog::inventory::Relation;
use crate::dataset::Contract;
use crate::error::{Error, Reason, Result};
use crate::lake::TableName;
use crate::query::failure::failure;
use crate::query::insert::incoming::{self, Source};
use crate::query::insert::target::Target;
use crate::query::names::Aside;
use crate::query::session::Session;
use crate::query::unnamed::Unnamed;
use crate::query::viewpoint::Viewpoint;

/// Where rows go.
pub(in crate::query) struct Destination {
    pub relation: Arc<Relation>,
    pub contract: Arc<Contract>,
    /// Those that the statement gives values for.
    pub columns: Vec<String>,
}

/// Rows that wait for COMMIT.
pub(super) struct Staged {
    id: TableId,
    folder: TableName,
    contract: Arc<Contract>,
    /// Who inserted them.
    principal: Principal,
    columns: BTreeSet<String>,
    rows: Private,
}

impl Staged {
    pub fn table(&self) -> &TableId {
        &self.id
    }

    pub fn folder(&self) -> &TableName {
        self.rows.table.folder()
    }

    pub fn version(&self) -> u64 {
        self.rows.version
    }

    pub fn into_table(self) -> Unnamed {
        self.rows.table
    }

    pub fn set_version(&mut self, version: u64) {
        self.rows.version = version;
    }
}

impl Session {
    /// Writes rows that the policies have let in, all or none: durably at once, or for the block. Gives their number.
    pub(in crate::query) async fn put_rows(&self, into: &Destination, rows: Source) -> Result<u64> {
        let (contract, folder) = (Arc::clone(&into.contract), &into.relation.folder);
        if !self.in_block() {
            return incoming::write_together(self, rows, contract, folder).await;
        }
        if self.block().made_mut(folder).is_some() {
            let commit = incoming::write(self, rows, contract, folder, None).await?;
            if let Some(made) = self.block().made_mut(folder) {
                made.version = commit.version;
            }
            return Ok(commit.rows_added);
        }
        let aside = self.aside(into).await?;
        let commit = incoming::write(self, rows, contract, &aside, Some(folder)).await?;
        if let Some(staged) = &mut self.block().staged {
            staged.set_version(commit.version);
            staged.columns.extend(into.columns.iter().cloned());
        }
        Ok(commit.rows_added)
    }

    /// The table beside the destination; made at the first INSERT.
    async fn aside(&self, into: &Destination) -> Result<TableName> {
        let (principal, folder) = (self.principal().get(), &into.relation.folder);
        {
            let block = self.block();
            if !block.steps.is_empty() {
                let table = into.relation.id();
                let text =
                    format!("INSERT into table {table} in a transaction block that has changed objects or rights");
                return Err(refused(format!("{text} is not supported")));
            }
            if let Some(staged) = &block.staged {
                if staged.folder != *folder {
                    let text = "INSERT into a second table in one transaction block is not supported";
                    return Err(refused(text.to_owned()));
                }
                if staged.principal.checked_role() != principal.checked_role() {
                    let text = "INSERT by a second role in one transaction block is not supported";
                    return Err(refused(text.to_owned()));
                }
                return Ok(staged.folder().clone());
            }
        }
        let table = Unnamed::create(self.lake().store(), &into.relation.id(), &into.contract).await?;
        let rows = table.folder().clone();
        let staged = Staged {
            id: into.relation.id(),
            folder: folder.clone(),
            contract: Arc::clone(&into.contract),
            principal,
            columns: BTreeSet::new(),
            rows: Private { table, version: 0 },
        };
        self.block().staged = Some(staged);
        self.names().set_aside(Some(Aside { table: folder.clone(), rows: rows.clone() }));
        Ok(rows)
    }

    pub(super) async fn commit_staged(&self, staged: Staged) -> Result<()> {
        self.names().set_aside(None);
        let moved = || {
            let text = format!("could not serialize access: another session changed table {}", staged.id);
            Error::new(Reason::Serialization, text).with_hint("The transaction might succeed if retried.")
        };
        let inventory = self.names().inventory();
        let relation = inventory.find(&staged.id.schema, &staged.id.table);
        relation.filter(|relation| relation.folder == staged.folder).ok_or_else(moved)?;
        let shape = staged.contract.schema(&self.time_zone());
        let table = self.table_of(&staged, Arc::new(Target::new(Arc::clone(&shape), HashMap::new())));
        table.require_insert(&staged.columns.iter().map(String::as_str).collect::<Vec<_>>())?;
        let rows = self.lake().store().snapshot(staged.folder()).await?.provider(shape, None);
        let plan = LogicalPlanBuilder::scan(staged.contract.name.as_str(), provider_as_source(rows), None);
        let plan = plan.and_then(LogicalPlanBuilder::build).map_err(failure)?;
        let rows = incoming::admitted(self, &table, self.physical(plan).await?)?;
        match incoming::write(self, rows, Arc::clone(&staged.contract), &staged.folder, None).await {
            Ok(_) => {
                staged.rows.table.discard().await;
                Ok(())
            }
            // The keys were new when the rows were inserted.
            Err(error) if error.reason() == Reason::Unique => Err(moved().with_detail(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// The destination as it is to who inserted the rows.
    fn table_of(&self, staged: &Staged, target: Arc<dyn TableProvider>) -> SecuredTable {
        let own = Viewpoint::of(PrincipalHandle::new(staged.principal.clone()));
        let raw = RawTables::zoned(target, &self.lake().dataset().time_zone);
        self.names().secured(&own, staged.id.clone(), raw)
    }

    /// Goes back to a savepoint that stood before the first row; gives the table of the rows.
    pub(super) fn forget_rows_after(&self, mark: &BlockMark) -> Option<Unnamed> {
        if mark.staged.is_some() {
            return None;
        }
        let staged = self.block().staged.take()?;
        self.names().set_aside(None);
        Some(staged.into_table())
    }
}

fn refused(text: String) -> Error {
    Error::new(Reason::Unsupported, text).with_hint("what one COMMIT does must be one write: COMMIT in between")
}
