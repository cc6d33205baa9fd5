//! COPY: rows out as those of a query, rows in by the path of INSERT. The bytes are the wire's; here are the statement, its
//! rights, and where the rows go.

mod form;
mod options;
mod statement;

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;

pub use self::form::{Columns, CopyCsv, CopyForm, CopyHeader, CopyText};
pub use self::statement::CopyStatement;
use super::answer::Answer;
use super::audit::Watch;
use super::block::Destination;
use super::failure::failure;
use super::guard::StatementGuard;
use super::insert::incoming;
use super::insert::rows::assigned;
use super::insert::target::{self, Target};
use super::insert::{into_view, refuse_founded};
use super::names::lock;
use super::session::Session;
use super::viewpoint::Viewpoint;
use crate::access::statement::RelationName;
use crate::access::{RawTables, SecuredTable};
use crate::catalog::inventory::Body;
use crate::error::{Error, Reason, Result};

/// A COPY FROM STDIN that waits for its rows. Dropped without them, nothing was done.
pub struct CopyIn {
    pub form: CopyForm,
    /// What each row gives, in the types of the session.
    pub columns: SchemaRef,
    target: CopyTarget,
    guard: StatementGuard,
    watch: Option<Watch>,
}

/// The table that a COPY fills.
struct CopyTarget {
    into: Destination,
    positions: target::Columns,
    target: Arc<Target>,
    table: SecuredTable,
}

impl CopyIn {
    /// The name of the table.
    pub fn table(&self) -> &str {
        &self.target.into.relation.name
    }

    pub(super) fn watched(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }
}

impl Session {
    /// An error where rows may not be copied into these columns of the table.
    pub(super) fn require_copy(&self, table: &RelationName, columns: &[String]) -> Result<()> {
        self.refuse_read_only("COPY FROM")?;
        self.copy_target(table, columns).map(|_| ())
    }

    /// Begins to copy rows into a table.
    pub(super) fn copy_from(
        &self,
        table: &RelationName,
        columns: &[String],
        form: &CopyForm,
        guard: &StatementGuard,
    ) -> Result<Answer> {
        self.refuse_read_only("COPY FROM")?;
        let target = self.copy_target(table, columns)?;
        let schema = target.target.schema();
        let given: Vec<_> = target.positions.of(schema.fields()).cloned().collect();
        Ok(Answer::CopyIn(Box::new(CopyIn {
            form: form.clone(),
            columns: Arc::new(arrow::datatypes::Schema::new(given)),
            target,
            guard: guard.clone(),
            watch: None,
        })))
    }

    fn copy_target(&self, name: &RelationName, columns: &[String]) -> Result<CopyTarget> {
        let relation = self.writable(name)?;
        let contract = match &relation.body {
            Body::Table(contract) | Body::Virtual(contract) => Arc::new(contract.clone()),
            Body::View { .. } => return Err(into_view("copy to", &relation.name)),
        };
        let target = Arc::new(Target::new(contract.schema(&self.time_zone()), self.defaults_of(&contract)?));
        let own = Viewpoint::of(self.principal().clone());
        let shown = Arc::clone(&target) as Arc<dyn TableProvider>;
        let raw = RawTables::zoned(shown, &self.lake().dataset().time_zone);
        let table = self.names().secured(&own, relation.id(), raw);
        let positions = target::Columns::of_names(columns, &contract)?;
        let given = positions.given(&contract);
        table.require_insert(&given)?;
        refuse_founded("COPY", &relation)?;
        let given = given.into_iter().map(str::to_owned).collect();
        Ok(CopyTarget { into: Destination { relation, contract, columns: given }, positions, target, table })
    }

    /// Copies rows of [`CopyIn::columns`] into the table, all of them or none. An error among the rows is that of the COPY.
    /// Gives the command tag.
    pub async fn copy_in(&self, copy: CopyIn, rows: SendableRecordBatchStream) -> Result<String> {
        let CopyIn { target, guard, watch, .. } = copy;
        let copied = guard.run(self.put_copied(target, rows)).await.and_then(|outcome| outcome);
        let answer = copied.map(|count| Answer::Done { tag: format!("COPY {count}") });
        let answer = match watch {
            Some(watch) => watch.follow(answer),
            None => answer,
        };
        match self.settle(answer)? {
            Answer::Done { tag } => Ok(tag),
            _ => Err(Error::new(Reason::Internal, "a COPY gave rows")),
        }
    }

    async fn put_copied(&self, copy: CopyTarget, rows: SendableRecordBatchStream) -> Result<u64> {
        let rows = Arc::new(Once { schema: rows.schema(), rows: Mutex::new(Some(rows)) });
        let source = StreamingTable::try_new(Arc::clone(&rows.schema), vec![rows]).map_err(failure)?;
        let plan = LogicalPlanBuilder::scan("copied", provider_as_source(Arc::new(source)), None);
        let plan = plan.and_then(LogicalPlanBuilder::build).map_err(failure)?;
        let plan = assigned(plan, copy.positions, &copy.target)?;
        let rows = incoming::admitted(self, &copy.table, self.physical(plan).await?)?;
        self.put_rows(&copy.into, rows).await
    }
}

/// Rows that can be read one time.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        lock(&self.rows).take().unwrap_or_else(|| {
            let twice = DataFusionError::Internal("rows that come once were read twice".to_owned());
            let twice = futures::stream::iter([Err(twice)]);
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), twice))
        })
    }
}
