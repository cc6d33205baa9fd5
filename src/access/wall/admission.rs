//! New rows before the policies of their table: WITH CHECK, asked with the writer's own eyes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;

use super::super::error::AccessError;
use super::super::model::grant::Privilege;
use super::super::model::inquiry::RowSecurity;
use super::super::model::policy::PolicyCommand;
use super::super::principal::RowSecuritySetting;
use super::environment::{PolicyChain, external};
use super::expression::{column, for_caller, truth};
use super::secured_table::SecuredTable;

/// The column behind those of the table: whether the policies take the row.
const VERDICT: &str = "henna verdict";

/// New rows on their way in.
pub enum Admission {
    /// No policy binds the writer.
    Free(SendableRecordBatchStream),
    /// A plan over the rows; what it gives goes through [`Verdict::apply`].
    Judged(Arc<dyn ExecutionPlan>, Verdict),
}

impl SecuredTable {
    /// An error unless the writer may give values for every one of `columns`.
    pub fn require_insert(&self, columns: &[&str]) -> crate::Result<()> {
        let snapshot = self.security.snapshot();
        snapshot.ensure_sound()?;
        let role = self.principal.get().checked_role();
        let may = |name: &&str| snapshot.has_column_privilege(role, &self.id, name, Privilege::Insert);
        if columns.iter().all(may) {
            return Ok(());
        }
        Err(AccessError::Denied { kind: "table", name: self.id.table.clone() }.into())
    }

    /// Holds `rows`, whose columns are those of the table, against the policies for INSERT.
    pub async fn admission(&self, state: &dyn Session, rows: SendableRecordBatchStream) -> Result<Admission> {
        let Some(policy) = self.insert_policy().map_err(external)? else { return Ok(Admission::Free(rows)) };
        let chain = PolicyChain::extended(state, &self.id)?;
        let fault = Fault::default();
        let schema = rows.schema();
        let incoming = Incoming { schema: Arc::clone(&schema), rows: Mutex::new(Some(rows)), fault: fault.clone() };
        let base = Arc::new(StreamingTable::try_new(
            Arc::clone(&schema),
            vec![Arc::new(incoming) as Arc<dyn PartitionStream>],
        )?);
        let inner = self.environment.state_of_checks(state, base, Arc::clone(&self.resolver), chain);
        let mut items: Vec<_> =
            schema.fields().iter().map(|field| (field.name().clone(), column(field.name()))).collect();
        items.push((VERDICT.to_string(), ast::Expr::IsTrue(Box::new(ast::Expr::Nested(Box::new(policy))))));
        let planned = async {
            let plan = self.plan_query(&inner, items, None).await?;
            inner.create_physical_plan(&plan).await
        };
        let plan = planned.await.map_err(|error| self.conceal_plan_error(error))?;
        Ok(Admission::Judged(plan, Verdict { table: self.id.table.clone(), schema, fault }))
    }

    /// What a new row must satisfy; None where every row may come.
    fn insert_policy(&self) -> Result<Option<ast::Expr>, AccessError> {
        let (snapshot, principal) = (self.security.snapshot(), self.principal.get());
        snapshot.ensure_sound()?;
        let policies = match snapshot.row_security(principal.checked_role(), &self.id, PolicyCommand::Insert) {
            RowSecurity::Bypassed => return Ok(None),
            RowSecurity::Policies(policies) => policies,
        };
        if principal.row_security() == RowSecuritySetting::Off {
            return Err(AccessError::RowSecurityOff(self.id.table.clone()));
        }
        let policy = for_caller(&policies.check_sql(), &snapshot, &principal)?;
        Ok(Some(policy).filter(|policy| truth(policy) != Some(true)))
    }
}

/// The first error of the rows themselves. It is the writer's own, unlike one of a policy.
#[derive(Debug, Clone, Default)]
struct Fault(Arc<Mutex<Option<Arc<DataFusionError>>>>);

impl Fault {
    fn note(&self, error: DataFusionError) -> DataFusionError {
        let error = Arc::new(error);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Arc::clone(&error));
        DataFusionError::Shared(error)
    }

    fn found(&self) -> Option<DataFusionError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().map(DataFusionError::Shared)
    }
}

/// The rows as the plan's one source; they come once.
struct Incoming {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
    fault: Fault,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming")
    }
}

impl PartitionStream for Incoming {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let taken = self.rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fault = self.fault.clone();
        let rows: futures::stream::BoxStream<'static, Result<RecordBatch>> = match taken {
            Some(rows) => rows.map(move |batch| batch.map_err(|error| fault.note(error))).boxed(),
            None => {
                let twice = DataFusionError::Internal("new rows were asked for twice".to_string());
                futures::stream::iter([Err(twice)]).boxed()
            }
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

/// What becomes of judged rows.
#[derive(Debug)]
pub struct Verdict {
    table: String,
    schema: SchemaRef,
    fault: Fault,
}

impl Verdict {
    /// The rows without their verdicts; the first that is not taken ends the stream with an error.
    pub fn apply(self, judged: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let rows = judged.map(move |batch| self.pass(batch));
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }

    fn pass(&self, batch: Result<RecordBatch>) -> Result<RecordBatch> {
        let batch = batch.map_err(|error| self.told(&error))?;
        let last = batch.num_columns().saturating_sub(1);
        let verdicts = batch.columns().last().and_then(|column| column.as_boolean_opt());
        let taken = verdicts.is_some_and(|verdicts| verdicts.null_count() == 0 && verdicts.false_count() == 0);
        if !taken {
            return Err(external(AccessError::RowRefused(self.table.clone())));
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), batch.columns()[..last].to_vec())?)
    }

    /// An error of the writer's own rows as it is; one of a policy may quote what the writer must not see.
    fn told(&self, error: &DataFusionError) -> DataFusionError {
        if let Some(own) = self.fault.found() {
            return own;
        }
        tracing::warn!(table = self.table, "a policy on new rows failed");
        external(match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => AccessError::OutOfMemory(self.table.clone()),
            _ => AccessError::PolicyFailed(self.table.clone()),
        })
    }
}
