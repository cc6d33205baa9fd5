//! One lake root: its tables and its small blobs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::DeltaTable;
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use serde_json::json;
use url::Url;

use super::arrange;
use super::durable::{Disk, DurableStore, OsDisk, make_lasting};
use super::error::LakeError;
use super::key_index::KeyIndex;
use super::lock::Locks;
use super::snapshot::Snapshot;
use super::table::{MONTH, PartitionSpec, StoredColumn, TABLES, TableName, TableSpec, folder_text};
use super::travel::Remembered;
use crate::error::Result;

/// Where scans find the lake in a DataFusion runtime; paths beneath it start at the root of the lake. One lake a runtime.
pub const STORE_URL: &str = "lake://store/";
/// Says that a folder is a lake, and in which format.
pub(super) const MARKER: &str = "henna-lake.json";
const FORMAT: u64 = 1;
/// Held by the process that writes.
pub(super) const LOCK: &str = ".writer";
/// A checkpoint follows every so many commits.
const CHECKPOINT_COMMITS: u64 = 50;

/// What one lake's writes may hold in memory together before rows go to the disk.
const SORT_BYTES_MAX: usize = 768 << 20;
/// The same of writes within writes.
const INNER_SORT_BYTES_MAX: usize = 384 << 20;

/// A lake. Clones share caches and locks.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// Of its writes; queries have their own.
    runtime: Arc<RuntimeEnv>,
}

struct Shared {
    root: String,
    objects: Arc<dyn ObjectStore>,
    /// The same where they lie in a folder.
    durable: Option<DurableStore>,
    locks: Locks,
    snapshots: Mutex<HashMap<TableName, Cached>>,
    earlier: Remembered,
    key_index: KeyIndex,
    /// Of writes that are made while another one waits with the memory that it has.
    inner_runtime: Arc<RuntimeEnv>,
}

/// A snapshot, and what tells its table from a later one of the same name.
#[derive(Clone)]
struct Cached {
    snapshot: Arc<Snapshot>,
    born: chrono::DateTime<chrono::Utc>,
}

impl Store {
    /// Makes a lake in a folder (made where absent) or at a `memory://` URL. Refuses a folder that holds a lake.
    pub async fn create(root: &str) -> Result<Self> {
        Self::create_on(root, Arc::new(OsDisk)).await
    }

    pub(super) async fn create_on(root: &str, disk: Arc<dyn Disk>) -> Result<Self> {
        if let Place::Folder(folder) = place(root)? {
            let failed = |source| LakeError::Io { path: root.to_owned(), source };
            make_lasting(&folder, disk.as_ref()).map_err(failed)?;
        }
        let store = Self::at(root, disk)?;
        let marker = Bytes::from(format!("{}\n", json!({ "format": FORMAT })));
        if !store.put_if_absent(MARKER, marker).await? {
            return Err(LakeError::LakeExists { root: root.to_owned() }.into());
        }
        Ok(store)
    }

    /// Opens a lake that [`Store::create`] made.
    pub async fn open(root: &str) -> Result<Self> {
        Self::open_on(root, Arc::new(OsDisk)).await
    }

    pub(super) async fn open_on(root: &str, disk: Arc<dyn Disk>) -> Result<Self> {
        let absent = || LakeError::LakeAbsent { root: root.to_owned() };
        if let Place::Folder(folder) = place(root)?
            && !folder.join(MARKER).is_file()
        {
            return Err(absent().into());
        }
        let store = Self::at(root, disk)?;
        let marker = store.get(MARKER).await?.ok_or_else(absent)?;
        let marker: serde_json::Value = serde_json::from_slice(&marker)
            .map_err(|error| LakeError::Corrupt { path: MARKER.to_owned(), found: error.to_string() })?;
        match marker["format"].as_u64() {
            Some(FORMAT) => Ok(store),
            found => {
                let found = found.unwrap_or_default();
                Err(LakeError::FormatUnknown { root: root.to_owned(), found, known: FORMAT }.into())
            }
        }
    }

    pub(super) fn at(root: &str, disk: Arc<dyn Disk>) -> Result<Self, LakeError> {
        match place(root)? {
            Place::Memory => Self::over(Arc::new(InMemory::new()), root),
            Place::Folder(folder) => {
                let failed = |source| LakeError::Io { path: root.to_owned(), source };
                let folder = folder.canonicalize().map_err(failed)?;
                let durable = DurableStore::new(&folder, disk)?;
                let lock = Some(folder.join(LOCK));
                Self::of(Arc::new(durable.clone()), Some(durable), Locks::new(root, lock), root)
            }
        }
    }

    /// A lake whose root is that of `objects`. The store must list in order of path and know put-if-absent.
    pub(super) fn over(objects: Arc<dyn ObjectStore>, root: &str) -> Result<Self, LakeError> {
        Self::of(objects, None, Locks::new(root, None), root)
    }

    fn of(
        objects: Arc<dyn ObjectStore>,
        durable: Option<DurableStore>,
        locks: Locks,
        root: &str,
    ) -> Result<Self, LakeError> {
        let shared = Shared {
            root: root.to_owned(),
            objects,
            durable,
            locks,
            snapshots: Mutex::default(),
            earlier: Remembered::default(),
            key_index: KeyIndex::default(),
            inner_runtime: arrange::runtime(INNER_SORT_BYTES_MAX)?,
        };
        Ok(Self { shared: Arc::new(shared), runtime: arrange::runtime(SORT_BYTES_MAX)? })
    }

    /// As the caller named it.
    pub fn root(&self) -> &str {
        &self.shared.root
    }

    /// The lake's files, paths from its root. Writes through it are durable when they return.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.shared.objects)
    }

    pub fn url(&self) -> Result<ObjectStoreUrl> {
        Ok(ObjectStoreUrl::parse(STORE_URL).map_err(LakeError::from)?)
    }

    /// Lets the scans of this lake run in `runtime`.
    pub fn register(&self, runtime: &RuntimeEnv) -> Result<()> {
        let url = self.url()?;
        runtime.register_object_store(url.as_ref(), self.object_store());
        Ok(())
    }

    pub(super) fn key_index(&self) -> &KeyIndex {
        &self.shared.key_index
    }

    pub(super) fn remembered(&self) -> &Remembered {
        &self.shared.earlier
    }

    pub(super) fn locks(&self) -> &Locks {
        &self.shared.locks
    }

    /// The same lake for writes that another write waits for: their memory is their own, since the one that waits gives none back.
    pub fn within_a_write(&self) -> Self {
        Self { runtime: Arc::clone(&self.shared.inner_runtime), ..self.clone() }
    }

    pub(super) fn writing(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }

    /// Makes an empty table. Refuses a name that is taken and a spec that names absent columns.
    pub async fn create_table(&self, name: &TableName, spec: &TableSpec) -> Result<()> {
        spec.validate(name)?;
        let _turn = self.locks().hold(name).await?;
        if self.born(name).await?.is_some() {
            return Err(LakeError::TableExists { table: name.to_string() }.into());
        }
        // What is left of a table that was dropped half way must not become part of this one.
        self.empty(name).await?;
        let schema: StructType = (&delta_schema(spec)).try_into_kernel().map_err(LakeError::from)?;
        let created = DeltaTable::new(self.log(name)?)
            .create()
            .with_columns(schema.fields().cloned())
            .with_partition_columns(spec.partition.iter().map(PartitionSpec::column))
            .with_configuration(spec.properties())
            .with_raise_if_key_not_exists(false)
            .with_commit_properties(
                CommitProperties::default().with_create_checkpoint(false).with_cleanup_expired_logs(Some(false)),
            )
            .await;
        match created {
            Ok(_) => Ok(()),
            // Someone who does not share the lock was faster.
            Err(_) if self.born(name).await?.is_some() => {
                Err(LakeError::TableExists { table: name.to_string() }.into())
            }
            Err(error) => Err(LakeError::from(error).into()),
        }
    }

    /// Takes a table away. Its files go at once: snapshots held by running queries may then fail to read.
    pub async fn drop_table(&self, name: &TableName) -> Result<()> {
        let _turn = self.locks().hold(name).await?;
        if self.born(name).await?.is_none() {
            return Err(LakeError::TableAbsent { table: name.to_string() }.into());
        }
        // Without its first commit a table is no more; the rest is rubbish that may go in any order.
        self.shared.objects.delete(&commit_path(name, 0)).await.map_err(LakeError::from)?;
        self.forget(name);
        Ok(self.empty(name).await?)
    }

    async fn empty(&self, name: &TableName) -> Result<(), LakeError> {
        let files: Vec<Path> =
            self.shared.objects.list(Some(&name.folder())).map_ok(|meta| meta.location).try_collect().await?;
        self.delete_all(files).await
    }

    /// Those that are gone already are passed over.
    pub(super) async fn delete_all(&self, files: Vec<Path>) -> Result<(), LakeError> {
        let files = futures::stream::iter(files.into_iter().map(Ok)).boxed();
        let mut deleted = self.shared.objects.delete_stream(files);
        while let Some(outcome) = deleted.next().await {
            match outcome {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Lets a file last that another writer put there: it may have died before it did so itself.
    pub(super) async fn settle(&self, path: &Path) -> Result<(), LakeError> {
        match &self.shared.durable {
            Some(durable) => Ok(durable.settle(path).await?),
            None => Ok(()),
        }
    }

    /// Deletes what writers of a table had not yet put into its place when they died, and gives the number of files.
    pub(super) async fn sweep(&self, name: &TableName) -> Result<u64, LakeError> {
        match &self.shared.durable {
            Some(durable) => Ok(durable.sweep(&name.folder()).await?),
            None => Ok(0),
        }
    }

    /// In order of schema and table.
    pub async fn tables(&self) -> Result<Vec<TableName>> {
        Ok(self.named_tables().await?)
    }

    pub(super) async fn named_tables(&self) -> Result<Vec<TableName>, LakeError> {
        let mut names = Vec::new();
        for schema in self.shared.objects.list_with_delimiter(Some(&Path::from(TABLES))).await?.common_prefixes {
            for table in self.shared.objects.list_with_delimiter(Some(&schema)).await?.common_prefixes {
                let text = |path: &Path| path.filename().and_then(folder_text);
                let (Some(schema), Some(table)) = (text(&schema), text(&table)) else { continue };
                let name = TableName { schema, table };
                if self.born(&name).await?.is_some() {
                    names.push(name);
                }
            }
        }
        names.sort();
        Ok(names)
    }

    /// The newest version of a table. Costs two existence tests where nothing changed.
    pub async fn snapshot(&self, name: &TableName) -> Result<Arc<Snapshot>> {
        Ok(self.newest(name).await?)
    }

    /// Whether the newest version of a table holds a load, which then lasts.
    pub async fn holds(&self, name: &TableName, load_id: &str) -> Result<bool> {
        let snapshot = self.newest(name).await?;
        Ok(self.loaded_at(&snapshot, load_id).await?.is_some())
    }

    /// The version that a load made: one of which is told that it is there must last.
    pub(super) async fn loaded_at(&self, snapshot: &Snapshot, load_id: &str) -> Result<Option<i64>, LakeError> {
        let version = snapshot.loaded_at(load_id).await?;
        if version.is_some() {
            self.settle(&commit_path(&snapshot.name, snapshot.version)).await?;
        }
        Ok(version)
    }

    pub(super) async fn newest(&self, name: &TableName) -> Result<Arc<Snapshot>, LakeError> {
        let absent = || LakeError::TableAbsent { table: name.to_string() };
        let born = self.born(name).await?.ok_or_else(absent)?;
        let cached = self.cache().get(name).cloned().filter(|cached| cached.born == born);
        if let Some(cached) = &cached
            && self.modified(&commit_path(name, cached.snapshot.version + 1)).await?.is_none()
        {
            return Ok(Arc::clone(&cached.snapshot));
        }
        let before = cached.map(|cached| cached.snapshot);
        let read = Arc::new(Snapshot::read(name, self.log(name)?, before, None).await?);
        let mut cache = self.cache();
        // Another reader may have been faster and seen more.
        let newer = cache.get(name).filter(|other| other.born == born && other.snapshot.version > read.version);
        let snapshot = newer.map_or(read, |other| Arc::clone(&other.snapshot));
        cache.insert(name.clone(), Cached { snapshot: Arc::clone(&snapshot), born });
        Ok(snapshot)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<TableName, Cached>> {
        self.shared.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self, name: &TableName) {
        self.cache().remove(name);
    }

    /// When the table's first commit was written; `None` where there is no table.
    async fn born(&self, name: &TableName) -> Result<Option<chrono::DateTime<chrono::Utc>>, LakeError> {
        self.modified(&commit_path(name, 0)).await
    }

    async fn modified(&self, path: &Path) -> Result<Option<chrono::DateTime<chrono::Utc>>, LakeError> {
        match self.shared.objects.head(path).await {
            Ok(meta) => Ok(Some(meta.last_modified)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn log(&self, name: &TableName) -> Result<LogStoreRef, LakeError> {
        let url = format!("{STORE_URL}{}", name.folder());
        let url = Url::parse(&url).map_err(|_| LakeError::PathReserved { path: url })?;
        let table: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(self.object_store(), name.folder()));
        Ok(default_logstore(table, self.object_store(), &url, &StorageConfig::default()))
    }

    /// Called after each commit: a checkpoint is due now and then, and must not hold up the writer.
    pub(super) fn committed(&self, name: &TableName, version: u64) {
        if !version.is_multiple_of(CHECKPOINT_COMMITS) {
            return;
        }
        let (store, name) = (self.clone(), name.clone());
        tokio::spawn(async move {
            if let Err(error) = store.checkpoint(&name).await {
                tracing::warn!(table = %name, version, %error, "no checkpoint was written");
            }
        });
    }

    /// Writes a blob beside the tables, durably; `false` where one is there already, which then stays as it is.
    pub async fn put_if_absent(&self, path: &str, bytes: Bytes) -> Result<bool> {
        let path = blob_path(path)?;
        match self.shared.objects.put_opts(&path, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => {
                self.settle(&path).await?;
                Ok(false)
            }
            Err(error) => Err(LakeError::from(error).into()),
        }
    }

    /// Writes or replaces a blob, durably.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.shared.objects.put(&blob_path(path)?, bytes.into()).await.map_err(LakeError::from)?;
        Ok(())
    }

    /// `None` where there is no such blob.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        match self.shared.objects.get(&blob_path(path)?).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(LakeError::from)?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(LakeError::from(error).into()),
        }
    }

    /// Deletes blobs, durably. Nothing happens where there is no such blob.
    pub async fn delete(&self, paths: &[String]) -> Result<()> {
        let paths = paths.iter().map(|path| blob_path(path)).collect::<Result<Vec<Path>, LakeError>>()?;
        Ok(self.delete_all(paths).await?)
    }

    /// The paths of all blobs beneath a folder, in order.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let listed = self.shared.objects.list(Some(&blob_path(folder)?));
        let paths: Result<Vec<String>, _> = listed.map_ok(|meta| meta.location.to_string()).try_collect().await;
        Ok(paths.map_err(LakeError::from)?)
    }
}

/// The columns as Delta is told of them. To Delta an empty text as a partition is a null, so that column takes nulls.
pub(super) fn delta_schema(spec: &TableSpec) -> Schema {
    let by = spec.partition.as_ref().map(PartitionSpec::column);
    let field = |column: &StoredColumn| {
        let partitions = by == Some(column.field.name().as_str());
        column.field.clone().with_nullable(partitions || column.field.is_nullable())
    };
    let hidden =
        matches!(spec.partition, Some(PartitionSpec::Month(_))).then(|| Field::new(MONTH, DataType::Utf8, true));
    Schema::new(spec.columns.iter().map(field).chain(hidden).collect::<Vec<_>>())
}

pub(super) fn commit_path(name: &TableName, version: u64) -> Path {
    Path::from(format!("{}/_delta_log/{version:020}.json", name.folder()))
}

fn blob_path(path: &str) -> Result<Path, LakeError> {
    let reserved = || LakeError::PathReserved { path: path.to_owned() };
    let parsed = Path::parse(path).map_err(|_| reserved())?;
    match parsed.parts().next() {
        Some(first) if first.as_ref() == TABLES => Err(reserved()),
        _ => Ok(parsed),
    }
}

pub(super) enum Place {
    Folder(PathBuf),
    Memory,
}

pub(super) fn place(root: &str) -> Result<Place, LakeError> {
    let refuse = |rule| LakeError::RootInvalid { root: root.to_owned(), rule };
    match root.split_once("://") {
        None if root.is_empty() => Err(refuse("it is empty")),
        None => Ok(Place::Folder(PathBuf::from(root))),
        Some(("memory", _)) => Ok(Place::Memory),
        Some(("file", _)) => {
            let url = Url::parse(root).map_err(|_| refuse("it is not a URL"))?;
            url.to_file_path().map(Place::Folder).map_err(|()| refuse("it is not a path of this machine"))
        }
        Some(_) => Err(refuse("only folders, file:// and memory:// are known")),
    }
}
