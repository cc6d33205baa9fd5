//! An object store on a local folder whose writes have reached the disk when they return.
//!
//! A file is staged beside its place, synced, then linked (put-if-absent) or renamed (put) into place, and the folder is
//! synced: after a power cut a path holds the whole old bytes, the whole new bytes, or nothing. Folders made on the way are
//! synced into their parents. Staged files have names that listings leave out (`name#123`).

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// So much is read without waking another thread for it: it takes less time than that, and who asks is a thread that reads.
const AT_ONCE_BYTES_MAX: u64 = 512 << 10;

/// The steps that make bytes last; a test puts a failing disk in its place.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    fn sync_file(&self, file: &File) -> io::Result<()>;
    /// Fails with `AlreadyExists` where `to` is taken.
    fn link(&self, from: &FsPath, to: &FsPath) -> io::Result<()>;
    fn rename(&self, from: &FsPath, to: &FsPath) -> io::Result<()>;
    fn sync_folder(&self, folder: &FsPath) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn link(&self, from: &FsPath, to: &FsPath) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &FsPath, to: &FsPath) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &FsPath) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct DurableStore {
    files: LocalFileSystem,
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

impl DurableStore {
    /// `folder` must exist.
    pub fn new(folder: &FsPath, disk: Arc<dyn Disk>) -> Result<Self> {
        Ok(Self { files: LocalFileSystem::new_with_prefix(folder)?, folder: folder.to_path_buf(), disk })
    }

    /// Makes the folders above `path`, each synced into its parent. A lake that was taken away is not made again.
    fn make_folders(&self, path: &FsPath) -> io::Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if parent.is_dir() {
            return Ok(());
        }
        if parent == self.folder {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the folder of the lake is gone"));
        }
        self.make_folders(parent)?;
        match fs::create_dir(parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        match parent.parent() {
            Some(above) => self.disk.sync_folder(above),
            None => Ok(()),
        }
    }

    fn stage(&self, target: &FsPath) -> io::Result<(File, PathBuf)> {
        self.make_folders(target)?;
        let mut name = target.as_os_str().to_owned();
        name.push(format!("#{}", rand::random::<u64>()));
        let staged = PathBuf::from(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&staged)?;
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
        self.disk.sync_folder(target.parent().unwrap_or(&self.folder))
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
        blocking(move || {
            let (file, staged) = store.stage(&target).map_err(|error| failed(&location, error))?;
            let file = Arc::new(Mutex::new(file));
            Ok(Box::new(Upload { store, location, target, staged, file, offset: 0 }) as Box<dyn MultipartUpload>)
        })
        .await
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
        self.files.delete_stream(locations)
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

/// Parts of one file on their way; what is never completed leaves no trace.
#[derive(Debug)]
struct Upload {
    store: DurableStore,
    location: Path,
    target: PathBuf,
    staged: PathBuf,
    file: Arc<Mutex<File>>,
    offset: u64,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let offset = self.offset;
        self.offset += payload.content_length() as u64;
        let (file, location) = (Arc::clone(&self.file), self.location.clone());
        Box::pin(blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(offset))
                .and_then(|_| payload.iter().try_for_each(|bytes| file.write_all(bytes)))
                .map_err(|error| failed(&location, error))
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (store, location) = (self.store.clone(), self.location.clone());
        let (file, staged, target) = (Arc::clone(&self.file), self.staged.clone(), self.target.clone());
        blocking(move || {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            store.publish(&file, &staged, &target, Publish::Replace).map_err(|error| failed(&location, error))
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After `complete` the name is gone already.
        let _ = fs::remove_file(&self.staged);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub(super) mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    /// Notes each step, and fails at the `fail_at`-th (from 0).
    #[derive(Debug, Default)]
    pub struct FaultyDisk {
        pub steps: Mutex<Vec<&'static str>>,
        pub fail_at: Mutex<Option<usize>>,
    }

    impl FaultyDisk {
        fn step(&self, name: &'static str, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
            let mut steps = self.steps.lock().unwrap();
            let fails = *self.fail_at.lock().unwrap() == Some(steps.len());
            steps.push(name);
            if fails { Err(io::Error::other("the disk is gone")) } else { act() }
        }
    }

    impl Disk for FaultyDisk {
        fn sync_file(&self, file: &File) -> io::Result<()> {
            self.step("sync file", || OsDisk.sync_file(file))
        }

        fn link(&self, from: &FsPath, to: &FsPath) -> io::Result<()> {
            self.step("link", || OsDisk.link(from, to))
        }

        fn rename(&self, from: &FsPath, to: &FsPath) -> io::Result<()> {
            self.step("rename", || OsDisk.rename(from, to))
        }

        fn sync_folder(&self, folder: &FsPath) -> io::Result<()> {
            self.step("sync folder", || OsDisk.sync_folder(folder))
        }
    }

    fn store(folder: &FsPath) -> (DurableStore, Arc<FaultyDisk>) {
        let disk = Arc::new(FaultyDisk::default());
        (DurableStore::new(folder, Arc::clone(&disk) as Arc<dyn Disk>).unwrap(), disk)
    }

    #[tokio::test]
    async fn bytes_are_synced_before_they_show_and_their_folder_before_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let (store, disk) = store(folder.path());
        store.put_opts(&Path::from("a"), "1".into(), PutMode::Create.into()).await.unwrap();
        assert_eq!(*disk.steps.lock().unwrap(), ["sync file", "link", "sync folder"]);
    }

    #[tokio::test]
    async fn new_folders_are_synced_into_their_parents() {
        let folder = tempfile::tempdir().unwrap();
        let (store, disk) = store(folder.path());
        store.put(&Path::from("x/y/a"), "1".into()).await.unwrap();
        assert_eq!(*disk.steps.lock().unwrap(), ["sync folder", "sync folder", "sync file", "rename", "sync folder"]);
    }

    #[tokio::test]
    async fn a_folder_that_was_taken_away_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = store(folder.path());
        std::fs::remove_dir(folder.path()).unwrap();
        assert!(store.put(&Path::from("x/y/a"), "1".into()).await.is_err());
        assert!(!folder.path().exists());
    }

    #[tokio::test]
    async fn a_write_is_never_acknowledged_when_a_step_fails() {
        for fail_at in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let (store, disk) = store(folder.path());
            *disk.fail_at.lock().unwrap() = Some(fail_at);
            let put = store.put_opts(&Path::from("a"), "1".into(), PutMode::Create.into()).await;
            assert!(put.is_err(), "step {fail_at}");
            let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(names.iter().all(|name| name == "a"), "a staged file is left: {names:?}");
        }
    }

    #[tokio::test]
    async fn the_second_of_two_puts_if_absent_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = store(folder.path());
        let path = Path::from("a");
        store.put_opts(&path, "first".into(), PutMode::Create.into()).await.unwrap();
        let second = store.put_opts(&path, "second".into(), PutMode::Create.into()).await;
        assert!(matches!(second, Err(Error::AlreadyExists { .. })));
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "first");
    }

    #[tokio::test]
    async fn parts_become_one_synced_file_and_an_unfinished_upload_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, disk) = store(folder.path());
        let mut upload = store.put_multipart(&Path::from("a")).await.unwrap();
        let (one, two) = (upload.put_part("12".into()), upload.put_part("34".into()));
        two.await.unwrap();
        one.await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(*disk.steps.lock().unwrap(), ["sync file", "rename", "sync folder"]);
        drop(store.put_multipart(&Path::from("b")).await.unwrap());
        assert_eq!(store.get(&Path::from("a")).await.unwrap().bytes().await.unwrap(), "1234");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_file_is_told_of_as_a_read_of_it_tells_and_a_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = store(folder.path());
        let path = Path::from("a/b");
        store.put(&path, "1234".into()).await.unwrap();
        let (told, read) = (store.head(&path).await.unwrap(), store.get(&path).await.unwrap().meta);
        assert_eq!((told.size, told.last_modified, told.location), (read.size, read.last_modified, read.location));
        for absent in ["a", "b"] {
            assert!(matches!(store.head(&Path::from(absent)).await, Err(Error::NotFound { .. })), "{absent}");
        }
    }

    #[tokio::test]
    async fn ranges_are_what_a_read_gives_and_one_past_the_end_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = store(folder.path());
        let (path, content) = (Path::from("a"), "0123456789".repeat(100_000));
        store.put(&path, content.clone().into()).await.unwrap();
        for ranges in [&[0..1, 5..5, 999_990..1_000_000][..], &[0..700_000, 999_999..1_000_000], &[]] {
            let read = store.get_ranges(&path, ranges).await.unwrap();
            let expected = ranges.iter().map(|range| &content[range.start as usize..range.end as usize]);
            assert!(read.iter().map(|bytes| std::str::from_utf8(bytes).unwrap()).eq(expected), "{ranges:?}");
        }
        assert!(store.get_ranges(&path, std::slice::from_ref(&(999_999..1_000_001))).await.is_err());
        assert!(matches!(
            store.get_ranges(&Path::from("b"), std::slice::from_ref(&(0..1))).await,
            Err(Error::NotFound { .. })
        ));
    }

    #[tokio::test]
    async fn listings_are_in_order_of_path() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = store(folder.path());
        for name in ["c", "a", "b/z", "b/a"] {
            store.put(&Path::from(name), "1".into()).await.unwrap();
        }
        let names: Vec<String> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
        assert_eq!(names, ["a", "b/a", "b/z", "c"]);
    }
}
