//! As whom names are resolved, and views as that resolution gives them.
//!
//! A statement's own names are its session's. Within a view they are those of its viewpoint: the caller's for a view with
//! `security_invoker`, its owner's for one without, and so on for views within views. Who the current user is stays the same.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::ViewTable;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement;

use super::as_of;
use super::calls::called;
use super::failure::failure;
use super::judge::judge;
use super::names::Names;
use super::statement;
use crate::access::{ObjectId, PrincipalHandle, Privilege, TableId, WalledView};
use crate::catalog;
use crate::catalog::inventory::{Body, Relation, ViewRights, ViewTerms};
use crate::dataset::ViewFile;
use crate::error::{Error, Reason, Result};

/// Views within views. Planning walks them one inside of the other.
const VIEW_DEPTH_MAX: usize = 32;
/// Steps of a view's plan, those of the views in it too: views that join themselves double at each level.
const VIEW_STEPS_MAX: usize = 20_000;

/// What a bare name may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BareNames {
    /// What the session's search path finds.
    SearchPath,
    /// A relation of the dataset, whatever the caller's search path is.
    Dataset,
    /// Nothing: all names are full.
    None,
}

/// In which zone times are read and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    Session,
    /// Behind a wall: a reader that could choose the zone would move the bounds of what he sees.
    Lake,
}

/// Which versions of tables are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableVersions {
    /// Those that the session has chosen.
    Chosen,
    /// What policies look up: whoever could choose it would be judged by what was.
    Newest,
}

/// As whom, and within which views, names are resolved.
#[derive(Debug, Clone)]
pub(super) struct Viewpoint {
    pub principal: PrincipalHandle,
    pub bare: BareNames,
    pub clock: Clock,
    pub tables: TableVersions,
    /// The views that are being planned, outermost first.
    within: Vec<TableId>,
    /// The table that the statement writes to, by its name.
    pub target: Option<(String, Arc<dyn TableProvider>)>,
}

impl Viewpoint {
    /// That of a session's own statements.
    pub fn of(principal: PrincipalHandle) -> Self {
        let (bare, clock, tables) = (BareNames::SearchPath, Clock::Session, TableVersions::Chosen);
        Self { principal, bare, clock, tables, within: Vec::new(), target: None }
    }

    /// The same behind a wall.
    pub fn by_lake_time(self) -> Self {
        Self { clock: Clock::Lake, ..self }
    }

    /// What the policies of a table look up.
    pub fn of_policies(self) -> Self {
        Self { tables: TableVersions::Newest, ..self.by_lake_time() }
    }

    pub fn with_target(self, name: &str, table: Arc<dyn TableProvider>) -> Self {
        Self { target: Some((name.to_owned(), table)), ..self }
    }

    /// One view further in.
    pub fn inside(&self, view: &TableId, principal: PrincipalHandle, bare: BareNames) -> Result<Self> {
        if self.within.contains(view) {
            let text = format!("infinite recursion detected in rules for relation \"{}\"", view.table);
            return Err(Error::new(Reason::InvalidDefinition, text));
        }
        if self.within.len() >= VIEW_DEPTH_MAX {
            let text = format!("views may stand {VIEW_DEPTH_MAX} deep within each other");
            return Err(Error::new(Reason::LimitExceeded, text));
        }
        let mut within = self.within.clone();
        within.push(view.clone());
        Ok(Self { principal, bare, clock: self.clock, tables: self.tables, within, target: None })
    }
}

impl Names {
    /// A view, planned anew for whoever reads it.
    pub(super) async fn view(
        self: &Arc<Self>,
        at: &Viewpoint,
        relation: &Relation,
        file: &ViewFile,
        terms: &ViewTerms,
    ) -> Result<Arc<dyn TableProvider>> {
        let id = relation.id();
        let (plan, state) = match terms {
            ViewTerms::Dataset => {
                let state = self.state_at(at.inside(&id, at.principal.clone(), BareNames::Dataset)?)?;
                let plan = Box::pin(state.create_logical_plan(&file.sql)).await.map_err(failure)?;
                relation.set_view_columns(plan.schema().fields().iter().map(AsRef::as_ref));
                (plan, state)
            }
            ViewTerms::Authored { sources, rights: ViewRights::Caller, .. } => {
                let state = self.state_at(at.inside(&id, at.principal.clone(), BareNames::None)?)?;
                (self.planned(&state, &file.sql, sources, relation).await?, state)
            }
            ViewTerms::Authored { sources, rights: ViewRights::Owner, .. } => {
                let inside = at.inside(&id, self.owner_of(&id, at)?, BareNames::None)?;
                let state = self.state_at(inside.by_lake_time())?;
                let plan = self.planned(&state, &file.sql, sources, relation).await;
                let plan = plan.map_err(|error| conceal(&id, error))?;
                return self.walled(at, id, plan, state);
            }
        };
        let security = self.security().snapshot();
        if security.has_table_privilege(at.principal.get().checked_role(), &id, Privilege::Select) {
            return Ok(Arc::new(ViewTable::new(plan, None)));
        }
        // Some columns are granted, and a plan that is spread out would give the others too.
        self.walled(at, id, plan, state)
    }

    /// The plan of a user's view under the names of its columns. Made on a task of its own: views within views would pile up
    /// on one stack.
    async fn planned(
        &self,
        state: &SessionState,
        sql: &str,
        sources: &[String],
        relation: &Relation,
    ) -> Result<LogicalPlan> {
        let (state, sql) = (state.clone(), sql.to_owned());
        let plan = self.lake().pool().run(async move { select_plan(&state, &sql).await }).await?;
        let Body::View { columns, .. } = &relation.body else { return Ok(plan) };
        let names = columns.get().map_or(&[][..], Vec::as_slice).iter().map(|column| column.name.as_str());
        let outputs = sources.iter().zip(names).map(|(source, name)| output(&plan, source, name));
        let outputs: Vec<Expr> = outputs.collect::<Result<_>>()?;
        LogicalPlanBuilder::from(plan).project(outputs).and_then(LogicalPlanBuilder::build).map_err(failure)
    }

    /// A view as a leaf of its reader's plan.
    fn walled(
        &self,
        at: &Viewpoint,
        id: TableId,
        plan: LogicalPlan,
        state: SessionState,
    ) -> Result<Arc<dyn TableProvider>> {
        if as_of::is_used(&plan).map_err(failure)? {
            self.ask_for_as_of();
        }
        let (security, caller) = (self.security().clone(), at.principal.clone());
        Ok(Arc::new(WalledView::new(id, plan, state, security, caller, &self.zone_at(at))))
    }

    /// The reader with the rights of the view's owner.
    fn owner_of(&self, view: &TableId, at: &Viewpoint) -> Result<PrincipalHandle> {
        let owner = self.security().snapshot().owner(&ObjectId::Relation(view.clone()));
        let owner = owner.ok_or_else(|| denied(view))?;
        Ok(PrincipalHandle::new(at.principal.get().checking_as(owner)))
    }
}

/// The plan of a SELECT whose names are those of `state`, judged and not too large.
pub(super) async fn select_plan(state: &SessionState, sql: &str) -> Result<LogicalPlan> {
    let not_a_select = || Error::new(Reason::Corrupt, "the text of a view is not one SELECT");
    let [parsed] = &statement::parse(sql)?[..] else { return Err(not_a_select()) };
    let statement::StatementKind::Sql(parsed) = &parsed.kind else { return Err(not_a_select()) };
    let mut parsed = parsed.as_ref().clone();
    catalog::rewrite(&mut parsed);
    let plan = state.statement_to_plan(Statement::Statement(Box::new(parsed))).await.map_err(failure)?;
    refuse_large(&plan)?;
    judge(&plan)?;
    if let Some(function) = called(&plan, catalog::acts_as_its_caller).map_err(failure)? {
        let text = format!("a view cannot call {function}");
        return Err(Error::new(Reason::Unsupported, text).with_hint("it would act as whoever reads the view"));
    }
    Ok(plan)
}

/// The column `source` of a plan as `name`.
fn output(plan: &LogicalPlan, source: &str, name: &str) -> Result<Expr> {
    let mut found = plan.schema().iter().filter(|(_, field)| field.name() == source);
    match (found.next(), found.next()) {
        (Some(column), None) => Ok(Expr::Column(Column::from(column)).alias(name)),
        _ => Err(Error::new(Reason::PlanChanged, format!("column \"{name}\" of a view has no single source any more"))),
    }
}

fn refuse_large(plan: &LogicalPlan) -> Result<()> {
    let mut steps = 0;
    plan.apply_with_subqueries(|_| {
        steps += 1;
        Ok(if steps > VIEW_STEPS_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })
    .map_err(failure)?;
    if steps > VIEW_STEPS_MAX {
        let text = format!("a view may have {VIEW_STEPS_MAX} steps, with those of the views that it reads");
        return Err(Error::new(Reason::LimitExceeded, text));
    }
    Ok(())
}

/// What is wrong with the owner's own tables is not the caller's to know.
fn conceal(view: &TableId, error: Error) -> Error {
    match error.reason() {
        Reason::InvalidDefinition | Reason::LimitExceeded | Reason::Io | Reason::Corrupt | Reason::MemoryExhausted => {
            error
        }
        _ => {
            tracing::warn!(view = %view, cause = %error, "a view cannot be planned with its owner's rights");
            denied(view)
        }
    }
}

fn denied(view: &TableId) -> Error {
    Error::new(Reason::Privilege, format!("permission denied for view {}", view.table))
}
