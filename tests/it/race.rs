//! Two loaders, a compaction and readers at the same time, each a process or a connection of its own: no update is lost, and a
//! reader sees whole loads only. HENNA_TEST_SEED repeats a run, HENNA_TEST_ROUNDS makes it longer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tokio_postgres::Client;

use super::stream::connected;
use super::support::{folder, henna, ran, run, server};

const LOADERS: usize = 2;
const READERS: usize = 3;
/// Files of each loader.
const FILES: usize = 6;
/// Orders that one load brings, and no other.
const OWN: usize = 60;
/// Orders that every load brings.
const SHARED: usize = 25;
/// Orders of which each load brings some.
const KEYS: usize = 40;

const HEADER: &str = "channel,order_id,order_time,status,coupon_id,paid_amount,id_phone,updated_at";

/// Newest version and amount by order.
type Model = BTreeMap<String, (usize, usize)>;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The file of a load whose rows have a version that no other load has.
fn file(load: usize, version: usize, random: &mut StdRng, model: &mut Model) -> String {
    let time = |nth: usize| format!("2026-{:02}-03 10:00:00", nth % 5 + 1);
    let updated_at = format!("2026-06-01 {:02}:{:02}:00", version / 60, version % 60);
    let mut text = HEADER.to_owned() + "\n";
    let mut row = |id: String, nth: usize, coupon: &str| {
        let known = model.entry(id.clone()).or_default();
        *known = (*known).max((version, load + 1));
        let phone = 1_000_000 + nth % 30;
        let line = format!("jd,{id},{},paid,{coupon},{},1391{phone},{updated_at}\n", time(nth), load + 1);
        text.push_str(&line);
    };
    (0..OWN).for_each(|nth| row(format!("own-{load}-{nth}"), nth, &format!("load-{load}")));
    (0..SHARED).for_each(|nth| row(format!("shared-{nth}"), nth, ""));
    for nth in 0..KEYS {
        if random.random_ratio(1, 2) {
            row(format!("key-{nth}"), nth, "");
        }
    }
    text
}

async fn numbers(client: &Client, sql: &str) -> Vec<Vec<i64>> {
    let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| (0..row.len()).map(|column| row.get::<_, i64>(column)).collect()).collect()
}

/// Reads until the loaders are done; gives how often.
async fn read(port: u16, is_over: &AtomicBool) -> usize {
    let client = connected(port).await.unwrap();
    let (mut reads, mut least) = (0, 0);
    while !is_over.load(Ordering::SeqCst) {
        let count = numbers(&client, "SELECT count(*) FROM orders").await[0][0];
        assert!(count >= least, "{count} rows after {least}");
        least = count;
        let loads = "SELECT count(*) FROM orders WHERE coupon_id LIKE 'load-%' GROUP BY coupon_id";
        let loads = numbers(&client, loads).await;
        assert!(loads.iter().all(|load| load[0] == OWN as i64), "a load is there by half: {loads:?}");
        let shared = "SELECT count(*), count(DISTINCT paid_amount), count(DISTINCT order_id) FROM orders WHERE order_id LIKE 'shared-%'";
        let shared = &numbers(&client, shared).await[0];
        let whole = [[0, 0, 0], [SHARED as i64, 1, SHARED as i64]];
        assert!(whole.iter().any(|whole| whole[..] == shared[..]), "rows of two loads: {shared:?}");
        // What one statement names twice is one version to it.
        let twice = "SELECT a.n - b.n, a.n - (SELECT count(*) FROM orders) FROM (SELECT count(*) AS n FROM orders) AS a, \
            (SELECT count(one_id) AS n FROM orders) AS b";
        assert_eq!(numbers(&client, twice).await, [[0, 0]]);
        reads += 1;
    }
    reads
}

fn load(lake: &Path, files: &[std::path::PathBuf]) {
    for file in files {
        ran(henna(lake).args(["load", "orders"]).arg(file)).ok();
    }
}

#[test]
fn two_loaders_and_a_compaction_lose_nothing_to_each_other_and_readers_see_whole_loads() {
    let seed = setting("HENNA_TEST_SEED").unwrap_or_else(|| rand::rng().random());
    println!("HENNA_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    let files = setting("HENNA_TEST_ROUNDS").map_or(FILES, |rounds| rounds as usize);
    let mut versions: Vec<usize> = (0..LOADERS * files).collect();
    versions.shuffle(&mut random);
    let mut model = Model::new();
    let paths: Vec<_> = versions
        .iter()
        .enumerate()
        .map(|(load, version)| {
            let path = folder.path().join(format!("{load}.csv"));
            std::fs::write(&path, file(load, *version, &mut random, &mut model)).unwrap();
            path
        })
        .collect();
    let (mut child, port) = server(&lake);
    let (is_over, compactions) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || run(async { read(port, &is_over).await }))
        })
        .collect();
    let lake = &lake;
    std::thread::scope(|scope| {
        let loaders: Vec<_> = paths.chunks(files).map(|paths| scope.spawn(move || load(lake, paths))).collect();
        let compacting = scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                ran(henna(lake).arg("compact")).ok();
                compactions.fetch_add(1, Ordering::SeqCst);
            }
        });
        let ended: Vec<_> = loaders.into_iter().map(|loader| loader.join()).collect();
        is_over.store(true, Ordering::SeqCst);
        compacting.join().unwrap();
        ended.into_iter().for_each(|ended| ended.unwrap());
    });
    let reads: Vec<usize> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    let rows = run(async {
        let client = connected(port).await.unwrap();
        let sql = "SELECT order_id, CAST(paid_amount AS bigint) FROM orders";
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect::<BTreeMap<String, i64>>()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let expected: BTreeMap<String, i64> = model.into_iter().map(|(id, (_, paid))| (id, paid as i64)).collect();
    assert_eq!(rows, expected);
    let persons = ran(henna(lake).args(["sql", "--format", "csv", "-c", "SELECT count(DISTINCT one_id) FROM orders"]));
    assert_eq!(persons.ok().out.lines().nth(1), Some("30"));
    ran(henna(lake).arg("check")).ok();
    let compactions = compactions.into_inner();
    println!("{} loads beside {compactions} compactions, read {reads:?} times", paths.len());
    assert!(compactions > 1 && reads.iter().all(|reads| *reads > 3));
}
