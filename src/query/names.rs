//! What the names in a statement mean to the session that wrote it: secured tables, views planned as the caller, system
//! tables cut to the caller, or nothing. Hidden and missing are the same nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::datasource::ViewTable;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;

use super::activity::Present;
use super::audit::Named;
use super::engine::{Lake, Opening};
use super::guard::Canceller;
use super::role_attribute::RoleAttribute;
use super::session::State;
use super::system;
use crate::access::{PrincipalHandle, RowSecuritySetting, SecuredTable, TableId, TableResolver, Visible};
use crate::catalog::inventory::{Body, PUBLIC, Relation};
use crate::catalog::model::ActivityEntry;
use crate::catalog::{CatalogHandle, SystemSchema};
use crate::dataset::{Contract, ViewFile};
use crate::error::{Error, Reason, Result};
use crate::ingest::identity::{IDENTITIES, keeps_identities};
use crate::lake::{Snapshot, TableName};

pub const CATALOG: &str = "henna";
/// The schema of bare names: it finds them by the session's search path.
pub const SEARCH_PATH: &str = "$search_path";
/// The schema of bare names within a view: those of its dataset, whatever the caller's search path is.
const VIEW_PATH: &str = "$view_path";
const PG_CATALOG: &str = "pg_catalog";
const INFORMATION_SCHEMA: &str = "information_schema";

/// One session's names.
pub struct Names {
    lake: Lake,
    principal: PrincipalHandle,
    state: Arc<Mutex<State>>,
    /// The context's state while it lives; bound once it exists. Views are planned in it.
    engine: OnceLock<Box<dyn Fn() -> Option<SessionState> + Send + Sync>>,
    /// The version of each table that the running statement reads: the same wherever it names the table.
    pinned: Mutex<HashMap<TableName, Arc<Snapshot>>>,
    /// The relations that the running statement names.
    named: Mutex<Arc<Named>>,
    pub(super) about: About,
}

/// What the session knows of its connection.
#[derive(Debug)]
pub(super) struct About {
    pub present: Present,
    pub canceller: Canceller,
    pub client_address: Option<(String, u16)>,
    pub visible: Mutex<Option<system::CachedVisible>>,
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
            present: lake.activity().enter(row, canceller.clone()),
            canceller,
            client_address: opening.client_address.clone(),
            visible: Mutex::default(),
        };
        Arc::new(Self {
            lake,
            principal,
            state: Arc::new(Mutex::new(state)),
            engine: OnceLock::new(),
            pinned: Mutex::default(),
            named: Mutex::default(),
            about,
        })
    }

    /// The context of the session: the shared functions and runtime, and this catalog alone.
    pub(super) fn context(self: &Arc<Self>, base: &SessionState) -> Result<SessionContext> {
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG.to_owned(), Arc::new(SessionCatalog(Arc::clone(self))));
        let builder = SessionStateBuilder::new_from_existing(base.clone()).with_catalog_list(Arc::new(list));
        let context = SessionContext::new_with_state(builder.build());
        let handle: CatalogHandle = Arc::clone(self) as CatalogHandle;
        for function in crate::catalog::functions(&handle) {
            context.register_udf(function);
        }
        context.register_udf(RoleAttribute::new(Arc::clone(self.lake.security()), self.principal.clone()).into());
        // The first and only binding.
        let state = context.state_weak_ref();
        let _ = self.engine.set(Box::new(move || state.upgrade().map(|state| state.read().clone())));
        Ok(context)
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

    /// Lets the next statement see what was committed since the last.
    pub(super) fn begin_statement(&self) {
        lock(&self.pinned).clear();
        *lock(&self.named) = Arc::default();
        *lock(&self.about.visible) = None;
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
        let newest = self.lake.store().snapshot(name).await?;
        Ok(Arc::clone(lock(&self.pinned).entry(name.clone()).or_insert(newest)))
    }

    /// Which identities were merged into which, at the version that the running statement reads.
    pub(super) async fn survivors(&self) -> Result<Arc<HashMap<i64, i64>>> {
        let Some(contract) = self.lake.dataset().contract(IDENTITIES).filter(|contract| keeps_identities(contract))
        else {
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

    pub(super) fn search_path_schemas(&self) -> Vec<String> {
        lock(&self.state).settings.search_path()
    }

    async fn resolve_name(self: &Arc<Self>, schema: &str, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        let handle = || Arc::clone(self) as CatalogHandle;
        match schema {
            SEARCH_PATH => self.search(self.search_path_schemas(), name).await,
            VIEW_PATH => self.search(vec!["public".to_owned()], name).await,
            PG_CATALOG => SystemSchema::pg_catalog(handle()).table(name).await,
            INFORMATION_SCHEMA => SystemSchema::information_schema(handle()).table(name).await,
            _ => self.relation(schema, name).await.map_err(outward),
        }
    }

    /// As PostgreSQL: `pg_catalog` first unless the path names it, then the path.
    async fn search(self: &Arc<Self>, mut path: Vec<String>, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        if !path.iter().any(|schema| schema == PG_CATALOG) {
            path.insert(0, PG_CATALOG.to_owned());
        }
        for schema in path {
            if schema != SEARCH_PATH
                && schema != VIEW_PATH
                && let Some(found) = Box::pin(self.resolve_name(&schema, name)).await?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A table or view that the principal may name; `None` hides the rest.
    async fn relation(self: &Arc<Self>, schema: &str, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let inventory = self.lake.inventory();
        let Some(relation) = inventory.find(schema, name) else { return Ok(None) };
        let id = TableId::new(schema, name);
        let security = self.lake.security().snapshot();
        security.ensure_sound()?;
        let principal = self.principal.get();
        if !Visible::new(&security, &principal).may_see(&id) {
            self.named().hide(&id);
            return Ok(None);
        }
        self.named().show(&id);
        match &relation.body {
            Body::Table(contract) => self.table(id, contract).await.map(Some),
            Body::Virtual(contract) => self.system_table(id, contract).await.map(Some),
            Body::View { file, .. } => {
                if !Visible::new(&security, &principal).may_select(&id) {
                    let text = format!("permission denied for view {name}");
                    return Err(Error::new(Reason::Privilege, text));
                }
                self.view(relation, file).await.map(Some)
            }
        }
    }

    async fn table(self: &Arc<Self>, id: TableId, contract: &Contract) -> Result<Arc<dyn TableProvider>> {
        let name = TableName::new(&id.schema, &id.table);
        let snapshot = self.snapshot(&name).await?;
        let remap = self.lake.remap_of(contract, self).await?;
        let raw = snapshot.provider(contract.schema(&self.time_zone()), remap);
        Ok(self.secured(id, raw))
    }

    async fn system_table(self: &Arc<Self>, id: TableId, contract: &Contract) -> Result<Arc<dyn TableProvider>> {
        let raw = system::table(self, contract).await?;
        Ok(self.secured(id, raw))
    }

    fn secured(self: &Arc<Self>, id: TableId, raw: Arc<dyn TableProvider>) -> Arc<dyn TableProvider> {
        let resolver = Arc::new(CallersTables(Arc::clone(self)));
        let security = Arc::clone(self.lake.security());
        let environment = Arc::clone(self.lake.wall());
        Arc::new(SecuredTable::new(raw, id, security, self.principal.clone(), resolver, environment))
    }

    /// A view, planned as the caller: its tables are the caller's.
    async fn view(self: &Arc<Self>, relation: &Relation, file: &ViewFile) -> Result<Arc<dyn TableProvider>> {
        let Some(state) = self.engine.get().and_then(|state| state()) else {
            return Err(Error::new(Reason::Internal, "a session that has ended planned a view"));
        };
        let mut config = state.config().clone();
        config.options_mut().catalog.default_schema = VIEW_PATH.to_owned();
        let state = SessionStateBuilder::new_from_existing(state).with_config(config).build();
        let plan = Box::pin(state.create_logical_plan(&file.sql)).await.map_err(super::failure::failure)?;
        relation.set_view_columns(plan.schema().fields().iter().map(AsRef::as_ref));
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

/// The caller's own tables, for the sub-queries of policies.
#[derive(Debug)]
struct CallersTables(Arc<Names>);

#[async_trait]
impl TableResolver for CallersTables {
    async fn table(&self, id: &TableId) -> DfResult<Option<Arc<dyn TableProvider>>> {
        self.0.resolve_name(&id.schema, &id.table).await
    }
}

#[derive(Debug)]
struct SessionCatalog(Arc<Names>);

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(SessionSchema { names: Arc::clone(&self.0), schema: name.to_owned() }))
    }
}

#[derive(Debug)]
struct SessionSchema {
    names: Arc<Names>,
    schema: String,
}

#[async_trait]
impl SchemaProvider for SessionSchema {
    /// None: the catalog tells its names through pg_catalog, cut to the caller.
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        self.names.resolve_name(&self.schema, name).await
    }

    fn table_exist(&self, _: &str) -> bool {
        false
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of our errors on its way through the engine.
fn outward(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
