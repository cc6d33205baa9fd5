//! An open lake: what its sessions share, and the door through which programs embed it.

use std::sync::{Arc, Mutex};

use datafusion::execution::FunctionRegistry;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::activity::Activity;
use super::authoring::start_as_role;
use super::failure::failure;
use super::founded::{Datasets, Founded};
use super::guard::Canceller;
use super::insert::together::Groups;
use super::names::{Names, lock};
use super::pool::Pool;
use super::pseudonym_key::pseudonym_key;
use super::security_log::LakeLog;
use super::session::{Session, State};
use super::settings::Settings;
use crate::access::{
    AuditLog, PolicyCommand, Principal, PrincipalHandle, Pseudonym, PseudonymKey, RoleId, RowSecurity, ScanTotals,
    SecuritySnapshot, SecurityStore, TableId, WallEnvironment, membership_rule, quoted,
};
use crate::catalog::inventory::Inventory;
use crate::dataset::{Contract, Dataset, SqlType};
use crate::error::{Error, Result};
use crate::functions;
use crate::ingest::Loader;
use crate::ingest::identity::merges;
use crate::ingest::stream::Streams;
use crate::lake::{Remap, Snapshot, Store, Survivors};
use crate::plans::physical_rules;

/// Share of the machine's memory that queries may use before they spill.
const MEMORY_SHARE: f64 = 0.5;
/// Used where the machine does not tell its memory.
const MEMORY_BYTES_FALLBACK: usize = 2 << 30;
const SPILL_BYTES_MAX: u64 = 50 << 30;
/// Footers and page indexes of Parquet files that are kept.
const METADATA_CACHE_BYTES: usize = 512 << 20;

/// Where the log of queries lies.
const QUERIES: &str = "queries/";

/// The column that names a row's person, in every table that has one.
const PERSON: &str = "one_id";

/// How an open lake uses the machine, and how long it keeps its audit log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Memory that queries share; `None` is half of the machine's.
    pub memory_bytes: Option<usize>,
    /// Disk that spilling may fill; `None` is 50 GB.
    pub spill_bytes: Option<u64>,
    /// Query threads; 0 is one per core.
    pub threads: usize,
    /// Age at which whole segments of the audit log are taken away; `None` is never.
    pub audit_retention: Option<std::time::Duration>,
    /// The same of the log of queries.
    pub query_log_retention: Option<std::time::Duration>,
}

/// An open lake. Clones share it.
#[derive(Clone)]
pub struct Lake {
    shared: Arc<Shared>,
}

/// Of which epoch and dataset, and what exists by them.
type KnownInventory = (u64, Arc<Founded>, Arc<Inventory>);

struct Shared {
    store: Store,
    /// What the dataset and the house brought.
    datasets: Datasets,
    security: Arc<SecurityStore>,
    audit: Arc<AuditLog>,
    query_log: Arc<AuditLog>,
    /// What the dataset and the house brought, with what users made, at the change that last concerned it.
    inventory: Mutex<Option<KnownInventory>>,
    activity: Arc<Activity>,
    started_us: i64,
    /// Functions, optimizer and runtime of every session; each session gets a catalog and settings of its own.
    base: SessionState,
    wall: Arc<WallEnvironment>,
    pool: Pool,
    streams: Streams,
    groups: Groups,
    /// The merged identities of the newest version that was asked for.
    survivors: Mutex<Option<(u64, Arc<Survivors>)>>,
}

/// Who asks for a session, and how it begins.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    pub application_name: Option<String>,
    /// Settings of the start-up message, in order.
    pub options: Vec<(String, String)>,
    pub client_address: Option<(String, u16)>,
    /// The number that its client knows it by; `None` gives it the next that is free.
    pub pid: Option<i32>,
    /// What statement_timeout is unless the session sets it.
    pub statement_timeout: Option<std::time::Duration>,
}

impl Lake {
    /// Opens the lake in a folder, with the machine's default limits.
    pub async fn open(root: &str) -> Result<Self> {
        Self::open_with(root, Limits::default()).await
    }

    pub(super) async fn assemble(
        store: Store,
        founded: Arc<Founded>,
        security: SecurityStore,
        limits: Limits,
    ) -> Result<Self> {
        let (security, dataset) = (Arc::new(security), Arc::clone(&founded.dataset));
        let audit_files = Arc::new(LakeLog::new(store.clone()));
        let audit = Arc::new(AuditLog::start(audit_files, limits.audit_retention)?);
        let query_files = Arc::new(LakeLog::in_folder(store.clone(), QUERIES));
        let query_log = Arc::new(AuditLog::start(query_files, limits.query_log_retention)?);
        let pool = Pool::new(limits.threads)?;
        let streams = Streams::new(Loader::new(store.clone(), Arc::clone(&dataset)), pool.handle().clone());
        let base = base_state(&store, limits)?;
        crate::ingest::system::complete(&store).await?;
        let activity = Arc::default();
        let started_us = chrono::Utc::now().timestamp_micros();
        let key = pseudonym_key(&store, &security.snapshot()).await?;
        let wall = Arc::new(wall(&base, key, &dataset.time_zone)?);
        let shared = Shared {
            store,
            datasets: Datasets::new(founded),
            security,
            audit,
            query_log,
            inventory: Mutex::default(),
            activity,
            started_us,
            base,
            wall,
            pool,
            streams,
            groups: Groups::default(),
            survivors: Mutex::default(),
        };
        let lake = Self { shared: Arc::new(shared) };
        lake.plan_views().await?;
        Ok(lake)
    }

    /// The principal of a role, for programs that embed the lake and have proved who asks by their own means.
    pub fn principal(&self, role: &str) -> Result<Principal> {
        self.shared.security.principal(role)
    }

    /// A session of `principal`, with the dataset's time zone.
    pub async fn session(&self, principal: Principal) -> Result<Session> {
        self.session_with(principal, Opening::default()).await
    }

    pub async fn session_with(&self, principal: Principal, opening: Opening) -> Result<Session> {
        let mut settings = Settings::new();
        settings.start_with("TimeZone", &self.dataset().time_zone)?;
        if let Some(span) = opening.statement_timeout {
            settings.start_with("statement_timeout", &format!("{}ms", span.as_millis()))?;
        }
        start_as_role(&mut settings, &self.shared.security.snapshot(), principal.session_user());
        if let Some(name) = &opening.application_name {
            settings.start_with("application_name", name)?;
        }
        let principal = PrincipalHandle::new(principal);
        let names = Names::new(self.clone(), principal, State::new(settings), &opening);
        let context = names.context(&self.shared.base)?;
        let session = Session::assemble(self.clone(), names, context).await?;
        session.start_with(&opening.options).await?;
        Ok(session)
    }

    /// Small statements that add rows at the same moment.
    pub(super) fn groups(&self) -> &Groups {
        &self.shared.groups
    }

    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// As the lake goes by it now: `henna dataset apply` may put another text in its place.
    pub fn dataset(&self) -> Arc<Dataset> {
        Arc::clone(&self.shared.datasets.current().dataset)
    }

    pub(super) fn datasets(&self) -> &Datasets {
        &self.shared.datasets
    }

    pub fn security(&self) -> &Arc<SecurityStore> {
        &self.shared.security
    }

    /// What was done in this lake, and what was refused.
    pub fn audit(&self) -> &Arc<AuditLog> {
        &self.shared.audit
    }

    /// What each statement did and cost.
    pub fn query_log(&self) -> &Arc<AuditLog> {
        &self.shared.query_log
    }

    /// What scans under row policies have read and left out: for the program that embeds the lake; no statement can ask.
    pub fn secured_scans(&self) -> ScanTotals {
        self.shared.wall.totals()
    }

    /// Open sessions, of all doors.
    pub fn session_count(&self) -> usize {
        self.shared.activity.count()
    }

    /// Open sessions of a user, of all doors.
    pub fn session_count_of(&self, user: &str) -> usize {
        self.shared.activity.count_of(user)
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// Loads that come over sockets.
    pub(super) fn streams(&self) -> &Streams {
        &self.shared.streams
    }

    pub(super) fn wall(&self) -> &Arc<WallEnvironment> {
        &self.shared.wall
    }

    /// What exists as the snapshot knows it.
    pub(super) fn inventory_at(&self, security: &SecuritySnapshot) -> Arc<Inventory> {
        let founded = self.shared.datasets.by(security);
        if security.branch().is_some() {
            // One session's own: never kept where others look.
            return Arc::new(founded.inventory.with_authored(security));
        }
        let defined_at = security.defined_at();
        if let Some((at, of, inventory)) = lock(&self.shared.inventory).as_ref()
            && *at == defined_at
            && Arc::ptr_eq(of, &founded)
        {
            return Arc::clone(inventory);
        }
        let inventory = Arc::new(founded.inventory.with_authored(security));
        let mut newest = lock(&self.shared.inventory);
        // A reader that is late must not put an older one in the place of a newer one.
        if newest.as_ref().is_none_or(|(at, of, _)| *at < defined_at || *at == defined_at && !Arc::ptr_eq(of, &founded))
        {
            *newest = Some((defined_at, founded, Arc::clone(&inventory)));
        }
        inventory
    }

    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.shared.activity
    }

    pub(super) fn started_us(&self) -> i64 {
        self.shared.started_us
    }

    /// What ends session `pid` or its statement, for a role that has the rights of that session's user: for all to see, and
    /// in its own `sight`. Other sessions must not feel what a block has not committed.
    pub(super) fn canceller_of(&self, pid: i32, by: RoleId, sight: &SecuritySnapshot) -> Option<Canceller> {
        let security = self.shared.security.snapshot();
        let user = self.shared.activity.user(pid).and_then(|name| security.role_named(&name).map(|role| role.id))?;
        let may = security.has_privileges_of(by, user) && sight.has_privileges_of(by, user);
        if may { self.shared.activity.canceller(pid) } else { None }
    }

    /// Whether a policy lets the principal see every row of a table although row security is on.
    pub(super) fn sees_every_row(&self, security: &SecuritySnapshot, principal: &Principal, id: &TableId) -> bool {
        match security.row_security(principal.checked_role(), id, PolicyCommand::Select) {
            RowSecurity::Bypassed => true,
            RowSecurity::Policies(applied) => {
                let open = |using: &Option<String>| using.as_deref().is_some_and(|text| text.trim() == "true");
                applied.restrictive.is_empty() && applied.permissive.iter().any(|policy| open(&policy.using))
            }
        }
    }

    /// How merged identities read in a table that names people.
    pub(super) async fn remap_of(&self, contract: &Contract, names: &Names) -> Result<Option<Remap>> {
        if contract.column(PERSON).is_none_or(|column| column.sql_type != SqlType::BigInt) {
            return Ok(None);
        }
        let survivors = names.survivors().await?;
        Ok((!survivors.is_empty()).then(|| Remap { column: PERSON.to_owned(), survivors }))
    }

    /// The merged identities of a version of the identities' table.
    pub(super) async fn survivors(&self, contract: &Contract, identities: &Arc<Snapshot>) -> Result<Arc<Survivors>> {
        if let Some((version, found)) = lock(&self.shared.survivors).as_ref()
            && *version == identities.version
        {
            return Ok(Arc::clone(found));
        }
        let merged = merges(&self.shared.store, contract, Arc::clone(identities)).await?;
        let found = Arc::new(Survivors::new(merged));
        *lock(&self.shared.survivors) = Some((identities.version, Arc::clone(&found)));
        Ok(found)
    }

    /// Plans each view once, as the lake's own superuser: its columns are known, and one that cannot be planned stops the
    /// opening. A view may read views that were planned before it.
    async fn plan_views(&self) -> Result<()> {
        // Behind a damaged log nothing is read, so nothing is planned either; the lake opens to tell of it.
        if self.shared.security.is_new() || !self.shared.security.snapshot().is_sound() {
            return Ok(());
        }
        let session = self.session(self.shared.security.bootstrap_principal()).await?;
        session.plan_views(&self.shared.datasets.current().inventory).await
    }
}

impl Session {
    /// Plans each view of an inventory; an error names the first that cannot be.
    pub(super) async fn plan_views(&self, inventory: &Inventory) -> Result<()> {
        let session = self;
        for relation in inventory.relations().filter(|relation| relation.is_view()) {
            let (schema, name) = (quoted(&relation.schema), quoted(&relation.name));
            let [statement] = &session.parse(&format!("SELECT * FROM {schema}.{name}"))?[..] else { continue };
            session.plan_only(statement).await.map_err(|error| {
                Error::new(error.reason(), format!("view {schema}.{name} cannot be planned: {error}"))
            })?;
        }
        Ok(())
    }
}

/// What SHOW role gives.
pub(super) fn role_shown(principal: &Principal, security: &SecuritySnapshot) -> String {
    if principal.current_role() == principal.session_user() {
        return "none".to_owned();
    }
    principal.current_user_name(security)
}

/// The state that every session begins from: PostgreSQL's dialect, our functions, limits shared by all.
fn base_state(store: &Store, limits: Limits) -> Result<SessionState> {
    let runtime = runtime(limits)?;
    store.register(&runtime)?;
    let mut config = SessionConfig::new().with_information_schema(false).with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    options.sql_parser.dialect = "PostgreSQL".parse().map_err(failure)?;
    options.sql_parser.parse_float_as_decimal = true;
    // Names of types travel as metadata, which a literal in the place of a cast loses: no reason to refuse a GROUP BY.
    options.execution.skip_physical_aggregate_schema_check = true;
    options.execution.parquet.pushdown_filters = false;
    options.execution.parquet.bloom_filter_on_read = true;
    options.catalog.default_catalog = super::names::CATALOG.to_owned();
    options.catalog.default_schema = super::names::SEARCH_PATH.to_owned();
    options.explain.physical_plan_only = true;
    let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
    let state = state.with_physical_optimizer_rules(physical_rules()).with_analyzer_rules(analyzer_rules());
    let mut state = state.with_type_planner(functions::type_planner()).build();
    state.register_expr_planner(functions::expr_planner()).map_err(failure)?;
    let mut context = SessionContext::new_with_state(state);
    functions::functions().into_iter().for_each(|function| context.register_udf(function));
    henna_udfs::register_all(&mut context).map_err(failure)?;
    super::series::bound(&context).map_err(failure)?;
    // Known to sessions, so that masks can be planned, and of no use to them.
    context.register_udf(Pseudonym::without_key().into());
    Ok(context.state())
}

/// The engine's own rules, between what must come before types are coerced and what follows once they are.
fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = vec![crate::catalog::one_row_rule()];
    rules.extend(functions::preparing_rules());
    rules.extend(Analyzer::new().rules);
    rules.extend([membership_rule(), crate::catalog::analyzer_rule()]);
    rules.extend(functions::concluding_rules());
    rules
}

/// The functions of every session, and the one that only masks may call.
fn wall(base: &SessionState, key: PseudonymKey, zone: &str) -> Result<WallEnvironment> {
    let mut functions = base.clone();
    functions.register_udf(Arc::new(Pseudonym::with_key(key).into())).map_err(failure)?;
    Ok(WallEnvironment::new(&functions, zone))
}

fn runtime(limits: Limits) -> Result<Arc<RuntimeEnv>> {
    let memory = limits.memory_bytes.unwrap_or_else(default_memory_bytes);
    let disk =
        DiskManagerBuilder::default().with_max_temp_directory_size(limits.spill_bytes.unwrap_or(SPILL_BYTES_MAX));
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        .with_disk_manager_builder(disk)
        .with_metadata_cache_limit(METADATA_CACHE_BYTES)
        .build_arc()
        .map_err(failure)
}

/// Half of the memory that Linux says is there.
fn default_memory_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<usize>().ok());
    kilobytes.map_or(MEMORY_BYTES_FALLBACK, |kilobytes| (kilobytes as f64 * 1024.0 * MEMORY_SHARE) as usize)
}
