//! One lake root: its tables and its small blobs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::ObjectStore;

use super::snapshot::Snapshot;
use super::table::{TableName, TableSpec};
use super::write::{Commit, WriteRequest};
use crate::error::{Error, Reason, Result};

/// Where scans find the lake in a DataFusion runtime; paths beneath it start at the root of the lake. One lake a runtime.
pub const STORE_URL: &str = "lake://store/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Harmless: a file that no commit names.
    Info,
    /// Rows are lost or wrong.
    Fault,
}

/// Something that [`Store::check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// From the root of the lake.
    pub path: String,
    pub message: String,
}

/// A lake. Clones share caches and locks.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    /// Makes a lake in a folder (made where absent) or at a `memory://` URL. Refuses a folder that holds a lake.
    pub async fn create(root: &str) -> Result<Self> {
        Err(unfinished(root))
    }

    /// Opens a lake that [`Store::create`] made.
    pub async fn open(root: &str) -> Result<Self> {
        Err(unfinished(root))
    }

    /// The lake's files, paths from its root. Writes through it are durable when they return.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    pub fn url(&self) -> ObjectStoreUrl {
        ObjectStoreUrl::local_filesystem()
    }

    /// Lets the scans of this lake run in `runtime`.
    pub fn register(&self, runtime: &RuntimeEnv) {
        let _ = runtime;
    }

    /// Makes an empty table. Refuses a name that is taken and a spec that names absent columns.
    pub async fn create_table(&self, name: &TableName, spec: &TableSpec) -> Result<()> {
        let _ = spec;
        Err(unfinished(&name.table))
    }

    /// Takes a table away. Its files go at once: snapshots held by running queries may then fail to read.
    pub async fn drop_table(&self, name: &TableName) -> Result<()> {
        Err(unfinished(&name.table))
    }

    /// In order of schema and table.
    pub async fn tables(&self) -> Result<Vec<TableName>> {
        Ok(Vec::new())
    }

    /// The newest version of a table. Costs one existence test where nothing changed.
    pub async fn snapshot(&self, name: &TableName) -> Result<Arc<Snapshot>> {
        Err(unfinished(&name.table))
    }

    /// Adds rows in one durable commit; see the module for keys and repeats. Waits for other writers, with a limit.
    pub async fn write(&self, name: &TableName, request: WriteRequest) -> Result<Commit> {
        let _ = request;
        Err(unfinished(&name.table))
    }

    /// Verifies every table: log readable and without gaps, files there with their size, rows and checksum.
    pub async fn check(&self) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    /// Writes a checkpoint of the table's newest version, so that opening it need not replay all commits.
    pub async fn checkpoint(&self, name: &TableName) -> Result<()> {
        Err(unfinished(&name.table))
    }

    /// Gathers the small files of each partition into large sorted ones. No row changes.
    pub async fn compact(&self, name: &TableName) -> Result<Commit> {
        Err(unfinished(&name.table))
    }

    /// Deletes files that no longer belong to the newest version and are older than `retain`; gives their number.
    pub async fn vacuum(&self, name: &TableName, retain: Duration) -> Result<u64> {
        let _ = retain;
        Err(unfinished(&name.table))
    }

    /// Writes a blob beside the tables, durably; `false` where one is there already, which then stays as it is.
    pub async fn put_if_absent(&self, path: &str, bytes: Bytes) -> Result<bool> {
        let _ = bytes;
        Err(unfinished(path))
    }

    /// Writes or replaces a blob, durably.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let _ = bytes;
        Err(unfinished(path))
    }

    /// `None` where there is no such blob.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        Err(unfinished(path))
    }

    /// The paths of all blobs beneath a folder, in order.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        Err(unfinished(folder))
    }
}

fn unfinished(what: &str) -> Error {
    Error::new(Reason::Unsupported, format!("{what:?} is not supported yet"))
}
