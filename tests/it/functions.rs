//! Every function of the library through the secure scan: the answer under a policy is that of a table which holds nothing else.

use super::support::{House, folder, henna, ran, run};

#[path = "../../udfs/tests/functions/aggregates.rs"]
mod aggregates;

use aggregates::{AGGREGATES, ESTIMATED, ROUNDED};

const COLUMNS: &str =
    "(id bigint NOT NULL, ts timestamptz, amount numeric(18, 2), as_of date NOT NULL, conversion timestamptz NOT NULL,
  channel text, x bigint NOT NULL, team text NOT NULL, number bigint NOT NULL, PRIMARY KEY (team, number))";
const ACCESS: &str = "
CREATE ROLE a_team;
GRANT USAGE ON SCHEMA public TO a_team;
GRANT SELECT ON guarded, alone TO a_team;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded TO a_team USING (team = 'a');
CREATE USER anna PASSWORD 'henna-demo' IN ROLE a_team;";

/// A call of every other function, over the same columns and what aggregates make of them.
const OTHERS: &[&str] = &[
    "rfm_segment(1 + id % 5, 1 + x % 5, 3)",
    "churn_risk(x, x * 10.0, 30.0)",
    "churn_level(x / 6.0)",
    "lifecycle_stage(ts, conversion, x, as_of)",
    "commission_accrued(amount, 0.05, ts, as_of)",
    "commission_payable(amount, amount / 4, 0.05, ts, 7, as_of)",
    "roi(amount, x + 1.5)",
    "roas(amount, x + 1.5)",
    "cac(amount, x + 1)",
    "ltv_cac(amount, x + 1.5)",
    "payback_period(ARRAY[x, amount], 10)",
    "bitmap_count(bitmap_and(bitmap, bitmap_build(id) OVER ()))",
    "rfm_score(amount, 5, false, 'ntile') OVER (ORDER BY number)",
    "sessionize(ts, INTERVAL '30 minutes') OVER (PARTITION BY id)",
];

async fn house() -> House {
    let folder = folder();
    let dataset = folder.path().join("shop");
    std::fs::create_dir_all(dataset.join("tables")).unwrap();
    let settings = "name = \"shop\"\ntime_zone = \"Asia/Shanghai\"\n[tables.guarded]\nsort = [\"number\"]\n";
    let tables =
        ["guarded", "alone"].map(|name| (format!("tables/{name}.sql"), format!("CREATE TABLE {name} {COLUMNS}")));
    for (path, text) in tables
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .chain([("access.sql", ACCESS), ("dataset.toml", settings)])
    {
        std::fs::write(dataset.join(path), text).unwrap();
    }
    let lake = folder.path().join("lake");
    ran(henna(&lake).args(["init", "--dataset"]).arg(&dataset)).ok();
    for (table, teams) in [("guarded", &["a", "b", "c"][..]), ("alone", &["a"][..])] {
        let file = folder.path().join(format!("{table}.csv"));
        std::fs::write(&file, csv(teams)).unwrap();
        ran(henna(&lake).args(["load", table]).arg(&file)).ok();
    }
    House::serve(&lake, Some(folder)).await
}

/// Rows of some teams among rows of three, of a small linear congruential generator.
fn csv(teams: &[&str]) -> String {
    let mut state: u64 = 7;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut text = "id,ts,amount,as_of,conversion,channel,x,team,number\n".to_owned();
    for number in 0..900 {
        let team = ["a", "b", "c"][next(3) as usize];
        let channel = ["ads", "direct", "mail", "search", ""][next(5) as usize];
        let (day, hour) = (1 + next(28), next(24));
        let ts = if next(20) > 0 {
            format!("2026-{:02}-{day:02}T{hour:02}:00:00+08:00", 1 + next(9))
        } else {
            String::new()
        };
        let amount = if next(10) > 0 { format!("{}.{:02}", next(900), next(100)) } else { String::new() };
        let row = format!(
            "{},{ts},{amount},2026-10-15,2026-10-20T00:00:00+08:00,{channel},{},{team},{number}\n",
            next(40),
            next(6)
        );
        if teams.contains(&team) {
            text.push_str(&row);
        }
    }
    text
}

/// The rows of a table, each with the sets of its x.
fn with_sets(table: &str) -> String {
    format!(
        "(SELECT r.*, s.bitmap, s.hll, s.theta FROM {table} AS r JOIN (SELECT x AS of_x, bitmap_build(id % 10) AS bitmap,
          hll_build(id % 10) AS hll, theta_build(id % 10) AS theta FROM {table} GROUP BY x) AS s ON s.of_x = r.x) AS q"
    )
}

/// What is asked of a table. Aggregates come by group and over all rows, other functions row by row.
fn questions(table: &str) -> Vec<String> {
    let rows = with_sets(table);
    let aggregates = AGGREGATES.iter().chain(ESTIMATED).flat_map(|call| {
        let grouped = format!("SELECT id, {call} AS answer FROM {rows} GROUP BY id ORDER BY id");
        // One conversion is one group.
        let whole = (!call.starts_with("attribute(")).then(|| format!("SELECT {call} AS answer FROM {rows}"));
        std::iter::once(grouped).chain(whole)
    });
    let rounded =
        ROUNDED.iter().map(|(call, field)| format!("SELECT round(({call})['{field}'], 9) AS answer FROM {rows}"));
    let others = OTHERS.iter().map(|call| format!("SELECT number, {call} AS answer FROM {rows} ORDER BY number"));
    let fits = [
        ("bgnbd", "x, x, x + 2", "x, x, x + 2"),
        ("mbgnbd", "x, x, x + 2", "x, x, x + 2"),
        ("pnbd", "x, x, x + 2", "x, x, x + 2"),
        ("bgbb", "x, x, x + 2", "x, x, x + 2"),
    ];
    let fits = fits.iter().map(|(model, fitted, one)| {
        format!(
            "SELECT number, round({model}_palive(p, {one})::numeric, 9) AS alive, round({model}_expected(p, 10, {one})::numeric, 9) AS expected
             FROM {rows} CROSS JOIN (SELECT {model}_fit({fitted}) AS p FROM {table}) AS f ORDER BY number"
        )
    });
    let money = format!(
        "SELECT number, round(gg_expected(g, x, x + 1)::numeric, 6) AS spend, round(clv(p, g, x, x, x + 2, x + 1, 12, 0.01)::numeric, 6) AS clv
         FROM {table} CROSS JOIN (SELECT bgnbd_fit(x, x, x + 2) AS p, gg_fit(x, x + 1) AS g FROM {table}) AS f ORDER BY number"
    );
    let sets = format!(
        "SELECT a.x, b.x AS y, bitmap_to_array(bitmap_and(a.bitmap, b.bitmap)) AS both, bitmap_count(bitmap_or(a.bitmap, b.bitmap)) AS any,
           bitmap_count(bitmap_xor(a.bitmap, b.bitmap)) AS one, bitmap_count(bitmap_andnot(a.bitmap, b.bitmap)) AS less,
           bitmap_contains(a.bitmap, 3) AS three, bitmap_subset(a.bitmap, b.bitmap) AS within, intersect_count(a.bitmap, b.bitmap) AS common,
           hll_estimate(a.hll) AS about, theta_estimate(theta_and(a.theta, b.theta)) AS theta_both, theta_estimate(theta_andnot(a.theta, b.theta)) AS theta_less
         FROM (SELECT x, bitmap_build(id) AS bitmap, hll_build(id) AS hll, theta_build(id) AS theta FROM {table} GROUP BY x) AS a
         CROSS JOIN (SELECT x, bitmap_build(id) AS bitmap, theta_build(id) AS theta FROM {table} GROUP BY x) AS b ORDER BY a.x, b.x"
    );
    aggregates.chain(rounded).chain(others).chain(fits).chain([money, sets]).collect()
}

#[test]
fn every_function_answers_behind_the_wall_as_if_the_other_rows_were_not_there() {
    run(async {
        let house = house().await;
        let anna = house.wire("anna").await;
        assert_eq!(anna.value("SELECT count(*) FROM guarded").await, anna.value("SELECT count(*) FROM alone").await);
        assert_eq!(house.wire("admin").await.value("SELECT count(*) FROM guarded").await, "900");
        let asked = questions("guarded");
        for (guarded, alone) in asked.iter().zip(questions("alone")) {
            let (behind, beside) = (anna.ask(guarded).await, anna.ask(&alone).await);
            let behind = behind.unwrap_or_else(|refusal| panic!("{guarded}: {refusal}"));
            assert_eq!(behind, beside.unwrap(), "{guarded}");
            assert!(format!("{behind:?}").contains("Some"), "{guarded} answers nothing");
        }
        let names = anna.ask("SELECT name FROM henna.functions ORDER BY name").await.unwrap();
        for name in names.iter().flatten().flatten() {
            assert!(asked.iter().any(|question| question.contains(&format!("{name}("))), "{name} is not asked");
        }
    });
}
