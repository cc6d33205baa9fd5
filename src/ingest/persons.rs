//! The persons of a load's rows: what the lake knows of identities, joined by what the files say.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use super::check::ONE_ID;
use super::error::IngestError;
use super::identity::{self, Graph, IDENTITIES, IdentityKey, Lesson, Resolved, Stored};
use super::load::{Load, Loader, PUBLIC, stream_of};
use super::reader::Input;
use super::request::{LoadReport, ProgressSink};
use super::system;
use crate::dataset::Contract;
use crate::error::Result;
use crate::lake::{TableName, WriteRequest};

/// Identities that are read whole, and kept in memory from one load to the next; about a hundred bytes each. Of a lake with more
/// each load reads what it names.
pub const WHOLE_MAX: u64 = 4_000_000;

/// A load of more identifiers leaves it to the next one to read them: most are the last that their process runs.
const LEARNED_MAX: usize = 1_000_000;

/// Identities while a load resolves them; no other load of this process does so meanwhile.
pub struct Identities {
    pub contract: Contract,
    /// Of the table, when it was read.
    pub version: u64,
    /// Of the table, at that version.
    pub rows: u64,
    /// Of the table of shared identifiers.
    pub conflicts_version: u64,
    pub stored: Stored,
    /// Held until the identities are durable.
    pub turn: Turn,
}

/// The turn to resolve identities, with what the load before has left of them.
pub type Turn = OwnedMutexGuard<Option<Known>>;

/// Identities at two versions of their tables.
pub struct Known {
    versions: (u64, u64),
    stored: Stored,
}

/// Who teaches identities, and when.
#[derive(Clone, Copy)]
pub struct Teaching<'a> {
    pub load_id: &'a str,
    /// The source or table that they come from.
    pub source: &'a str,
    pub now_us: i64,
}

impl Loader {
    /// The identities of the lake, and those of the files; `None` where the table has no persons, the dataset no
    /// identities, or no file an identifier.
    pub(super) async fn resolve(
        &self,
        load: &Load,
        inputs: &[Input],
        progress: Option<&ProgressSink>,
    ) -> Result<(Option<Identities>, Option<Resolved>)> {
        if !self.identifies(&load.contract) || !identity::may_identify(inputs)? {
            return Ok((None, None));
        }
        let Some(key) = self.identity_key().await? else { return Ok((None, None)) };
        let (inputs, table, shared_max) =
            (inputs.to_vec(), Arc::clone(&load.contract), self.dataset.identity_shared_max);
        let progress = progress.cloned();
        let gathering = spawn_blocking(move || identity::gather(&inputs, &table, &key, shared_max, progress.as_ref()));
        let gathered = gathering.await.map_err(|_| IngestError::ThreadEnded)??;
        let wanted = gathered.as_ref().map(|gathered| &gathered.graph);
        let Some(identities) = self.identities(wanted).await? else { return Ok((None, None)) };
        let Some(gathered) = gathered else { return Ok((Some(identities), None)) };
        let resolving = spawn_blocking(move || {
            let resolved = gathered.resolve(&identities.stored);
            resolved.map(|resolved| (resolved, identities))
        });
        let (resolved, identities) = resolving.await.map_err(|_| IngestError::ThreadEnded)??;
        Ok((Some(identities), Some(resolved)))
    }

    /// Whether rows of a table have persons that the lake knows by their identifiers.
    pub(super) fn identifies(&self, contract: &Contract) -> bool {
        contract.column(ONE_ID).is_some() && self.identities_contract().is_some()
    }

    fn identities_contract(&self) -> Option<&Contract> {
        self.dataset.contract(IDENTITIES).filter(|contract| identity::keeps_identities(contract))
    }

    /// The key of the lake's identities, made where it has none; `None` where the dataset has no table for them.
    pub(super) async fn identity_key(&self) -> Result<Option<IdentityKey>> {
        if self.identities_contract().is_none() {
            return Ok(None);
        }
        self.key.get_or_try_init(|| self.open_key()).await.cloned().map(Some)
    }

    async fn open_key(&self) -> Result<IdentityKey> {
        let snapshot = self.store.snapshot(&TableName::new(PUBLIC, IDENTITIES)).await?;
        match IdentityKey::open(&self.store).await? {
            Some(key) => Ok(key),
            None if snapshot.files.is_empty() => IdentityKey::create(&self.store).await,
            None => Err(IngestError::IdentityKeyAbsent.into()),
        }
    }

    /// What the lake knows of identities, once it is this load's turn, all or of a large lake at least what it knows of
    /// `wanted`; `None` where the dataset has no table for them.
    pub(super) async fn identities(&self, wanted: Option<&Graph>) -> Result<Option<Identities>> {
        let Some(contract) = self.identities_contract() else { return Ok(None) };
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        let snapshot = self.store.snapshot(&TableName::new(PUBLIC, IDENTITIES)).await?;
        let conflicts = self.store.snapshot(&TableName::new(system::SCHEMA, system::CONFLICTS)).await?;
        let (version, conflicts_version) = (snapshot.version, conflicts.version);
        let rows: u64 = snapshot.files.iter().map(|file| file.rows).sum();
        let person_max = self.person_max().await?;
        let stored = match turn.take().filter(|known| known.versions == (version, conflicts_version)) {
            Some(Known { mut stored, .. }) => {
                stored.raise_person_max(person_max);
                stored
            }
            None => {
                let wanted = wanted.filter(|_| rows > self.whole_max);
                let conflicts = (&system::contract(system::CONFLICTS)?, conflicts);
                Stored::read(&self.store, (contract, snapshot), conflicts, person_max, wanted).await?
            }
        };
        let contract = contract.clone();
        Ok(Some(Identities { contract, version, rows, conflicts_version, stored, turn }))
    }

    /// Makes durable what the rows taught, and ends the turn. Another process that was faster is an error: it may have given
    /// the same numbers to new persons.
    pub(super) async fn teach(&self, teaching: Teaching<'_>, resolved: Resolved, identities: Identities) -> Result<()> {
        let Identities { contract, version, rows, conflicts_version, stored, mut turn } = identities;
        let Teaching { load_id, source, now_us } = teaching;
        let mut versions = (version, conflicts_version);
        let conflicts = system::schema(system::CONFLICTS)?;
        if let Some(batch) = identity::conflict_rows(&conflicts, &resolved.graph, &resolved.resolution, now_us)? {
            let id = step_id(load_id, "conflicts", version);
            let table = TableName::new(system::SCHEMA, system::CONFLICTS);
            versions.1 = self.append(table, id, stream_of(vec![batch], conflicts)).await?.version;
        }
        let schema = contract.stored_schema();
        let lesson = Arc::new(Lesson::new(resolved, stored, rows, source, now_us));
        let (store, table) = (self.store.within_a_write(), TableName::new(PUBLIC, IDENTITIES));
        let request =
            |step, rows| WriteRequest { load_id: step_id(load_id, step, version), rows, notes: BTreeMap::new() };
        let mut commits = 0;
        // Identifiers that are not stored yet need not be looked for. Cut off after them, the load finds its merges again.
        if lesson.adds() {
            let rows = request("identities", lesson.new_rows(&schema));
            versions.0 = store.add_onto(&table, versions.0, rows, &identity::SORTED_BY).await?.version;
            commits += 1;
        }
        if lesson.changes() {
            let rows = request("identities_changed", lesson.changed_rows(&schema));
            versions.0 = store.write_onto(&table, versions.0, rows).await?.version;
            commits += 1;
        }
        let is_own = versions.0 <= version + commits && versions.1 <= conflicts_version + 1;
        if is_own
            && self.stays(&lesson.stored)
            && lesson.graph.identifiers() <= LEARNED_MAX
            && let Some(lesson) = Arc::into_inner(lesson)
        {
            *turn = Some(Known { versions, stored: lesson.learned() });
        }
        Ok(())
    }

    /// Of a load that turned out to teach nothing: what is known stays for the next.
    pub(super) fn keep(&self, identities: Identities) {
        let Identities { version, conflicts_version, stored, mut turn, .. } = identities;
        if self.stays(&stored) {
            *turn = Some(Known { versions: (version, conflicts_version), stored });
        }
    }

    /// Whether the next load may begin with it.
    fn stays(&self, stored: &Stored) -> bool {
        stored.is_whole() && stored.identifiers() as u64 <= self.whole_max
    }

    /// The numbers of persons that a load found, as its report tells them.
    pub(super) fn tell_persons(resolved: &Resolved, report: &mut LoadReport) {
        report.identities_new = resolved.resolution.persons_new;
        report.identities_merged = resolved.resolution.merges.len() as u64;
    }

    /// The greatest one_id that a table has: files may bring their own.
    pub(super) async fn person_max(&self) -> Result<i64> {
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
}

/// The id of one of a load's writes; none where nobody will repeat the load.
fn step_id(load_id: &str, step: &str, version: u64) -> String {
    if load_id.is_empty() { String::new() } else { format!("{load_id}.{step}.{version}") }
}
