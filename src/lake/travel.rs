//! Earlier versions of tables, as far back as their files are kept.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStoreExt;
use object_store::path::Path;
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
        self.require_files(&earlier, &newest).await?;
        let mut remembered = self.remembered().lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|known| !is_it(&known));
        remembered.push_back(Arc::clone(&earlier));
        if remembered.len() > REMEMBERED_MAX {
            remembered.pop_front();
        }
        Ok(earlier)
    }

    async fn require_files(&self, earlier: &Snapshot, newest: &Snapshot) -> Result<(), LakeError> {
        let there: HashSet<&str> = newest.files.iter().map(|file| file.path.as_str()).collect();
        for file in earlier.files.iter().filter(|file| !there.contains(file.path.as_str())) {
            match self.object_store().head(&Path::from(file.path.as_str())).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => {
                    return Err(LakeError::VersionGone { table: earlier.name.to_string(), version: earlier.version });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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
        let path = commit_path(name, version);
        let bytes = match self.object_store().get(&path).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(LakeError::VersionGone { table: name.to_string(), version });
            }
            Err(error) => return Err(error.into()),
        };
        let actions = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let mut told = actions.filter_map(|action| action.get("commitInfo")?.get("timestamp")?.as_i64());
        let corrupt =
            || LakeError::Corrupt { path: path.to_string(), found: "the commit does not tell its time".into() };
        told.next().map(|ms| ms.saturating_mul(1_000)).ok_or_else(corrupt)
    }
}
