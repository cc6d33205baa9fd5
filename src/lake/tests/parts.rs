//! Loads that share a commit.

use std::sync::Mutex;

use arrow::array::AsArray;
use futures::FutureExt;
use serde_json::json;

use super::*;
use crate::error::{Error, Reason};

pub(super) fn part(load_id: Option<&str>, rows: u64) -> Part {
    Part { load_id: load_id.map(str::to_owned), rows, note: json!({ "from": load_id }), owner: None }
}

fn orders(rows: &[(&'static str, i64)]) -> SendableRecordBatchStream {
    let orders: Vec<Order> = rows.iter().map(|(id, version)| (*id, "2025-03-31T16:00:00Z", 1, 5, *version)).collect();
    stream(vec![batch(&orders)])
}

fn counts(commit: &Commit) -> [u64; 4] {
    [commit.rows_added, commit.rows_updated, commit.rows_duplicate, commit.rows_stale]
}

pub(super) async fn together(
    store: &Store,
    parts: &[Part],
    rows: SendableRecordBatchStream,
) -> crate::error::Result<Together> {
    let seen = store.snapshot(&name()).await?.version;
    store.write_together(&name(), seen, parts, rows).await
}

#[tokio::test]
async fn each_part_has_its_own_counts_and_the_log_keeps_them() {
    let (folder, store) = lake(&spec(&["id"], Some("version"))).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let parts = [part(Some("x"), 3), part(None, 2), part(Some("y"), 2)];
    // a is newer, d new, b stale; d is beaten by the last part, e new; d newer than the first, c stale.
    let rows = orders(&[("a", 2), ("d", 1), ("b", 0), ("d", 2), ("e", 1), ("d", 3), ("c", 0)]);
    let Together::Committed(done) = together(&store, &parts, rows).await.unwrap() else { panic!("refused") };
    assert_eq!(done.iter().map(counts).collect::<Vec<_>>(), [[0, 1, 1, 1], [1, 0, 1, 0], [1, 0, 0, 1]]);
    let reopened = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    for (nth, id) in [(0, "x"), (2, "y")] {
        let (commit, note) = reopened.committed_part(&name(), id).await.unwrap().unwrap();
        assert_eq!((counts(&commit), commit.version, commit.repeated), (counts(&done[nth]), done[nth].version, true));
        assert_eq!(note, json!({ "from": id }));
    }
    assert_eq!(reopened.committed_part(&name(), "z").await.unwrap(), None);
    assert_eq!(reopened.committed_part(&name(), "1").await.unwrap().unwrap().1, json!(null));
    store.checkpoint(&name()).await.unwrap();
    let reopened = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    assert!(reopened.committed_part(&name(), "x").await.unwrap().is_some());
}

#[tokio::test]
async fn parts_of_a_table_without_a_key_are_added_whole() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    let parts = [part(Some("x"), 1), part(Some("y"), 2)];
    let Together::Committed(done) = together(&store, &parts, orders(&[("a", 1), ("a", 1), ("b", 1)])).await.unwrap()
    else {
        panic!("refused")
    };
    assert_eq!(done.iter().map(counts).collect::<Vec<_>>(), [[1, 0, 0, 0], [2, 0, 0, 0]]);
    assert_eq!(counts(&store.committed_part(&name(), "y").await.unwrap().unwrap().0), [2, 0, 0, 0]);
}

#[tokio::test]
async fn an_owner_is_shown_what_its_own_rows_replace_and_may_keep_it() {
    let (_folder, store) = lake(&spec(&["id"], Some("version"))).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let replaced = Arc::new(Mutex::new(Vec::new()));
    let owner = Owner { replaces: judge(&replaced, Err("not yours")), sees: judge(&Arc::default(), Ok(())) };
    let guarded = Part { owner: Some(owner), ..part(None, 2) };
    let rows = || orders(&[("a", 2), ("b", 2), ("f", 1)]);
    let refused = together(&store, &[part(None, 1), guarded], rows()).await.unwrap();
    assert!(matches!(refused, Together::Refused { part: 1, .. }), "{refused:?}");
    assert_eq!(*replaced.lock().unwrap(), ["b"]);
    assert_eq!(store.snapshot(&name()).await.unwrap().version, 1);
}

/// Notes the ids that it is asked of.
fn judge(asked: &Arc<Mutex<Vec<String>>>, verdict: Result<(), &'static str>) -> Judge {
    let asked = Arc::clone(asked);
    Arc::new(move |batch: RecordBatch| {
        asked.lock().unwrap().extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        async move { verdict.map_err(|text| Error::new(Reason::Privilege, text)) }.boxed()
    })
}

#[tokio::test]
async fn an_owner_is_asked_of_stored_rows_that_are_the_same_or_newer() {
    let (_folder, store) = lake(&spec(&["id"], Some("version"))).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let (replaced, seen) = (Arc::default(), Arc::default());
    let owner = |verdict| Owner { replaces: judge(&replaced, Ok(())), sees: judge(&seen, verdict) };
    let guarded = |verdict| [Part { owner: Some(owner(verdict)), ..part(None, 4) }];
    // a is replaced, b the same, c stale, f new.
    let other = |id, version| (id, "2025-03-31T16:00:00Z", 1, 5, version);
    let rows = || stream(vec![batch(&[other("a", 2), THREE[2], other("c", 0), other("f", 1)])]);
    let refused = together(&store, &guarded(Err("hidden")), rows()).await.unwrap();
    assert!(matches!(refused, Together::Refused { part: 0, .. }), "{refused:?}");
    assert_eq!(store.snapshot(&name()).await.unwrap().version, 1);
    seen.lock().unwrap().clear();
    let Together::Committed(done) = together(&store, &guarded(Ok(())), rows()).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!(counts(&done[0]), [1, 1, 1, 1]);
    let seen: std::collections::BTreeSet<String> = seen.lock().unwrap().drain(..).collect();
    assert_eq!(seen, ["b", "c"].map(str::to_owned).into());
    assert_eq!(replaced.lock().unwrap().last().unwrap(), "a");
}

#[tokio::test]
async fn what_was_worked_out_from_an_older_version_is_not_written() {
    let (_folder, store) = lake(&spec(&["id"], Some("version"))).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let outcome = store.write_together(&name(), 0, &[part(None, 1)], orders(&[("f", 1)])).await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Serialization);
}
