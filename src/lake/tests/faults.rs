//! A store that dies in the middle: after any step the table is the version before or the version after.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

use super::*;

/// Whether the last write before death happened; its caller does not know.
#[derive(Debug, Clone, Copy)]
enum Death {
    Before,
    After,
}

/// Dies at the `left`-th write from now; then nothing works.
#[derive(Debug)]
struct Mortal {
    inner: Arc<dyn ObjectStore>,
    left: AtomicUsize,
    death: Death,
}

impl Mortal {
    fn dead() -> object_store::Error {
        object_store::Error::Generic { store: "mortal", source: "the machine is gone".into() }
    }

    fn alive(&self) -> Result<()> {
        if self.left.load(Ordering::SeqCst) == 0 { Err(Self::dead()) } else { Ok(()) }
    }

    /// Counts a write; whether it is the last.
    fn last(&self) -> Result<bool> {
        self.alive()?;
        Ok(self.left.fetch_sub(1, Ordering::SeqCst) == 1)
    }
}

impl fmt::Display for Mortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mortal")
    }
}

#[async_trait]
impl ObjectStore for Mortal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match (self.last()?, self.death) {
            (false, _) => self.inner.put_opts(location, payload, options).await,
            (true, Death::Before) => Err(Self::dead()),
            (true, Death::After) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(Self::dead())
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.alive()?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.alive()?;
        self.inner.copy_opts(from, to, options).await
    }
}

fn over(objects: Arc<dyn ObjectStore>) -> Store {
    Store::over(objects, "memory://faults", None).unwrap()
}

const FIRST: [Order; 3] = THREE;
const SECOND: [Order; 3] = [
    ("a", "2025-05-01T00:00:00Z", 1, 999, 2),
    ("b", "2025-04-01T00:00:00Z", 2, -1, 1),
    ("d", "2025-05-02T00:00:00Z", 4, 4, 1),
];

async fn contents(objects: &Arc<dyn ObjectStore>) -> String {
    let rows = ask(&over(Arc::clone(objects)), "SELECT id, amount, version FROM orders ORDER BY id").await;
    arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string()
}

/// A lake with the first load in it.
async fn begun(spec: &TableSpec) -> Arc<dyn ObjectStore> {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let store = over(Arc::clone(&objects));
    store.create_table(&name(), spec).await.unwrap();
    store.write(&name(), load("1", &FIRST)).await.unwrap();
    objects
}

async fn dies_at_every_step(spec: TableSpec) {
    let finished = begun(&spec).await;
    let before = contents(&finished).await;
    over(Arc::clone(&finished)).write(&name(), load("2", &SECOND)).await.unwrap();
    let after = contents(&finished).await;
    assert_ne!(before, after);
    for death in [Death::Before, Death::After] {
        let mut steps = 1;
        loop {
            let objects = begun(&spec).await;
            let mortal = Mortal { inner: Arc::clone(&objects), left: AtomicUsize::new(steps), death };
            let outcome = over(Arc::new(mortal)).write(&name(), load("2", &SECOND)).await;
            let seen = contents(&objects).await;
            match outcome {
                Ok(_) => assert_eq!(seen, after, "an acknowledged load is there"),
                Err(_) => assert!(seen == before || seen == after, "step {steps}, {death:?}:\n{seen}"),
            }
            let store = over(Arc::clone(&objects));
            store.write(&name(), load("2", &SECOND)).await.unwrap();
            assert_eq!(contents(&objects).await, after, "step {steps}, {death:?}");
            let faults = store.check().await.unwrap().into_iter().filter(|found| found.severity == Severity::Fault);
            assert_eq!(faults.collect::<Vec<_>>(), []);
            if outcome.is_ok() {
                break;
            }
            steps += 1;
        }
        assert!(steps > 2, "the load was never interrupted");
    }
}

#[tokio::test]
async fn an_interrupted_load_into_a_keyed_table_is_all_or_nothing_and_repeatable() {
    dies_at_every_step(spec(&["id"], Some("version"))).await;
}

#[tokio::test]
async fn an_interrupted_load_into_a_growing_table_is_all_or_nothing_and_repeatable() {
    dies_at_every_step(spec(&[], None)).await;
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
    let objects = begun(&spec(&["id"], Some("version"))).await;
    let overtaken = Overtaken { inner: Arc::clone(&objects), armed: AtomicUsize::new(1) };
    let commit = over(Arc::new(overtaken)).write(&name(), load("2", &SECOND)).await.unwrap();
    let counts = (commit.rows_added, commit.rows_updated, commit.rows_duplicate, commit.rows_stale);
    // b is the same as stored; a is older than the other writer's; d is newer than the other writer's.
    assert_eq!(counts, (0, 1, 1, 1));
    assert_eq!(
        contents(&objects).await,
        [
            "+----+---------------------+---------+",
            "| id | amount              | version |",
            "+----+---------------------+---------+",
            "| a  | 0.07                | 9       |",
            "| b  | -0.01               | 1       |",
            "| c  | 1234567890123456.78 | 1       |",
            "| d  | 0.04                | 1       |",
            "+----+---------------------+---------+",
        ]
        .join("\n")
    );
}
