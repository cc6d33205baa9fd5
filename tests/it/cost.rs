//! What a policy leaves unread: the files that the same condition by hand would leave, told to nobody who asks in SQL.

use std::time::{Duration, Instant};

use henna::access::ScanTotals;

use super::support::{House, folder, henna, ran, run};

const SALES: &str = "CREATE TABLE sales (team text NOT NULL, number bigint NOT NULL, PRIMARY KEY (team, number))";
const ACCESS: &str = "
CREATE ROLE headquarters; CREATE ROLE a_team; CREATE ROLE most_teams;
GRANT USAGE ON SCHEMA public TO headquarters, a_team, most_teams;
GRANT SELECT ON sales TO headquarters, a_team, most_teams;
ALTER TABLE sales ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON sales TO headquarters USING (true);
CREATE POLICY one ON sales TO a_team USING (team = 'a');
CREATE POLICY most ON sales TO most_teams USING (team <> 'a');
CREATE USER hq PASSWORD 'henna-demo' IN ROLE headquarters;
CREATE USER anna PASSWORD 'henna-demo' IN ROLE a_team;
CREATE USER max PASSWORD 'henna-demo' IN ROLE most_teams;";

/// A lake with a file for each of four teams.
async fn house() -> House {
    let folder = folder();
    let dataset = folder.path().join("shop");
    std::fs::create_dir_all(dataset.join("tables")).unwrap();
    let settings = "name = \"shop\"\n[tables.sales]\npartition = \"team\"\nsort = [\"number\"]\n";
    for (path, text) in [("tables/sales.sql", SALES), ("access.sql", ACCESS), ("dataset.toml", settings)] {
        std::fs::write(dataset.join(path), text).unwrap();
    }
    let rows: String =
        ["a", "b", "c", "d"].iter().flat_map(|team| (0..25).map(move |n| format!("{team},{n}\n"))).collect();
    let file = folder.path().join("sales.csv");
    std::fs::write(&file, format!("team,number\n{rows}")).unwrap();
    let lake = folder.path().join("lake");
    ran(henna(&lake).args(["init", "--dataset"]).arg(&dataset)).ok();
    ran(henna(&lake).args(["load", "sales"]).arg(&file)).ok();
    House::serve(&lake, Some(folder)).await
}

/// What one statement of a user read behind the wall.
async fn read_by(house: &House, user: &str, sql: &str) -> ScanTotals {
    let client = house.wire(user).await;
    let before = house.lake.secured_scans();
    client.ask(sql).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let read = house.lake.secured_scans().since(&before);
        if read.scans > 0 || Instant::now() > deadline {
            return read;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_policy_leaves_out_the_files_that_a_condition_by_hand_would() {
    run(async {
        let house = house().await;
        let hq = house.wire("hq").await;
        for (user, policy, rows) in [("anna", "team = 'a'", 25), ("max", "team <> 'a'", 75)] {
            let read = read_by(&house, user, "SELECT count(*), sum(number) FROM sales").await;
            let by_hand = format!("EXPLAIN ANALYZE SELECT count(*), sum(number) FROM sales WHERE {policy}");
            let told = format!("{:?}", hq.ask(&by_hand).await.unwrap());
            let files = rows / 25;
            assert_eq!((read.scans, read.files_scanned, read.files_pruned), (1, files, 4 - files), "{read:?}");
            assert_eq!((read.row_groups_scanned, read.rows_read), (files, rows), "{read:?}");
            assert!(told.contains(&format!("files_scanned={files}")), "{told}");
            assert!(told.contains(&format!("files_pruned_by_log={}", 4 - files)), "{told}");
        }
        // A condition of the user's own is used beside the policy's.
        let read = read_by(&house, "max", "SELECT count(*) FROM sales WHERE team = 'b'").await;
        assert_eq!((read.files_scanned, read.rows_read), (1, 25), "{read:?}");
    });
}

#[test]
fn a_policy_that_the_partition_decides_leaves_counts_exact() {
    run(async {
        let house = house().await;
        let cell = |text: &str| vec![vec![Some(text.to_owned())]];
        for (user, sql, count) in [
            ("anna", "SELECT count(*) FROM sales", "25"),
            ("hq", "SELECT count(*) FROM sales WHERE team IN ('a', 'b')", "50"),
        ] {
            let client = house.wire(user).await;
            let plan = format!("{:?}", client.ask(&format!("EXPLAIN {sql}")).await.unwrap());
            assert!(!plan.contains("SecureScan") && !plan.contains("DataSourceExec"), "{user}: {plan}");
            assert_eq!(client.ask(sql).await.unwrap(), cell(count), "{user}");
        }
        // Where rows must be asked, they are; `team <> 'a'` is true of the empty text, which lies with the nulls.
        let max = house.wire("max").await;
        assert_eq!(max.ask("SELECT count(*) FROM sales WHERE number < 5").await.unwrap(), cell("15"));
        assert_eq!(max.ask("SELECT count(*) FROM sales").await.unwrap(), cell("75"));
        assert_eq!(max.ask("SELECT min(team) FROM sales").await.unwrap(), cell("b"));
    });
}

#[test]
fn a_role_that_sees_every_row_passes_no_wall() {
    run(async {
        let house = house().await;
        let read = read_by_nobody(&house).await;
        assert_eq!(read, ScanTotals::default());
    });
}

async fn read_by_nobody(house: &House) -> ScanTotals {
    let hq = house.wire("hq").await;
    let before = house.lake.secured_scans();
    assert_eq!(hq.value("SELECT count(number) FROM sales").await, "100");
    house.lake.secured_scans().since(&before)
}

#[test]
fn what_was_left_out_is_told_to_nobody_under_a_policy() {
    run(async {
        let house = house().await;
        let anna = house.wire("anna").await;
        for form in ["EXPLAIN ANALYZE", "EXPLAIN (ANALYZE, VERBOSE)", "EXPLAIN ANALYZE VERBOSE"] {
            let Ok(lines) = anna.ask(&format!("{form} SELECT count(*) FROM sales")).await else { continue };
            let text = format!("{lines:?}");
            for told in ["files_", "row_groups", "bytes_scanned", "pruned", "output_rows=100"] {
                assert!(!text.contains(told), "{form} tells {told}: {text}");
            }
        }
    });
}
