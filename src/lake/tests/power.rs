//! The power goes at any step: what was acknowledged is there, once, and nothing is there by half. HENNA_TEST_SEED repeats a run.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use arrow::array::{AsArray, BooleanArray};
use futures::FutureExt;
use rand::Rng;

use super::super::faults::{Fate, Power, SyncKind, create_over, open_over, open_unsynced};
use super::faults::{faults, held};
use super::parts::{part, together};
use super::*;
use crate::error::{Reason, Result};

/// What is done to the lake, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Make,
    Load(&'static str, &'static [Order]),
    Together,
    Compact,
    Delete,
    Checkpoint,
    Vacuum,
    Drop,
}

const NEWER: [Order; 3] = [
    ("a", "2025-05-01T00:00:00Z", 1, 999, 2),
    ("b", "2025-04-01T00:00:00Z", 2, -1, 1),
    ("d", "2025-05-02T00:00:00Z", 4, 4, 1),
];
const SHARED: [Order; 2] = [("e", "2025-04-03T00:00:00Z", 5, 5, 1), ("b", "2025-04-03T00:00:00Z", 5, 6, 2)];
const DEEDS: [Deed; 9] = [
    Deed::Make,
    Deed::Load("1", &THREE),
    Deed::Load("2", &NEWER),
    Deed::Together,
    Deed::Compact,
    Deed::Delete,
    Deed::Checkpoint,
    Deed::Vacuum,
    Deed::Drop,
];

/// Done twice it is done once.
async fn act(store: &Store, spec: &TableSpec, deed: Deed) -> Result<()> {
    let name = name();
    match deed {
        Deed::Make => match store.create_table(&name, spec).await {
            Err(error) if error.reason() == Reason::DuplicateTable => Ok(()),
            outcome => outcome,
        },
        Deed::Load(id, orders) => store.write(&name, load(id, orders)).await.map(drop),
        Deed::Together if store.committed_part(&name, "x").await?.is_some() => Ok(()),
        Deed::Together => {
            together(store, &[part(Some("x"), 1), part(Some("y"), 1)], stream(vec![batch(&SHARED)])).await.map(drop)
        }
        Deed::Compact => store.compact(&name).await.map(drop),
        Deed::Delete => {
            let is_doomed = |batch: &RecordBatch| {
                let ids = batch.column(0).as_string::<i32>();
                Ok(ids.iter().map(|id| id.map(|id| "ae".contains(id))).collect::<BooleanArray>())
            };
            store.delete_rows(&name, &is_doomed).await.map(drop)
        }
        Deed::Checkpoint => store.checkpoint(&name).await,
        Deed::Vacuum => store.vacuum(&name, Duration::ZERO).await.map(drop),
        Deed::Drop => match store.drop_table(&name).await {
            Err(error) if error.reason() == Reason::UndefinedTable => Ok(()),
            outcome => outcome,
        },
    }
}

/// The rows of the table; `None` where there is none.
async fn rows(store: &Store) -> Option<Vec<String>> {
    match store.tables().await.unwrap().is_empty() {
        true => None,
        false => Some(held(store).await.0),
    }
}

/// The lake in a folder after a cut, made anew where it was not acknowledged.
async fn found(root: &Path, is_made: bool) -> Store {
    match open_unsynced(root).await {
        Ok(store) => store,
        Err(error) if is_made => panic!("the lake is gone: {error}"),
        Err(_) => create_over(&Power::over(root.parent().unwrap()), root).await.unwrap(),
    }
}

async fn survives(spec: TableSpec, forgets: Option<SyncKind>) {
    let folder = tempfile::tempdir().unwrap();
    let power = Power::forgetting(folder.path(), forgets);
    let root = power.root().join("lake");
    let store = create_over(&power, &root).await.unwrap();
    let made = power.moments();
    // What the table holds after so many deeds, and from which moment on.
    let (mut states, mut acknowledged) = (vec![rows(&store).await], vec![0]);
    for deed in DEEDS {
        act(&store, &spec, deed).await.unwrap();
        states.push(rows(&store).await);
        acknowledged.push(power.moments());
    }
    power.end();
    let given = std::env::var("HENNA_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| rand::rng().random());
    println!("HENNA_TEST_SEED={seed}, {} moments", power.moments());
    for moment in 0..power.moments() {
        let done = acknowledged.iter().filter(|since| **since <= moment).count() - 1;
        for fate in [Fate::Lost, Fate::Torn, Fate::Mixed(seed.wrapping_add(moment as u64))] {
            let told = format!("moment {moment}, {fate:?}, before {:?}", DEEDS.get(done));
            let left = tempfile::tempdir().unwrap();
            power.cut(moment, fate, left.path());
            let store = found(&left.path().join("lake"), moment >= made).await;
            assert_eq!(faults(&store).await, [], "{told}");
            let seen = rows(&store).await;
            assert!(seen == states[done] || Some(&seen) == states.get(done + 1), "{told}: {seen:?}");
            if done > 0 && DEEDS[done - 1] == Deed::Vacuum && seen.is_some() {
                assert_eq!(store.check().await.unwrap(), [], "{told}: what was taken away is back");
            }
            if let Some(deed) = DEEDS.get(done) {
                act(&store, &spec, *deed).await.unwrap_or_else(|error| panic!("{told}: {error}"));
                assert_eq!(rows(&store).await, states[done + 1], "{told}, done again");
                assert_eq!(faults(&store).await, [], "{told}, done again");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_table_survives_power_cuts() {
    survives(spec(&["id"], Some("version")), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_table_survives_power_cuts() {
    survives(spec(&[], None), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_sync_is_missed_where_it_is_left_out() {
    for sync in [SyncKind::File, SyncKind::NameOfFile, SyncKind::NameOfFolder, SyncKind::Deletion] {
        let survived = AssertUnwindSafe(survives(spec(&["id"], Some("version")), Some(sync))).catch_unwind().await;
        assert!(survived.is_err(), "{sync:?}");
    }
}

/// A writer was killed after its commit showed and before its name was synced; another one is told that the load is there.
#[tokio::test]
async fn a_load_that_is_said_to_be_there_lasts_whoever_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let (root, log) = (folder.path().join("lake"), "tables/public/orders/_delta_log/00000000000000000001.json");
    let store = create_over(&Power::over(folder.path()), &root).await.unwrap();
    store.create_table(&name(), &spec(&["id"], None)).await.unwrap();
    store.write(&name(), load("1", &THREE)).await.unwrap();
    for is_asked in [false, true] {
        let power = Power::over(folder.path());
        power.forget_name(&Path::new("lake").join(log));
        let store = open_over(&power, &root).await.unwrap();
        if is_asked {
            assert!(store.write(&name(), load("1", &THREE)).await.unwrap().repeated);
        }
        power.end();
        let left = tempfile::tempdir().unwrap();
        power.cut(power.moments() - 1, Fate::Lost, left.path());
        let store = open_unsynced(&left.path().join("lake")).await.unwrap();
        assert_eq!(held(&store).await.0.len(), if is_asked { 3 } else { 0 });
    }
}
