//! `henna identity` as an operator types it, beside a server that answers queries meanwhile.

use std::fs;
use std::path::Path;

use super::support::{House, Ran, folder, henna, ran, run};

const HEADER: &str = "channel,order_id,order_time,status,paid_amount,id_phone,id_member";
const BUYERS: &str = "SELECT string_agg(order_id, ' ' ORDER BY order_id) FROM orders GROUP BY one_id ORDER BY 1";

fn verb(lake: &Path, arguments: &[&str]) -> Ran {
    ran(henna(lake).args(arguments))
}

fn load(lake: &Path, rows: &[&str]) {
    let file = lake.with_file_name("orders.csv");
    fs::write(&file, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
    verb(lake, &["load", "orders", file.to_str().unwrap()]).ok();
}

#[test]
fn an_operator_shows_merges_and_splits_beside_a_server() {
    let folder = folder();
    let lake = folder.path().join("lake");
    verb(&lake, &["init"]).ok();
    load(
        &lake,
        &[
            "tmall,A1,2026-01-01 10:00,paid,1,13812345678,",
            "jd,A2,2026-01-02 10:00,paid,2,,M2",
            "jd,A3,2026-01-03 10:00,paid,4,,M3",
        ],
    );
    let house = run(House::serve(&lake, None));
    let buyers = || -> Vec<String> {
        run(async {
            let rows = house.wire("admin").await.ask(BUYERS).await.unwrap();
            rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
        })
    };
    assert_eq!(buyers(), ["A1", "A2", "A3"]);
    let told = verb(&lake, &["identity", "merge", "2", "1"]).ok().out;
    assert_eq!(told, "2 is now person 1, in every table\n");
    assert_eq!(buyers(), ["A1 A2", "A3"]);
    load(&lake, &["jd,B2,2026-02-02 10:00,paid,8,,M2"]);
    assert_eq!(buyers(), ["A1 A2 B2", "A3"]);

    let shown = verb(&lake, &["identity", "show", "id_member", "M2"]).ok().out;
    assert!(shown.starts_with("person 1\n  2 became 1 on "), "{shown}");
    assert!(shown.contains("public.orders: 3 rows (stored: 1 under 2)"), "{shown}");
    let shown = verb(&lake, &["identity", "show", "2", "--json"]).ok().out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["one_id"], &shown["rows"]["public.orders"]), (&1.into(), &3.into()));
    assert_eq!(shown["identifiers"].as_array().unwrap().len(), 2);

    let told = verb(&lake, &["identity", "split", "1", "member", "M2"]).ok().out;
    assert!(told.contains("1 identifiers of person 1 are now those of 2, itself again"), "{told}");
    assert!(told.contains("public.orders: 1 rows went with them"), "{told}");
    assert_eq!(buyers(), ["A1 B2", "A2", "A3"]);
    // A row that brings both together again joins nobody; a newer version of a row goes to the right person.
    load(&lake, &["jd,C1,2026-03-01 10:00,paid,1,13812345678,M2", "jd,B2,2026-02-02 10:00,refunded,8,,M2"]);
    assert_eq!(buyers(), ["A1", "A2 B2 C1", "A3"]);
    verb(&lake, &["identity", "split", "1", "member", "M3"]).refused(1, &["is an identifier of person 3, not of 1"]);
    verb(&lake, &["identity", "split", "1", "member"]).refused(2, &[]);
    verb(&lake, &["identity", "merge", "1"]).refused(2, &[]);
    verb(&lake, &["identity", "show", "9"]).refused(1, &["no person has the number 9"]);
    verb(&lake, &["check"]).ok();
}

#[test]
fn statistics_count_what_sql_counts_and_shared_identifiers_are_listed() {
    let folder = folder();
    let lake = folder.path().join("lake");
    verb(&lake, &["init"]).ok();
    let mut rows: Vec<String> =
        (0..21).map(|nth| format!("jd,S{nth},2026-01-01 10:00,paid,1,02112345678,M{nth}")).collect();
    rows.push("jd,T1,2026-01-01 10:00,paid,1,13812345678,N1".to_owned());
    rows.push("jd,T2,2026-01-01 10:00,paid,1,13812345678,N2".to_owned());
    load(&lake, &rows.iter().map(String::as_str).collect::<Vec<_>>());
    verb(&lake, &["identity", "merge", "1", "2"]).ok();
    let told = verb(&lake, &["identity", "stats", "--more-than", "2"]).ok().out;
    let rows: Vec<Vec<&str>> = told.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    for expected in [
        vec!["persons", "identifiers", "merges", "persons_with_more_than_2"],
        vec!["21", "24", "1", "1"],
        vec!["member", "23", "21", "0"],
        vec!["phone", "1", "1", "1"],
        vec!["22", "3", "2"],
    ] {
        assert!(rows.contains(&expected), "{expected:?} is not in\n{told}");
    }
    assert_eq!(verb(&lake, &["identity"]).ok().out.lines().count(), told.lines().count());
    // As headquarters, by SQL: the hash that is listed is the one that `show` takes.
    let sql = |role: &str, sql: &str| verb(&lake, &["sql", "--format", "csv", "--as", role, "-c", sql]);
    let told = sql("headquarters", "SELECT id_type, others, id_value FROM henna.identity_conflicts").ok().out;
    let hash = told.lines().nth(1).unwrap().strip_prefix("phone,21,").unwrap();
    verb(&lake, &["identity", "show", "phone", hash]).refused(1, &["is shared by 21 others at least"]);
    verb(&lake, &["identity", "show", "phone", "021-1234 5678"]).refused(1, &["is shared by 21 others at least"]);
    sql("tmall_team", "SELECT 1 FROM henna.identity_conflicts").refused(1, &["does not exist"]);
    let told =
        sql("headquarters", "SELECT measure, id_type, count FROM mart.identity_statistics ORDER BY 1, 2").ok().out;
    for line in ["persons,,21", "merges,,1", "identifiers,member,23", "identifiers,phone,1", "shared,phone,1"] {
        assert!(told.lines().any(|told| told == line), "{line} is not in\n{told}");
    }
    sql("tmall_team", "SELECT 1 FROM mart.identity_statistics").refused(1, &["does not exist"]);
}
