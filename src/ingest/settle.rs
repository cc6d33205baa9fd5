//! The end of a load's stream: what its rows refer to becomes durable before they are committed.

use std::collections::BTreeMap;
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
use super::identity::{self, IDENTITIES, Resolved};
use super::load::{Load, Loader, PUBLIC, stream_of};
use super::pass::Passed;
use super::persons::Identities;
use super::reject::RejectSpool;
use super::request::LoadReport;
use super::system;
use crate::error::{Error, Result};
use crate::lake::{TableName, WriteRequest};

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
        let Identities { contract, version, stored, turn: _turn } = identities;
        report.identities_new = resolved.resolution.persons_new;
        report.identities_merged = resolved.resolution.merges.len() as u64;
        let (graph, resolution, now_us) = (&resolved.graph, &resolved.resolution, self.load.now_us);
        let conflicts = system::schema(system::CONFLICTS)?;
        if let Some(batch) = identity::conflict_rows(&conflicts, graph, resolution, now_us)? {
            let id = format!("{}.conflicts.{}", self.load.id, version);
            let table = TableName::new(system::SCHEMA, system::CONFLICTS);
            self.loader.append(table, id, stream_of(vec![batch], conflicts)).await?;
        }
        let source = self.load.source.as_ref().map_or(self.load.table.table.as_str(), |source| source.name.as_str());
        let schema = contract.stored_schema();
        let batches = identity::identity_rows(&schema, graph, resolution, &stored, source, now_us)?;
        let table = TableName::new(PUBLIC, IDENTITIES);
        let id = format!("{}.identities.{}", self.load.id, version);
        if batches.is_empty() {
            return Ok(());
        }
        let rows = stream_of(batches, schema);
        let request = WriteRequest { load_id: id, rows, notes: BTreeMap::new() };
        // Another process may have numbered new persons meanwhile: their numbers are not given twice.
        self.loader.store.write_onto(&table, version, request).await?;
        Ok(())
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
