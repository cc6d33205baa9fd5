//! What a row policy costs beside the same condition written by hand, and what both leave unread.
//!
//! One lake, two tables with the same rows: `sorted` lies in the order of teams, so a policy on the team leaves row groups out;
//! `mixed` lies in the order of numbers, so every row is looked at. Each question is asked by headquarters with a WHERE and by
//! a role under the policy, in turns, and the answers must be equal. A table at the end gives medians, their ratio, and what
//! the scan of the policy left out.
//!
//! HENNA_BENCH_POLICY_ROWS sets the size.

use std::cell::OnceCell;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use criterion::Criterion;
use futures::TryStreamExt;
use henna::access::ScanTotals;
use henna::query::{Lake, Session};
use tokio::runtime::Runtime;

use super::henna;

const ROWS: u64 = 2_000_000;
const TEAMS: u64 = 100;
const TABLES: [&str; 2] = ["sorted", "mixed"];
/// A role, its policy, and the share of rows that it leaves.
const POLICIES: [(&str, &str, &str); 4] = [
    ("one", "team = 't00'", "1%"),
    ("half", "team < 't50'", "50%"),
    ("most", "team <> 't00'", "99%"),
    ("hq", "true", "all"),
];
const QUESTIONS: [(&str, &str, &str); 4] = [
    ("sum", "SELECT count(*), sum(amount) FROM", ""),
    ("group", "SELECT product, count(*), sum(amount) FROM", "GROUP BY product ORDER BY product"),
    ("month", "SELECT count(*), max(amount) FROM", "sold_on"),
    ("top", "SELECT number, amount FROM", "ORDER BY amount DESC, number LIMIT 10"),
];
const MONTH: &str = "sold_on >= DATE '2024-03-01' AND sold_on < DATE '2024-04-01'";
/// How long the end of a scan may take to be counted.
const COUNTED_MAX: Duration = Duration::from_secs(5);

fn row_count() -> u64 {
    std::env::var("HENNA_BENCH_POLICY_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROWS)
}

/// The same rows in both tables, and a role for each policy.
struct House {
    _folder: tempfile::TempDir,
    lake: Lake,
}

impl House {
    fn made(runtime: &Runtime) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (dataset, lake) = (folder.path().join("dataset"), folder.path().join("lake"));
        write_dataset(&dataset);
        let file = folder.path().join("rows.csv");
        std::fs::write(&file, rows_csv()).unwrap();
        henna(&lake, &["init", "--dataset", &dataset.to_string_lossy()], None);
        for table in TABLES {
            henna(&lake, &["load", table], Some(&file));
        }
        let lake = runtime.block_on(Lake::open(&lake.to_string_lossy())).unwrap();
        Self { _folder: folder, lake }
    }

    fn session(&self, runtime: &Runtime, role: &str) -> Session {
        runtime.block_on(self.lake.session(self.lake.principal(role).unwrap())).unwrap()
    }

    /// What was read behind the wall by one statement.
    fn read_by(&self, runtime: &Runtime, session: &Session, sql: &str) -> ScanTotals {
        let before = self.lake.secured_scans();
        runtime.block_on(answer(session, sql));
        let deadline = Instant::now() + COUNTED_MAX;
        loop {
            let read = self.lake.secured_scans().since(&before);
            if read.scans > 0 || Instant::now() > deadline {
                return read;
            }
            std::thread::yield_now();
        }
    }
}

fn write_dataset(folder: &Path) {
    std::fs::create_dir_all(folder.join("tables")).unwrap();
    let mut access = String::new();
    for table in TABLES {
        let text = format!(
            "CREATE TABLE {table} (number bigint PRIMARY KEY, team text NOT NULL, sold_on date NOT NULL, \
             product text NOT NULL, amount numeric(18, 2) NOT NULL)"
        );
        std::fs::write(folder.join(format!("tables/{table}.sql")), text).unwrap();
        writeln!(access, "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;").unwrap();
    }
    for (role, policy, _) in POLICIES {
        writeln!(access, "CREATE ROLE {role}; GRANT USAGE ON SCHEMA public TO {role};").unwrap();
        for table in TABLES {
            writeln!(access, "GRANT SELECT ON {table} TO {role};").unwrap();
            writeln!(access, "CREATE POLICY {role} ON {table} TO {role} USING ({policy});").unwrap();
        }
    }
    std::fs::write(folder.join("access.sql"), access).unwrap();
    let settings =
        "name = \"policy\"\n[tables.sorted]\nsort = [\"team\", \"number\"]\n[tables.mixed]\nsort = [\"number\"]\n";
    std::fs::write(folder.join("dataset.toml"), settings).unwrap();
}

/// Deterministic: the values of a row follow from its number.
fn rows_csv() -> String {
    let mut text = "number,team,sold_on,product,amount\n".to_owned();
    for number in 0..row_count() {
        // SplitMix64, so that neighbours have nothing in common.
        let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^= mixed >> 27;
        let (team, product, cents) = (mixed % TEAMS, (mixed >> 8) % 40, (mixed >> 16) % 100_000);
        let (month, day) = ((mixed >> 40) % 12 + 1, (mixed >> 48) % 28 + 1);
        writeln!(
            text,
            "{number},t{team:02},2024-{month:02}-{day:02},product-{product:02},{}.{:02}",
            cents / 100,
            cents % 100
        )
        .unwrap();
    }
    text
}

async fn answer(session: &Session, sql: &str) -> Vec<RecordBatch> {
    session.execute(sql).await.unwrap().try_collect().await.unwrap()
}

fn timed(runtime: &Runtime, session: &Session, sql: &str) -> Duration {
    let began = Instant::now();
    runtime.block_on(answer(session, sql));
    began.elapsed()
}

/// A statement by hand, with the policy's condition, and the one that leaves it to the policy.
fn statements(table: &str, policy: &str, (_, select, rest): (&str, &str, &str)) -> (String, String) {
    let (condition, rest) = if rest == "sold_on" { (Some(MONTH), "") } else { (None, rest) };
    let by_hand = match condition {
        Some(condition) => format!("{select} {table} WHERE {policy} AND {condition} {rest}"),
        None => format!("{select} {table} WHERE {policy} {rest}"),
    };
    let by_policy = match condition {
        Some(condition) => format!("{select} {table} WHERE {condition} {rest}"),
        None => format!("{select} {table} {rest}"),
    };
    (by_hand, by_policy)
}

struct Line {
    name: String,
    share: &'static str,
    by_hand: Vec<Duration>,
    by_policy: Vec<Duration>,
    read: ScanTotals,
}

/// Asks every question both ways.
pub fn compare(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let house = OnceCell::new();
    let mut lines = Vec::new();
    let mut group = criterion.benchmark_group("policy");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for table in TABLES {
        for (role, policy, share) in POLICIES {
            for question in QUESTIONS {
                let name = format!("{table}_{role}_{}", question.0);
                let (by_hand, by_policy) = statements(table, policy, question);
                let mut line = Line {
                    name: name.clone(),
                    share,
                    by_hand: Vec::new(),
                    by_policy: Vec::new(),
                    read: ScanTotals::default(),
                };
                group.bench_function(&name, |bencher| {
                    let house = house.get_or_init(|| House::made(&runtime));
                    // The bootstrap superuser: no policy binds it.
                    let (free, bound) = (house.session(&runtime, "admin"), house.session(&runtime, role));
                    let answers = [(&free, &by_hand), (&bound, &by_policy)].map(|(session, sql)| {
                        pretty_format_batches(&runtime.block_on(answer(session, sql))).unwrap().to_string()
                    });
                    assert_eq!(answers[0], answers[1], "{by_policy}");
                    if role != "hq" {
                        line.read = house.read_by(&runtime, &bound, &by_policy);
                    }
                    bencher.iter_custom(|rounds| {
                        let mut sum = Duration::ZERO;
                        for round in 0..rounds {
                            let mut ask = |is_bound: bool| {
                                let (session, sql) = if is_bound { (&bound, &by_policy) } else { (&free, &by_hand) };
                                let took = timed(&runtime, session, sql);
                                if is_bound { &mut line.by_policy } else { &mut line.by_hand }.push(took);
                                if is_bound { took } else { Duration::ZERO }
                            };
                            // Who comes first finds a colder machine.
                            let first = round % 2 == 0;
                            sum += ask(first) + ask(!first);
                        }
                        sum
                    });
                });
                lines.push(line);
            }
        }
    }
    group.finish();
    print(lines);
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn print(lines: Vec<Line>) {
    let asked: Vec<Line> = lines.into_iter().filter(|line| !line.by_hand.is_empty()).collect();
    if asked.is_empty() {
        return;
    }
    println!("\n{} rows; milliseconds, medians", row_count());
    println!("| question | rows left | by hand | by policy | ratio | row groups read | left out | rows looked at |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let (mut logs, count) = (0.0, asked.len());
    for mut line in asked {
        let (by_hand, by_policy) = (median(&mut line.by_hand), median(&mut line.by_policy));
        logs += (by_policy / by_hand).ln();
        println!(
            "| {} | {} | {by_hand:.2} | {by_policy:.2} | {:.2} | {} | {} | {} |",
            line.name,
            line.share,
            by_policy / by_hand,
            line.read.row_groups_scanned,
            line.read.row_groups_pruned,
            line.read.rows_read
        );
    }
    println!("geometric mean of the ratios: {:.3}", (logs / count as f64).exp());
}
