//! From a statement that reads to its plan, and from its plan to rows, on the query threads.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as DfResult;
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast;
use futures::TryStreamExt;

use super::answer::{Answer, TransactionStatus};
use super::as_of;
use super::columns::require_columns;
use super::explain::{self, Analyze};
use super::failure::failure;
use super::guard::StatementGuard;
use super::judge::judge;
use super::kept::{Ground, KeptPlan};
use super::names::lock;
use super::session::{Prepared, Session, instant, once, rows, shown, unsupported};
use super::stoppable::Stoppable;
use crate::access::SecuredTable;
use crate::catalog;
use crate::error::{Error, Reason, Result};
use crate::lake::RawTable;

/// Parameters that one statement may have, as in PostgreSQL.
const PARAMETERS_MAX: usize = 65_535;

/// A planned statement, ready for the query threads.
pub(super) enum Planned {
    Query(LogicalPlan),
    Explain(LogicalPlan, Analyze),
}

/// What a client is told of a statement before it runs.
pub(super) struct Described {
    pub parameters: Vec<DataType>,
    /// `None` where it gives no rows.
    pub columns: Option<SchemaRef>,
    /// Its plan, and what that stands on.
    pub plan: Option<(LogicalPlan, Ground)>,
}

impl Described {
    pub fn without_rows() -> Self {
        Self::with_columns(None)
    }

    pub fn with_columns(columns: Option<SchemaRef>) -> Self {
        Self { parameters: Vec::new(), columns, plan: None }
    }
}

/// A session's state as the engine plans with it. It holds every function by name: to copy it costs more than to plan a small
/// statement, so one copy is lent from statement to statement.
pub(super) struct Planner {
    context: SessionContext,
    spare: Arc<Mutex<Spare>>,
}

#[derive(Default)]
struct Spare {
    /// One for each width.
    states: [Option<Box<SessionState>>; 2],
    tasks: Option<Arc<TaskContext>>,
    /// Of the context, which what was lent before its last change has not seen.
    generation: u64,
}

/// How many threads a plan may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    All,
    /// What gives one row is done before a second thread has begun.
    One,
}

/// A state on loan. One that is dropped is made anew when it is next asked for.
pub(super) struct Loan {
    state: Box<SessionState>,
    width: Width,
    generation: u64,
    spare: Arc<Mutex<Spare>>,
}

impl Planner {
    pub fn new(context: SessionContext) -> Self {
        Self { context, spare: Arc::default() }
    }

    /// The state for one statement, whose `now()` is now.
    pub fn state(&self, width: Width) -> Loan {
        let (state, generation) = {
            let mut spare = lock(&self.spare);
            (spare.states[width as usize].take(), spare.generation)
        };
        let mut state = state.unwrap_or_else(|| {
            let mut state = Box::new(self.context.state());
            if width == Width::One {
                state.config_mut().options_mut().execution.target_partitions = 1;
            }
            state
        });
        state.mark_start_execution();
        Loan { state, width, generation, spare: Arc::clone(&self.spare) }
    }

    /// What plans run with: the same until the context changes.
    pub fn tasks(&self) -> Arc<TaskContext> {
        let mut spare = lock(&self.spare);
        Arc::clone(spare.tasks.get_or_insert_with(|| self.context.task_ctx()))
    }

    /// The context has changed.
    pub fn renew(&self) {
        let mut spare = lock(&self.spare);
        *spare = Spare { generation: spare.generation + 1, ..Spare::default() };
    }
}

impl Loan {
    pub fn give_back(self) {
        let mut spare = lock(&self.spare);
        if spare.generation == self.generation {
            spare.states[self.width as usize] = Some(self.state);
        }
    }
}

impl Deref for Loan {
    type Target = SessionState;

    fn deref(&self) -> &SessionState {
        &self.state
    }
}

impl Session {
    /// The types of the parameters of a query, its columns, and its plan where it is no EXPLAIN.
    pub(super) async fn describe_query(&self, sql: &ast::Statement, types: &[Option<DataType>]) -> Result<Described> {
        let (ground, types) = (self.ground(), types.to_vec());
        let describe = move |state: &SessionState, plan: &LogicalPlan| {
            let parameters = parameters(plan, &types)?;
            let described = described(plan, &parameters)?;
            let columns = catalog::typed(&described, coerced(state, described.clone())?.schema().as_arrow());
            Ok((parameters, shown(&columns)))
        };
        Ok(match Box::pin(self.logical(sql, judge, describe)).await? {
            (Planned::Explain(..), _) => Described::with_columns(Some(explain::schema())),
            (Planned::Query(plan), (parameters, columns)) => {
                Described { parameters, columns: Some(columns), plan: Some((plan, ground)) }
            }
        })
    }

    /// Keeps the plan of a statement for its next runs, where that may be.
    pub(super) fn keep(&self, prepared: &Arc<Prepared>, plan: &LogicalPlan, ground: Ground) -> Option<Arc<KeptPlan>> {
        if self.names().travels() {
            return None;
        }
        let kept = KeptPlan::of(plan, ground, self.names().pinned(), self.names().named().shown())?;
        let kept = Arc::new(kept);
        self.kept.keep(prepared, &kept);
        Some(kept)
    }

    /// The plan that is kept of a statement, if it is good now. The statement then reads those versions and names those relations.
    async fn kept_plan(&self, prepared: &Arc<Prepared>) -> Option<Arc<KeptPlan>> {
        let kept = self.kept.plan_of(prepared, &self.ground())?;
        for (name, version) in &kept.tables {
            // What cannot be read is told by planning anew.
            let newest = self.names().snapshot(name).await.ok()?;
            if !Arc::ptr_eq(&newest, version) {
                return None;
            }
        }
        let named = self.names().named();
        kept.relations.iter().for_each(|relation| named.show(relation));
        named.close();
        Some(kept)
    }

    /// What a plan that is made now stands on.
    fn ground(&self) -> Ground {
        let settings = self.lock().settings.generation();
        Ground::new(&self.security().snapshot(), &self.lake().dataset(), self.principal().get(), settings)
    }

    /// A statement of this text and these hints of types that the session has met before: parsed and described, if nothing
    /// has changed since. [`Session::run`] looks at its tables.
    pub fn known(&self, text: &str, types: &[Option<DataType>]) -> Option<Arc<Prepared>> {
        let may_run = self.transaction() != TransactionStatus::Failed;
        may_run.then(|| self.kept.find(text, types, &self.ground())).flatten()
    }

    /// The rows of a prepared query.
    pub(super) async fn answer_prepared(
        &self,
        prepared: &Arc<Prepared>,
        sql: &ast::Statement,
        values: Vec<ScalarValue>,
        guard: &StatementGuard,
    ) -> Result<Answer> {
        let told = prepared.columns.as_ref();
        let kept = match self.kept_plan(prepared).await {
            Some(kept) => kept,
            None => {
                let ground = self.ground();
                let plan = match self.plan(sql).await? {
                    Planned::Query(plan) => plan,
                    Planned::Explain(plan, analyze) => {
                        return Box::pin(self.explain(plan, analyze, values, guard)).await;
                    }
                };
                match self.keep(prepared, &plan, ground) {
                    Some(kept) => kept,
                    None => return Box::pin(self.rows_of(plan, values, told, guard)).await,
                }
            }
        };
        if let Some(row) = kept.row.get() {
            return Ok(rows("SELECT", once(row.clone()), guard));
        }
        if !kept.is_constant() {
            return Box::pin(self.rows_of(kept.plan.clone(), values, told, guard)).await;
        }
        let Answer::Rows { stream, .. } = Box::pin(self.rows_of(kept.plan.clone(), values, told, guard)).await? else {
            return Err(Error::new(Reason::Internal, "a query without rows"));
        };
        let schema = stream.schema();
        let batches: Vec<_> = stream.try_collect().await.map_err(failure)?;
        let row = arrow::compute::concat_batches(&schema, &batches).map_err(|error| failure(error.into()))?;
        Ok(rows("SELECT", once(kept.row.get_or_init(|| row).clone()), guard))
    }

    /// The rows of a query that is planned for this one run.
    pub(super) async fn answer_query(
        &self,
        sql: &ast::Statement,
        values: Vec<ScalarValue>,
        told: Option<&SchemaRef>,
        guard: &StatementGuard,
    ) -> Result<Answer> {
        match self.plan(sql).await? {
            Planned::Query(plan) => Box::pin(self.rows_of(plan, values, told, guard)).await,
            Planned::Explain(plan, analyze) => Box::pin(self.explain(plan, analyze, values, guard)).await,
        }
    }

    async fn explain(
        &self,
        plan: LogicalPlan,
        analyze: Analyze,
        values: Vec<ScalarValue>,
        guard: &StatementGuard,
    ) -> Result<Answer> {
        let physical = self.physical(bind(plan, values)?).await?;
        if analyze == Analyze::Run {
            explain::drain(self.lake().pool().stream(&physical, self.planner.tasks())).await?;
        }
        Ok(rows("EXPLAIN", once(explain::lines(&physical.plan, analyze)?), guard))
    }

    /// Plans and runs on one query thread: what comes back are rows, or the error of either.
    async fn rows_of(
        &self,
        plan: LogicalPlan,
        values: Vec<ScalarValue>,
        told: Option<&SchemaRef>,
        guard: &StatementGuard,
    ) -> Result<Answer> {
        self.settle_as_of(&plan).await?;
        let width = if gives_one_row(&plan)? { Width::One } else { Width::All };
        let (state, told) = (self.planner.state(width), told.cloned());
        let planning = async move {
            let physical = async {
                let physical = physical(&state, &bind(plan, values)?).await?;
                unchanged(told.as_ref(), &physical.plan.schema())?;
                Ok(physical)
            };
            let physical = physical.await;
            state.give_back();
            physical
        };
        let (pool, tasks) = (self.lake().pool(), self.planner.tasks());
        let (plan, stream) = match width {
            Width::All => pool.start(planning, tasks).await?,
            Width::One => pool.finish(planning, tasks).await?,
        };
        self.names().named().runs(&plan);
        Ok(rows("SELECT", stream, guard))
    }

    /// The logical plan of a statement that reads, judged.
    pub(super) async fn plan(&self, sql: &ast::Statement) -> Result<Planned> {
        self.plan_judged(sql, judge).await
    }

    pub(super) async fn plan_judged(
        &self,
        sql: &ast::Statement,
        judge: fn(&LogicalPlan) -> Result<()>,
    ) -> Result<Planned> {
        // In a box: what waits in planning is large, and stands within what waits for it.
        Ok(Box::pin(self.logical(sql, judge, |_, _| Ok(()))).await?.0)
    }

    /// The judged plan of a statement that reads, and what `more` makes of it on the same thread.
    async fn logical<T: Send + 'static>(
        &self,
        sql: &ast::Statement,
        judge: fn(&LogicalPlan) -> Result<()>,
        more: impl FnOnce(&SessionState, &LogicalPlan) -> Result<T> + Send + 'static,
    ) -> Result<(Planned, T)> {
        let (query, analyze) = readable(sql)?;
        let (state, named) = (self.planner.state(Width::All), self.names().named());
        let planning = async move {
            let planned = async {
                let parsed = DfStatement::Statement(Box::new(query));
                let plan = state.statement_to_plan(parsed).await.map_err(failure)?;
                named.close();
                judge(&plan)?;
                require_columns(&plan)?;
                let more = more(&state, &plan)?;
                Ok((plan, more))
            };
            let planned = planned.await;
            state.give_back();
            planned
        };
        let (plan, more) = self.lake().pool().run(planning).await?;
        let planned = match analyze {
            None => Planned::Query(plan),
            Some(analyze) => Planned::Explain(plan, analyze),
        };
        Ok((planned, more))
    }

    /// The logical plan of a query.
    pub(super) async fn query_plan(&self, sql: &ast::Statement) -> Result<LogicalPlan> {
        match self.plan(sql).await? {
            Planned::Query(plan) => Ok(plan),
            Planned::Explain(..) => Err(Error::new(Reason::Syntax, "EXPLAIN gives no rows to keep")),
        }
    }

    pub(super) async fn physical(&self, plan: LogicalPlan) -> Result<Stoppable> {
        self.settle_as_of(&plan).await?;
        let state = self.planner.state(Width::All);
        let planning = async move {
            let planned = physical(&state, &plan).await;
            state.give_back();
            planned
        };
        let planned = self.lake().pool().run(planning).await?;
        self.names().named().runs(&planned.plan);
        Ok(planned)
    }

    /// Works out `as_of()` once for a whole statement, where that asks for it.
    async fn settle_as_of(&self, plan: &LogicalPlan) -> Result<()> {
        if as_of::is_used(plan).map_err(failure)? || self.names().is_as_of_asked() {
            self.as_of.set(self.work_out_as_of().await?);
        }
        Ok(())
    }

    /// The instant of `as_of()`: the setting, else what the dataset says; `None` where it says the newest and there is none.
    async fn work_out_as_of(&self) -> Result<Option<i64>> {
        let (text, zone) = {
            let state = self.lock();
            (state.settings.show("henna.as_of")?.to_owned(), state.settings.time_zone().to_owned())
        };
        if !text.is_empty() {
            return instant(&text, &zone).map(Some);
        }
        self.names().dataset_as_of(self.context(), self.lake().pool(), &zone).await
    }
}

/// The query of a statement that reads, in the words of the engine; and whether its plan is to be shown instead.
fn readable(sql: &ast::Statement) -> Result<(ast::Statement, Option<Analyze>)> {
    let mut sql = sql.clone();
    catalog::rewrite(&mut sql);
    let (query, analyze) = match sql {
        ast::Statement::Query(_) => (sql, None),
        ast::Statement::Explain { analyze, statement, options, .. } => {
            let asked = analyze || options.iter().flatten().any(is_analyze);
            (*statement, Some(if asked { Analyze::Run } else { Analyze::Plan }))
        }
        other => return Err(unsupported(&other)),
    };
    match query {
        ast::Statement::Query(_) => Ok((query, analyze)),
        other => Err(unsupported(&other)),
    }
}

fn is_analyze(option: &ast::UtilityOption) -> bool {
    let off = option.arg.as_ref().is_some_and(|arg| ["false", "off", "0"].contains(&arg.to_string().as_str()));
    option.name.value.eq_ignore_ascii_case("analyze") && !off
}

/// The plan in the types in which it will run.
fn coerced(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(failure)
}

/// Whether a query gives a row or none, and reads no more: its conditions name each column of a key, or it names no table.
fn gives_one_row(plan: &LogicalPlan) -> Result<bool> {
    let mut conditions = Vec::new();
    let mut node = plan;
    loop {
        if holds_query(node).map_err(failure)? {
            return Ok(false);
        }
        node = match node {
            LogicalPlan::Projection(projection) => {
                // What stands above it may mean other columns.
                conditions.clear();
                &projection.input
            }
            LogicalPlan::Sort(sort) => &sort.input,
            LogicalPlan::Limit(limit) => &limit.input,
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Filter(filter) => {
                conditions.extend(split_conjunction(&filter.predicate));
                &filter.input
            }
            LogicalPlan::EmptyRelation(_) => return Ok(true),
            LogicalPlan::TableScan(scan) => {
                let table = source_as_provider(&scan.source).map_err(failure)?;
                let raw = table.downcast_ref::<SecuredTable>().and_then(|table| table.behind::<RawTable>());
                let key = raw.map_or(&[][..], RawTable::key);
                let is_named = |column: &String| conditions.iter().any(|condition| names(condition, column));
                return Ok(!key.is_empty() && key.iter().all(is_named));
            }
            _ => return Ok(false),
        }
    }
}

/// Whether an expression of a node is a query by itself.
fn holds_query(node: &LogicalPlan) -> DfResult<bool> {
    let mut found = false;
    node.apply_subqueries(|_| {
        found = true;
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(found)
}

/// Whether a condition says that a column is one value.
fn names(condition: &Expr, column: &str) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return false };
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(found) if found.name == *column);
    is_column(left) && is_value(right) || is_value(left) && is_column(right)
}

fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) | Expr::Placeholder(_) => true,
        Expr::Cast(cast) => is_value(&cast.expr),
        _ => false,
    }
}

async fn physical(state: &SessionState, plan: &LogicalPlan) -> Result<Stoppable> {
    let plan = state.create_physical_plan(plan).await.map_err(failure)?;
    Stoppable::new(plan).map_err(failure)
}

/// The type of each parameter: the client's hint, else what the plan says, else text.
pub(super) fn parameters(plan: &LogicalPlan, hints: &[Option<DataType>]) -> Result<Vec<DataType>> {
    let inferred = catalog::infer_parameters(plan.clone()).map_err(failure)?;
    let inferred = inferred.get_parameter_types().map_err(failure)?;
    let mut count = hints.len();
    for name in inferred.keys() {
        let index: usize = name.trim_start_matches('$').parse().map_err(|_| no_such_parameter(name))?;
        if index == 0 || index > PARAMETERS_MAX {
            return Err(no_such_parameter(name));
        }
        count = count.max(index);
    }
    Ok((0..count)
        .map(|index| {
            let hint = hints.get(index).cloned().flatten();
            let known = || inferred.get(&format!("${}", index + 1)).cloned().flatten();
            hint.or_else(known).unwrap_or(DataType::Utf8)
        })
        .collect())
}

fn no_such_parameter(name: &str) -> Error {
    Error::new(Reason::UndefinedParameter, format!("there is no parameter {name}"))
}

/// The plan with a null of the right type for each parameter: its schema is that of every execution.
fn described(plan: &LogicalPlan, parameters: &[DataType]) -> Result<LogicalPlan> {
    let nulls: Result<Vec<ScalarValue>, _> = parameters.iter().map(ScalarValue::try_from).collect();
    bind(plan.clone(), nulls.map_err(failure)?)
}

pub(super) fn bind(plan: LogicalPlan, values: Vec<ScalarValue>) -> Result<LogicalPlan> {
    if values.is_empty() {
        return Ok(plan);
    }
    let values = ParamValues::List(values.into_iter().map(Into::into).collect());
    plan.with_param_values(values).map_err(failure)
}

/// Whether two types are one to a client: the optimizer may give a sum of sums more digits, texts are texts however they are
/// held, and the elements of lists have no names.
fn is_same(told: &DataType, now: &DataType) -> bool {
    use DataType::{LargeUtf8, List, Utf8, Utf8View};
    match (told, now) {
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => true,
        (List(told), List(now)) => is_same(told.data_type(), now.data_type()),
        _ => told == now || told.is_decimal() && now.is_decimal(),
    }
}

/// A plan made at Parse is made again at Execute; the client was told of the first one's columns.
fn unchanged(told: Option<&SchemaRef>, now: &Schema) -> Result<()> {
    let Some(told) = told else { return Ok(()) };
    let now = now.fields();
    let same = told.fields().len() == now.len()
        && told.fields().iter().zip(now).all(|(told, now)| is_same(told.data_type(), now.data_type()));
    if same { Ok(()) } else { Err(Error::new(Reason::PlanChanged, "cached plan must not change result type")) }
}
