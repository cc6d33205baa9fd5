//! A policy and masks that look at nothing but their own row, as expressions of the engine.
//!
//! Such rules need neither planner nor optimizer at a scan: they are resolved once, and a scan folds them with the predicates
//! that come with it and with the moment that `now()` is. To plan them as a query would cost a millisecond, as much as a
//! small answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::catalog::{ScanArgs, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, TableReference, plan_err};
use datafusion::error::Result;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, LogicalTableSource, Projection, TableProviderFilterPushDown,
};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, projection::ProjectionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast;

use super::decision::Decision;
use super::planned_table::project;
use super::secure_scan::RowCount;
use super::secured_table::unqualified;
use super::wall_session::WallSession;

/// Names the rule in the plan that it is analyzed in.
const RULE: &str = "henna rule";

/// Rules over the bare columns of one schema, with types, and not yet simplified.
#[derive(Debug)]
pub struct RowRules {
    schema: Schema,
    policy: Option<Expr>,
    /// Each of its column's type.
    masks: BTreeMap<String, Expr>,
}

impl RowRules {
    /// Gives the names and types of `schema` to what was decided; columns may stand with the table's name before them.
    pub fn resolve(decision: &Decision, table: &str, schema: &Schema, planner: &SessionState) -> Result<Self> {
        let named = DFSchema::try_from_qualified_schema(TableReference::bare(table), schema)?;
        let source = Arc::new(LogicalTableSource::new(Arc::new(schema.clone())));
        let resolve = |expr: &ast::Expr| {
            let expr = ast::ExprWithAlias { expr: expr.clone(), alias: None };
            let expr = planner.create_logical_expr_from_sql_expr(expr, &named)?;
            let plan = LogicalPlanBuilder::scan(TableReference::bare(table), Arc::clone(&source) as _, None)?;
            analyzed(planner, plan.project([expr.alias(RULE)])?.build()?)
        };
        let bare = DFSchema::try_from(schema.clone())?;
        let policy = decision.policy.as_ref().map(|policy| condition(resolve(policy)?, &bare)).transpose()?;
        let mask = |(column, mask): (&String, &ast::Expr)| {
            let of = schema.field_with_name(column)?.data_type();
            Ok((column.clone(), WallSession::coerced(resolve(mask)?, &bare)?.cast_to(of, &bare)?))
        };
        let masks = decision.masks.iter().filter(|(column, _)| schema.field_with_name(column).is_ok());
        Ok(Self { schema: schema.clone(), policy, masks: masks.map(mask).collect::<Result<_>>()? })
    }

    pub fn are_over(&self, schema: &Schema) -> bool {
        self.schema == *schema
    }

    /// `columns` of the rows that satisfy the policy and `below`, which are predicates over bare columns; and what may be told
    /// of their number.
    pub async fn rows(
        &self,
        raw: &dyn TableProvider,
        session: &WallSession,
        below: &[Expr],
        columns: &Schema,
    ) -> Result<(Arc<dyn ExecutionPlan>, RowCount)> {
        let schema = DFSchema::try_from(self.schema.clone())?;
        let whole = conjunction(self.policy.iter().chain(below).cloned());
        let whole = whole.map(|whole| session.simplified(whole, &schema)).transpose()?;
        let predicates = whole.map(split_conjunction_owned).unwrap_or_default();
        if predicates.iter().any(is_never) {
            return Ok((Arc::new(EmptyExec::new(Arc::new(columns.clone()))), RowCount::Untold));
        }
        let predicates: Vec<Expr> = predicates.into_iter().filter(|predicate| !is_always(predicate)).collect();
        let (pushed, kept) = shared(raw, predicates)?;
        let read = self.read(columns, &kept)?;
        let args = ScanArgs::default().with_projection(Some(&read)).with_filters(Some(&pushed));
        let scan = raw.scan_with_args(session, args).await?.into_inner();
        let places = columns.fields().iter().map(|field| scan.schema().index_of(field.name()));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let Some(predicate) = conjunction(kept) else { return Ok((project(scan, &places)?, RowCount::Told)) };
        let predicate = session.physical(&predicate, scan.schema().as_ref())?;
        let filter = FilterExecBuilder::new(predicate, scan)
            .apply_projection(Some(places))?
            .with_batch_size(session.batch_size())
            .build()?;
        // Lets more than one thread read what is one file.
        let plan = EnsureRequirements::new().optimize(Arc::new(filter), session.options())?;
        Ok((plan, RowCount::Untold))
    }

    /// `shown` over rows that the principal may see: masks where there are masks, and the columns themselves elsewhere.
    pub fn masked(
        &self,
        rows: Arc<dyn ExecutionPlan>,
        session: &WallSession,
        shown: &Schema,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = rows.schema();
        let bare = DFSchema::try_from(schema.as_ref().clone())?;
        let item = |name: &String| -> Result<ProjectionExpr> {
            let expr = match self.masks.get(name) {
                Some(mask) => session.physical(&session.simplified(mask.clone(), &bare)?, &schema)?,
                None => Arc::new(Column::new_with_schema(name, &schema)?) as Arc<dyn PhysicalExpr>,
            };
            Ok(ProjectionExpr { expr, alias: name.clone() })
        };
        let items = shown.fields().iter().map(|field| item(field.name())).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(items, rows)?))
    }

    /// The indices of `columns` and of what the predicates read.
    fn read(&self, columns: &Schema, predicates: &[Expr]) -> Result<Vec<usize>> {
        let filtered = predicates.iter().flat_map(Expr::column_refs).map(|column| column.name.as_str());
        let wanted = columns.fields().iter().map(|field| field.name().as_str()).chain(filtered);
        let wanted = wanted.map(|name| self.schema.index_of(name)).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(wanted.into_iter().collect())
    }
}

/// Predicates for the table to use, and those that it does not decide by itself. One that is another value each time it is
/// asked is asked once.
fn shared(raw: &dyn TableProvider, predicates: Vec<Expr>) -> Result<(Vec<Expr>, Vec<Expr>)> {
    let (steady, mut kept): (Vec<_>, Vec<_>) = predicates.into_iter().partition(|predicate| !predicate.is_volatile());
    let uses = raw.supports_filters_pushdown(&steady.iter().collect::<Vec<_>>())?;
    let mut pushed = Vec::new();
    for (predicate, by_table) in steady.into_iter().zip(uses) {
        if by_table != TableProviderFilterPushDown::Exact {
            kept.push(predicate.clone());
        }
        if by_table != TableProviderFilterPushDown::Unsupported {
            pushed.push(predicate);
        }
    }
    Ok((pushed, kept))
}

/// The one expression of a plan, as the analyzer leaves it: what it mends in statements it mends in rules.
fn analyzed(planner: &SessionState, plan: LogicalPlan) -> Result<Expr> {
    let plan = planner.analyzer().execute_and_check(plan, planner.config_options(), |_, _| {})?;
    let LogicalPlan::Projection(Projection { expr, .. }) = plan else {
        return plan_err!("the rule became more than an expression");
    };
    match <[Expr; 1]>::try_from(expr) {
        Ok([expr]) => unqualified(expr.unalias_nested().data),
        Err(_) => plan_err!("the rule became more than one expression"),
    }
}

fn condition(policy: Expr, schema: &DFSchema) -> Result<Expr> {
    let policy = WallSession::coerced(policy, schema)?;
    match policy.get_type(schema)? {
        DataType::Boolean => Ok(policy),
        DataType::Null => policy.cast_to(&DataType::Boolean, schema),
        other => Err(DataFusionError::Plan(format!("a policy must be boolean, not {other}"))),
    }
}

fn is_never(predicate: &Expr) -> bool {
    matches!(predicate, Expr::Literal(value, _) if value.is_null() || *value == ScalarValue::Boolean(Some(false)))
}

fn is_always(predicate: &Expr) -> bool {
    matches!(predicate, Expr::Literal(ScalarValue::Boolean(Some(true)), _))
}
