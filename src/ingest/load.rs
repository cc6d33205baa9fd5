//! A load: files become rows of a table in one commit, or nothing does.
//!
//! 1. The load gets its id, a hash of table, source and content; one that the table holds already is left undone.
//! 2. A source's mapping makes one canonical file of foreign ones.
//! 3. The identifiers of all files are resolved to persons.
//! 4. Rows are read again, checked and streamed into the lake, which writes files that nobody sees yet.
//! 5. When the last row is through: rejects, then identities become durable, each in a commit of its own that may be
//!    repeated; then the lake makes the rows visible in the one commit that carries the load's id.
//!
//! A crash between any two of these leaves nothing to undo: the same load, repeated, does what is missing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::task::{JoinHandle, spawn_blocking};

use super::check::{Checker, ONE_ID};
use super::error::IngestError;
use super::identity::{self, IDENTITIES, IdentityKey, Resolved, Stored};
use super::pass::{Pass, Passed};
use super::reader::Input;
use super::record::{LoadRow, Status};
use super::reject::RejectSpool;
use super::request::{LoadReport, LoadRequest};
use super::source::mapped;
use super::system;
use crate::dataset::{Contract, Dataset, Source};
use crate::error::{Error, Result};
use crate::lake::{Commit, Store, TableName, WriteRequest};

/// The schema of a dataset's tables.
pub const PUBLIC: &str = "public";
const BATCHES_IN_FLIGHT: usize = 4;

/// Loads files into the tables of one lake. Clones share the turn by which loads resolve identities one after another.
#[derive(Clone)]
pub struct Loader {
    store: Store,
    dataset: Arc<Dataset>,
    turn: Arc<AsyncMutex<()>>,
}

/// A load under way.
struct Load {
    id: String,
    table: TableName,
    contract: Arc<Contract>,
    source: Option<Source>,
    file_names: String,
    started: Instant,
    now_us: i64,
    reject_share_max: f64,
}

/// Identities while a load resolves them; no other load of this process does so meanwhile.
struct Identities {
    contract: Contract,
    version: u64,
    stored: Stored,
    _turn: OwnedMutexGuard<()>,
}

impl Loader {
    pub fn new(store: Store, dataset: Arc<Dataset>) -> Self {
        Self { store, dataset, turn: Arc::default() }
    }

    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Loads files into a table. A file or row that stops the load is an error, and then nothing was loaded; its rejects
    /// are in `henna.rejects` all the same.
    pub async fn load(&self, request: LoadRequest) -> Result<LoadReport> {
        let (load, inputs) = self.begin(&request).await?;
        system::create_tables(&self.store).await?;
        if self.store.snapshot(&load.table).await?.loaded(&load.id).await? {
            return self.repeated(&load).await;
        }
        let bytes_total = inputs.iter().map(Input::bytes_len).sum();
        let zone = self.zone(&load);
        let mut rejects = self.reject_spool(&load)?;
        let inputs = match &load.source {
            None => inputs,
            Some(source) => {
                let mapped = mapped(source, &load.table.table, inputs, &zone).await?;
                rejects.add(mapped.rejects)?;
                vec![mapped.input]
            }
        };
        let (identities, resolved) = self.resolve(&load, &inputs).await?;
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
        self.write(load, pass, identities).await
    }

    async fn begin(&self, request: &LoadRequest) -> Result<(Load, Vec<Input>)> {
        let table = request.table.strip_prefix("public.").unwrap_or(&request.table).to_owned();
        let contract = self.dataset.contract(&table).cloned();
        let contract = contract.ok_or_else(|| IngestError::TableUnknown { table: table.clone() })?;
        let source = request.source.as_ref().map(|name| self.source(name)).transpose()?;
        let delimiter = source.as_ref().and_then(|source| source.delimiter);
        let paths = request.files.clone();
        let (source_name, named) = (request.source.clone(), table.clone());
        let prepared = spawn_blocking(move || -> Result<(String, Vec<Input>), IngestError> {
            let inputs: Vec<Input> = paths.iter().map(|path| Input::find(path, delimiter)).collect::<Result<_, _>>()?;
            Ok((load_id(&named, source_name.as_deref(), &inputs)?, inputs))
        });
        let (id, inputs) = prepared.await.map_err(|_| IngestError::ThreadEnded)??;
        let load = Load {
            id,
            table: TableName::new(PUBLIC, table),
            contract: Arc::new(contract),
            source,
            file_names: inputs.iter().map(|input| input.name.as_ref()).collect::<Vec<_>>().join(", "),
            started: Instant::now(),
            now_us: chrono::Utc::now().timestamp_micros(),
            reject_share_max: request.reject_share_max,
        };
        Ok((load, inputs))
    }

    fn source(&self, name: &str) -> Result<Source, IngestError> {
        self.dataset.source(name).cloned().ok_or_else(|| IngestError::SourceUnknown {
            source_name: name.to_owned(),
            known: self.dataset.sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Of the files' times that name none.
    fn zone(&self, load: &Load) -> String {
        let own = load.source.as_ref().and_then(|source| source.time_zone.clone());
        own.unwrap_or_else(|| self.dataset.time_zone.clone())
    }

    fn reject_spool(&self, load: &Load) -> Result<RejectSpool> {
        Ok(RejectSpool::new(&load.id, &load.table.table, load.now_us, system::schema(system::REJECTS)?))
    }

    /// The identities of the lake, and those of the files; `None` where the table has no persons or the dataset no
    /// identities.
    async fn resolve(&self, load: &Load, inputs: &[Input]) -> Result<(Option<Identities>, Option<Resolved>)> {
        let identities = self.dataset.contract(IDENTITIES).filter(|contract| identity::keeps_identities(contract));
        let Some(contract) = identities.filter(|_| load.contract.column(ONE_ID).is_some()) else {
            return Ok((None, None));
        };
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let snapshot = self.store.snapshot(&TableName::new(PUBLIC, IDENTITIES)).await?;
        let conflicts = self.store.snapshot(&TableName::new(system::SCHEMA, system::CONFLICTS)).await?;
        let conflicts_contract = system::contract(system::CONFLICTS)?;
        let version = snapshot.version;
        let person_max = self.person_max().await?;
        let stored =
            Stored::read(&self.store, (contract, snapshot), (&conflicts_contract, conflicts), person_max).await?;
        let key = match IdentityKey::open(&self.store).await? {
            Some(key) => key,
            None if stored.is_empty() => IdentityKey::create(&self.store).await?,
            None => return Err(IngestError::IdentityKeyAbsent.into()),
        };
        let (inputs, table, shared_max) =
            (inputs.to_vec(), Arc::clone(&load.contract), self.dataset.identity_shared_max);
        let resolving = spawn_blocking(move || {
            let resolved = identity::resolve(&inputs, &table, &key, &stored, shared_max);
            resolved.map(|resolved| (resolved, stored))
        });
        let (resolved, stored) = resolving.await.map_err(|_| IngestError::ThreadEnded)??;
        let identities = Identities { contract: contract.clone(), version, stored, _turn: turn };
        Ok((Some(identities), resolved))
    }

    /// The greatest one_id that a table has: files may bring their own.
    async fn person_max(&self) -> Result<i64> {
        let mut greatest = 0;
        for contract in self.dataset.contracts.iter().filter(|contract| contract.column(ONE_ID).is_some()) {
            let snapshot = self.store.snapshot(&TableName::new(PUBLIC, &contract.name)).await?;
            let Some(position) = snapshot.schema.fields().iter().position(|field| field.name() == ONE_ID) else {
                continue;
            };
            for file in &snapshot.files {
                if let Some(ScalarValue::Int64(Some(max))) =
                    file.ranges.get(position).and_then(|range| range.max.clone())
                {
                    greatest = greatest.max(max);
                }
            }
        }
        Ok(greatest)
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
                self.record(&load, &outcome.report, Status::Refused).await?;
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
        Ok(report)
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
        let batch = row.batch(&system::schema(system::LOADS)?)?;
        let id = row.write_id();
        self.append(TableName::new(system::SCHEMA, system::LOADS), id, vec![batch]).await?;
        Ok(())
    }

    async fn append(&self, table: TableName, load_id: String, batches: Vec<RecordBatch>) -> Result<Option<Commit>> {
        let Some(schema) = batches.first().map(RecordBatch::schema) else { return Ok(None) };
        let rows = futures::stream::iter(batches.into_iter().map(Ok));
        let rows: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        let commit = self.store.write(&table, WriteRequest { load_id, rows, notes: BTreeMap::new() }).await?;
        Ok(Some(commit))
    }
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
    let bytes = hash.finalize();
    Ok(bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

fn parsed(zone: &str) -> chrono_tz::Tz {
    zone.parse().unwrap_or(chrono_tz::UTC)
}

/// What follows the last row and precedes the commit.
struct Tail {
    loader: Loader,
    load: Arc<Load>,
    identities: Option<Identities>,
    outcome: Arc<Mutex<Outcome>>,
}

/// What the load's stream leaves behind for its report.
#[derive(Default)]
struct Outcome {
    report: LoadReport,
    error: Option<Error>,
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
        let table = TableName::new(system::SCHEMA, system::REJECTS);
        self.loader.store.write(&table, WriteRequest { load_id: id, rows, notes: BTreeMap::new() }).await?;
        Ok(())
    }

    async fn write_identities(
        &self,
        resolved: Resolved,
        identities: Identities,
        report: &mut LoadReport,
    ) -> Result<()> {
        let Identities { contract, version, stored, _turn } = identities;
        report.identities_new = resolved.resolution.persons_new;
        report.identities_merged = resolved.resolution.merges.len() as u64;
        let (graph, resolution, now_us) = (&resolved.graph, &resolved.resolution, self.load.now_us);
        let conflicts = system::schema(system::CONFLICTS)?;
        if let Some(batch) = identity::conflict_rows(&conflicts, graph, resolution, now_us)? {
            let id = format!("{}.conflicts.{}", self.load.id, version);
            let table = TableName::new(system::SCHEMA, system::CONFLICTS);
            self.loader.append(table, id, vec![batch]).await?;
        }
        let source = self.load.source.as_ref().map_or(self.load.table.table.as_str(), |source| source.name.as_str());
        let schema = contract.stored_schema();
        let batches = identity::identity_rows(schema, graph, resolution, &stored, source, now_us)?;
        let table = TableName::new(PUBLIC, IDENTITIES);
        // Another process may have numbered new persons meanwhile.
        if self.loader.store.snapshot(&table).await?.version != version {
            return Err(IngestError::IdentitiesChanged.into());
        }
        let id = format!("{}.identities.{}", self.load.id, version);
        let commit = self.loader.append(table, id, batches).await?;
        match commit {
            Some(commit) if commit.version != version + 1 => Err(IngestError::IdentitiesChanged.into()),
            _ => Ok(()),
        }
    }
}

/// The checked rows, and after the last of them the tail.
fn stream(
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
