//! `henna.query_log`: what each statement did and cost, streamed a segment at a time.
//!
//! It lies beside the audit log, written and read by the same means, with a retention of its own: the audit log is to be
//! believed, this one to be looked up. Who sees which records is decided as there.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};

use super::audit_table::{Sight, lists, outward};
use super::explain::holds_wall;
use super::failure::failure;
use super::names::Names;
use super::system::fitted;
use crate::access::{AuditEvent, AuditLog, AuditReader, AuditRun};
use crate::dataset::Contract;
use crate::error::Result;

pub const NAME: &str = "query_log";

/// Of a statement's text; the rest is cut off.
const TEXT_BYTES_MAX: usize = 4096;

pub fn contract() -> Result<Contract> {
    Ok(crate::dataset::contract("system/query_log.sql", NAME, include_str!("system/query_log.sql"))?)
}

/// What a statement's run is told of: its text without literals, and what its plan says that it cost.
pub(super) fn run_of(text: &str, plan: Option<&Arc<dyn ExecutionPlan>>, bytes: u64) -> AuditRun {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    let mut run = AuditRun { text: text[..end].to_owned(), ..AuditRun::default() };
    let mut held = Held::default();
    if let Some(plan) = plan {
        add_costs(plan.as_ref(), &mut run, &mut held);
    }
    if !plan.is_some_and(holds_wall) {
        run.bytes = Some(bytes);
        (run.memory_bytes, run.spilled_bytes) = (Some(held.memory_bytes), Some(held.spilled_bytes));
    }
    run
}

#[derive(Default)]
struct Held {
    memory_bytes: u64,
    spilled_bytes: u64,
}

/// What the operators of a plan measured. Those behind a wall measure nothing that is told.
fn add_costs(plan: &dyn ExecutionPlan, run: &mut AuditRun, held: &mut Held) {
    if let Some(metrics) = plan.metrics() {
        run.cpu_us += metrics.elapsed_compute().unwrap_or_default() as u64 / 1_000;
        held.spilled_bytes += metrics.spilled_bytes().unwrap_or_default() as u64;
        let memory = metrics.iter().filter(|metric| metric.value().name().ends_with("mem_used"));
        held.memory_bytes += memory.map(|metric| metric.value().as_usize() as u64).sum::<u64>();
    }
    plan.children().into_iter().for_each(|child| add_costs(child.as_ref(), run, held));
}

/// The table for the session that reads it, as it is when it is read.
pub(super) fn table(names: &Arc<Names>, schema: SchemaRef, zone: &str) -> Result<Arc<dyn TableProvider>> {
    let records = QueryRows {
        log: Arc::clone(names.lake().query_log()),
        sight: Arc::new(Sight::of_session(names)),
        zone: zone.to_owned(),
        schema: Arc::clone(&schema),
    };
    Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(records)]).map_err(failure)?))
}

#[derive(Debug, Clone)]
struct QueryRows {
    log: Arc<AuditLog>,
    sight: Arc<Sight>,
    zone: String,
    schema: SchemaRef,
}

impl PartitionStream for QueryRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let begin = (self.clone(), None);
        let batches = futures::stream::try_unfold(begin, |(rows, reader)| async move {
            let (batch, reader) = rows.next(reader).await?;
            Ok::<_, DataFusionError>(batch.map(|batch| (batch, (rows, Some(reader)))))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

impl QueryRows {
    /// The rows of the next segment; no reader is the begin.
    async fn next(&self, reader: Option<AuditReader>) -> DfResult<(Option<RecordBatch>, AuditReader)> {
        let mut reader = match reader {
            Some(reader) => reader,
            None => {
                // What was done before this statement is there to be read.
                self.log.flush().await;
                self.log.reader()
            }
        };
        let Some(entries) = reader.next().await.map_err(outward)? else { return Ok((None, reader)) };
        let events = entries.into_iter().filter_map(|entry| self.sight.event(entry));
        let events: Vec<(AuditEvent, AuditRun)> =
            events.filter_map(|mut event| event.run.take().map(|run| (event, *run))).collect();
        Ok((Some(fitted(&self.schema, &columns(&events, &self.zone))?), reader))
    }
}

/// The columns in the order of the contract.
fn columns(rows: &[(AuditEvent, AuditRun)], zone: &str) -> Vec<ArrayRef> {
    let text = |pick: fn(&AuditEvent) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(|(event, _)| pick(event)).collect::<StringArray>())
    };
    let number = |pick: fn(&(AuditEvent, AuditRun)) -> Option<u64>| -> ArrayRef {
        let values = rows.iter().map(|row| pick(row).and_then(|value| i64::try_from(value).ok()));
        Arc::new(values.collect::<Int64Array>())
    };
    let millis = |pick: fn(&(AuditEvent, AuditRun)) -> Option<u64>| -> ArrayRef {
        let values = rows.iter().map(|row| pick(row).map(|micros| micros as f64 / 1e3));
        Arc::new(values.collect::<Float64Array>())
    };
    let times = rows.iter().map(|(event, _)| Some(event.at_us)).collect::<TimestampMicrosecondArray>();
    let texts = rows.iter().map(|(_, run)| Some(run.text.as_str()).filter(|text| !text.is_empty()));
    vec![
        Arc::new(times.with_timezone(zone.to_owned())),
        text(|event| event.user.as_ref().map(|user| user.name.as_str())),
        text(|event| event.role.as_deref()),
        text(|event| event.client.as_deref()),
        Arc::new(rows.iter().map(|(event, _)| event.session).collect::<Int32Array>()),
        text(|event| Some(event.command.as_str()).filter(|command| !command.is_empty())),
        Arc::new(texts.collect::<StringArray>()),
        lists(rows.iter().map(|(event, _)| event.tables.as_slice())),
        number(|(event, _)| event.rows),
        number(|(_, run)| run.bytes),
        millis(|(_, run)| Some(run.cpu_us)),
        number(|(_, run)| run.memory_bytes),
        number(|(_, run)| run.spilled_bytes),
        text(|event| event.sqlstate.as_deref()),
        millis(|(event, _)| event.elapsed_us),
        number(|(event, _)| Some(event.times.unwrap_or(1))),
    ]
}
