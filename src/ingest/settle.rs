//! The end of a load's stream: what its rows refer to becomes durable before they are committed.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

use super::error::IngestError;
use super::identity::Resolved;
use super::load::{Load, Loader};
use super::pass::Passed;
use super::persons::{Identities, Teaching};
use super::reject::RejectSpool;
use super::request::LoadReport;
use super::system;
use crate::error::{Error, Result};
use crate::lake::TableName;

/// What follows the last row and precedes the commit.
pub struct Tail {
    pub loader: Loader,
    pub load: Arc<Load>,
    pub identities: Option<Identities>,
    pub outcome: Arc<Mutex<Outcome>>,
}

/// What the load's stream leaves behind for its report.
#[derive(Default)]
pub struct Outcome {
    pub report: LoadReport,
    pub error: Option<Error>,
}

impl Tail {
    /// Makes durable what the rows refer to. An error keeps the rows from being committed.
    async fn settle(mut self, passed: Passed) -> std::result::Result<(), DataFusionError> {
        let (read, rejected) = (passed.rows_read, passed.rejects.count);
        let mut report = LoadReport {
            rows_read: read,
            rows_rejected: rejected,
            ignored_columns: passed.ignored_columns,
            ..LoadReport::default()
        };
        let ended = passed.ended.map(Error::from);
        let settled = async {
            self.write_rejects(passed.rejects).await?;
            if let Some(error) = ended {
                return Err(error);
            }
            let max = self.load.reject_share_max;
            if rejected as f64 > read as f64 * max {
                return Err(IngestError::ShareExceeded { rejected, read, max }.into());
            }
            match passed.resolved.zip(self.identities.take()) {
                Some((resolved, identities)) => self.write_identities(resolved, identities, &mut report).await,
                None => Ok(()),
            }
        };
        let error = settled.await.err();
        let stops = error.is_some();
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Outcome { report, error };
        if stops { Err(DataFusionError::Execution("the load was stopped".to_owned())) } else { Ok(()) }
    }

    async fn write_rejects(&self, rejects: RejectSpool) -> Result<()> {
        let id = format!("{}.rejects.{}", self.load.id, rejects.count);
        self.loader.write_heads(&self.load, &rejects.files).await?;
        let Some(spooled) = rejects.finish()? else { return Ok(()) };
        let schema = system::schema(system::REJECTS)?;
        let rows = futures::stream::iter(spooled.map(|batch| Ok(batch?)));
        let rows: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        self.loader.append(TableName::new(system::SCHEMA, system::REJECTS), id, rows).await?;
        Ok(())
    }

    async fn write_identities(
        &self,
        resolved: Resolved,
        identities: Identities,
        report: &mut LoadReport,
    ) -> Result<()> {
        Loader::tell_persons(&resolved, report);
        let source = self.load.source.as_ref().map_or(self.load.table.table.as_str(), |source| source.name.as_str());
        let teaching = Teaching { load_id: &self.load.id, source, now_us: self.load.now_us };
        self.loader.teach(teaching, resolved, identities).await
    }
}

/// The checked rows, and after the last of them the tail.
pub fn stream(
    schema: SchemaRef,
    receiver: Receiver<RecordBatch>,
    reading: JoinHandle<Passed>,
    tail: Tail,
) -> SendableRecordBatchStream {
    let rows = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|batch| (Ok(batch), receiver))
    });
    let end = futures::stream::once(async move {
        match reading.await {
            Ok(passed) => tail.settle(passed).await.err().map(Err),
            Err(error) => Some(Err(DataFusionError::External(Box::new(error)))),
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows.chain(end.filter_map(|end| async { end }))))
}
