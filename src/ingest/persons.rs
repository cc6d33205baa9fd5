//! The persons of a load's rows: what the lake knows of identities, joined by what the files say.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use super::check::ONE_ID;
use super::error::IngestError;
use super::identity::{self, IDENTITIES, IdentityKey, Resolved, Stored};
use super::load::{Load, Loader, PUBLIC};
use super::reader::Input;
use super::request::ProgressSink;
use super::system;
use crate::dataset::Contract;
use crate::error::Result;
use crate::lake::TableName;

/// Identities while a load resolves them; no other load of this process does so meanwhile.
pub struct Identities {
    pub contract: Contract,
    /// Of the table, when it was read.
    pub version: u64,
    pub stored: Stored,
    /// Held until the identities are durable.
    pub turn: OwnedMutexGuard<()>,
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
        let identities = self.dataset.contract(IDENTITIES).filter(|contract| identity::keeps_identities(contract));
        let Some(contract) = identities.filter(|_| load.contract.column(ONE_ID).is_some()) else {
            return Ok((None, None));
        };
        if !identity::may_identify(inputs)? {
            return Ok((None, None));
        }
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
        let progress = progress.cloned();
        let resolving = spawn_blocking(move || {
            let resolved = identity::resolve(&inputs, &table, &key, &stored, shared_max, progress.as_ref());
            resolved.map(|resolved| (resolved, stored))
        });
        let (resolved, stored) = resolving.await.map_err(|_| IngestError::ThreadEnded)??;
        let identities = Identities { contract: contract.clone(), version, stored, turn };
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
}
