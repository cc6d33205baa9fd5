//! kill -9 at random moments of a load: the lake is sound, holds the version before or the one after, and the repeated
//! load adds nothing twice. HENNA_TEST_SEED repeats a run.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::support::{folder, henna, ran};

const ROUNDS: usize = 6;
const ROWS: usize = 20_000;

fn rows(round: usize) -> String {
    let mut text = "channel,order_id,order_time,status,paid_amount,id_phone\n".to_owned();
    for row in 0..ROWS {
        let (day, phone) = (row % 28 + 1, 1_000_000 + row % 5_000);
        text.push_str(&format!(
            "tmall,R{round}-{row},2024-{:02}-{day:02} 10:00:00,paid,1.25,1380{phone}\n",
            round % 12 + 1
        ));
    }
    text
}

fn count(lake: &Path, sql: &str) -> usize {
    let told = ran(henna(lake).args(["sql", "--format", "csv", "-c", sql])).ok().out;
    told.lines().nth(1).unwrap().parse().unwrap()
}

fn seed() -> u64 {
    let given = std::env::var("HENNA_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| rand::rng().random());
    println!("HENNA_TEST_SEED={seed}");
    seed
}

#[test]
fn a_killed_load_leaves_the_version_before_or_after_and_repeats_cleanly() {
    let mut random = StdRng::seed_from_u64(seed());
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    let file = folder.path().join("orders.csv");

    // How long an undisturbed load takes says when to kill.
    std::fs::write(&file, rows(0)).unwrap();
    let began = Instant::now();
    ran(henna(&lake).args(["load", "orders"]).arg(&file)).ok();
    let whole = began.elapsed();

    let mut cut_off = 0;
    for round in 1..=ROUNDS {
        std::fs::write(&file, rows(round)).unwrap();
        let before = count(&lake, "SELECT count(*) FROM orders");
        let wait = whole.mul_f64(random.random_range(0.1..1.1));
        let mut child = henna(&lake)
            .args(["load", "orders"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ended = ended_within(&mut child, wait);
        cut_off += usize::from(!ended);
        child.kill().unwrap();
        child.wait().unwrap();

        let told = ran(henna(&lake).arg("check"));
        assert_eq!(told.code, 0, "round {round}: {}{}", told.out, told.err);
        let after = count(&lake, "SELECT count(*) FROM orders");
        assert!([before, before + ROWS].contains(&after), "round {round}: {after} rows, before {before}");
        assert!(!ended || after == before + ROWS, "round {round}: a load that ended well is not there");

        ran(henna(&lake).args(["load", "orders"]).arg(&file)).ok();
        assert_eq!(count(&lake, "SELECT count(*) FROM orders"), before + ROWS, "round {round}");
        let keys = count(&lake, "SELECT count(*) FROM (SELECT DISTINCT channel, order_id FROM orders) AS keys");
        assert_eq!(keys, before + ROWS, "round {round}");
        // One person a telephone number, however often it was brought.
        assert_eq!(count(&lake, "SELECT count(DISTINCT one_id) FROM orders"), 5_000, "round {round}");
    }
    println!("{cut_off} of {ROUNDS} loads were cut off");
    ran(henna(&lake).arg("check")).ok();
}

fn ended_within(child: &mut std::process::Child, span: Duration) -> bool {
    let deadline = Instant::now() + span;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return true;
        }
        std::thread::yield_now();
    }
    false
}
