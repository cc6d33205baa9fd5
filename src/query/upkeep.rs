//! What a server does by itself for the tables of its lake: gathers small files, takes away rows that are kept no longer, and
//! files that no version of use names.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::engine::Lake;
use crate::catalog::inventory::Body;
use crate::error::Result;
use crate::lake::TableName;

/// How often files are taken away.
const VACUUM_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long a server that stops waits for the table that is being kept up.
const LAST_STEP_MAX: Duration = Duration::from_secs(10);

/// When a server keeps its tables up, and how long it keeps what left them.
#[derive(Debug, Clone, Copy)]
pub struct Upkeep {
    pub every: Duration,
    /// Queries that began on a version which is older may fail; time travel reaches back as far.
    pub retain: Duration,
}

impl Lake {
    /// Keeps the tables up until `shutdown`. What fails is tried again the next time.
    pub async fn keep_up(&self, upkeep: Upkeep, shutdown: CancellationToken) {
        let mut vacuumed: Option<Instant> = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(upkeep.every) => {}
            }
            let is_due = vacuumed.is_none_or(|then| then.elapsed() >= VACUUM_EVERY);
            if is_due {
                vacuumed = Some(Instant::now());
            }
            let (lake, retain) = (self.clone(), is_due.then_some(upkeep.retain));
            let ends = shutdown.clone();
            let work = self.pool().run(async move { lake.keep_up_once(retain, &ends).await });
            tokio::pin!(work);
            let outcome = tokio::select! {
                outcome = &mut work => outcome,
                // A table is whole wherever the work is cut, but what reads its log does not bear to lose its threads.
                () = shutdown.cancelled() => match timeout(LAST_STEP_MAX, &mut work).await {
                    Ok(outcome) => outcome,
                    Err(_) => return,
                },
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, "upkeep failed");
            }
        }
    }

    /// Every table that has a name: as SQL writes it in full, and where it lies. Those that an open block has to itself are
    /// left out: it takes their files away by itself.
    pub async fn tables(&self) -> Result<Vec<(String, TableName)>> {
        self.follow().await?;
        let inventory = self.inventory_at(&self.security().snapshot());
        let tables = inventory.relations().filter(|relation| matches!(relation.body, Body::Table(_)));
        Ok(tables.map(|relation| (relation.id().to_string(), relation.folder.clone())).collect())
    }

    /// Table by table, until `ends`.
    async fn keep_up_once(&self, retain: Option<Duration>, ends: &CancellationToken) -> Result<()> {
        if retain.is_some() {
            match self.expire(None).await {
                Ok(expired) => expired.iter().for_each(|(table, rows)| {
                    tracing::info!(table, rows, "rows were taken away that are kept no longer");
                }),
                Err(error) => tracing::warn!(%error, "rows that are kept no longer were not taken away"),
            }
        }
        for (_, name) in self.tables().await? {
            if ends.is_cancelled() {
                break;
            }
            match self.store().compact_piles(&name).await {
                Ok(commit) if commit.files > 0 => {
                    tracing::info!(table = %name, version = commit.version, files = commit.files, "small files were gathered");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(table = %name, %error, "small files were not gathered"),
            }
            let Some(retain) = retain else { continue };
            match self.store().vacuum(&name, retain).await {
                Ok(0) => {}
                Ok(files) => tracing::info!(table = %name, files, "files of old versions were taken away"),
                Err(error) => tracing::warn!(table = %name, %error, "files of old versions were not taken away"),
            }
        }
        Ok(())
    }
}
