//! `henna.audit_log`: the records as one reader may see them, streamed a segment at a time.
//!
//! Superusers see all. Others see what was done under a login whose rights they have, by the id of the role: one of the
//! same name that was made later sees nothing. To them a denial of a relation that is hidden looks as it looked when it
//! happened: like one of a relation that is missing.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListBuilder, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;

use super::failure::failure;
use super::names::Names;
use super::system::fitted;
use crate::access::{AccessError, AuditEntry, AuditEvent, AuditKind, AuditLog, AuditReader, AuditRecord, RoleId};
use crate::dataset::Contract;
use crate::error::{Error, Reason, Result, sqlstate};

pub const NAME: &str = "audit_log";

/// What stands for the kind of a line that is not what was written.
const DAMAGED: &str = "damaged";

pub fn contract() -> Result<Contract> {
    Ok(crate::dataset::contract("system/audit_log.sql", NAME, include_str!("system/audit_log.sql"))?)
}

/// The table for the session that reads it, as it is when it is read.
pub(super) fn table(names: &Arc<Names>, schema: SchemaRef, zone: &str) -> Result<Arc<dyn TableProvider>> {
    let records = AuditRows {
        audit: Arc::clone(names.lake().audit()),
        sight: Arc::new(Sight::of_session(names)),
        zone: zone.to_owned(),
        schema: Arc::clone(&schema),
    };
    Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(records)]).map_err(failure)?))
}

/// Whose records a reader sees.
#[derive(Debug)]
pub(super) enum Sight {
    All,
    Of(HashSet<RoleId>),
}

impl Sight {
    /// That of a session: what was done under logins whose rights it has, for all to see and in its own open block.
    pub fn of_session(names: &Names) -> Self {
        let (security, own) = (names.security().snapshot(), names.principal().get().checked_role());
        let recorded = names.security().store().snapshot();
        if security.is_superuser(own) && recorded.is_superuser(own) {
            return Self::All;
        }
        let roles = security.roles().map(|role| role.id);
        let may = |role: &RoleId| security.has_privileges_of(own, *role) && recorded.has_privileges_of(own, *role);
        Self::Of(roles.filter(may).collect())
    }

    /// The event as the reader may see it; None hides it.
    pub fn event(&self, entry: AuditEntry) -> Option<AuditEvent> {
        self.of(entry).map(|row| row.event)
    }

    /// The record as the reader may see it; None hides it.
    fn of(&self, entry: AuditEntry) -> Option<Row> {
        let Self::Of(users) = self else { return Some(Row::whole(entry)) };
        let event = entry.record?.event;
        if !event.user.as_ref().is_some_and(|user| users.contains(&user.id)) {
            return None;
        }
        let missing = event.sqlstate.as_deref() == Some(sqlstate::of(Reason::UndefinedTable));
        let kind = match event.kind {
            // Only security statements have no hash.
            AuditKind::Denial if missing && event.statement.is_none() => AuditKind::Security,
            AuditKind::Denial if missing => AuditKind::Statement,
            kind => kind,
        };
        Some(Row { event: AuditEvent { hidden: Vec::new(), kind, ..event }, whole: None, kind: kind.word() })
    }
}

/// A record that the reader may see.
struct Row {
    kind: &'static str,
    event: AuditEvent,
    /// What only superusers see.
    whole: Option<Whole>,
}

struct Whole {
    number: u64,
    epoch: Option<u64>,
    previous: Option<String>,
    hash: String,
}

impl Row {
    fn whole(entry: AuditEntry) -> Self {
        let AuditEntry { place, record, hash } = entry;
        match record {
            Some(AuditRecord { number, previous, event }) => {
                let whole = Whole { number, epoch: Some(event.epoch), previous: Some(previous), hash };
                Self { kind: event.kind.word(), event, whole: Some(whole) }
            }
            None => {
                let whole = Whole { number: place, epoch: None, previous: None, hash };
                Self { kind: DAMAGED, event: AuditEvent::default(), whole: Some(whole) }
            }
        }
    }
}

#[derive(Debug)]
struct AuditRows {
    audit: Arc<AuditLog>,
    sight: Arc<Sight>,
    zone: String,
    schema: SchemaRef,
}

impl PartitionStream for AuditRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let reading = Reading {
            audit: Arc::clone(&self.audit),
            sight: Arc::clone(&self.sight),
            zone: self.zone.clone(),
            schema: Arc::clone(&self.schema),
            reader: None,
        };
        let batches = futures::stream::try_unfold(reading, |mut reading| async move {
            let batch = reading.next().await?;
            Ok::<_, DataFusionError>(batch.map(|batch| (batch, reading)))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

struct Reading {
    audit: Arc<AuditLog>,
    sight: Arc<Sight>,
    zone: String,
    schema: SchemaRef,
    /// None until it is asked for the first time.
    reader: Option<AuditReader>,
}

impl Reading {
    async fn next(&mut self) -> DfResult<Option<RecordBatch>> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                // What was done before this statement is there to be read.
                self.audit.flush().await;
                self.audit.reader()
            }
        };
        let entries = reader.next().await.map_err(outward)?;
        self.reader = Some(reader);
        let Some(entries) = entries else { return Ok(None) };
        let rows: Vec<Row> = entries.into_iter().filter_map(|entry| self.sight.of(entry)).collect();
        Ok(Some(fitted(&self.schema, &columns(&rows, &self.zone))?))
    }
}

pub(super) fn outward(error: AccessError) -> DataFusionError {
    DataFusionError::External(Box::new(Error::from(error)))
}

/// The columns in the order of the contract.
fn columns(rows: &[Row], zone: &str) -> Vec<ArrayRef> {
    let text =
        |pick: fn(&Row) -> Option<&str>| -> ArrayRef { Arc::new(rows.iter().map(pick).collect::<StringArray>()) };
    let number = |pick: fn(&Row) -> Option<u64>| -> ArrayRef {
        let values = rows.iter().map(|row| pick(row).and_then(|value| i64::try_from(value).ok()));
        Arc::new(values.collect::<Int64Array>())
    };
    let intact = |row: &Row| row.kind != DAMAGED;
    let times = rows.iter().map(|row| intact(row).then_some(row.event.at_us)).collect::<TimestampMicrosecondArray>();
    let elapsed = rows.iter().map(|row| row.event.elapsed_us.map(|micros| micros as f64 / 1e3));
    vec![
        Arc::new(times.with_timezone(zone.to_owned())),
        text(|row| Some(row.kind)),
        text(|row| row.event.user.as_ref().map(|user| user.name.as_str())),
        text(|row| row.event.role.as_deref()),
        text(|row| row.event.client.as_deref()),
        Arc::new(rows.iter().map(|row| row.event.session).collect::<Int32Array>()),
        text(|row| Some(row.event.command.as_str()).filter(|command| !command.is_empty())),
        text(|row| row.event.subject.as_deref()),
        lists(rows.iter().map(|row| row.event.tables.as_slice())),
        Arc::new(rows.iter().map(|row| intact(row).then_some(row.event.policies)).collect::<BooleanArray>()),
        number(|row| row.event.rows),
        text(|row| row.event.sqlstate.as_deref()),
        Arc::new(elapsed.collect::<Float64Array>()),
        number(|row| (row.kind != DAMAGED).then_some(row.event.times.unwrap_or(1))),
        text(|row| row.event.statement.as_deref()),
        lists(rows.iter().map(|row| row.event.hidden.as_slice())),
        number(|row| row.whole.as_ref().and_then(|whole| whole.epoch)),
        number(|row| row.whole.as_ref().map(|whole| whole.number)),
        text(|row| row.whole.as_ref().and_then(|whole| whole.previous.as_deref())),
        text(|row| row.whole.as_ref().map(|whole| whole.hash.as_str())),
    ]
}

/// Lists of names; none is null.
pub(super) fn lists<'a>(rows: impl Iterator<Item = &'a [String]>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for names in rows {
        names.iter().for_each(|name| lists.values().append_value(name));
        lists.append(!names.is_empty());
    }
    Arc::new(lists.finish())
}
