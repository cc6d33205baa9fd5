//! The security log and the audit log, kept among the blobs of a lake.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::access::{AuditStore, LogStore, LogStoreError, PutOutcome};
use crate::error::Error;
use crate::lake::Store;

pub struct LakeLog {
    store: Store,
}

impl LakeLog {
    pub fn new(store: Store) -> Self {
        Self { store }
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
        let written = self.store.put_if_absent(path, content).await.map_err(told)?;
        Ok(if written { PutOutcome::Written } else { PutOutcome::Exists })
    }

    async fn put(&self, path: &str, content: Bytes) -> Result<(), LogStoreError> {
        self.store.put(path, content).await.map_err(told)
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>, LogStoreError> {
        self.store.get(path).await.map_err(told)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LogStoreError> {
        self.store.list(prefix).await.map_err(told)
    }
}

#[async_trait]
impl AuditStore for LakeLog {
    async fn remove(&self, path: &str) -> Result<(), LogStoreError> {
        self.store.delete(path).await.map_err(told)
    }
}

fn told(error: Error) -> LogStoreError {
    LogStoreError(error.to_string())
}
