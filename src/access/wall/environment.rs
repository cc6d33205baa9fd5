//! The private planning state behind the wall: fixed options, known functions, tables as the caller sees them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, Session, TableProvider};
use datafusion::common::config::Dialect;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::optimizer::AnalyzerRule;
use datafusion::prelude::SessionConfig;

use super::super::error::AccessError;
use super::super::model::object::TableId;
use super::decisions::Decisions;
use super::membership::membership_rule;
use super::totals::{ScanCounters, ScanTotals};
use super::wall_session::WallSession;
use crate::plans::physical_rules;

/// How a policy's sub-queries find other tables.
#[async_trait]
pub trait TableResolver: std::fmt::Debug + Send + Sync {
    /// What the caller gets under a full name: a secured table, or a view over such. None is hidden or missing.
    async fn table(&self, id: &TableId) -> Result<Option<Arc<dyn TableProvider>>>;
}

/// Those of the sessions, without the one that makes joins of sub-queries in the place of a value: a filter has none.
fn rules_of_filters(functions: &SessionState) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let rules = functions.analyzer().rules.iter().filter(|rule| rule.name() != DECORRELATION);
    let mut rules: Vec<_> = rules.cloned().collect();
    if !rules.iter().any(|rule| rule.name() == membership_rule().name()) {
        rules.push(membership_rule());
    }
    rules
}

/// The functions and options that policies and masks are planned with. One serves all tables of a lake.
#[derive(Debug)]
pub struct WallEnvironment {
    template: Arc<SessionState>,
    /// What times are read in whose text names no zone: of the lake, so that no session moves the bounds of a policy.
    zone: String,
    decisions: Decisions,
    counters: Arc<ScanCounters>,
    /// Those of the sessions: they make joins of sub-queries that stand in the place of a value.
    analyzer_rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
    #[cfg(test)]
    pub breached: super::breach::Breached,
}

const CATALOG: &str = "henna";
/// The name of a rule of the sessions.
const DECORRELATION: &str = "decorrelate_subqueries";
/// Holds the raw table during planning. Not a name that a user can create.
pub const BASE_SCHEMA: &str = "henna wall";
pub const BASE_TABLE: &str = "base";
/// Names in policies are full; one that is not finds nothing.
const NO_SCHEMA: &str = "henna no schema";

impl WallEnvironment {
    /// Policies may call the functions of `functions`, which must not be one session's own; nothing else is taken from it.
    /// `zone` is the time zone of the lake.
    pub fn new(functions: &SessionState, zone: &str) -> Self {
        let config = options(zone);
        // Some functions know a zone: behind the wall it is the lake's.
        let scalar = functions.scalar_functions().values().map(|function| {
            let updated = function.inner().with_updated_config(config.options());
            updated.map_or_else(|| Arc::clone(function), Arc::new)
        });
        let template = SessionStateBuilder::new_from_existing(functions.clone())
            .with_scalar_functions(scalar.collect())
            .with_config(config)
            .with_physical_optimizer_rules(physical_rules())
            .with_analyzer_rules(rules_of_filters(functions))
            .build();
        Self {
            template: Arc::new(template),
            zone: zone.to_owned(),
            decisions: Decisions::default(),
            counters: Arc::default(),
            analyzer_rules: functions.analyzer().rules.clone(),
            #[cfg(test)]
            breached: super::breach::Breached::default(),
        }
    }

    /// Where what one scan was told is kept for the next. They belong to one security store.
    pub(super) fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Resolves the names of functions, and no others.
    pub(super) fn planner(&self) -> &SessionState {
        &self.template
    }

    /// What the scans behind the wall have read and left out.
    pub fn totals(&self) -> ScanTotals {
        self.counters.totals()
    }

    pub(super) fn counters(&self) -> Arc<ScanCounters> {
        Arc::clone(&self.counters)
    }

    /// The options behind the wall. The caller lends how much runs in parallel; its other options are not looked at.
    pub(super) fn config(&self, caller: &dyn Session, chain: PolicyChain) -> SessionConfig {
        options(&self.zone)
            .with_batch_size(caller.config().batch_size())
            .with_target_partitions(caller.config().target_partitions())
            .with_extension(Arc::new(chain))
    }

    /// A session for rules that look at one row alone.
    pub(super) fn session(&self, caller: &dyn Session, chain: PolicyChain) -> WallSession {
        WallSession::new(Arc::clone(&self.template), self.config(caller, chain), caller)
    }

    /// A state in which the base table is `base`, and others are what `resolver` gives.
    /// `caller` lends its memory, disk and object stores, and the moment that `now()` is.
    pub fn state(
        &self,
        caller: &dyn Session,
        base: Arc<dyn TableProvider>,
        resolver: Arc<dyn TableResolver>,
        chain: PolicyChain,
    ) -> SessionState {
        let config = self.config(caller, chain);
        SessionStateBuilder::new_from_existing(self.template.as_ref().clone())
            .with_config(config.clone())
            .with_runtime_env(Arc::clone(caller.runtime_env()))
            .with_catalog_list(Arc::new(WallCatalog { base, resolver }))
            .with_execution_props(props(caller, &config))
            .build()
    }

    /// The same for a policy that is asked of each new row: its sub-queries stand where a value does.
    pub fn state_of_checks(
        &self,
        caller: &dyn Session,
        base: Arc<dyn TableProvider>,
        resolver: Arc<dyn TableResolver>,
        chain: PolicyChain,
    ) -> SessionState {
        SessionStateBuilder::new_from_existing(self.state(caller, base, resolver, chain))
            .with_analyzer_rules(self.analyzer_rules.clone())
            .build()
    }
}

/// What a plan behind a wall knows of the moment it runs in: `now()` is the caller's, the zone is not.
pub fn props(caller: &dyn Session, config: &SessionConfig) -> ExecutionProps {
    let mut props = ExecutionProps::new();
    props.query_execution_start_time = caller.execution_props().query_execution_start_time;
    props.config_options = Some(Arc::clone(config.options()));
    props
}

fn options(zone: &str) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_default_catalog_and_schema(CATALOG, NO_SCHEMA);
    let options = config.options_mut();
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.sql_parser.parse_float_as_decimal = true;
    options.execution.time_zone = Some(zone.to_owned());
    options.execution.skip_physical_aggregate_schema_check = true;
    config
}

/// The tables whose policies are being planned, outermost first.
#[derive(Debug, Clone, Default)]
pub struct PolicyChain(Vec<TableId>);

impl PolicyChain {
    /// The chain that `session` plans in, with one more table. An error where that table is in it already.
    pub fn extended(session: &dyn Session, id: &TableId) -> Result<Self> {
        let mut chain =
            session.config().get_extension::<Self>().map(|chain| chain.as_ref().clone()).unwrap_or_default();
        if chain.0.contains(id) {
            return Err(external(AccessError::PolicyRecursion(id.table.clone())));
        }
        chain.0.push(id.clone());
        Ok(chain)
    }
}

/// An error of this room on its way through the engine; doors find it again as the root cause.
pub fn external(error: AccessError) -> DataFusionError {
    DataFusionError::External(Box::new(crate::Error::from(error)))
}

#[derive(Debug, Clone)]
struct WallCatalog {
    base: Arc<dyn TableProvider>,
    resolver: Arc<dyn TableResolver>,
}

#[derive(Debug)]
struct WallSchema {
    name: String,
    catalog: WallCatalog,
}

impl CatalogProviderList for WallCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_string()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(self.clone()) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for WallCatalog {
    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let schema = WallSchema { name: name.to_string(), catalog: self.clone() };
        (name != NO_SCHEMA).then(|| Arc::new(schema) as Arc<dyn SchemaProvider>)
    }
}

#[async_trait]
impl SchemaProvider for WallSchema {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if (self.name.as_str(), name) == (BASE_SCHEMA, BASE_TABLE) {
            return Ok(Some(Arc::clone(&self.catalog.base)));
        }
        self.catalog.resolver.table(&TableId::new(&self.name, name)).await
    }

    fn table_exist(&self, _: &str) -> bool {
        false
    }
}
