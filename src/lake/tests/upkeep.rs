//! Checking, gathering, deleting and clearing away.

use std::fs;
use std::time::Duration;

use arrow::array::{AsArray, BooleanArray};

use super::*;

async fn loaded() -> (tempfile::TempDir, Store) {
    let (folder, store) = lake(&spec(&["id"], Some("version"))).await;
    for (index, order) in THREE.iter().enumerate() {
        store.write(&name(), load(&index.to_string(), std::slice::from_ref(order))).await.unwrap();
    }
    (folder, store)
}

async fn faults(store: &Store) -> Vec<String> {
    let findings = store.check().await.unwrap();
    findings.into_iter().filter(|found| found.severity == Severity::Fault).map(|found| found.message).collect()
}

#[tokio::test]
async fn a_whole_lake_has_no_faults_and_strays_are_only_told() {
    let (folder, store) = loaded().await;
    assert_eq!(store.check().await.unwrap(), []);
    let file = &store.snapshot(&name()).await.unwrap().files[0];
    fs::write(folder.path().join(&file.path).with_file_name("left.parquet"), "x").unwrap();
    let findings = store.check().await.unwrap();
    assert_eq!(findings.iter().map(|found| found.severity).collect::<Vec<_>>(), [Severity::Info]);
}

#[tokio::test]
async fn a_flipped_bit_a_cut_file_and_a_missing_one_are_found() {
    let (folder, store) = loaded().await;
    let snapshot = store.snapshot(&name()).await.unwrap();
    let path = |index: usize| folder.path().join(&snapshot.files[index].path);
    let mut bytes = fs::read(path(0)).unwrap();
    bytes[10] ^= 1;
    fs::write(path(0), &bytes).unwrap();
    fs::write(path(1), "PAR1").unwrap();
    fs::remove_file(path(2)).unwrap();
    let found = faults(&store).await;
    assert!(found[0].starts_with("its checksum is "), "{found:?}");
    assert!(found[1].starts_with("it has 4 bytes, the log says "), "{found:?}");
    assert_eq!((found[2].as_str(), found.len()), ("the file is missing", 3));
}

#[tokio::test]
async fn a_gap_in_the_log_and_an_unreadable_commit_are_found() {
    let (folder, store) = loaded().await;
    let commit = |version: u64| folder.path().join(format!("tables/public/orders/_delta_log/{version:020}.json"));
    fs::write(commit(3), "{\"add\":").unwrap();
    assert!(!faults(&store).await.is_empty());
    fs::remove_file(commit(2)).unwrap();
    assert!(faults(&store).await.contains(&"the commit is missing".to_owned()));
}

#[tokio::test]
async fn small_files_are_gathered_and_no_row_changes() {
    let (_folder, store) = loaded().await;
    let before = ask(&store, "SELECT * FROM orders ORDER BY id").await;
    let commit = store.compact(&name()).await.unwrap();
    let snapshot = store.snapshot(&name()).await.unwrap();
    assert_eq!((commit.files, snapshot.files.len(), snapshot.rows()), (1, 2, 3));
    assert_eq!(ask(&store, "SELECT * FROM orders ORDER BY id").await, before);
    let again = store.compact(&name()).await.unwrap();
    assert_eq!((again.version, again.files), (commit.version, 0));
    assert!(store.holds(&name(), "0").await.unwrap());
}

#[tokio::test]
async fn only_files_that_have_piled_up_are_gathered_by_itself() {
    const IDS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let (_folder, store) = lake(&spec(&["id"], Some("version"))).await;
    let order = |id: &'static str| (id, "2025-03-31T16:00:00Z", 1, 5, 1);
    for id in &IDS[..7] {
        store.write(&name(), load(id, &[order(id)])).await.unwrap();
    }
    assert_eq!(store.compact_piles(&name()).await.unwrap().files, 0);
    for id in &IDS[7..] {
        store.write(&name(), load(id, &[order(id)])).await.unwrap();
    }
    assert_eq!(store.compact_piles(&name()).await.unwrap().files, 1);
    let snapshot = store.snapshot(&name()).await.unwrap();
    assert_eq!((snapshot.files.len(), snapshot.rows()), (1, 9));
    assert_eq!(
        store.check_table(&name()).await.unwrap().iter().filter(|found| found.severity == Severity::Fault).count(),
        0
    );
}

#[tokio::test]
async fn writers_and_a_compaction_lose_nothing_to_each_other() {
    const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let (_folder, store) = lake(&spec(&["id"], Some("version"))).await;
    let writing = |store: Store, first: i64| async move {
        for version in (first..40).step_by(2) {
            let orders: Vec<Order> = IDS.iter().map(|id| (*id, "2025-03-31T16:00:00Z", 1, 5, version)).collect();
            store.write(&name(), load(&version.to_string(), &orders)).await.unwrap();
        }
    };
    let gathering = |store: Store| async move {
        for _ in 0..15 {
            store.compact(&name()).await.unwrap();
            let rows = ask(&store, "SELECT count(*), count(DISTINCT id) FROM orders").await;
            let shown = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
            assert!(shown.contains("| 6        | 6 ") || shown.contains("| 0        | 0 "), "{shown}");
        }
    };
    let tasks = [
        tokio::spawn(writing(store.clone(), 0)),
        tokio::spawn(writing(store.clone(), 1)),
        tokio::spawn(gathering(store.clone())),
    ];
    for task in tasks {
        task.await.unwrap();
    }
    let rows = ask(&store, "SELECT min(version) AS v FROM orders").await;
    assert_eq!(rows[0].column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0), 39);
    assert_eq!(faults(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn deleted_rows_are_gone_and_vacuum_takes_their_bytes() {
    let (folder, store) = loaded().await;
    let is_a = |batch: &RecordBatch| {
        let ids = batch.column(0).as_string::<i32>();
        Ok(ids.iter().map(|id| Some(id == Some("a"))).collect::<BooleanArray>())
    };
    let commit = store.delete_rows(&name(), &is_a).await.unwrap();
    assert_eq!(commit.rows_removed, 1);
    let rows = ask(&store, "SELECT id FROM orders ORDER BY id").await;
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    let files = || store.list_table_files(folder.path());
    assert_eq!(files(), 3);
    assert_eq!(store.vacuum(&name(), Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(store.vacuum(&name(), Duration::ZERO).await.unwrap(), 1);
    assert_eq!(files(), 2);
    assert_eq!(store.check().await.unwrap(), []);
}

#[tokio::test]
async fn vacuum_leaves_the_files_of_a_load_on_its_way() {
    let (folder, store) = loaded().await;
    let file = &store.snapshot(&name()).await.unwrap().files[0];
    let fresh = folder.path().join(&file.path).with_file_name("fresh.parquet");
    fs::write(&fresh, "x").unwrap();
    assert_eq!(store.vacuum(&name(), Duration::ZERO).await.unwrap(), 0);
    let old = std::time::SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    fs::File::options().write(true).open(&fresh).unwrap().set_modified(old).unwrap();
    assert_eq!(store.vacuum(&name(), Duration::ZERO).await.unwrap(), 1);
}

impl Store {
    /// The number of Parquet files beneath a folder.
    fn list_table_files(&self, folder: &std::path::Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let count = |path: std::path::PathBuf| match path.is_dir() {
            true => self.list_table_files(&path),
            false => usize::from(path.extension().is_some_and(|extension| extension == "parquet")),
        };
        entries.map(count).sum()
    }
}

#[tokio::test]
async fn personal_columns_stay_out_of_the_log() {
    let mut quiet = spec(&[], None);
    quiet.statistics_off = vec!["id".into()];
    let (folder, store) = lake(&quiet).await;
    let orders = [("13800138000", "2025-03-01T00:00:00Z", 1, 1, 1)];
    store.write(&name(), load("1", &orders)).await.unwrap();
    let log = fs::read_to_string(folder.path().join("tables/public/orders/_delta_log/00000000000000000001.json"));
    assert!(!log.unwrap().contains("13800138000"));
}

/// A load sorts its rows, and its last row waits until what it refers to is written: to the same lake, whose memory the sort has.
#[tokio::test]
async fn a_write_within_a_write_has_memory_of_its_own() {
    use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};

    let (_folder, store) = lake(&spec(&["id"], Some("version"))).await;
    let pool = &store.writing().memory_pool;
    let MemoryLimit::Finite(bytes) = pool.memory_limit() else { panic!("writes have no limit") };
    let waiting = MemoryConsumer::new("a sort that waits").register(pool);
    waiting.try_grow(bytes).unwrap();
    let refused = store.write(&name(), load("first", &THREE)).await.unwrap_err();
    assert!(refused.to_string().contains("Resources exhausted"), "{refused}");
    let written = store.within_a_write().write(&name(), load("first", &THREE)).await.unwrap();
    assert_eq!(written.rows_added, 3);
}
