//! The session in which rules of one row are scanned: fixed options and no names, the caller's memory and stores.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProviderList, Session};
use datafusion::common::config::{ConfigOptions, TableOptions};
use datafusion::common::{DFSchema, not_impl_err};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::registry::ExtensionTypeRegistryRef;
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, WindowUDF};
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;

use super::environment::props;

/// One scan's.
pub struct WallSession {
    id: String,
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
    props: ExecutionProps,
    /// Lends its functions and its empty catalog.
    planner: Arc<SessionState>,
    table_options: TableOptions,
}

impl WallSession {
    /// `config` holds the options behind the wall.
    pub fn new(planner: Arc<SessionState>, config: SessionConfig, caller: &dyn Session) -> Self {
        let props = props(caller, &config);
        let (id, runtime) = (caller.session_id().to_string(), Arc::clone(caller.runtime_env()));
        Self { id, config, runtime, props, planner, table_options: TableOptions::default() }
    }

    pub fn options(&self) -> &ConfigOptions {
        self.config.options()
    }

    pub fn batch_size(&self) -> usize {
        self.config.batch_size()
    }

    /// `expr` with the casts that its operators and functions need.
    pub fn coerced(expr: Expr, schema: &DFSchema) -> Result<Expr> {
        ExprSimplifier::new(SimplifyContext::builder().build()).coerce(expr, schema)
    }

    /// `expr`, which has its casts, with its constants worked out; `now()` is the caller's.
    pub fn simplified(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(self.config.options()))
            .with_query_execution_start_time(self.props.query_execution_start_time)
            .build();
        ExprSimplifier::new(context).simplify(expr)
    }

    /// `expr`, which has its casts, over the columns of `schema`.
    pub fn physical(&self, expr: &Expr, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
        let schema = DFSchema::try_from(schema.clone())?;
        create_physical_expr(expr, &schema, &self.props, &PhysicalPlanningContext::default())
    }
}

#[async_trait]
impl Session for WallSession {
    fn session_id(&self) -> &str {
        &self.id
    }

    fn config(&self) -> &SessionConfig {
        &self.config
    }

    fn catalog_list(&self) -> Arc<dyn CatalogProviderList> {
        Arc::clone(self.planner.catalog_list())
    }

    async fn create_physical_plan(&self, _: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        not_impl_err!("behind the wall a table plans no query of its own")
    }

    fn create_physical_expr(&self, expr: Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = Self::coerced(expr, schema)?;
        create_physical_expr(&expr, schema, &self.props, &PhysicalPlanningContext::default())
    }

    fn scalar_functions(&self) -> &HashMap<String, Arc<ScalarUDF>> {
        self.planner.scalar_functions()
    }

    fn higher_order_functions(&self) -> &HashMap<String, Arc<HigherOrderUDF>> {
        self.planner.higher_order_functions()
    }

    fn aggregate_functions(&self) -> &HashMap<String, Arc<AggregateUDF>> {
        self.planner.aggregate_functions()
    }

    fn window_functions(&self) -> &HashMap<String, Arc<WindowUDF>> {
        self.planner.window_functions()
    }

    fn extension_type_registry(&self) -> &ExtensionTypeRegistryRef {
        self.planner.extension_type_registry()
    }

    fn runtime_env(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }

    fn execution_props(&self) -> &ExecutionProps {
        &self.props
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_options(&self) -> &TableOptions {
        &self.table_options
    }

    fn table_options_mut(&mut self) -> &mut TableOptions {
        &mut self.table_options
    }

    fn task_ctx(&self) -> Arc<TaskContext> {
        Arc::new(TaskContext::from(self as &dyn Session))
    }
}
