//! A table with a key holds one row per key, whatever comes in which order.

use datafusion::common::assert_batches_eq;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::error::Reason;

async fn keyed() -> (tempfile::TempDir, Store) {
    lake(&spec(&["id"], Some("version"))).await
}

async fn written(store: &Store, load_id: &str, orders: &[Order]) -> (u64, u64, u64, u64) {
    let commit = store.write(&name(), load(load_id, orders)).await.unwrap();
    (commit.rows_added, commit.rows_updated, commit.rows_duplicate, commit.rows_stale)
}

#[tokio::test]
async fn a_newer_row_takes_the_place_of_the_stored_one_also_in_another_month() {
    let (_folder, store) = keyed().await;
    assert_eq!(written(&store, "1", &THREE).await, (3, 0, 0, 0));
    let newer = [("a", "2025-05-01T00:00:00Z", 1, 999, 2), ("d", "2025-05-02T00:00:00Z", 4, 4, 1)];
    assert_eq!(written(&store, "2", &newer).await, (1, 1, 0, 0));
    assert_batches_eq!(
        [
            "+----+--------+",
            "| id | amount |",
            "+----+--------+",
            "| a  | 9.99   |",
            "| b  | -0.01  |",
            "| d  | 0.04   |",
            "+----+--------+",
        ],
        &ask(&store, "SELECT id, amount FROM orders WHERE id <> 'c' ORDER BY id").await
    );
    let snapshot = store.snapshot(&name()).await.unwrap();
    assert_eq!(snapshot.rows(), 4);
}

#[tokio::test]
async fn an_older_row_changes_nothing() {
    let (_folder, store) = keyed().await;
    written(&store, "1", &[("a", "2025-03-01T00:00:00Z", 1, 100, 5)]).await;
    assert_eq!(written(&store, "2", &[("a", "2025-03-01T00:00:00Z", 1, 1, 4)]).await, (0, 0, 0, 1));
    assert_batches_eq!(
        ["+--------+", "| amount |", "+--------+", "| 1.00   |", "+--------+"],
        &ask(&store, "SELECT amount FROM orders").await
    );
}

#[tokio::test]
async fn the_same_rows_under_another_load_are_duplicates_and_write_no_file() {
    let (_folder, store) = keyed().await;
    written(&store, "1", &THREE).await;
    let before = store.snapshot(&name()).await.unwrap();
    assert_eq!(written(&store, "2", &THREE).await, (0, 0, 3, 0));
    let after = store.snapshot(&name()).await.unwrap();
    assert_eq!((after.version, &after.files), (before.version + 1, &before.files));
}

#[tokio::test]
async fn of_one_version_the_later_load_wins() {
    let (_folder, store) = keyed().await;
    written(&store, "1", &[("a", "2025-03-01T00:00:00Z", 1, 100, 5)]).await;
    assert_eq!(written(&store, "2", &[("a", "2025-03-01T00:00:00Z", 1, 101, 5)]).await, (0, 1, 0, 0));
    assert_batches_eq!(
        ["+--------+", "| amount |", "+--------+", "| 1.01   |", "+--------+"],
        &ask(&store, "SELECT amount FROM orders").await
    );
}

#[tokio::test]
async fn within_a_load_the_greater_version_wins() {
    let (_folder, store) = keyed().await;
    let orders = [
        ("a", "2025-03-01T00:00:00Z", 1, 3, 3),
        ("a", "2025-03-01T00:00:00Z", 1, 9, 9),
        ("a", "2025-03-01T00:00:00Z", 1, 5, 5),
    ];
    assert_eq!(written(&store, "1", &orders).await, (1, 0, 2, 0));
    assert_batches_eq!(
        ["+---------+", "| version |", "+---------+", "| 9       |", "+---------+"],
        &ask(&store, "SELECT version FROM orders").await
    );
}

#[tokio::test]
async fn a_keyed_table_without_partition_sort_or_version_keeps_the_last_of_each() {
    let mut bare = TableSpec::plain(&orders_schema());
    bare.key = vec!["id".into()];
    let (_folder, store) = lake(&bare).await;
    let orders = [("a", "2025-03-01T00:00:00Z", 1, 9, 9), ("a", "2025-03-01T00:00:00Z", 1, 5, 5)];
    assert_eq!(written(&store, "1", &orders).await, (1, 0, 1, 0));
    assert_eq!(written(&store, "2", &orders[..1]).await, (0, 1, 0, 0));
    assert_eq!(store.snapshot(&name()).await.unwrap().files[0].sorted, ["id"]);
}

#[tokio::test]
async fn two_writers_at_once_both_get_their_rows_in() {
    let (folder, here) = keyed().await;
    let elsewhere = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    let (one, two) = (load("1", &THREE[..2]), load("2", &THREE[1..]));
    let name = name();
    let (one, two) = tokio::join!(here.write(&name, one), elsewhere.write(&name, two));
    assert_eq!(one.unwrap().rows_added + two.unwrap().rows_added, 3);
    assert_eq!(here.snapshot(&name).await.unwrap().rows(), 3);
}

/// Random loads against a model that keeps the greatest (version, arrival) of each key.
#[tokio::test]
async fn random_loads_leave_what_a_map_would_hold() {
    let given = std::env::var("HENNA_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let times = ["2025-01-31T23:00:00Z", "2025-02-01T00:00:00Z", "2025-03-15T12:00:00Z"];
    let (_folder, store) = keyed().await;
    let mut model: BTreeMap<&str, Order> = BTreeMap::new();
    for round in 0..12 {
        let mut order = || -> Order {
            let (id, time) = (ids[random.random_range(0..ids.len())], times[random.random_range(0..times.len())]);
            (id, time, random.random_range(0..3), random.random_range(0..3), random.random_range(0..4))
        };
        let orders: Vec<Order> = (0..6).map(|_| order()).collect();
        let before = model.len() as u64;
        for order in &orders {
            let stays = model.get(order.0).is_some_and(|stored| stored.4 > order.4);
            if !stays {
                model.insert(order.0, *order);
            }
        }
        let (added, updated, duplicate, stale) = written(&store, &round.to_string(), &orders).await;
        assert_eq!((added, added + updated + duplicate + stale), (model.len() as u64 - before, 6));
        let stored = ask(&store, "SELECT * FROM orders ORDER BY id").await;
        let expected = batch(&model.values().copied().collect::<Vec<_>>());
        let expected = context_over(expected).await;
        assert_eq!(text(&stored), text(&expected), "round {round}");
    }
}

/// The rows as a session would see them, without a lake.
async fn context_over(rows: RecordBatch) -> Vec<RecordBatch> {
    let columns: Vec<ArrayRef> = shape()
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| arrow::compute::cast(column, field.data_type()).unwrap())
        .collect();
    vec![RecordBatch::try_new(shape(), columns).unwrap()]
}

fn text(batches: &[RecordBatch]) -> String {
    arrow::util::pretty::pretty_format_batches(batches).unwrap().to_string()
}

/// Two processes once gave the same numbers to other persons: what was worked out from an old version was committed.
#[tokio::test]
async fn rows_worked_out_from_an_old_version_are_not_written() {
    for spec in [spec(&["id"], Some("version")), spec(&[], None)] {
        let (_folder, store) = lake(&spec).await;
        let seen = store.snapshot(&name()).await.unwrap().version;
        store.write_onto(&name(), seen, load("1", &THREE[..1])).await.unwrap();
        let refused = store.write_onto(&name(), seen, load("2", &THREE[1..])).await.unwrap_err();
        assert_eq!(refused.reason(), crate::Reason::Serialization);
        assert_eq!(store.snapshot(&name()).await.unwrap().rows(), 1);
    }
}

#[tokio::test]
async fn an_insert_of_a_key_that_is_taken_changes_nothing() {
    let (_folder, store) = keyed().await;
    written(&store, "1", &THREE).await;
    let before = store.snapshot(&name()).await.unwrap();
    let (taken, twice) = ([("a", "2026-01-01T00:00:00Z", 1, 1, 9)], ("z", "2026-01-01T00:00:00Z", 1, 1, 1));
    for orders in [&taken[..], &[twice, twice]] {
        let refused = store.insert(&name(), load("2", orders)).await.unwrap_err();
        assert_eq!(refused.reason(), crate::Reason::Unique);
    }
    let after = store.snapshot(&name()).await.unwrap();
    assert_eq!((after.version, &after.files), (before.version, &before.files));
    assert_eq!(store.insert(&name(), load("3", &[twice])).await.unwrap().rows_added, 1);
}

#[tokio::test]
async fn a_key_that_another_table_has_is_refused_beside_it() {
    let (_folder, store) = keyed().await;
    let aside = TableName::new("public", "aside");
    store.create_table(&aside, &spec(&["id"], Some("version"))).await.unwrap();
    written(&store, "1", &THREE).await;
    let taken = store.insert_beside(&aside, &name(), load("2", &THREE[1..2])).await.unwrap_err();
    assert_eq!(taken.reason(), Reason::Unique);
    let new = [("z", "2025-03-01T00:00:00Z", 1, 100, 5)];
    assert_eq!(store.insert_beside(&aside, &name(), load("3", &new)).await.unwrap().rows_added, 1);
    assert_eq!(store.snapshot(&name()).await.unwrap().rows(), 3);
}

#[tokio::test]
async fn what_came_after_a_version_is_taken_back_and_may_come_again() {
    let (_folder, store) = keyed().await;
    let first = store.insert(&name(), load("1", &THREE[..1])).await.unwrap().version;
    store.insert(&name(), load("2", &THREE[1..])).await.unwrap();
    let then = store.take_back(&name(), first).await.unwrap();
    assert_eq!(store.snapshot(&name()).await.unwrap().rows(), 1);
    store.insert(&name(), load("3", &THREE[1..])).await.unwrap();
    assert_eq!(store.snapshot(&name()).await.unwrap().rows(), 3);
    assert!(store.take_back(&name(), first).await.unwrap() > then);
    assert_eq!(store.snapshot(&name()).await.unwrap().rows(), 1);
}
