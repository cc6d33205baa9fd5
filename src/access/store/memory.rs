//! A log store in memory that can be told to fail or to rot: for tests, and for lakes that live in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::log::{LogStore, LogStoreError, PutOutcome};

#[derive(Debug, Default)]
pub struct MemoryLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Bytes>,
    fault: Option<Fault>,
}

/// What goes wrong at the next write, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written.
    Before,
    /// The file is written, but the answer is lost.
    After,
}

impl MemoryLog {
    pub fn fail_next_put(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Replaces the content of a file; None removes it.
    pub fn tamper(&self, path: &str, content: Option<Bytes>) {
        match content {
            Some(content) => self.state().files.insert(path.to_string(), content),
            None => self.state().files.remove(path),
        };
    }

    pub fn content(&self, path: &str) -> Option<Bytes> {
        self.state().files.get(path).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LogStore for MemoryLog {
    async fn put_if_absent(&self, path: &str, content: Bytes) -> Result<PutOutcome, LogStoreError> {
        let mut state = self.state();
        let fault = state.fault.take();
        if fault == Some(Fault::Before) {
            return Err(LogStoreError("write refused".to_string()));
        }
        if state.files.contains_key(path) {
            return Ok(PutOutcome::Exists);
        }
        state.files.insert(path.to_string(), content);
        if fault == Some(Fault::After) {
            return Err(LogStoreError("answer lost".to_string()));
        }
        Ok(PutOutcome::Written)
    }

    async fn put(&self, path: &str, content: Bytes) -> Result<(), LogStoreError> {
        self.tamper(path, Some(content));
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>, LogStoreError> {
        Ok(self.content(path))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LogStoreError> {
        Ok(self.state().files.keys().filter(|path| path.starts_with(prefix)).cloned().collect())
    }
}
