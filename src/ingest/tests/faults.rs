//! Loads and erasures that are cut off, by a store call that fails or by a power cut: what was acknowledged is there, once, and
//! what is done again comes to the same. HENNA_TEST_SEED repeats a run, HENNA_TEST_ROUNDS tries every step and not some of them.

use rand::Rng;
use tokio::runtime::Handle;

use super::super::stream::{BodyFormat, BodyKind, StreamRequest, Streams};
use super::*;
use crate::error::Result;
use crate::lake::Severity;
use crate::lake::faults::{Fate, Fault, Lasts, Memory, Power, create_over, open_unsynced};

/// Without HENNA_TEST_ROUNDS one store call in so many fails, and one moment in so many is cut.
const CALLS_STRIDE: usize = 15;
const MOMENTS_STRIDE: usize = 6;

const FILES: [(&str, &str); 3] = [
    (
        "first.csv",
        "order_id,order_time,paid,id_phone,id_tmall,updated_at\n\
        A1,2024-01-01,1,13800000001,,2024-01-01\nA2,2024-01-02,2,13800000002,,2024-01-01\n\
        A3,2024-02-02,3,,anna,2024-01-01\nA4,soon,3,,anna,2024-01-01\n",
    ),
    (
        "second.csv",
        "order_id,order_time,paid,id_phone,id_tmall,updated_at\n\
        A2,2024-01-02,5,13800000002,anna,2024-01-05\nB1,2024-02-03,4,13800000001,,2024-01-05\n\
        B2,2024-02-03,-4,13800000001,,2024-01-05\nB3,2024-02-03,6,13800000009,,2024-01-05\n",
    ),
    ("customers.csv", "nickname,id_phone,updated_at\nAnna,13800000002,2024-01-05\nBo,13800000001,2024-01-05\n"),
];

const BODY: &str = "order_id,order_time,paid,id_phone,id_tmall,updated_at\n\
    A3,2024-02-02,8,13800000001,,2024-02-05\nC1,2024-02-03,4,13800000007,bob,2024-01-05\nC2,soon,4,,bob,2024-01-05\n";

#[derive(Debug, Clone, Copy)]
enum Deed {
    Load(&'static str, &'static str),
    /// Over HTTP, under a key.
    Stream,
    Compact,
    Forget,
}

const DEEDS: [Deed; 6] = [
    Deed::Load("orders", "first.csv"),
    Deed::Load("orders", "second.csv"),
    Deed::Load("customers", "customers.csv"),
    Deed::Stream,
    Deed::Compact,
    Deed::Forget,
];

/// What the tables hold that tell of what was done; those of rows come first.
const TOLD: [&str; 5] = [
    "SELECT order_id, one_id, paid FROM orders ORDER BY order_id",
    "SELECT one_id, nickname FROM customers ORDER BY one_id",
    // What came over HTTP is recorded after it was acknowledged, or not at all.
    "SELECT table_name, count(*) FROM loads WHERE files LIKE '%.csv' GROUP BY table_name ORDER BY table_name",
    "SELECT table_name, line, raw FROM rejects ORDER BY table_name, line, raw",
    "SELECT id_type, one_id, count(*) FROM identities GROUP BY id_type, one_id ORDER BY id_type, one_id",
];
/// Of these each is as it was before a deed or as it is after it, wherever it is cut off.
const WHOLE: usize = 3;

type Told = Vec<Vec<Vec<String>>>;

async fn told(store: &Store) -> Told {
    let mut found = Told::new();
    for sql in TOLD {
        // Tables that tell of loads are made by the first.
        let is_there = store.tables().await.unwrap().len() >= 6 || found.len() < 2;
        found.push(if is_there { rows_of(store, sql).await } else { Vec::new() });
    }
    found
}

struct Shop {
    folder: TempDir,
    dataset: Arc<Dataset>,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, dataset: Arc::new(shop()) }
    }

    async fn make_tables(&self, store: &Store) {
        for contract in &self.dataset.contracts {
            store.create_table(&TableName::new(PUBLIC, &contract.name), &table_spec(contract)).await.unwrap();
        }
    }

    fn loader(&self, store: &Store) -> Loader {
        Loader::new(store.clone(), Arc::clone(&self.dataset))
    }

    async fn act(&self, loader: &Loader, deed: Deed) -> Result<()> {
        match deed {
            Deed::Load(table, file) => {
                let file = self.folder.path().join(file).to_str().unwrap().to_owned();
                let request = LoadRequest { reject_share_max: 0.5, ..LoadRequest::new(table, vec![file]) };
                loader.load(request).await.map(drop)
            }
            Deed::Stream => {
                let streams = Streams::new(loader.clone(), Handle::current());
                let request = StreamRequest {
                    table: TableName::new(PUBLIC, "orders"),
                    contract: Arc::new(self.dataset.contract("orders").unwrap().clone()),
                    identified: true,
                    user: "anna".to_owned(),
                    key: Some("7".to_owned()),
                    bound: None,
                    body: BODY.into(),
                    kind: BodyKind::of(BodyFormat::Csv),
                    is_fed: false,
                    on_reject: OnReject::Keep,
                    reject_share_max: 0.5,
                    room: streams.room(BODY.len()).unwrap(),
                };
                streams.load(request).await.map(drop)
            }
            Deed::Compact => loader.store.compact(&TableName::new(PUBLIC, "orders")).await.map(drop),
            Deed::Forget => loader.forget("phone", "13800000001").await.map(drop),
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn seed() -> u64 {
    let seed = setting("HENNA_TEST_SEED").unwrap_or_else(|| rand::rng().random());
    println!("HENNA_TEST_SEED={seed}");
    seed
}

/// Which steps are tried.
fn steps(seed: u64, first: usize, stride: usize) -> impl Iterator<Item = usize> {
    let stride = if setting("HENNA_TEST_ROUNDS").is_some() { 1 } else { stride };
    (first + seed as usize % stride..).step_by(stride)
}

async fn assert_sound(store: &Store, told: &str) {
    let findings = store.check().await.unwrap();
    let faults: Vec<_> = findings.into_iter().filter(|found| found.severity == Severity::Fault).collect();
    assert_eq!(faults, [], "{told}");
}

fn assert_whole(seen: &Told, (before, after): (&Told, &Told), told: &str) {
    for table in 0..WHOLE {
        let seen = &seen[table];
        assert!(*seen == before[table] || *seen == after[table], "{told}: {}: {seen:?}", TOLD[table]);
    }
}

#[tokio::test]
async fn a_load_or_an_erasure_survives_the_failure_of_each_store_call() {
    let (shop, seed) = (Shop::new(), seed());
    let lake = Memory::default();
    shop.make_tables(&lake.store()).await;
    for deed in DEEDS {
        let begun = lake.fork();
        shop.act(&shop.loader(&lake.store()), deed).await.unwrap();
        let (before, after) = (told(&begun.store()).await, told(&lake.store()).await);
        for kind in Fault::KINDS {
            for call in steps(seed, 1, CALLS_STRIDE) {
                let lake = begun.fork();
                let fault = Fault { call, ..kind };
                let (store, objects) = lake.failing(fault);
                let loader = shop.loader(&store);
                let outcome = shop.act(&loader, deed).await;
                let (seen, told_of) = (told(&lake.store()).await, format!("{deed:?}, {fault:?}"));
                match &outcome {
                    Ok(()) => assert_eq!(seen, after, "{told_of}: what is acknowledged is there"),
                    Err(_) => assert_whole(&seen, (&before, &after), &told_of),
                }
                if !objects.has_failed() {
                    break;
                }
                let again = if let Lasts::Once = fault.lasts { loader } else { shop.loader(&lake.store()) };
                shop.act(&again, deed).await.unwrap_or_else(|error| panic!("{told_of}: {error}"));
                assert_eq!(told(&lake.store()).await, after, "{told_of}, done again");
                assert_sound(&lake.store(), &told_of).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_or_an_erasure_survives_a_power_cut_at_each_step() {
    let (shop, seed) = (Shop::new(), seed());
    let folder = tempfile::tempdir().unwrap();
    let power = Power::over(folder.path());
    let store = create_over(&power, &power.root().join("lake")).await.unwrap();
    shop.make_tables(&store).await;
    power.keep();
    let loader = shop.loader(&store);
    let (mut states, mut acknowledged) = (vec![told(&store).await], vec![0]);
    for deed in DEEDS {
        shop.act(&loader, deed).await.unwrap();
        states.push(told(&store).await);
        acknowledged.push(power.moments());
    }
    power.end();
    println!("{} moments", power.moments());
    let all = steps(seed, 0, MOMENTS_STRIDE).take_while(|moment| *moment < power.moments());
    for moment in all.chain([power.moments() - 1]) {
        let done = acknowledged.iter().filter(|since| **since <= moment).count() - 1;
        for fate in [Fate::Lost, Fate::Torn, Fate::Mixed(seed.wrapping_add(moment as u64))] {
            let told_of = format!("moment {moment}, {fate:?}, before {:?}", DEEDS.get(done));
            let left = tempfile::tempdir().unwrap();
            power.cut(moment, fate, left.path());
            let store = open_unsynced(&left.path().join("lake")).await.unwrap();
            assert_sound(&store, &told_of).await;
            let seen = told(&store).await;
            let Some(deed) = DEEDS.get(done) else {
                assert_eq!(seen, states[done], "{told_of}");
                assert_eq!(store.check().await.unwrap(), [], "{told_of}: files of the person are back");
                continue;
            };
            assert_whole(&seen, (&states[done], &states[done + 1]), &told_of);
            let again = shop.act(&shop.loader(&store), *deed).await;
            again.unwrap_or_else(|error| panic!("{told_of}: {error}"));
            assert_eq!(told(&store).await, states[done + 1], "{told_of}, done again");
            assert_sound(&store, &told_of).await;
        }
    }
}
