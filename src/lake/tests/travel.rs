//! Earlier versions, and whole copies.

use std::time::Duration;

use super::*;
use crate::error::Reason;

async fn rows_at(store: &Store, moment: Moment) -> u64 {
    store.snapshot_at(&name(), moment).await.unwrap().rows()
}

#[tokio::test]
async fn a_table_is_read_as_it_was_until_its_files_are_gone() {
    let (_folder, store) = lake(&spec(&["id"], Some("version"))).await;
    let made = chrono::Utc::now().timestamp_micros();
    store.write(&name(), load("1", &THREE[..1])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let between = chrono::Utc::now().timestamp_micros();
    store.write(&name(), load("2", &THREE[1..])).await.unwrap();
    store.write(&name(), load("3", &[("c", "2025-05-01T00:00:00Z", 3, 1, 2)])).await.unwrap();
    for (version, rows) in [(0, 0), (1, 1), (2, 3), (3, 3)] {
        assert_eq!(rows_at(&store, Moment::Version(version)).await, rows, "version {version}");
    }
    assert_eq!(rows_at(&store, Moment::Instant(between)).await, 1);
    assert_eq!(rows_at(&store, Moment::Instant(i64::MAX)).await, 3);
    let young = store_error(&store, Moment::Instant(made - 3_600_000_000)).await;
    assert_eq!(young.to_string(), "table \"public.orders\" was made later than that");
    assert_eq!(store_error(&store, Moment::Version(4)).await.reason(), Reason::UndefinedObject);
    assert_eq!(store.vacuum(&name(), Duration::ZERO).await.unwrap(), 1);
    let gone = store_error(&store, Moment::Version(1)).await;
    assert!(gone.to_string().starts_with("files of version 1 of table"), "{gone}");
}

async fn store_error(store: &Store, moment: Moment) -> crate::Error {
    store.snapshot_at(&name(), moment).await.err().unwrap()
}

#[tokio::test]
async fn a_copy_holds_what_the_lake_holds_and_no_damage() {
    let (folder, store) = lake(&spec(&["id"], Some("version"))).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    store.checkpoint(&name()).await.unwrap();
    store.write(&name(), load("2", &[("a", "2025-05-01T00:00:00Z", 1, 999, 2)])).await.unwrap();
    store.put("security/1.json", "one".into()).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let root = other.path().join("copy");
    let copied = store.copy_to(root.to_str().unwrap(), &[]).await.unwrap();
    assert_eq!(copied.tables, 1);
    let copy = Store::open(root.to_str().unwrap()).await.unwrap();
    assert_eq!(copy.check().await.unwrap(), []);
    assert_eq!(copy.get("security/1.json").await.unwrap().unwrap(), "one");
    let sql = "SELECT * FROM orders ORDER BY id";
    assert_eq!(ask(&copy, sql).await, ask(&store, sql).await);
    copy.write(&name(), load("3", &THREE)).await.unwrap();
    let taken = store.copy_to(root.to_str().unwrap(), &[]).await.unwrap_err();
    assert_eq!(taken.reason(), Reason::DuplicateObject);
    let file = &store.snapshot(&name()).await.unwrap().files[0];
    let mut bytes = std::fs::read(folder.path().join(&file.path)).unwrap();
    bytes[10] ^= 1;
    std::fs::write(folder.path().join(&file.path), bytes).unwrap();
    let damaged = store.copy_to(other.path().join("second").to_str().unwrap(), &[]).await.unwrap_err();
    assert_eq!(damaged.reason(), Reason::Corrupt);
    assert!(Store::open(other.path().join("second").to_str().unwrap()).await.is_err());
}
