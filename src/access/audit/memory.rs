//! The audit log of a lake that lives in memory.

use async_trait::async_trait;

use super::super::store::log::LogStoreError;
use super::super::store::memory::MemoryLog;
use super::segments::AuditStore;

#[async_trait]
impl AuditStore for MemoryLog {
    async fn remove(&self, paths: &[String]) -> Result<(), LogStoreError> {
        paths.iter().for_each(|path| self.tamper(path, None));
        Ok(())
    }
}
