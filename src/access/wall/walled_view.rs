//! A view that hides something from its reader: to the reader's plan it is a leaf, as a walled table is.
//!
//! The WHERE of a view that is read with its owner's rights may be all that keeps the reader from the owner's other rows, and
//! a filter node keeps nobody: predicates of the reader would run beneath it. So its plan is made apart, and of the reader
//! only what is leak-proof goes into it. The same leaf keeps a reader to the columns that were granted.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, DFSchema};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use tokio_util::task::AbortOnDropHandle;

use super::super::error::AccessError;
use super::super::model::object::TableId;
use super::super::principal::PrincipalHandle;
use super::super::store::handle::SecurityHandle;
use super::decision::require_select;
use super::environment::{PolicyChain, external, props};
use super::leakproof::LeakProof;
use super::secure_scan::SecureScanExec;
use super::secured_table::unqualified;
use super::zoned::{beneath_as, in_zone, shown_as};
use crate::error::Reason;

/// One reader's door to such a view.
pub struct WalledView {
    id: TableId,
    /// Over the tables as those see them whose rights count.
    plan: LogicalPlan,
    /// Plans what is inside.
    state: SessionState,
    security: SecurityHandle,
    caller: PrincipalHandle,
    schema: SchemaRef,
}

impl WalledView {
    /// `plan` was made in `state`, whose names are those of whoever's rights count; the caller needs SELECT on the columns,
    /// and gets times in `zone`.
    pub fn new(
        id: TableId,
        plan: LogicalPlan,
        state: SessionState,
        security: SecurityHandle,
        caller: PrincipalHandle,
        zone: &str,
    ) -> Self {
        let fields = plan.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(in_zone(&Schema::new(fields.collect::<Vec<_>>()), zone));
        Self { id, plan, state, security, caller, schema }
    }

    fn require_select(&self, wanted: &[usize], filters: &[Expr]) -> Result<()> {
        let fields = self.schema.fields();
        let wanted = wanted.iter().filter_map(|index| fields.get(*index)).map(|field| field.name().as_str());
        let filtered: Vec<&Column> = filters.iter().flat_map(Expr::column_refs).collect();
        let columns = wanted.chain(filtered.iter().map(|column| column.name.as_str()));
        let snapshot = self.security.snapshot();
        require_select(&snapshot, &self.caller.get(), &self.id, columns).map_err(|error| match error {
            AccessError::Denied { .. } => self.denied(),
            other => external(other),
        })
    }

    fn denied(&self) -> DataFusionError {
        external(AccessError::Denied { kind: "view", name: self.id.table.clone() })
    }

    /// The predicate as it may run on rows that the view leaves out; None where it may not.
    fn leak_proof(&self, filter: &Expr) -> Option<Expr> {
        let schema = DFSchema::try_from(self.schema.as_ref().clone()).ok()?;
        let filter = unqualified(filter.clone()).ok()?;
        let passes = LeakProof { schema: &schema, plain: &|_| true }.accepts(&filter);
        beneath_as(filter, &schema, self.plan.schema().as_arrow()).filter(|_| passes)
    }

    async fn inside(&self, caller: &dyn Session, wanted: &[usize], filters: &[Expr]) -> Result<SecureScanExec> {
        let chain = PolicyChain::extended(caller, &self.id)?;
        let config = self.state.config().clone().with_extension(Arc::new(chain));
        let state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_config(config.clone())
            .with_execution_props(props(caller, &config))
            .build();
        let schema = Arc::new(self.schema.project(wanted)?);
        let mut plan = LogicalPlanBuilder::from(self.plan.clone());
        for filter in filters.iter().filter_map(|filter| self.leak_proof(filter)) {
            plan = plan.filter(filter)?;
        }
        let columns = schema.fields().iter().map(|field| Expr::Column(Column::new_unqualified(field.name())));
        let plan = plan.project(columns.collect::<Vec<_>>())?.build()?;
        let plan = on_a_stack_of_its_own(async move { state.create_physical_plan(&plan).await }).await?;
        SecureScanExec::try_new(self.id.clone(), shown_as(plan, &schema)?, schema, config)
    }

    /// The inside of the view is not the reader's business: an error tells that it failed, and what the reader may know.
    fn conceal(&self, error: DataFusionError) -> DataFusionError {
        let known = match error.find_root() {
            DataFusionError::External(cause) => cause.downcast_ref::<crate::Error>().map(crate::Error::reason),
            _ => None,
        };
        match known {
            Some(Reason::Privilege) => self.denied(),
            Some(Reason::Corrupt | Reason::Configuration | Reason::Io | Reason::MemoryExhausted) => error,
            _ => {
                tracing::warn!(view = %self.id, cause = %error, "a walled view cannot be planned");
                external(AccessError::ViewFailed(self.id.table.clone()))
            }
        }
    }
}

/// Runs `planning` as a task: views within views would pile up on one stack.
async fn on_a_stack_of_its_own<T: Send + 'static>(
    planning: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => match AbortOnDropHandle::new(runtime.spawn(planning)).await {
            Ok(planned) => planned,
            Err(fault) => Err(DataFusionError::Internal(format!("planning a view failed: {fault}"))),
        },
        Err(_) => planning.await,
    }
}

impl fmt::Debug for WalledView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WalledView({})", self.id)
    }
}

#[async_trait]
impl TableProvider for WalledView {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted: Vec<usize> = match projection {
            Some(indices) => indices.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        self.require_select(&wanted, filters)?;
        let scan = self.inside(state, &wanted, filters).await.map_err(|error| self.conceal(error))?;
        Ok(Arc::new(scan.of_view().with_row_limit(limit)))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let judge = |filter: &&Expr| match self.leak_proof(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(judge).collect())
    }
}
