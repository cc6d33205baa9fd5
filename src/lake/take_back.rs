//! Takes inserted rows away again: what ROLLBACK TO SAVEPOINT does to a table that one transaction block has to itself.

use std::collections::HashSet;

use super::error::LakeError;
use super::snapshot::Snapshot;
use super::store::Store;
use super::stored::remove;
use super::table::TableName;
use crate::error::Result;

impl Store {
    /// Takes away the files that came after `version`, in a commit of its own; gives the version that is then the newest.
    /// For tables to which rows are added and from which none are taken.
    pub async fn take_back(&self, name: &TableName, version: u64) -> Result<u64> {
        Ok(self.to_version(name, version).await?)
    }

    async fn to_version(&self, name: &TableName, version: u64) -> Result<u64, LakeError> {
        let _turn = self.locks().hold(name).await?;
        let newest = self.newest(name).await?;
        if newest.version == version {
            return Ok(version);
        }
        let then = Snapshot::read(name, self.log(name)?, None, Some(version)).await?;
        let kept: HashSet<&str> = then.files.iter().map(|file| file.path.as_str()).collect();
        let later = newest.files.iter().filter(|file| !kept.contains(file.path.as_str()));
        let actions: Vec<_> = later.map(|file| remove(file, &newest.spec, true)).collect();
        if actions.is_empty() {
            return Ok(newest.version);
        }
        self.commit_upkeep(&newest, actions, "take back").await
    }
}
