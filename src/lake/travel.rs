//! Earlier versions of tables, as far back as their files are kept.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde_json::Value;

use super::error::LakeError;
use super::snapshot::Snapshot;
use super::store::{Store, commit_path};
use super::table::TableName;
use crate::error::Result;

/// Earlier versions that are remembered: reading one replays the table's log.
const REMEMBERED_MAX: usize = 16;

/// Which version of a table is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Version(u64),
    /// The newest that was committed by then, in microseconds since 1970 UTC.
    Instant(i64),
}

/// Versions that were asked for, the last one at the end.
pub(super) type Remembered = Mutex<VecDeque<Arc<Snapshot>>>;

impl Store {
    /// An earlier version of a table. One whose files are gone is an error that says so.
    pub async fn snapshot_at(&self, name: &TableName, moment: Moment) -> Result<Arc<Snapshot>> {
        Ok(self.earlier(name, moment).await?)
    }

    async fn earlier(&self, name: &TableName, moment: Moment) -> Result<Arc<Snapshot>, LakeError> {
        let newest = self.newest(name).await?;
        let version = match moment {
            Moment::Version(version) => version,
            Moment::Instant(instant_us) => self.version_by(&newest, instant_us).await?,
        };
        if version == newest.version {
            return Ok(newest);
        }
        if version > newest.version {
            return Err(LakeError::VersionAbsent { table: name.to_string(), version, newest: newest.version });
        }
        let is_it = |known: &&Arc<Snapshot>| known.name == *name && known.version == version;
        let known = self.remembered().lock().unwrap_or_else(PoisonError::into_inner).iter().find(is_it).cloned();
        let earlier = match known {
            Some(known) => known,
            None => Arc::new(Snapshot::read(name, self.log(name)?, None, Some(version)).await?),
        };
        if !self.has_files(&earlier, &newest).await? {
            return Err(self.gone(&newest, version).await?);
        }
        let mut remembered = self.remembered().lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|known| !is_it(&known));
        remembered.push_back(Arc::clone(&earlier));
        if remembered.len() > REMEMBERED_MAX {
            remembered.pop_front();
        }
        Ok(earlier)
    }

    async fn has_files(&self, earlier: &Snapshot, newest: &Snapshot) -> Result<bool, LakeError> {
        let there: HashSet<&str> = newest.files.iter().map(|file| file.path.as_str()).collect();
        for file in earlier.files.iter().filter(|file| !there.contains(file.path.as_str())) {
            match self.object_store().head(&Path::from(file.path.as_str())).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// That a version cannot be read any more, and which can: going back from the newest, until a commit took away a file that
    /// is not there.
    async fn gone(&self, newest: &Snapshot, version: u64) -> Result<LakeError, LakeError> {
        let listed: Vec<ObjectMeta> = self.object_store().list(Some(&newest.name.folder())).try_collect().await?;
        let there: HashSet<String> = listed.into_iter().map(|meta| meta.location.to_string()).collect();
        let mut oldest = newest.version;
        while oldest > version + 1 {
            let Some(actions) = self.actions(&newest.name, oldest).await? else { break };
            let removed = actions.iter().filter_map(|action| action.get("remove")?.get("path")?.as_str());
            let mut paths = removed.map(|file| format!("{}/{file}", newest.name.folder()));
            if paths.any(|path| !there.contains(&path)) {
                break;
            }
            oldest -= 1;
        }
        let table = newest.name.to_string();
        Ok(LakeError::VersionGone { table, version, oldest, newest: newest.version })
    }

    /// The newest version that was committed by an instant.
    async fn version_by(&self, newest: &Snapshot, instant_us: i64) -> Result<u64, LakeError> {
        let (mut first, mut end) = (0, newest.version + 1);
        // All versions before `first` were committed by then, none from `end` on.
        while first < end {
            let middle = first + (end - first) / 2;
            if self.committed_us(&newest.name, middle).await? <= instant_us {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        first.checked_sub(1).ok_or_else(|| LakeError::TableYoung { table: newest.name.to_string() })
    }

    async fn committed_us(&self, name: &TableName, version: u64) -> Result<i64, LakeError> {
        let actions = self.actions(name, version).await?.unwrap_or_default();
        let told = actions.iter().find_map(|action| action.get("commitInfo")?.get("timestamp")?.as_i64());
        let found = "the commit is missing or does not tell its time".to_owned();
        let corrupt = || LakeError::Corrupt { path: commit_path(name, version).to_string(), found };
        told.map(|ms| ms.saturating_mul(1_000)).ok_or_else(corrupt)
    }

    /// What a commit says; `None` where it is missing, because another engine has cut the log.
    async fn actions(&self, name: &TableName, version: u64) -> Result<Option<Vec<Value>>, LakeError> {
        let bytes = match self.object_store().get(&commit_path(name, version)).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let lines = bytes.split(|byte| *byte == b'\n');
        Ok(Some(lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok()).collect()))
    }
}
