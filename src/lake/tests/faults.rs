//! Store calls that fail: whichever it is, the table is the version before or the version after, and what is done again is
//! done once.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::{Decimal128Type, Int64Type};
use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

use super::super::faults::{Fault, Lasts, Memory};
use super::super::store::MARKER;
use super::super::stored::{Rows, read};
use super::parts::{part, together};
use super::*;

fn over(objects: Arc<dyn ObjectStore>) -> Store {
    Store::over(objects, "memory://faults").unwrap()
}

const FIRST: [Order; 3] = THREE;
const SECOND: [Order; 3] = [
    ("a", "2025-05-01T00:00:00Z", 1, 999, 2),
    ("b", "2025-04-01T00:00:00Z", 2, -1, 1),
    ("d", "2025-05-02T00:00:00Z", 4, 4, 1),
];

/// The rows of the table in short, sorted, and in how many files they lie.
pub(super) async fn held(store: &Store) -> (Vec<String>, usize) {
    let snapshot = store.snapshot(&name()).await.unwrap();
    let (objects, mut rows) = (store.object_store(), Vec::new());
    for file in &snapshot.files {
        let batches = read(&objects, &file.path, file.bytes, &snapshot.schema, Rows::All).await.unwrap();
        for batch in batches.try_collect::<Vec<_>>().await.unwrap() {
            let (ids, versions) = (batch.column(0).as_string::<i32>(), batch.column(6).as_primitive::<Int64Type>());
            let amounts = batch.column(3).as_primitive::<Decimal128Type>();
            let row = |row| format!("{} {} {}", ids.value(row), amounts.value(row), versions.value(row));
            rows.extend((0..batch.num_rows()).map(row));
        }
    }
    rows.sort();
    (rows, snapshot.files.len())
}

pub(super) async fn faults(store: &Store) -> Vec<Finding> {
    let findings = store.check().await.unwrap();
    findings.into_iter().filter(|found| found.severity == Severity::Fault).collect()
}

/// A lake with the first load in it.
async fn begun(spec: &TableSpec) -> Memory {
    let lake = Memory::default();
    lake.store().create_table(&name(), spec).await.unwrap();
    lake.store().write(&name(), load("1", &FIRST)).await.unwrap();
    lake
}

/// Does `act` once for each kind of fault and each store call that it makes, so that this one fails. Then it is done again: by
/// the process that lives on, or by another one.
async fn survives(begun: &Memory, act: impl AsyncFn(&Store) -> crate::error::Result<()>) {
    let whole = begun.fork();
    act(&whole.store()).await.unwrap();
    let (before, after) = (held(&begun.store()).await, held(&whole.store()).await);
    for kind in Fault::KINDS {
        for call in 1.. {
            let lake = begun.fork();
            let fault = Fault { call, ..kind };
            let (store, objects) = lake.failing(fault);
            let outcome = act(&store).await;
            let seen = held(&lake.store()).await;
            match outcome {
                Ok(()) => assert_eq!(seen, after, "{fault:?}: what is acknowledged is there"),
                Err(_) => assert!(seen == before || seen == after, "{fault:?}: {seen:?}"),
            }
            if !objects.has_failed() {
                assert!(call > 4, "it was never interrupted");
                break;
            }
            let again = if let Lasts::Once = fault.lasts { store } else { lake.store() };
            act(&again).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_eq!(held(&lake.store()).await, after, "{fault:?}, done again");
            assert_eq!(held(&again).await, after, "{fault:?}, as the process sees it");
            assert_eq!(faults(&lake.store()).await, [], "{fault:?}");
        }
    }
}

#[tokio::test]
async fn an_interrupted_load_into_a_keyed_table_is_all_or_nothing_and_repeatable() {
    let begun = begun(&spec(&["id"], Some("version"))).await;
    survives(&begun, async |store| store.write(&name(), load("2", &SECOND)).await.map(drop)).await;
}

#[tokio::test]
async fn an_interrupted_load_into_a_growing_table_is_all_or_nothing_and_repeatable() {
    let begun = begun(&spec(&[], None)).await;
    survives(&begun, async |store| store.write(&name(), load("2", &SECOND)).await.map(drop)).await;
}

/// Writes those of two loads that are not there yet, in one commit.
async fn missing_parts(store: &Store) -> crate::error::Result<()> {
    let mut missing = Vec::new();
    for (id, orders) in [("x", &SECOND[..2]), ("y", &SECOND[2..])] {
        match store.committed_part(&name(), id).await? {
            Some((commit, _)) => {
                assert_eq!(commit.rows_added + commit.rows_updated + commit.rows_duplicate, orders.len() as u64)
            }
            None => missing.push((part(Some(id), orders.len() as u64), orders)),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let (parts, orders): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
    let Together::Committed(done) = together(store, &parts, stream(vec![batch(&orders.concat())])).await? else {
        panic!("refused")
    };
    assert_eq!(done.len(), parts.len());
    Ok(())
}

#[tokio::test]
async fn interrupted_loads_that_share_a_commit_come_together_or_not_at_all() {
    for spec in [spec(&["id"], Some("version")), spec(&[], None)] {
        survives(&begun(&spec).await, missing_parts).await;
    }
}

/// The first load, and three of one row each in one month.
async fn piled() -> Memory {
    let begun = begun(&spec(&["id"], Some("version"))).await;
    for (nth, id) in ["p", "q", "r"].into_iter().enumerate() {
        let order = (id, "2025-04-07T00:00:00Z", 9, nth as i128, 1);
        begun.store().write(&name(), load(id, &[order])).await.unwrap();
    }
    begun
}

#[tokio::test]
async fn an_interrupted_compaction_changes_no_row() {
    let begun = piled().await;
    survives(&begun, async |store| store.compact(&name()).await.map(drop)).await;
    let before = held(&begun.store()).await;
    begun.store().compact(&name()).await.unwrap();
    let after = held(&begun.store()).await;
    assert_eq!((before.0, before.1 > after.1), (after.0, true));
}

#[tokio::test]
async fn an_interrupted_clearing_takes_no_file_that_is_needed_and_the_next_one_takes_the_rest() {
    let begun = piled().await;
    begun.store().write(&name(), load("2", &SECOND)).await.unwrap();
    begun.store().compact(&name()).await.unwrap();
    let strays = async |store: &Store| {
        let snapshot = store.snapshot(&name()).await?;
        Ok::<_, crate::Error>(store.strays(&snapshot).await?.len())
    };
    assert!(strays(&begun.store()).await.unwrap() > 3);
    survives(&begun, async |store| {
        store.vacuum(&name(), Duration::ZERO).await?;
        assert_eq!(strays(store).await?, 0);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_interrupted_deletion_takes_all_of_its_rows_or_none() {
    let begun = piled().await;
    let is_doomed = |batch: &RecordBatch| {
        let ids = batch.column(0).as_string::<i32>();
        Ok(ids.iter().map(|id| Some(["a", "p", "q"].contains(&id.unwrap()))).collect::<BooleanArray>())
    };
    survives(&begun, async |store| store.delete_rows(&name(), &is_doomed).await.map(drop)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_checkpoint_hides_no_version() {
    survives(&piled().await, async |store| store.checkpoint(&name()).await).await;
}

/// A lake with blobs beside its table, and a mark that says that it is whole.
async fn marked() -> Memory {
    let begun = piled().await;
    for path in [MARKER, "henna.json", "security/1.json", "security/head.json", "secrets/key"] {
        begun.store().put(path, "{\"format\": 1}".into()).await.unwrap();
    }
    begun
}

#[tokio::test]
async fn an_interrupted_backup_is_no_lake_and_the_next_one_is_whole() {
    let lake = marked().await;
    for kind in Fault::KINDS {
        for call in 1.. {
            let fault = Fault { call, ..kind };
            // Of the lake or of the place that it is copied to.
            let sides = [fails_in_backup(&lake, fault, true).await, fails_in_backup(&lake, fault, false).await];
            if sides == [false, false] {
                assert!(call > 10, "it was never interrupted");
                break;
            }
        }
    }
}

/// Whether a backup came to the call that fails.
async fn fails_in_backup(lake: &Memory, fault: Fault, is_source: bool) -> bool {
    let (source, copy) = (lake.store(), Memory::default());
    let (failing, objects) = if is_source { lake.failing(fault) } else { copy.failing(fault) };
    let copied = match is_source {
        true => failing.copy_into(&copy.store(), &[]).await,
        false => source.copy_into(&failing, &[]).await,
    };
    let is_lake = copy.store().get(MARKER).await.unwrap().is_some();
    assert!(is_lake || copied.is_err(), "{fault:?}: what is acknowledged is there");
    let next = Memory::default();
    source.copy_into(&next.store(), &[]).await.unwrap();
    for copy in [is_lake.then_some(copy), Some(next)].into_iter().flatten() {
        let copy = copy.store();
        assert_eq!(held(&copy).await, held(&source).await, "{fault:?}");
        assert_eq!(copy.list("security").await.unwrap(), ["security/1.json", "security/head.json"]);
        assert_eq!(faults(&copy).await, []);
    }
    objects.has_failed()
}

#[tokio::test]
async fn an_interrupted_alteration_is_all_or_nothing_and_repeatable() {
    let before = spec(&["id"], Some("version"));
    let mut wide = before.clone();
    wide.columns.push(StoredColumn::new(Field::new("grade", DataType::Utf8, false)));
    let fills = HashMap::from([("grade".to_owned(), Arc::new(StringArray::from(vec!["new"])) as ArrayRef)]);
    survives(&begun(&before).await, async |store| {
        store.alter_table(&name(), &wide, &fills).await?;
        let snapshot = store.snapshot(&name()).await?;
        let filled = |file: &Arc<FileEntry>| file.range(&snapshot.schema, "grade").unwrap().null_count == Some(0);
        assert_eq!((snapshot.version, snapshot.files.iter().all(filled)), (2, true));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_interrupted_expiry_takes_all_old_rows_or_none() {
    let before = DateTime::parse_from_rfc3339("2025-04-05T00:00:00Z").unwrap().timestamp_micros();
    survives(&piled().await, async |store| store.expire_rows(&name(), "time", before).await.map(drop)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_clearing_of_traces_changes_no_row_and_the_next_one_ends_it() {
    let begun = piled().await;
    begun.store().checkpoint(&name()).await.unwrap();
    begun.store().write(&name(), load("2", &SECOND)).await.unwrap();
    begun.store().vacuum(&name(), Duration::ZERO).await.unwrap();
    survives(&begun, async |store| {
        store.clear_traces(&name()).await?;
        assert_eq!(store.clear_traces(&name()).await?, 0);
        Ok(())
    })
    .await;
}

/// Lets another writer in between the reading of the table and the commit.
#[derive(Debug)]
struct Overtaken {
    inner: Arc<dyn ObjectStore>,
    armed: AtomicUsize,
}

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overtaken")
    }
}

#[async_trait]
impl ObjectStore for Overtaken {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let commits = location.as_ref().contains("_delta_log/");
        if commits && self.armed.swap(0, Ordering::SeqCst) == 1 {
            let other = [("a", "2025-06-01T00:00:00Z", 1, 7, 9), ("d", "2025-06-01T00:00:00Z", 1, 8, 0)];
            over(Arc::clone(&self.inner)).write(&name(), load("other", &other)).await.unwrap();
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_load_that_is_overtaken_is_judged_anew_against_what_came_first() {
    let begun = begun(&spec(&["id"], Some("version"))).await;
    let objects = begun.store().object_store();
    let overtaken = Overtaken { inner: objects, armed: AtomicUsize::new(1) };
    let commit = over(Arc::new(overtaken)).write(&name(), load("2", &SECOND)).await.unwrap();
    let counts = (commit.rows_added, commit.rows_updated, commit.rows_duplicate, commit.rows_stale);
    // b is the same as stored; a is older than the other writer's; d is newer than the other writer's.
    assert_eq!(counts, (0, 1, 1, 1));
    let (rows, _) = held(&begun.store()).await;
    assert_eq!(rows, ["a 7 9", "b -1 1", "c 123456789012345678 1", "d 4 1"]);
}
