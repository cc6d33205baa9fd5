//! The security log, the audit log and the log of queries, kept among the blobs of a lake.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::access::{AuditStore, LogStore, LogStoreError, PutOutcome};
use crate::error::Error;
use crate::lake::Store;

/// The folder that the audit log names its files in.
const AUDIT: &str = "audit/";

pub struct LakeLog {
    store: Store,
    /// Where they lie instead.
    folder: &'static str,
}

impl LakeLog {
    pub fn new(store: Store) -> Self {
        Self { store, folder: AUDIT }
    }

    /// The files of the audit log's kind in another folder, whose name ends with a slash.
    pub fn in_folder(store: Store, folder: &'static str) -> Self {
        Self { store, folder }
    }

    fn inward(&self, path: &str) -> String {
        path.strip_prefix(AUDIT).map_or_else(|| path.to_owned(), |rest| format!("{}{rest}", self.folder))
    }

    fn outward(&self, path: String) -> String {
        path.strip_prefix(self.folder).map(|rest| format!("{AUDIT}{rest}")).unwrap_or(path)
    }
}

impl fmt::Debug for LakeLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LakeLog")
    }
}

#[async_trait]
impl LogStore for LakeLog {
    async fn put_if_absent(&self, path: &str, content: Bytes) -> Result<PutOutcome, LogStoreError> {
        let written = self.store.put_if_absent(&self.inward(path), content).await.map_err(told)?;
        Ok(if written { PutOutcome::Written } else { PutOutcome::Exists })
    }

    async fn put(&self, path: &str, content: Bytes) -> Result<(), LogStoreError> {
        self.store.put(&self.inward(path), content).await.map_err(told)
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>, LogStoreError> {
        self.store.get(&self.inward(path)).await.map_err(told)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LogStoreError> {
        let paths = self.store.list(&self.inward(prefix)).await.map_err(told)?;
        Ok(paths.into_iter().map(|path| self.outward(path)).collect())
    }
}

#[async_trait]
impl AuditStore for LakeLog {
    async fn remove(&self, paths: &[String]) -> Result<(), LogStoreError> {
        let paths: Vec<String> = paths.iter().map(|path| self.inward(path)).collect();
        self.store.delete(&paths).await.map_err(told)
    }
}

fn told(error: Error) -> LogStoreError {
    LogStoreError(error.to_string())
}
