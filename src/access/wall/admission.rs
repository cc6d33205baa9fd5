//! New rows before the policies of their table: WITH CHECK, asked with the writer's own eyes.
//!
//! Each batch is a small table of its own to the plan that judges it: a policy with a sub-query that leans on the row reads
//! the rows more than once, and rows that stream in can be read once.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use datafusion::catalog::MemTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionState;
use datafusion::physical_plan::collect;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;

use super::super::error::AccessError;
use super::super::model::grant::Privilege;
use super::super::model::inquiry::RowSecurity;
use super::super::model::policy::PolicyCommand;
use super::super::principal::RowSecuritySetting;
use super::environment::{PolicyChain, external};
use super::expression::{for_caller, truth};
use super::secured_table::SecuredTable;
use super::zoned::batch_as;

/// Whether the policies take the row.
const VERDICT: &str = "henna verdict";

/// What new rows of a table must satisfy.
pub struct Admission {
    table: SecuredTable,
    policy: ast::Expr,
    /// The writer's: it lends memory, and the moment that `now()` is.
    state: SessionState,
    chain: PolicyChain,
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

    /// What new rows must satisfy; None where every row may come.
    pub fn admission(&self, state: &SessionState) -> Result<Option<Admission>> {
        let Some(policy) = self.insert_policy().map_err(external)? else { return Ok(None) };
        let chain = PolicyChain::extended(state, &self.id)?;
        Ok(Some(Admission { table: self.clone(), policy, state: state.clone(), chain }))
    }

    /// What stored rows must satisfy that have the keys of the writer's new ones: those that stay, which it must see, and those
    /// that the new ones are to replace, which it must see and may change. None where it may see and replace every row.
    pub fn stored_rows(&self, state: &SessionState) -> Result<(Option<Admission>, Option<Admission>)> {
        let asked = |commands: &[PolicyCommand]| -> Result<Option<Admission>> {
            let Some(policy) = self.stored_policy(commands).map_err(external)? else { return Ok(None) };
            let chain = PolicyChain::extended(state, &self.id)?;
            Ok(Some(Admission { table: self.clone(), policy, state: state.clone(), chain }))
        };
        Ok((asked(&[PolicyCommand::Select])?, asked(&[PolicyCommand::Select, PolicyCommand::Update])?))
    }

    fn stored_policy(&self, commands: &[PolicyCommand]) -> Result<Option<ast::Expr>, AccessError> {
        let (snapshot, principal) = (self.security.snapshot(), self.principal.get());
        snapshot.ensure_sound()?;
        let of = |command| match snapshot.row_security(principal.checked_role(), &self.id, command) {
            RowSecurity::Bypassed => None,
            RowSecurity::Policies(policies) => Some(format!("({})", policies.using_sql())),
        };
        let conditions: Vec<String> = commands.iter().copied().filter_map(of).collect();
        if conditions.is_empty() {
            return Ok(None);
        }
        let policy = for_caller(&conditions.join(" AND "), &snapshot, &principal)?;
        Ok(Some(policy).filter(|policy| truth(policy) != Some(true)))
    }

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

impl Admission {
    /// The same rows, whose columns are those of the table; the first that is not taken ends the stream with an error.
    pub fn admit(self, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let (schema, judge) = (rows.schema(), Arc::new(self));
        let admitted = rows.then(move |batch| {
            let judge = Arc::clone(&judge);
            async move {
                let batch = batch?;
                judge.judge(&batch).await?;
                Ok(batch)
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, admitted))
    }

    /// An error unless every row is taken.
    pub async fn judge(&self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let verdicts = self.verdicts(batch).await.map_err(|error| self.conceal(error))?;
        let taken = |verdicts: &RecordBatch| match verdicts.column(0).as_boolean_opt() {
            Some(verdicts) if verdicts.null_count() == 0 => verdicts.true_count(),
            _ => 0,
        };
        // Every row has its own verdict, and it is that it may come.
        if verdicts.iter().map(taken).sum::<usize>() == batch.num_rows() {
            return Ok(());
        }
        Err(external(AccessError::RowRefused(self.table.id.table.clone())))
    }

    /// One boolean a row, in any order.
    async fn verdicts(&self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let table = &self.table;
        let batch = batch_as(batch, &table.beneath.schema())?;
        let base = Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?);
        let (resolver, chain) = (Arc::clone(&table.resolver), self.chain.clone());
        let state = table.environment.state_of_checks(&self.state, base, resolver, chain);
        let holds = ast::Expr::IsTrue(Box::new(ast::Expr::Nested(Box::new(self.policy.clone()))));
        let plan = table.plan_query(&state, vec![(VERDICT.to_string(), holds)], None).await?;
        collect(state.create_physical_plan(&plan).await?, state.task_ctx()).await
    }

    /// A policy that fails may quote what the writer must not see.
    fn conceal(&self, error: DataFusionError) -> DataFusionError {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => external(AccessError::OutOfMemory(self.table.id.table.clone())),
            _ => self.table.conceal_plan_error(error),
        }
    }
}
