//! An object store on a local folder whose writes have reached the disk when they return.
//!
//! A file is staged beside its place, synced, then linked (put-if-absent) or renamed (put) into place, and the folder is
//! synced: after a power cut a path holds the whole old bytes, the whole new bytes, or nothing. Folders are synced into their
//! parents, and so are deletions. Staged files have names that listings leave out (`name#123`), and are locked by who writes them.

mod disk;
mod staged;
#[cfg(test)]
mod tests;
mod upload;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

pub use self::disk::{Disk, OsDisk, make_lasting};
use self::upload::Upload;

/// So much is read without waking another thread for it: it takes less time than that, and who asks is a thread that reads.
const AT_ONCE_BYTES_MAX: u64 = 512 << 10;
/// So many files are deleted before their folders are synced.
const DELETED_TOGETHER: usize = 1000;

/// See the module.
#[derive(Debug, Clone)]
pub struct DurableStore {
    files: LocalFileSystem,
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    /// Folders that were synced into their parents.
    lasting: Arc<Mutex<HashSet<PathBuf>>>,
}

impl DurableStore {
    /// `folder` must exist.
    pub fn new(folder: &FsPath, disk: Arc<dyn Disk>) -> Result<Self> {
        let (files, lasting) = (LocalFileSystem::new_with_prefix(folder)?, Arc::default());
        Ok(Self { files, folder: folder.to_path_buf(), disk, lasting })
    }

    /// Makes the folders above `path`, each synced into its parent. One that is there may be of a process that died before it
    /// had synced it, or of a writer that is about to, so it is synced once, too. A lake that was taken away is not made again.
    fn make_folders(&self, path: &FsPath) -> io::Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        let is_there = parent.is_dir();
        if parent == self.folder {
            let gone = || io::Error::new(io::ErrorKind::NotFound, "the folder of the lake is gone");
            return if is_there { Ok(()) } else { Err(gone()) };
        }
        if is_there && self.lasting().contains(parent) {
            return Ok(());
        }
        self.make_folders(parent)?;
        match fs::create_dir(parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(above) = parent.parent() {
            self.disk.sync_folder(above)?;
        }
        self.lasting().insert(parent.to_path_buf());
        Ok(())
    }

    fn lasting(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a file last that is there: its writer may have died before it had synced the folder, or not have come so far.
    pub async fn settle(&self, location: &Path) -> Result<()> {
        let target = self.files.path_to_filesystem(location)?;
        let (store, location) = (self.clone(), location.clone());
        blocking(move || {
            let settled = store.make_folders(&target).and_then(|()| store.sync_folder_of(&target));
            settled.map_err(|error| failed(&location, error))
        })
        .await
    }

    fn sync_folder_of(&self, target: &FsPath) -> io::Result<()> {
        self.disk.sync_folder(target.parent().unwrap_or(&self.folder))
    }

    fn stage(&self, target: &FsPath) -> io::Result<(File, PathBuf)> {
        self.make_folders(target)?;
        let staged = staged::name_of(target);
        let file = OpenOptions::new().write(true).create_new(true).open(&staged)?;
        // Where the file system knows no locks, what was left behind is not told from what is on its way, and stays.
        let _ = file.try_lock();
        Ok((file, staged))
    }

    /// Moves a staged file into place, durably. The staged name is gone afterwards, whatever comes.
    fn publish(&self, file: &File, staged: &FsPath, target: &FsPath, mode: Publish) -> io::Result<()> {
        let published = self.disk.sync_file(file).and_then(|()| match mode {
            Publish::IfAbsent => self.disk.link(staged, target),
            Publish::Replace => self.disk.rename(staged, target),
        });
        // A link leaves the staged name behind, a failure leaves the staged file; a rename took it along.
        let _ = fs::remove_file(staged);
        published?;
        self.sync_folder_of(target)
    }

    /// Deletes what writers beneath `prefix` had staged when they died, and gives the number of files.
    pub async fn sweep(&self, prefix: &Path) -> Result<u64> {
        let folder = self.files.path_to_filesystem(prefix)?;
        let prefix = prefix.clone();
        blocking(move || staged::sweep(&folder).map_err(|error| failed(&prefix, error))).await
    }

    /// What became of each; an error more where they may come back after a power cut.
    fn delete_all(&self, locations: Vec<Result<Path>>) -> Vec<Result<Path>> {
        let mut folders = BTreeSet::new();
        let mut delete = |location: Path| {
            let path = self.files.path_to_filesystem(&location)?;
            fs::remove_file(&path).map_err(|error| failed(&location, error))?;
            folders.extend(path.parent().map(FsPath::to_path_buf));
            Ok(location)
        };
        let mut outcomes: Vec<Result<Path>> =
            locations.into_iter().map(|location| location.and_then(&mut delete)).collect();
        if let Some(error) = folders.iter().find_map(|folder| self.disk.sync_folder(folder).err()) {
            outcomes.insert(0, Err(failed(&Path::default(), error)));
        }
        outcomes
    }

    /// Whether a file is there, how long and how old. Asked before each statement, and quicker than waking another thread for it.
    fn look_at(&self, location: &Path, options: &GetOptions) -> Result<GetResult> {
        let found = fs::metadata(self.files.path_to_filesystem(location)?).map_err(|error| failed(location, error))?;
        if found.is_dir() {
            return Err(failed(location, io::ErrorKind::NotFound.into()));
        }
        let last_modified = found.modified().map_err(|error| failed(location, error))?.into();
        let (size, location) = (found.len(), location.clone());
        let meta = ObjectMeta { location, last_modified, size, e_tag: None, version: None };
        options.check_preconditions(&meta)?;
        let payload = GetResultPayload::Stream(stream::empty().boxed());
        Ok(GetResult { payload, meta, range: 0..size, attributes: Attributes::default() })
    }

    fn write(&self, target: &FsPath, payload: &PutPayload, mode: Publish) -> io::Result<()> {
        let (mut file, staged) = self.stage(target)?;
        if let Err(error) = payload.iter().try_for_each(|bytes| file.write_all(bytes)) {
            let _ = fs::remove_file(&staged);
            return Err(error);
        }
        self.publish(&file, &staged, target, mode)
    }
}

#[derive(Debug, Clone, Copy)]
enum Publish {
    IfAbsent,
    Replace,
}

impl fmt::Display for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableStore({})", self.folder.display())
    }
}

fn read_at(path: &FsPath, ranges: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
    let mut file = File::open(path)?;
    let mut read = |range: &Range<u64>| -> io::Result<Bytes> {
        let length = range.end.saturating_sub(range.start);
        let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
        file.seek(SeekFrom::Start(range.start))?;
        (&mut file).take(length).read_to_end(&mut bytes)?;
        // As much as there was may be less than was asked for.
        if bytes.len() as u64 == length { Ok(bytes.into()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    };
    ranges.iter().map(&mut read).collect()
}

fn failed(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path: path.to_string(), source: Box::new(error) },
        io::ErrorKind::NotFound => Error::NotFound { path: path.to_string(), source: Box::new(error) },
        _ => Error::Generic { store: "lake", source: Box::new(error) },
    }
}

/// Runs blocking work on the pool for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|source| Error::JoinError { source })?
}

#[async_trait]
impl ObjectStore for DurableStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let mode = match options.mode {
            PutMode::Create => Publish::IfAbsent,
            PutMode::Overwrite => Publish::Replace,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "conditional replace".into(),
                    implementer: self.to_string(),
                });
            }
        };
        let target = self.files.path_to_filesystem(location)?;
        let (store, location) = (self.clone(), location.clone());
        blocking(move || store.write(&target, &payload, mode).map_err(|error| failed(&location, error))).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let target = self.files.path_to_filesystem(location)?;
        let (store, location) = (self.clone(), location.clone());
        blocking(move || Ok(Box::new(Upload::begin(store, location, target)?) as Box<dyn MultipartUpload>)).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head && options.range.is_none() {
            return self.look_at(location, &options);
        }
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let bytes = ranges.iter().map(|range| range.end.saturating_sub(range.start)).fold(0, u64::saturating_add);
        if bytes > AT_ONCE_BYTES_MAX {
            return self.files.get_ranges(location, ranges).await;
        }
        let path = self.files.path_to_filesystem(location)?;
        read_at(&path, ranges).map_err(|error| failed(location, error))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleted = locations.chunks(DELETED_TOGETHER).then(move |locations| {
            let store = store.clone();
            blocking(move || Ok(store.delete_all(locations)))
        });
        deleted.flat_map(|outcomes| stream::iter(outcomes.unwrap_or_else(|error| vec![Err(error)]))).boxed()
    }

    /// In order of path: the reader of the table log counts on that.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.files.list(prefix);
        stream::once(async move {
            let mut objects: Vec<ObjectMeta> = listed.try_collect().await?;
            objects.sort_unstable_by(|left, right| left.location.cmp(&right.location));
            Ok::<_, Error>(stream::iter(objects.into_iter().map(Ok)))
        })
        .try_flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let bytes = self.files.get_opts(from, GetOptions::default()).await?.bytes().await?;
        let mode = match options.mode {
            CopyMode::Create => PutMode::Create,
            CopyMode::Overwrite => PutMode::Overwrite,
        };
        self.put_opts(to, bytes.into(), mode.into()).await.map(|_| ())
    }
}
