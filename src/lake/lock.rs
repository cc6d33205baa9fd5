//! One writer a table within this process, one writing process a lake.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::error::LakeError;
use super::table::TableName;

/// How long a write waits for another process before it gives up.
const WAIT_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// The right to commit to one table. Dropping it gives the right back.
#[derive(Debug)]
pub struct Held {
    _table: OwnedMutexGuard<()>,
    _lake: Option<Arc<File>>,
}

#[derive(Debug)]
pub struct Locks {
    root: String,
    /// `None` where the lake is not in a local folder: there the commit's put-if-absent alone decides.
    file: Option<PathBuf>,
    open: AsyncMutex<Weak<File>>,
    tables: Mutex<HashMap<TableName, Arc<AsyncMutex<()>>>>,
    wait_max: Duration,
}

impl Locks {
    pub fn new(root: &str, file: Option<PathBuf>) -> Self {
        let (open, tables) = (AsyncMutex::default(), Mutex::default());
        Self { root: root.to_owned(), file, open, tables, wait_max: WAIT_MAX }
    }

    /// Waits for other writers of the table in this process, then for other processes.
    pub async fn hold(&self, name: &TableName) -> Result<Held, LakeError> {
        let table = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tables.entry(name.clone()).or_default())
        };
        let table = table.lock_owned().await;
        Ok(Held { _table: table, _lake: self.hold_lake().await? })
    }

    /// The operating system's lock is the process's: its holders share one open file, and the last to leave unlocks it.
    async fn hold_lake(&self) -> Result<Option<Arc<File>>, LakeError> {
        let Some(path) = &self.file else { return Ok(None) };
        let mut open = self.open.lock().await;
        if let Some(file) = open.upgrade() {
            return Ok(Some(file));
        }
        let failed = |source| LakeError::Io { path: path.display().to_string(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if started.elapsed() < self.wait_max => tokio::time::sleep(POLL).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(LakeError::Locked { root: self.root.clone(), waited: self.wait_max });
                }
            }
        }
        let file = Arc::new(file);
        *open = Arc::downgrade(&file);
        Ok(Some(file))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn locks(path: PathBuf) -> Locks {
        Locks { wait_max: Duration::ZERO, ..Locks::new("lake", Some(path)) }
    }

    #[tokio::test]
    async fn two_processes_do_not_write_at_once_and_two_tables_of_one_process_do() {
        let folder = tempfile::tempdir().unwrap();
        let (here, elsewhere) = (locks(folder.path().join("lock")), locks(folder.path().join("lock")));
        let orders = here.hold(&TableName::new("public", "orders")).await.unwrap();
        let items = here.hold(&TableName::new("public", "items")).await.unwrap();
        drop(orders);
        let refused = elsewhere.hold(&TableName::new("public", "orders")).await;
        assert!(matches!(refused, Err(LakeError::Locked { .. })));
        drop(items);
        elsewhere.hold(&TableName::new("public", "orders")).await.unwrap();
    }
}
