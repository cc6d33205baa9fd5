//! What users made is there again when the lake is opened, and what a cut left does no harm.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use henna::lake::{TableName, TableSpec};
use henna::query::Lake;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::support::{folder, henna, ran};

fn sql(lake: &Path, text: &str) -> String {
    ran(henna(lake).args(["sql", "--format", "csv", "-c", text])).ok().out
}

#[test]
fn what_users_made_is_there_when_the_lake_is_opened_again() {
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    sql(
        &lake,
        "CREATE ROLE lena; CREATE SCHEMA lena AUTHORIZATION lena; CREATE TABLE lena.t (a int PRIMARY KEY, b text DEFAULT 'x')",
    );
    sql(&lake, "INSERT INTO lena.t (a) VALUES (1), (2)");
    sql(&lake, "CREATE VIEW lena.v AS SELECT b, sum(a) FROM lena.t GROUP BY b");
    sql(&lake, "ALTER TABLE lena.v OWNER TO lena; COMMENT ON VIEW lena.v IS 'sums'");
    assert_eq!(sql(&lake, "SELECT * FROM lena.v"), "b,sum\nx,3\n");
    let told = "SELECT viewowner, obj_description('lena.v'::regclass, 'pg_class') FROM pg_views WHERE viewname = 'v'";
    assert!(sql(&lake, told).ends_with("lena,sums\n"), "{}", sql(&lake, told));
    let refused = ran(henna(&lake).args(["sql", "-c", "INSERT INTO lena.t VALUES (2)"]));
    refused.refused(1, &["duplicate key value violates unique constraint \"t_pkey\""]);
    ran(henna(&lake).arg("check")).ok();
    sql(&lake, "DROP SCHEMA lena CASCADE");
    let gone = ran(henna(&lake).args(["sql", "-c", "SELECT * FROM lena.v"]));
    gone.refused(1, &["relation \"lena.v\" does not exist"]);
    assert!(!ran(henna(&lake).arg("check")).ok().out.contains("no name leads to"));
}

#[test]
fn a_table_without_a_name_is_told_and_does_no_harm() {
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    sql(&lake, "CREATE SCHEMA lena");
    // What CREATE TABLE leaves that is cut off before its record.
    super::support::run(async {
        let lake = Lake::open(&lake.to_string_lossy()).await.unwrap();
        let field = arrow::datatypes::Field::new("a", arrow::datatypes::DataType::Int32, true);
        let spec = TableSpec::plain(&arrow::datatypes::Schema::new(vec![field]));
        lake.store().create_table(&TableName::new("lena", "t-cut"), &spec).await.unwrap();
    });
    let told = ran(henna(&lake).arg("check")).ok().out;
    assert!(told.contains("note  table lena.t-cut: a table that no name leads to"), "{told}");
    sql(&lake, "CREATE TABLE lena.t (a int); INSERT INTO lena.t VALUES (1)");
    assert_eq!(sql(&lake, "SELECT count(*) FROM lena.t"), "count\n1\n");
    // The other way round rows are lost, and that is a fault.
    let table = lake.join("tables/lena");
    for entry in std::fs::read_dir(&table).unwrap().map(|entry| entry.unwrap().path()) {
        if !entry.ends_with("t-cut") {
            std::fs::remove_dir_all(entry).unwrap();
        }
    }
    let told = ran(henna(&lake).arg("check"));
    assert_eq!(told.code, 1);
    assert!(told.out.contains("its name leads to a table that is not there"), "{}", told.out);
}

const ROUNDS: u32 = 6;
const ROWS: u32 = 200_000;

/// kill -9 at random moments: a statement is done or not done, and nothing of it is half. HENNA_TEST_SEED repeats a run.
#[test]
fn a_killed_statement_is_done_or_not_done() {
    let given = std::env::var("HENNA_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| rand::rng().random());
    println!("HENNA_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    sql(&lake, "CREATE SCHEMA lena; CREATE TABLE lena.t (a bigint NOT NULL, b text)");
    let rows = format!("SELECT n AS a, 'row ' || n AS b FROM generate_series(1, {ROWS}) AS g (n)");
    let began = Instant::now();
    sql(&lake, &format!("INSERT INTO lena.t {rows}"));
    let whole = began.elapsed();
    let count = |sql_text: &str| sql(&lake, sql_text).lines().nth(1).unwrap().parse::<u32>().unwrap();
    let mut inserted = ROWS;
    for round in 0..ROUNDS {
        let made = format!("lena.made_{round}");
        let statements = [format!("CREATE TABLE {made} AS {rows}"), format!("INSERT INTO lena.t {rows}")];
        for statement in &statements {
            let mut child = henna(&lake)
                .args(["sql", "-c", statement])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let deadline = Instant::now() + whole.mul_f64(random.random_range(0.2..1.2));
            while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let told = ran(henna(&lake).arg("check"));
        assert_eq!(told.code, 0, "round {round}: {}{}", told.out, told.err);
        let there = count(&format!("SELECT count(*) FROM pg_tables WHERE tablename = 'made_{round}'"));
        if there == 1 {
            assert_eq!(count(&format!("SELECT count(*) FROM {made}")), ROWS, "round {round}");
        }
        let now = count("SELECT count(*) FROM lena.t");
        assert!([inserted, inserted + ROWS].contains(&now), "round {round}: {now} rows, before {inserted}");
        inserted = now;
        // Whatever was left, the name is free or taken, and the statement can be given again.
        sql(&lake, &format!("DROP TABLE IF EXISTS {made}; CREATE TABLE {made} AS {rows}"));
    }
}
