//! A table as one session may see it: the only kind of table that a session can name.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider};
use datafusion::common::{Column, DFSchema, DFSchemaRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::dml::{InsertOp, MergeIntoClause};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use super::super::error::AccessError;
use super::super::model::grant::Privilege;
use super::super::model::object::TableId;
use super::super::principal::{Principal, PrincipalHandle};
use super::super::store::handle::SecurityHandle;
use super::decision::{Decision, require_select};
use super::decisions::Decided;
use super::environment::{PolicyChain, TableResolver, WallEnvironment, external};
use super::expression::{column, names, query};
use super::leakproof::LeakProof;
use super::planned_table::{PlannedTable, project};
use super::secure_scan::{RowCount, SecureScanExec};
use super::zoned::{ZonedTable, beneath_as, shown_as};
use crate::error::Reason;

/// Decides anew at every scan, so that no stored plan carries rights that are gone.
///
/// A principal that sees everything gets the raw table's own scan. Any other gets a [`SecureScanExec`]. Changing rows
/// through this door is refused.
#[derive(Clone)]
pub struct SecuredTable {
    raw: Arc<dyn TableProvider>,
    pub(super) beneath: Arc<dyn TableProvider>,
    pub(super) id: TableId,
    pub(super) security: SecurityHandle,
    pub(super) principal: PrincipalHandle,
    pub(super) resolver: Arc<dyn TableResolver>,
    pub(super) environment: Arc<WallEnvironment>,
    schema: SchemaRef,
}

/// A table in two zones.
pub struct RawTables {
    /// Its times are in the zone of the session.
    pub shown: Arc<dyn TableProvider>,
    /// The same with times in the zone of the lake: what policies and masks read.
    pub beneath: Arc<dyn TableProvider>,
}

impl RawTables {
    /// Of a table that is small or never scanned: no predicate goes into what is beneath.
    pub fn zoned(shown: Arc<dyn TableProvider>, lake_zone: &str) -> Self {
        let beneath = Arc::new(ZonedTable::new(Arc::clone(&shown), lake_zone));
        Self { shown, beneath }
    }
}

impl SecuredTable {
    /// `resolver` gives the tables of the same principal to the sub-queries of policies, with times in the zone of the lake.
    pub fn new(
        raw: RawTables,
        id: TableId,
        security: impl Into<SecurityHandle>,
        principal: PrincipalHandle,
        resolver: Arc<dyn TableResolver>,
        environment: Arc<WallEnvironment>,
    ) -> Self {
        let (RawTables { shown: raw, beneath }, security) = (raw, security.into());
        let schema = shown_schema(&raw.schema(), &security, &id);
        Self { raw, beneath, id, security, principal, resolver, environment, schema }
    }

    pub fn id(&self) -> &TableId {
        &self.id
    }

    /// What lies behind it, if it is a table of this kind: for what a planner must know of it, never to read it.
    pub fn behind<T: TableProvider>(&self) -> Option<&T> {
        self.raw.downcast_ref::<T>()
    }

    /// An error unless the principal may read every one of `columns`.
    pub fn require_columns<'a>(&self, columns: impl Iterator<Item = &'a str>) -> Result<()> {
        let principal = self.principal.get();
        require_select(&self.security.snapshot(), &principal, &self.id, columns).map_err(external)
    }

    fn decide(&self) -> Result<(Principal, Arc<Decided>)> {
        let (snapshot, principal) = (self.security.snapshot(), self.principal.get());
        let decided = self.environment.decisions().of(&snapshot, &principal, &self.id).map_err(external)?;
        Ok((principal, decided))
    }

    fn require_select(&self, principal: &Principal, projection: Option<&[usize]>, filters: &[Expr]) -> Result<()> {
        let fields = self.schema.fields();
        let projected: Vec<&str> = match projection {
            Some(indices) => indices.iter().filter_map(|index| fields.get(*index)).map(|f| f.name().as_str()).collect(),
            None => fields.iter().map(|field| field.name().as_str()).collect(),
        };
        let filtered: Vec<&Column> = filters.iter().flat_map(Expr::column_refs).collect();
        let filtered = filtered.iter().map(|column| column.name.as_str());
        let columns = projected.into_iter().chain(filtered);
        require_select(&self.security.snapshot(), principal, &self.id, columns).map_err(external)
    }

    /// The wall and what it lets pass: the projected columns, in order.
    async fn walled(
        &self,
        state: &dyn Session,
        decided: &Decided,
        args: &ScanArgs<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let chain = PolicyChain::extended(state, &self.id)?;
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for filter in args.filters().unwrap_or(&[]) {
            match self.leak_proof(&decided.decision, filter) {
                Some(filter) => below.push(filter),
                None => above.push(filter.clone()),
            }
        }
        let projected: Vec<usize> = match args.projection() {
            Some(indices) => indices.to_vec(),
            None => (0..self.schema.fields().len()).collect(),
        };
        // Predicates that cannot go below must see their rows before a limit counts them.
        let fetch = if above.is_empty() { args.limit() } else { None };
        let request = Request { leaving: self.leaving(&projected, &above), below, fetch };
        let scan = self.behind_wall(state, decided, chain, request).await;
        let scan = scan.map_err(|error| self.conceal_plan_error(error))?;
        if above.is_empty() {
            return Ok(scan);
        }
        let filtered = filter_above(state, scan, above)?;
        project(filtered, &(0..projected.len()).collect::<Vec<_>>())
    }

    /// The indices of what leaves the wall: the projected columns, then those that only filters above it read.
    fn leaving(&self, projected: &[usize], above: &[Expr]) -> Vec<usize> {
        let mut leaving = projected.to_vec();
        let read: BTreeSet<&str> = above.iter().flat_map(Expr::column_refs).map(|c| c.name.as_str()).collect();
        for (index, field) in self.schema.fields().iter().enumerate() {
            if read.contains(field.name().as_str()) && !leaving.contains(&index) {
                leaving.push(index);
            }
        }
        leaving
    }

    async fn behind_wall(
        &self,
        caller: &dyn Session,
        decided: &Decided,
        chain: PolicyChain,
        request: Request,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let decision = &decided.decision;
        let shown = Arc::new(self.schema.project(&request.leaving)?);
        let is_masked = shown.fields().iter().any(|field| decision.masks.contains_key(field.name()));
        let rows = Arc::new(self.beneath_masks(decision, &shown)?);
        let session = self.environment.session(caller, chain.clone());
        let rules = decided.row_rules(&self.id, &self.beneath.schema(), self.environment.planner())?;
        let (plan, row_count) = match &rules {
            Some(rules) => rules.rows(self.beneath.as_ref(), &session, &request.below, &rows).await?,
            None => {
                let state = self.state(caller, Arc::clone(&self.beneath), chain.clone());
                (self.plan_rows(&state, decision, &request.below, &rows).await?, RowCount::Untold)
            }
        };
        let leaf = |plan, schema| SecureScanExec::try_new(self.id.clone(), plan, schema, session.config().clone());
        if !is_masked {
            let scan = leaf(shown_as(plan, &shown)?, shown)?.with_row_count(row_count).with_row_limit(request.fetch);
            return Ok(Arc::new(scan.with_counters(self.environment.counters())));
        }
        let scan = leaf(plan, rows)?.with_row_limit(request.fetch).with_counters(self.environment.counters());
        let plan = match &rules {
            Some(rules) => rules.masked(Arc::new(scan), &session, &shown)?,
            None => {
                let state = self.state(caller, Arc::new(PlannedTable::new(Arc::new(scan))), chain);
                self.plan_masks(&state, decision, &shown).await?
            }
        };
        Ok(Arc::new(leaf(shown_as(plan, &shown)?, shown)?))
    }

    fn state(&self, caller: &dyn Session, base: Arc<dyn TableProvider>, chain: PolicyChain) -> SessionState {
        self.environment.state(caller, base, Arc::clone(&self.resolver), chain)
    }

    /// What is read for the columns of `shown`: the columns themselves, and in the place of those that are masked what their
    /// masks read.
    fn beneath_masks(&self, decision: &Decision, shown: &Schema) -> Result<Schema> {
        let beneath = self.beneath.schema();
        let mut read: Vec<String> = Vec::new();
        for field in shown.fields() {
            match decision.masks.get(field.name()) {
                Some(mask) => read.extend(names(mask)),
                None => read.push(field.name().clone()),
            }
        }
        let mut seen = BTreeSet::new();
        // What is no column is a name of something else within the mask.
        let indices = read.into_iter().filter_map(|name| beneath.index_of(&name).ok()).filter(|at| seen.insert(*at));
        Ok(beneath.project(&indices.collect::<Vec<_>>())?)
    }

    /// `columns <- leak-proof predicates AND policy <- raw scan`
    async fn plan_rows(
        &self,
        state: &SessionState,
        decision: &Decision,
        below: &[Expr],
        columns: &Schema,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let filtered: BTreeSet<&str> = below.iter().flat_map(Expr::column_refs).map(|c| c.name.as_str()).collect();
        let wanted = |name: &str| filtered.contains(name) || columns.field_with_name(name).is_ok();
        let items = self.schema.fields().iter().map(|field| field.name().clone()).filter(|name| wanted(name));
        let items = items.map(|name| (name.clone(), column(&name))).collect();
        let plan = self.plan_query(state, items, decision.policy.clone()).await?;
        let mut plan = LogicalPlanBuilder::from(plan);
        for predicate in below {
            plan = plan.filter(predicate.clone())?;
        }
        let columns = columns.fields().iter().map(|field| Expr::Column(Column::new_unqualified(field.name())));
        let plan = plan.project(columns.collect::<Vec<_>>())?.build()?;
        state.create_physical_plan(&plan).await
    }

    /// `masks <- rows that the principal may see`
    async fn plan_masks(
        &self,
        state: &SessionState,
        decision: &Decision,
        shown: &Schema,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let item = |name: &String| decision.masks.get(name).cloned().unwrap_or_else(|| column(name));
        let items = shown.fields().iter().map(|field| (field.name().clone(), item(field.name()))).collect();
        let plan = self.plan_query(state, items, None).await?;
        let cast = |field: &Arc<Field>| {
            let column = Expr::Column(Column::new_unqualified(field.name()));
            datafusion::logical_expr::cast(column, field.data_type().clone()).alias(field.name())
        };
        let casts: Vec<Expr> = shown.fields().iter().map(cast).collect();
        state.create_physical_plan(&LogicalPlanBuilder::from(plan).project(casts)?.build()?).await
    }

    pub(super) async fn plan_query(
        &self,
        state: &SessionState,
        items: Vec<(String, ast::Expr)>,
        condition: Option<ast::Expr>,
    ) -> Result<LogicalPlan> {
        let statement = query(&self.id.table, items, condition).map_err(external)?;
        state.statement_to_plan(Statement::Statement(Box::new(statement))).await
    }

    /// The predicate as it may run on hidden rows; None where it may not.
    fn leak_proof(&self, decision: &Decision, filter: &Expr) -> Option<Expr> {
        let schema = DFSchema::try_from(self.schema.as_ref().clone()).ok()?;
        let filter = unqualified(filter.clone()).ok()?;
        let plain = |name: &str| !decision.masks.contains_key(name);
        #[cfg_attr(not(test), allow(unused_mut))]
        let mut passes = LeakProof { schema: &schema, plain: &plain }.accepts(&filter);
        #[cfg(test)]
        if let Some(breach) = self.environment.breached.lets_pass(&schema, &filter) {
            passes = breach;
        }
        beneath_as(filter, &schema, &self.beneath.schema()).filter(|_| passes)
    }

    /// Planning reads no rows, but its errors quote the policy. What the caller may know passes.
    pub(super) fn conceal_plan_error(&self, error: DataFusionError) -> DataFusionError {
        if let DataFusionError::External(cause) = error.find_root()
            && let Some(known) = cause.downcast_ref::<crate::Error>()
            && matches!(
                known.reason(),
                Reason::Corrupt
                    | Reason::Configuration
                    | Reason::InvalidDefinition
                    | Reason::Io
                    | Reason::MemoryExhausted
            )
        {
            return error;
        }
        tracing::warn!(table = %self.id, cause = %error, "a row policy cannot be planned");
        external(AccessError::PolicyFailed(self.id.table.clone()))
    }

    fn refuse(&self, privilege: Privilege, action: &'static str) -> DataFusionError {
        let role = self.principal.get().checked_role();
        let table = self.id.table.clone();
        if self.security.snapshot().has_table_privilege(role, &self.id, privilege) {
            return external(AccessError::WriteUnsupported { action, table });
        }
        external(AccessError::Denied { kind: "table", name: table })
    }
}

/// What one scan wants.
struct Request {
    leaving: Vec<usize>,
    below: Vec<Expr>,
    fetch: Option<usize>,
}

/// The raw schema, where a column that a mask may cover can be null.
fn shown_schema(raw: &SchemaRef, security: &SecurityHandle, id: &TableId) -> SchemaRef {
    let snapshot = security.snapshot();
    let Some(relation) = snapshot.relation(id).filter(|relation| !relation.masks.is_empty()) else {
        return Arc::clone(raw);
    };
    let shown = |field: &Arc<Field>| match relation.masks.contains_key(field.name()) {
        true => Arc::new(field.as_ref().clone().with_nullable(true)),
        false => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = raw.fields().iter().map(shown).collect();
    Arc::new(Schema::new_with_metadata(fields, raw.metadata().clone()))
}

pub(super) fn unqualified(expr: Expr) -> Result<Expr> {
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let bare = |expr| match expr {
        Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))),
        other => Ok(Transformed::no(other)),
    };
    Ok(expr.transform(bare)?.data)
}

/// Predicates over what the caller sees, on top of the wall.
fn filter_above(
    state: &dyn Session,
    scan: Arc<dyn ExecutionPlan>,
    predicates: Vec<Expr>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = DFSchema::try_from(scan.schema().as_ref().clone())?;
    let Some(all) = datafusion::logical_expr::utils::conjunction(predicates) else { return Ok(scan) };
    let predicate = state.create_physical_expr(unqualified(all)?, &schema)?;
    Ok(Arc::new(FilterExec::try_new(predicate, scan)?))
}

impl fmt::Debug for SecuredTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecuredTable({})", self.id)
    }
}

#[async_trait]
impl TableProvider for SecuredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        None
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.raw.get_column_default(column)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let args = ScanArgs::default().with_projection(projection.map(Vec::as_slice));
        let args = args.with_filters(Some(filters)).with_limit(limit);
        Ok(self.scan_with_args(state, args).await?.into_inner())
    }

    async fn scan_with_args<'a>(&self, state: &dyn Session, args: ScanArgs<'a>) -> Result<ScanResult> {
        let (principal, decided) = self.decide()?;
        self.require_select(&principal, args.projection(), args.filters().unwrap_or(&[]))?;
        if decided.decision.is_open() {
            return self.raw.scan_with_args(state, args).await;
        }
        Ok(self.walled(state, &decided, &args).await?.into())
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let (_, decided) = self.decide()?;
        if decided.decision.is_open() {
            return self.raw.supports_filters_pushdown(filters);
        }
        let judge = |filter: &&Expr| match self.leak_proof(&decided.decision, filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(judge).collect())
    }

    async fn insert_into(
        &self,
        _: &dyn Session,
        _: Arc<dyn ExecutionPlan>,
        _: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refuse(Privilege::Insert, "insert into"))
    }

    async fn delete_from(&self, _: &dyn Session, _: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refuse(Privilege::Delete, "delete from"))
    }

    async fn update(&self, _: &dyn Session, _: Vec<(String, Expr)>, _: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refuse(Privilege::Update, "update"))
    }

    async fn truncate(&self, _: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refuse(Privilege::Truncate, "truncate"))
    }

    async fn merge_into(
        &self,
        _: &dyn Session,
        _: Arc<dyn ExecutionPlan>,
        _: DFSchemaRef,
        _: Expr,
        _: Vec<MergeIntoClause>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refuse(Privilege::Update, "merge into"))
    }
}
