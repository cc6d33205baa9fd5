//! What the names in a statement mean to the session that wrote it: secured tables, views planned as the caller, system
//! tables cut to the caller, or nothing. Hidden and missing are the same nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::datatypes::Field;
use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;

use super::activity::Present;
use super::audit::Named;
use super::engine::{Lake, Opening};
use super::failure::failure;
use super::guard::Canceller;
use super::prepared::NamedStatements;
use super::role_attribute::RoleAttribute;
use super::session::State;
use super::system;
use super::travel::{by_name, without_versions};
use super::viewpoint::{BareNames, Clock, TableVersions, Viewpoint};
use crate::access::{
    ObjectId, PrincipalHandle, RawTables, RowSecuritySetting, SecuredTable, SecurityHandle, SecuritySnapshot, TableId,
    TableResolver, Visible,
};
use crate::catalog::inventory::{Body, Inventory, PUBLIC, Relation};
use crate::catalog::model::ActivityEntry;
use crate::catalog::{CatalogHandle, SystemSchema};
use crate::dataset::Contract;
use crate::error::{Error, Reason, Result};
use crate::ingest::identity::{IDENTITIES, keeps_identities};
use crate::lake::{Snapshot, Survivors, TableName};
use crate::sql::{AskedVersion, versioned};

pub const CATALOG: &str = "henna";
/// The schema of bare names: which they are, the viewpoint says.
pub const SEARCH_PATH: &str = "$search_path";
/// The schema that holds the table that a statement writes to, while it is planned.
pub const TARGET: &str = "$target";
const PG_CATALOG: &str = "pg_catalog";
const INFORMATION_SCHEMA: &str = "information_schema";

/// One session's names.
pub struct Names {
    lake: Lake,
    principal: PrincipalHandle,
    security: SecurityHandle,
    state: Arc<Mutex<State>>,
    /// What exists for a transaction block that has changed it, by the branch of its snapshot.
    inventory: Mutex<Option<(u64, Arc<Inventory>)>>,
    /// A table whose new rows wait in another one for the end of the transaction block.
    staged: Mutex<Option<Aside>>,
    /// The context's state while it lives; bound once it exists. Views are planned in it.
    engine: OnceLock<Box<dyn Fn() -> Option<SessionState> + Send + Sync>>,
    /// The version of each table that the running statement reads: the same wherever it names the table.
    pinned: Mutex<HashMap<TableName, Arc<Snapshot>>>,
    /// Whether a view whose inside is hidden asks for `as_of()` in the running statement.
    as_of_asked: AtomicBool,
    /// Whether the running statement reads a table at a version of its choice.
    travels: AtomicBool,
    /// The relations that the running statement names.
    named: Mutex<Arc<Named>>,
    pub(super) about: About,
}

/// A table, and the one beside it that holds the rows which a block has inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aside {
    pub table: TableName,
    pub rows: TableName,
}

/// What the session knows of its connection.
#[derive(Debug)]
pub(super) struct About {
    pub present: Present,
    pub canceller: Canceller,
    pub client_address: Option<(String, u16)>,
    pub visible: Mutex<Option<system::CachedVisible>>,
    pub statements: NamedStatements,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("pid", &self.about.present.pid()).finish_non_exhaustive()
    }
}

impl Names {
    pub(super) fn new(lake: Lake, principal: PrincipalHandle, state: State, opening: &Opening) -> Arc<Self> {
        let canceller = Canceller::default();
        let row = ActivityEntry {
            pid: 0,
            user: principal.get().session_user_name(&lake.security().snapshot()),
            application: opening.application_name.clone().unwrap_or_default(),
            client: opening.client_address.as_ref().map(|(address, _)| address.clone()),
            backend_start_us: chrono::Utc::now().timestamp_micros(),
            query_start_us: None,
            state: "idle".to_owned(),
            query: None,
        };
        let about = About {
            present: lake.activity().enter(row, opening.pid, canceller.clone(), state.standing()),
            canceller,
            client_address: opening.client_address.clone(),
            visible: Mutex::default(),
            statements: NamedStatements::default(),
        };
        Arc::new(Self {
            security: Arc::clone(lake.security()).into(),
            lake,
            principal,
            state: Arc::new(Mutex::new(state)),
            inventory: Mutex::default(),
            staged: Mutex::default(),
            engine: OnceLock::new(),
            pinned: Mutex::default(),
            as_of_asked: AtomicBool::new(false),
            travels: AtomicBool::new(false),
            named: Mutex::default(),
            about,
        })
    }

    /// The context of the session: the shared functions and runtime, and this catalog alone.
    pub(super) fn context(self: &Arc<Self>, base: &SessionState) -> Result<SessionContext> {
        let own = Viewpoint::of(self.principal.clone());
        let builder = SessionStateBuilder::new_from_existing(base.clone()).with_catalog_list(self.catalogs(own));
        let context = SessionContext::new_with_state(builder.build());
        let handle: CatalogHandle = Arc::clone(self) as CatalogHandle;
        for function in crate::catalog::functions(&handle) {
            context.register_udf(function);
        }
        context.register_udf(RoleAttribute::new(self.security.clone(), self.principal.clone()).into());
        // The first and only binding.
        let state = context.state_weak_ref();
        let _ = self.engine.set(Box::new(move || state.upgrade().map(|state| state.read().clone())));
        Ok(context)
    }

    /// The session's catalog as it is from `at`.
    pub(super) fn catalogs(self: &Arc<Self>, at: Viewpoint) -> Arc<dyn CatalogProviderList> {
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG.to_owned(), Arc::new(SessionCatalog { names: Arc::clone(self), at }));
        Arc::new(list)
    }

    /// The session's state with the names that `at` gives.
    pub(super) fn state_at(self: &Arc<Self>, at: Viewpoint) -> Result<SessionState> {
        let Some(state) = self.engine.get().and_then(|state| state()) else {
            return Err(Error::new(Reason::Internal, "a session that has ended planned a statement"));
        };
        let mut config = state.config().clone();
        config.options_mut().execution.time_zone = Some(self.zone_at(&at));
        let builder = SessionStateBuilder::new_from_existing(state).with_config(config);
        let clock = at.clock;
        let mut state = builder.with_catalog_list(self.catalogs(at)).build();
        if clock == Clock::Lake {
            tell_zone(&mut state)?;
        }
        Ok(state)
    }

    pub(super) fn state(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.state)
    }

    pub(super) fn principal(&self) -> &PrincipalHandle {
        &self.principal
    }

    pub(super) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The rights that count for the session: with what its open block has changed.
    pub(super) fn security(&self) -> &SecurityHandle {
        &self.security
    }

    /// What exists as a snapshot of the session's knows it.
    pub(super) fn inventory_at(&self, security: &SecuritySnapshot) -> Arc<Inventory> {
        let Some(branch) = security.branch() else { return self.lake.inventory_at(security) };
        if let Some((of, inventory)) = lock(&self.inventory).as_ref()
            && *of == branch
        {
            return Arc::clone(inventory);
        }
        let inventory = self.lake.inventory_at(security);
        *lock(&self.inventory) = Some((branch, Arc::clone(&inventory)));
        inventory
    }

    /// What exists for the session now.
    pub(super) fn inventory(&self) -> Arc<Inventory> {
        self.inventory_at(&self.security.snapshot())
    }

    /// Lets the session read a table with the rows of the one beside it.
    pub(super) fn set_aside(&self, aside: Option<Aside>) {
        *lock(&self.staged) = aside;
        lock(&self.pinned).clear();
    }

    /// Lets the next statement see what was committed since the last.
    pub(super) fn begin_statement(&self) {
        lock(&self.pinned).clear();
        self.as_of_asked.store(false, Ordering::Relaxed);
        self.travels.store(false, Ordering::Relaxed);
        *lock(&self.named) = Arc::default();
        *lock(&self.about.visible) = None;
    }

    pub(super) fn ask_for_as_of(&self) {
        self.as_of_asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_as_of_asked(&self) -> bool {
        self.as_of_asked.load(Ordering::Relaxed)
    }

    /// What it read must be looked for again by the next run.
    pub(super) fn travels(&self) -> bool {
        self.travels.load(Ordering::Relaxed)
    }

    /// The versions of tables that the running statement has read so far.
    pub(super) fn pinned(&self) -> Vec<(TableName, Arc<Snapshot>)> {
        lock(&self.pinned).iter().map(|(name, version)| (name.clone(), Arc::clone(version))).collect()
    }

    /// The relations that the running statement names, as far as it is planned.
    pub(super) fn named(&self) -> Arc<Named> {
        Arc::clone(&lock(&self.named))
    }

    /// The version of a table that the running statement reads.
    pub(super) async fn snapshot(&self, name: &TableName) -> Result<Arc<Snapshot>> {
        if let Some(found) = lock(&self.pinned).get(name) {
            return Ok(Arc::clone(found));
        }
        let mut newest = self.lake.store().snapshot(name).await?;
        let aside = lock(&self.staged).clone().filter(|aside| aside.table == *name);
        if let Some(aside) = aside {
            let rows = self.lake.store().snapshot(&aside.rows).await?;
            newest = Arc::new(newest.with_rows_of(&rows));
        }
        Ok(Arc::clone(lock(&self.pinned).entry(name.clone()).or_insert(newest)))
    }

    /// Which identities were merged into which, at the version that the running statement reads.
    pub(super) async fn survivors(&self) -> Result<Arc<Survivors>> {
        let dataset = self.lake.dataset();
        let Some(contract) = dataset.contract(IDENTITIES).filter(|contract| keeps_identities(contract)) else {
            return Ok(Arc::default());
        };
        let snapshot = self.snapshot(&TableName::new(PUBLIC, IDENTITIES)).await?;
        self.lake.survivors(contract, &snapshot).await
    }

    pub(super) fn set_row_security(&self, on: bool) {
        let setting = if on { RowSecuritySetting::On } else { RowSecuritySetting::Off };
        let mut principal = self.principal.get();
        principal.set_row_security(setting);
        self.principal.set(principal);
    }

    pub(super) fn time_zone(&self) -> String {
        lock(&self.state).settings.time_zone().to_owned()
    }

    /// The zone that times have at a viewpoint.
    pub(super) fn zone_at(&self, at: &Viewpoint) -> String {
        match at.clock {
            Clock::Session => self.time_zone(),
            Clock::Lake => self.lake.dataset().time_zone.clone(),
        }
    }

    pub(super) fn search_path_schemas(&self) -> Vec<String> {
        let own = self.schema_of_user();
        lock(&self.state).settings.search_path(own.as_deref())
    }

    /// The schema of the current user's name, where it is the user's or a superuser's: whoever else made it would have the
    /// user's bare names mean what he likes.
    fn schema_of_user(&self) -> Option<String> {
        let security = self.security.snapshot();
        let principal = self.principal.get();
        let name = principal.current_user_name(&security);
        let owner = security.owner(&ObjectId::Schema(name.clone()))?;
        let trusted = security.has_privileges_of(principal.current_role(), owner) || security.is_superuser(owner);
        trusted.then_some(name)
    }

    async fn resolve_name(
        self: &Arc<Self>,
        at: &Viewpoint,
        schema: &str,
        name: &str,
    ) -> DfResult<Option<Arc<dyn TableProvider>>> {
        let handle = || Arc::clone(self) as CatalogHandle;
        match schema {
            SEARCH_PATH => {
                for schema in self.path(at) {
                    if let Some(found) = Box::pin(self.resolve_name(at, &schema, name)).await? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            TARGET => Ok(at.target.clone().filter(|(target, _)| target == name).map(|(_, provider)| provider)),
            PG_CATALOG => self.system_relation(&SystemSchema::pg_catalog(handle()), name).await,
            INFORMATION_SCHEMA => self.system_relation(&SystemSchema::information_schema(handle()), name).await,
            _ => self.relation(at, schema, name).await.map_err(outward),
        }
    }

    async fn system_relation(&self, schema: &SystemSchema, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        let (name, asked) = versioned(name);
        match (schema.table(name).await?, asked) {
            (Some(_), Some(_)) => Err(outward(without_versions(name))),
            (found, _) => Ok(found),
        }
    }

    /// The schemas that a bare name is looked for in. As PostgreSQL: `pg_catalog` first unless the path names it.
    fn path(&self, at: &Viewpoint) -> Vec<String> {
        let mut path = match at.bare {
            BareNames::SearchPath => self.search_path_schemas(),
            BareNames::Dataset => vec![PUBLIC.to_owned()],
            BareNames::None => return Vec::new(),
        };
        path.retain(|schema| schema != SEARCH_PATH && schema != TARGET);
        if !path.iter().any(|schema| schema == PG_CATALOG) {
            path.insert(0, PG_CATALOG.to_owned());
        }
        path
    }

    /// The full name of the relation that a name means to the session; `None` is hidden or missing.
    pub(super) fn locate(self: &Arc<Self>, schema: Option<&str>, name: &str) -> Option<TableId> {
        let own = Viewpoint::of(self.principal.clone());
        let path = schema.map_or_else(|| self.path(&own), |schema| vec![schema.to_owned()]);
        let handle = || Arc::clone(self) as CatalogHandle;
        let exists = |schema: &String| match schema.as_str() {
            PG_CATALOG => SystemSchema::pg_catalog(handle()).table_exist(name),
            INFORMATION_SCHEMA => SystemSchema::information_schema(handle()).table_exist(name),
            schema => self.known(schema, name).is_some(),
        };
        path.into_iter().find(exists).map(|schema| TableId::new(schema, name))
    }

    /// A table or view that the session may name.
    pub(super) fn known(&self, schema: &str, name: &str) -> Option<Arc<Relation>> {
        let security = self.security.snapshot();
        let relation = self.inventory_at(&security).find(schema, name).cloned()?;
        Visible::new(&security, &self.principal.get()).may_see(&relation.id()).then_some(relation)
    }

    /// A table or view that the principal of `at` may name; `None` hides the rest.
    async fn relation(
        self: &Arc<Self>,
        at: &Viewpoint,
        schema: &str,
        name: &str,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let security = self.security.snapshot();
        security.ensure_sound()?;
        let inventory = self.inventory_at(&security);
        let (name, asked) = versioned(name);
        let Some(relation) = inventory.find(schema, name) else { return Ok(None) };
        let id = relation.id();
        let principal = at.principal.get();
        // What a view reads as its owner is not told to who reads the view, in the audit log either.
        let is_own = principal == self.principal.get();
        if !Visible::new(&security, &principal).may_see(&id) {
            if is_own {
                self.named().hide(&id);
            }
            return Ok(None);
        }
        if is_own {
            self.named().show(&id);
        }
        match &relation.body {
            Body::Table(contract) => self.table(at, relation, contract, asked).await.map(Some),
            Body::Virtual(_) | Body::View { .. } if asked.is_some() => Err(without_versions(name)),
            Body::Virtual(contract) => self.system_table(at, id, contract).await.map(Some),
            Body::View { file, terms, .. } => {
                if !Visible::new(&security, &principal).may_select(&id) {
                    let text = format!("permission denied for view {name}");
                    return Err(Error::new(Reason::Privilege, text));
                }
                self.view(at, relation, file, terms).await.map(Some)
            }
        }
    }

    async fn table(
        self: &Arc<Self>,
        at: &Viewpoint,
        relation: &Relation,
        contract: &Contract,
        asked: Option<AskedVersion<'_>>,
    ) -> Result<Arc<dyn TableProvider>> {
        let chosen = match (asked, at.tables) {
            (Some(asked), _) => Some(self.asked_version(relation, asked)?),
            (None, TableVersions::Chosen) => self.chosen_version(relation)?,
            (None, TableVersions::Newest) => None,
        };
        let snapshot = match chosen {
            Some(moment) => {
                self.travels.store(true, Ordering::Relaxed);
                let earlier = self.lake.store().snapshot_at(&relation.folder, moment).await;
                earlier.map_err(|error| by_name(error, relation))?
            }
            None => self.snapshot(&relation.folder).await?,
        };
        let is_new = |field: &Arc<Field>| contract.column(field.name()).is_none();
        if chosen.is_none() && snapshot.schema.fields().iter().any(is_new) && self.lake.follow_dataset().await? {
            // Another process has given the table a column: its contract is read anew, once.
            let (schema, name) = (&relation.schema, &relation.name);
            if let Some(table) = Box::pin(self.relation(at, schema, name)).await? {
                return Ok(table);
            }
        }
        let remap = self.lake.remap_of(contract, self).await?;
        let in_zone = |zone: &str| Arc::clone(&snapshot).provider(contract.schema(zone), remap.clone());
        let (zone, lake_zone) = (self.zone_at(at), self.lake.dataset().time_zone.clone());
        let shown = in_zone(&zone);
        let beneath = if zone == lake_zone { Arc::clone(&shown) } else { in_zone(&lake_zone) };
        Ok(Arc::new(self.secured(at, relation.id(), RawTables { shown, beneath })))
    }

    async fn system_table(
        self: &Arc<Self>,
        at: &Viewpoint,
        id: TableId,
        contract: &Contract,
    ) -> Result<Arc<dyn TableProvider>> {
        let shown = system::table(self, contract, &self.zone_at(at)).await?;
        let raw = RawTables::zoned(shown, &self.lake.dataset().time_zone);
        Ok(Arc::new(self.secured(at, id, raw)))
    }

    pub(super) fn secured(self: &Arc<Self>, at: &Viewpoint, id: TableId, raw: RawTables) -> SecuredTable {
        let resolver = Arc::new(CallersTables { names: Arc::clone(self), at: at.clone().of_policies() });
        let environment = Arc::clone(self.lake.wall());
        SecuredTable::new(raw, id, self.security.clone(), at.principal.clone(), resolver, environment)
    }
}

/// The tables of whoever reads, for the sub-queries of policies.
#[derive(Debug)]
struct CallersTables {
    names: Arc<Names>,
    at: Viewpoint,
}

#[async_trait]
impl TableResolver for CallersTables {
    async fn table(&self, id: &TableId) -> DfResult<Option<Arc<dyn TableProvider>>> {
        self.names.resolve_name(&self.at, &id.schema, &id.table).await
    }
}

#[derive(Debug)]
struct SessionCatalog {
    names: Arc<Names>,
    at: Viewpoint,
}

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let (names, at) = (Arc::clone(&self.names), self.at.clone());
        Some(Arc::new(SessionSchema { names, at, schema: name.to_owned() }))
    }
}

#[derive(Debug)]
struct SessionSchema {
    names: Arc<Names>,
    at: Viewpoint,
    schema: String,
}

#[async_trait]
impl SchemaProvider for SessionSchema {
    /// None: the catalog tells its names through pg_catalog, cut to the caller.
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        self.names.resolve_name(&self.at, &self.schema, name).await
    }

    fn table_exist(&self, _: &str) -> bool {
        false
    }
}

/// Functions that know the zone of their session learn the one that `state` has.
fn tell_zone(state: &mut SessionState) -> Result<()> {
    let options = Arc::clone(state.config_options());
    let functions = state.scalar_functions().values();
    let changed: Vec<_> = functions.filter_map(|function| function.inner().with_updated_config(&options)).collect();
    for function in changed {
        state.register_udf(Arc::new(function)).map_err(failure)?;
    }
    Ok(())
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of our errors on its way through the engine.
fn outward(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
