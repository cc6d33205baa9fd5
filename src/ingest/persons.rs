//! The persons of a load's rows: what the lake knows of identities, joined by what the files say.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use super::check::ONE_ID;
use super::error::IngestError;
use super::identity::{self, IDENTITIES, IdentityKey, Resolved, Stored};
use super::load::{Load, Loader, PUBLIC, stream_of};
use super::reader::Input;
use super::request::{LoadReport, ProgressSink};
use super::system;
use crate::dataset::Contract;
use crate::error::Result;
use crate::lake::{TableName, WriteRequest};

/// Identities that are kept in memory from one load to the next; about a hundred bytes each. A lake with more is read anew.
const KEPT_MAX: usize = 4_000_000;

/// Identities while a load resolves them; no other load of this process does so meanwhile.
pub struct Identities {
    pub contract: Contract,
    /// Of the table, when it was read.
    pub version: u64,
    /// Of the table of shared identifiers.
    pub conflicts_version: u64,
    pub stored: Stored,
    pub key: IdentityKey,
    /// Held until the identities are durable.
    pub turn: Turn,
}

/// The turn to resolve identities, with what the load before has left of them.
pub type Turn = OwnedMutexGuard<Option<Known>>;

/// Identities at two versions of their tables.
pub struct Known {
    versions: (u64, u64),
    stored: Stored,
    key: IdentityKey,
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
        let Some(identities) = self.identities().await? else { return Ok((None, None)) };
        let (inputs, table, shared_max) =
            (inputs.to_vec(), Arc::clone(&load.contract), self.dataset.identity_shared_max);
        let progress = progress.cloned();
        let resolving = spawn_blocking(move || {
            let Identities { stored, key, .. } = &identities;
            let resolved = identity::resolve(&inputs, &table, key, stored, shared_max, progress.as_ref());
            resolved.map(|resolved| (resolved, identities))
        });
        let (resolved, identities) = resolving.await.map_err(|_| IngestError::ThreadEnded)??;
        Ok((Some(identities), resolved))
    }

    /// Whether rows of a table have persons that the lake knows by their identifiers.
    pub(super) fn identifies(&self, contract: &Contract) -> bool {
        contract.column(ONE_ID).is_some() && self.identities_contract().is_some()
    }

    fn identities_contract(&self) -> Option<&Contract> {
        self.dataset.contract(IDENTITIES).filter(|contract| identity::keeps_identities(contract))
    }

    /// What the lake knows of identities, once it is this load's turn; `None` where the dataset has no table for them.
    pub(super) async fn identities(&self) -> Result<Option<Identities>> {
        let Some(contract) = self.identities_contract() else { return Ok(None) };
        let mut turn = Arc::clone(&self.turn).lock_owned().await;
        let snapshot = self.store.snapshot(&TableName::new(PUBLIC, IDENTITIES)).await?;
        let conflicts = self.store.snapshot(&TableName::new(system::SCHEMA, system::CONFLICTS)).await?;
        let (version, conflicts_version) = (snapshot.version, conflicts.version);
        let person_max = self.person_max().await?;
        let (stored, key) = match turn.take().filter(|known| known.versions == (version, conflicts_version)) {
            Some(Known { mut stored, key, .. }) => {
                stored.raise_person_max(person_max);
                (stored, key)
            }
            None => {
                let conflicts = (&system::contract(system::CONFLICTS)?, conflicts);
                let stored = Stored::read(&self.store, (contract, snapshot), conflicts, person_max).await?;
                let key = match IdentityKey::open(&self.store).await? {
                    Some(key) => key,
                    None if stored.is_empty() => IdentityKey::create(&self.store).await?,
                    None => return Err(IngestError::IdentityKeyAbsent.into()),
                };
                (stored, key)
            }
        };
        let contract = contract.clone();
        Ok(Some(Identities { contract, version, conflicts_version, stored, key, turn }))
    }

    /// Makes durable what the rows taught, and ends the turn. Another process that was faster is an error: it may have given
    /// the same numbers to new persons.
    pub(super) async fn teach(
        &self,
        teaching: Teaching<'_>,
        resolved: &Resolved,
        identities: Identities,
    ) -> Result<()> {
        let Identities { contract, version, conflicts_version, mut stored, key, mut turn } = identities;
        let Teaching { load_id, source, now_us } = teaching;
        let (graph, resolution) = (&resolved.graph, &resolved.resolution);
        let mut versions = (version, conflicts_version);
        let conflicts = system::schema(system::CONFLICTS)?;
        if let Some(batch) = identity::conflict_rows(&conflicts, graph, resolution, now_us)? {
            let id = step_id(load_id, "conflicts", version);
            let table = TableName::new(system::SCHEMA, system::CONFLICTS);
            versions.1 = self.append(table, id, stream_of(vec![batch], conflicts)).await?.version;
        }
        let schema = contract.stored_schema();
        let batches = identity::identity_rows(&schema, graph, resolution, &stored, source, now_us)?;
        if !batches.is_empty() {
            let id = step_id(load_id, "identities", version);
            let request = WriteRequest { load_id: id, rows: stream_of(batches, schema), notes: BTreeMap::new() };
            let table = TableName::new(PUBLIC, IDENTITIES);
            // A row of each identifier that is not stored yet: then none needs to be looked for.
            let store = self.store.within_a_write();
            let commit = match resolution.teaches_only_new(graph, &stored, now_us) {
                true => store.add_onto(&table, version, request).await?,
                false => store.write_onto(&table, version, request).await?,
            };
            versions.0 = commit.version;
        }
        let is_own = versions.0 <= version + 1 && versions.1 <= conflicts_version + 1;
        if is_own && stored.len() <= KEPT_MAX {
            stored.extend(graph, resolution, source, now_us);
            *turn = Some(Known { versions, stored, key });
        }
        Ok(())
    }

    /// Of a load that turned out to teach nothing: what is known stays for the next.
    pub(super) fn keep(&self, identities: Identities) {
        let Identities { version, conflicts_version, stored, key, mut turn, .. } = identities;
        if stored.len() <= KEPT_MAX {
            *turn = Some(Known { versions: (version, conflicts_version), stored, key });
        }
    }

    /// The numbers of persons that a load found, as its report tells them.
    pub(super) fn tell_persons(resolved: &Resolved, report: &mut LoadReport) {
        report.identities_new = resolved.resolution.persons_new;
        report.identities_merged = resolved.resolution.merges.len() as u64;
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
}

/// The id of one of a load's writes; none where nobody will repeat the load.
fn step_id(load_id: &str, step: &str, version: u64) -> String {
    if load_id.is_empty() { String::new() } else { format!("{load_id}.{step}.{version}") }
}
