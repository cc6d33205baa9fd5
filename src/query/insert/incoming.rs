//! Rows on their way into a table of the lake: checked batch by batch, written while they come, visible in one commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};

use super::together::BYTES_MAX;
use crate::access::SecuredTable;
use crate::dataset::Contract;
use crate::error::{Error, Reason, Result};
use crate::ingest::RowCheck;
use crate::lake::{Commit, TableName, WriteRequest};
use crate::query::failure::failure;
use crate::query::session::Session;
use crate::query::stoppable::Stoppable;

/// Where rows come from; their columns are those of the table, in order, in the types of the session.
pub(in crate::query) enum Source {
    Plan(Stoppable),
    Rows(SendableRecordBatchStream),
}

/// The rows of a plan as the policies of a table let them in.
pub(in crate::query) fn admitted(session: &Session, table: &SecuredTable, plan: Stoppable) -> Result<Source> {
    let context = session.context();
    let admission = table.admission(&context.state()).map_err(failure)?;
    let rows = session.lake().pool().stream(&plan, session.planner.tasks());
    Ok(Source::Rows(match admission {
        None => rows,
        Some(admission) => admission.admit(rows),
    }))
}

/// Writes all of the rows in one durable commit, or none. Runs on the query threads. The keys of `beside` are taken, too.
pub(in crate::query) async fn write(
    session: &Session,
    source: Source,
    contract: Arc<Contract>,
    folder: &TableName,
    beside: Option<&TableName>,
) -> Result<Commit> {
    let fault = Fault::default();
    let request = request(source.checked(session, &contract, &fault)?);
    let (store, folder, beside) = (session.lake().store().clone(), folder.clone(), beside.cloned());
    let written = session.lake().pool().run(async move {
        match beside {
            None => store.insert(&folder, request).await,
            Some(beside) => store.insert_beside(&folder, &beside, request).await,
        }
    });
    written.await.map_err(|failed| told(failed, &fault, &contract))
}

/// The same for a statement that is a transaction by itself: where its rows are few, they share the commit of other statements.
/// Gives their number.
pub(in crate::query) async fn write_together(
    session: &Session,
    source: Source,
    contract: Arc<Contract>,
    folder: &TableName,
) -> Result<u64> {
    let fault = Fault::default();
    let mut rows = source.checked(session, &contract, &fault)?;
    let (store, groups, folder) = (session.lake().store().clone(), session.lake().groups().clone(), folder.clone());
    let written = session.lake().pool().run(async move {
        let (mut few, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = rows.try_next().await.map_err(failure)? {
            bytes += batch.get_array_memory_size();
            few.push(batch);
            if bytes > BYTES_MAX {
                let schema = rows.schema();
                let all = futures::stream::iter(few.into_iter().map(Ok)).chain(rows);
                let all = request(Box::pin(RecordBatchStreamAdapter::new(schema, all)));
                return Ok(store.insert(&folder, all).await?.rows_added);
            }
        }
        few.retain(|batch| batch.num_rows() > 0);
        groups.add(&store, &folder, few, bytes).await
    });
    written.await.map_err(|failed| told(failed, &fault, &contract))
}

fn request(rows: SendableRecordBatchStream) -> WriteRequest {
    let load_id = format!("sql-{}", uuid::Uuid::new_v4().simple());
    WriteRequest { load_id, rows, notes: BTreeMap::new() }
}

/// What the client is told of rows that were not written.
fn told(failed: Error, fault: &Fault, contract: &Contract) -> Error {
    // A sort on the way may have put the rows' own error into another.
    let own = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
    match own {
        Some(own) => own,
        None if failed.reason() == Reason::Unique => {
            let text = format!("duplicate key value violates unique constraint \"{}_pkey\"", contract.name);
            Error::new(Reason::Unique, text)
        }
        None => failed,
    }
}

impl Source {
    /// The rows in the table's stored types, held against its contract.
    fn checked(self, session: &Session, contract: &Arc<Contract>, fault: &Fault) -> Result<SendableRecordBatchStream> {
        let rows = match self {
            Self::Rows(rows) => rows,
            Self::Plan(plan) => session.lake().pool().stream(&plan, session.planner.tasks()),
        };
        checked(rows, contract, &session.time_zone(), fault.clone())
    }
}

/// The first error of the rows themselves.
type Fault = Arc<Mutex<Option<Error>>>;

/// The rows in the table's stored types; the first that breaks its contract ends the stream with an error.
fn checked(
    rows: SendableRecordBatchStream,
    contract: &Arc<Contract>,
    zone: &str,
    fault: Fault,
) -> Result<SendableRecordBatchStream> {
    let mut check = RowCheck::new(Arc::clone(contract), zone)?;
    let stored = rows.map(move |batch| {
        batch.map_err(failure).and_then(|batch| check.check(batch)).map_err(|error| {
            let told = DataFusionError::External(Box::new(Error::new(error.reason(), error.to_string())));
            fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            told
        })
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(contract.stored_schema(), stored)))
}
