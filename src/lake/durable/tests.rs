//! What is written lasts, and what is not whole does not show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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

#[tokio::test]
async fn what_a_dead_writer_had_staged_is_swept_and_what_is_on_its_way_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store(folder.path());
    let mut upload = store.put_multipart(&Path::from("x/y/living")).await.unwrap();
    upload.put_part("12".into()).await.unwrap();
    fs::write(folder.path().join("x/y/dead#12"), "1").unwrap();
    fs::write(folder.path().join("x/fresh#12"), "1").unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let staged = fs::read_dir(folder.path().join("x/y")).unwrap().map(|entry| entry.unwrap().path());
    for path in staged {
        File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    assert_eq!(store.sweep(&Path::from("x")).await.unwrap(), 1);
    assert!(!folder.path().join("x/y/dead#12").exists() && folder.path().join("x/fresh#12").exists());
    upload.complete().await.unwrap();
    assert_eq!(store.get(&Path::from("x/y/living")).await.unwrap().bytes().await.unwrap(), "12");
    assert_eq!(store.sweep(&Path::from("absent")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_folder_that_another_writer_made_is_synced_once_before_the_first_answer() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("x/y")).unwrap();
    let (store, disk) = store(folder.path());
    let put = ["sync file", "rename", "sync folder"];
    for expected in [["sync folder", "sync folder"].iter().chain(&put).copied().collect::<Vec<_>>(), put.to_vec()] {
        disk.steps.lock().unwrap().clear();
        store.put(&Path::from("x/y/a"), "1".into()).await.unwrap();
        assert_eq!(*disk.steps.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn deletions_are_synced_before_they_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (store, disk) = store(folder.path());
    for name in ["x/a", "x/b", "y/c"] {
        store.put(&Path::from(name), "1".into()).await.unwrap();
    }
    disk.steps.lock().unwrap().clear();
    let names = stream::iter(["x/a", "x/b", "y/c", "y/absent"].map(|name| Ok(Path::from(name)))).boxed();
    let outcomes: Vec<_> = store.delete_stream(names).collect().await;
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false]);
    assert_eq!(*disk.steps.lock().unwrap(), ["sync folder", "sync folder"]);
    store.put(&Path::from("x/a"), "1".into()).await.unwrap();
    *disk.fail_at.lock().unwrap() = Some(disk.steps.lock().unwrap().len());
    assert!(store.delete(&Path::from("x/a")).await.is_err());
}
