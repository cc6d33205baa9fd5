//! A load: files become rows of a table in one commit, or nothing does.
//!
//! 1. The load gets its id, a hash of table, source and content; one that the table holds already is left undone.
//! 2. A source, named or recognised by the files' headers, gives foreign files the table's columns.
//! 3. The identifiers of all files are resolved to persons.
//! 4. Rows are read again, checked and streamed into the lake, which writes files that nobody sees yet.
//! 5. When the last row is through: rejects, then identities become durable, each in a commit of its own that may be
//!    repeated; then the lake makes the rows visible in the one commit that carries the load's id.
//!
//! A crash between any two of these leaves nothing to undo: the same load, repeated, does what is missing.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use rand::Rng;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::task::spawn_blocking;

use super::check::Checker;
use super::error::IngestError;
use super::identity::IdentityKey;
use super::pass::Pass;
use super::persons::{Identities, Known, WHOLE_MAX};
use super::reader::{HeaderChanges, Input};
use super::recognise::{Arrivals, arrivals};
use super::record::{LoadRow, Status};
use super::reject::RejectSpool;
use super::request::{LoadReport, LoadRequest};
use super::settle::{Tail, stream};
use super::source::mapped;
use super::system;
use crate::dataset::{Contract, Dataset, Source};
use crate::error::{Reason, Result};
use crate::lake::{Commit, Store, TableName, WriteRequest};

/// The schema of a dataset's tables.
pub const PUBLIC: &str = "public";
const BATCHES_IN_FLIGHT: usize = 4;
/// As many loads as may well run at once beside this one, each of which may get in first.
const ATTEMPTS_MAX: u64 = 20;
const ATTEMPT_PAUSE_MS: u64 = 100;

/// Loads files into the tables of one lake. Clones share the turn by which loads resolve identities one after another.
#[derive(Clone)]
pub struct Loader {
    pub(super) store: Store,
    pub(super) dataset: Arc<Dataset>,
    pub(super) turn: Arc<AsyncMutex<Option<Known>>>,
    /// More identities than these are not read whole.
    pub(super) whole_max: u64,
    /// Of the lake's identifiers, read once.
    pub(super) key: Arc<OnceCell<IdentityKey>>,
    /// The tables of loads are there.
    prepared: Arc<OnceCell<()>>,
}

/// A load under way.
#[derive(Clone)]
pub struct Load {
    pub id: String,
    pub table: TableName,
    pub contract: Arc<Contract>,
    pub source: Option<Source>,
    /// The files as they are, before a SELECT of the source.
    pub originals: Arc<[Input]>,
    pub changes: HeaderChanges,
    pub file_names: String,
    pub started: Instant,
    pub now_us: i64,
    pub reject_share_max: f64,
}

impl Loader {
    pub fn new(store: Store, dataset: Arc<Dataset>) -> Self {
        let (turn, key, prepared) = (Arc::default(), Arc::default(), Arc::default());
        Self { store, dataset, turn, whole_max: WHOLE_MAX, key, prepared }
    }

    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Loads files into a table. A file or row that stops the load is an error, and then nothing was loaded; its rejects
    /// are in `henna.rejects` all the same.
    ///
    /// Where another process changed the identities meanwhile, the files are resolved anew, a bounded number of times.
    pub async fn load(&self, request: LoadRequest) -> Result<LoadReport> {
        let (load, inputs) = self.begin(&request).await?;
        let mut attempts = 1;
        loop {
            match self.attempt(&request, load.clone(), inputs.clone()).await {
                Err(error) if error.reason() == Reason::Serialization && attempts < ATTEMPTS_MAX => {
                    tracing::info!(attempts, "another process changed the identities: the load begins again");
                    // Of two that meet, one must come through: they do not begin again at once together.
                    let wait_ms = rand::rng().random_range(0..ATTEMPT_PAUSE_MS * attempts);
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    attempts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Makes the tables of loads where the lake lacks them.
    pub(super) async fn make_system_tables(&self) -> Result<()> {
        self.prepared.get_or_try_init(|| system::create_tables(&self.store)).await?;
        Ok(())
    }

    async fn attempt(&self, request: &LoadRequest, load: Load, inputs: Vec<Input>) -> Result<LoadReport> {
        self.make_system_tables().await?;
        if self.store.holds(&load.table, &load.id).await? {
            return self.repeated(&load).await;
        }
        let bytes_total = inputs.iter().map(Input::bytes_len).sum();
        let zone = self.zone(&load);
        let mut rejects = self.reject_spool(&load)?;
        let inputs = match &load.source {
            None => inputs,
            Some(source) => {
                let (inputs, faulty) = mapped(source, &load.table.table, inputs, &zone).await?;
                rejects.add(faulty)?;
                inputs
            }
        };
        let (identities, resolved) = self.resolve(&load, &inputs, request.progress.as_ref()).await?;
        let pass = Pass {
            checker: Checker::new(Arc::clone(&load.contract), parsed(&zone), &self.dataset.time_zone)?,
            inputs,
            resolved,
            identified: identities.is_some(),
            rejects,
            on_reject: request.on_reject,
            progress: request.progress.clone(),
            bytes_total,
        };
        let report = self.write(load.clone(), pass, identities).await?;
        Ok(LoadReport { rejects_settled: self.settle_rejects(&load).await?, ..report })
    }

    async fn begin(&self, request: &LoadRequest) -> Result<(Load, Vec<Input>)> {
        let table = request.table.strip_prefix("public.").unwrap_or(&request.table).to_owned();
        let contract = self.dataset.contract(&table).cloned();
        let contract = contract.ok_or_else(|| IngestError::TableUnknown { table: table.clone() })?;
        let reject_share_max = request.reject_share_max;
        let (dataset, named, request) = (Arc::clone(&self.dataset), table.clone(), request.clone());
        let prepared = spawn_blocking(move || -> Result<(String, Arrivals), IngestError> {
            let arrivals = arrivals(&dataset, &named, request.source.as_deref(), &request.files)?;
            let source = arrivals.source.as_ref().map(|source| source.name.as_str());
            Ok((load_id(&named, source, &arrivals.inputs)?, arrivals))
        });
        let (id, Arrivals { source, inputs, changes }) = prepared.await.map_err(|_| IngestError::ThreadEnded)??;
        let load = Load {
            id,
            table: TableName::new(PUBLIC, table),
            contract: Arc::new(contract),
            source,
            originals: inputs.clone().into(),
            changes,
            file_names: inputs.iter().map(|input| input.name.as_ref()).collect::<Vec<_>>().join(", "),
            started: Instant::now(),
            now_us: chrono::Utc::now().timestamp_micros(),
            reject_share_max,
        };
        Ok((load, inputs))
    }

    /// Of the files' times that name none.
    fn zone(&self, load: &Load) -> String {
        let own = load.source.as_ref().and_then(|source| source.time_zone.clone());
        own.unwrap_or_else(|| self.dataset.time_zone.clone())
    }

    fn reject_spool(&self, load: &Load) -> Result<RejectSpool> {
        Ok(RejectSpool::new(&load.id, &load.table.table, load.now_us, system::schema(system::REJECTS)?))
    }

    async fn write(&self, load: Load, pass: Pass, identities: Option<Identities>) -> Result<LoadReport> {
        let load = Arc::new(load);
        let (sender, receiver) = mpsc::channel(BATCHES_IN_FLIGHT);
        let reading = spawn_blocking(move || pass.run(&sender));
        let tail = Tail { loader: self.clone(), load: Arc::clone(&load), identities, outcome: Arc::default() };
        let outcome = Arc::clone(&tail.outcome);
        let rows = stream(load.contract.stored_schema(), receiver, reading, tail);
        let notes = BTreeMap::from([("files".to_owned(), load.file_names.clone())]);
        let written = self.store.write(&load.table, WriteRequest { load_id: load.id.clone(), rows, notes }).await;
        let outcome = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
        match (written, outcome.error) {
            (_, Some(error)) => {
                if error.reason() != Reason::Serialization {
                    self.record(&load, &outcome.report, Status::Refused).await?;
                }
                Err(error)
            }
            (Err(error), None) => Err(error),
            (Ok(commit), None) => {
                let report = self.report(&load, outcome.report, &commit);
                self.record(&load, &report, Status::Loaded).await?;
                Ok(report)
            }
        }
    }

    fn report(&self, load: &Load, found: LoadReport, commit: &Commit) -> LoadReport {
        LoadReport {
            table: load.table.table.clone(),
            source: load.source.as_ref().map(|source| source.name.clone()),
            rows_added: commit.rows_added,
            rows_updated: commit.rows_updated,
            rows_duplicate: commit.rows_duplicate + commit.rows_stale,
            files: commit.files,
            bytes: commit.bytes,
            version: commit.version,
            seconds: load.started.elapsed().as_secs_f64(),
            repeated: commit.repeated,
            load_id: load.id.clone(),
            header: load.changes.clone(),
            ..found
        }
    }

    /// The report of a load that the table holds already: what was read then changes nothing now.
    async fn repeated(&self, load: &Load) -> Result<LoadReport> {
        let version = self.store.snapshot(&load.table).await?.version;
        let commit = Commit { version, repeated: true, ..Commit::default() };
        // A crash after the commit may have left the load unrecorded.
        let report = self.report(load, LoadReport::default(), &commit);
        self.record(load, &report, Status::Loaded).await?;
        Ok(LoadReport { rejects_settled: self.settle_rejects(load).await?, ..report })
    }

    async fn record(&self, load: &Load, report: &LoadReport, status: Status) -> Result<()> {
        let row = LoadRow {
            load_id: &load.id,
            table: &load.table.table,
            source: load.source.as_ref().map(|source| source.name.as_str()),
            files: &load.file_names,
            status,
            started_us: load.now_us,
            finished_us: chrono::Utc::now().timestamp_micros(),
            report,
        };
        let schema = system::schema(system::LOADS)?;
        let batch = row.batch(&schema)?;
        let id = row.write_id();
        let rows = stream_of(vec![batch], schema);
        self.append(TableName::new(system::SCHEMA, system::LOADS), id, rows).await?;
        Ok(())
    }

    /// Adds rows to a table that tells of loads, while the load's own rows may wait.
    pub(super) async fn append(
        &self,
        table: TableName,
        load_id: String,
        rows: SendableRecordBatchStream,
    ) -> Result<Commit> {
        self.store.within_a_write().write(&table, WriteRequest { load_id, rows, notes: BTreeMap::new() }).await
    }
}

/// A stream of batches that are there already.
pub fn stream_of(batches: Vec<RecordBatch>, schema: SchemaRef) -> SendableRecordBatchStream {
    let rows = futures::stream::iter(batches.into_iter().map(Ok));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// Hash of table, source and content; two files in another order are another load.
fn load_id(table: &str, source: Option<&str>, inputs: &[Input]) -> Result<String, IngestError> {
    let mut hash = Sha256::new();
    for part in [table, source.unwrap_or_default()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    for input in inputs {
        hash.update(input.bytes_len().to_le_bytes());
        input.digest(&mut hash)?;
    }
    Ok(hex(&hash.finalize()))
}

/// The first 16 bytes of a hash, as the id of a load has them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

pub fn parsed(zone: &str) -> chrono_tz::Tz {
    zone.parse().unwrap_or(chrono_tz::UTC)
}
