//! The verbs of upkeep, one after the other, as an operator types them.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::support::{Ran, folder, henna, ran};

const HEADER: &str = "channel,order_id,order_time,status,paid_amount,id_phone";

fn verb(lake: &Path, arguments: &[&str]) -> Ran {
    ran(henna(lake).args(arguments))
}

fn asked(lake: &Path, role: &str, sql: &str) -> Ran {
    verb(lake, &["sql", "--format", "csv", "--as", role, "-c", sql])
}

/// The last line of what SQL gives.
fn last(lake: &Path, role: &str, sql: &str) -> String {
    asked(lake, role, sql).ok().out.lines().last().unwrap_or_default().to_owned()
}

fn load(lake: &Path, rows: &[&str]) {
    let file = lake.with_file_name(format!("{}.csv", rows.len() + rows[0].len()));
    fs::write(&file, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
    verb(lake, &["load", "orders", file.to_str().unwrap()]).ok();
}

/// A lake with two versions of its orders: two rows, then a third and a correction of the first.
fn lake(folder: &Path) -> std::path::PathBuf {
    let lake = folder.join("lake");
    verb(&lake, &["init"]).ok();
    load(&lake, &["tmall,A1,2026-01-01 10:00,created,0,13812345678", "douyin,A2,2026-01-02 10:00,paid,2,13900000002"]);
    load(
        &lake,
        &[
            "tmall,A1,2026-01-01 10:00,paid,10,13812345678",
            "tmall,A3,2026-01-03 10:00,paid,1,",
            "jd,A4,2026-01-04 10:00,paid,1,",
        ],
    );
    lake
}

#[test]
fn earlier_versions_are_read_under_todays_policies_until_they_are_vacuumed() {
    let folder = folder();
    let lake = lake(folder.path());
    let count = "SELECT count(*), sum(paid_amount) FROM orders";
    let at =
        |versions: &str, role: &str| last(&lake, role, &format!("SET henna.table_versions = '{versions}'; {count}"));
    assert_eq!(at("", "headquarters"), "4,14.00");
    assert_eq!(at("orders=1", "headquarters"), "2,2.00");
    assert_eq!(at("orders=1", "tmall_team"), "1,0.00");
    assert_eq!(at("orders = 2, customers = 0", "tmall_team"), "2,11.00");
    let view = "SET henna.table_versions = 'orders=1'; SELECT count(*) FROM mart.rfm";
    assert_eq!(
        (
            last(&lake, "headquarters", view).as_str(),
            last(&lake, "headquarters", "SELECT count(*) FROM mart.rfm").as_str()
        ),
        ("1", "2")
    );
    let refused =
        |versions: &str| asked(&lake, "headquarters", &format!("SET henna.table_versions = '{versions}'; {count}"));
    refused("2020-01-01").refused(1, &["was made later than that"]);
    refused("orders=9").refused(1, &["has no version 9, its newest is 2"]);
    refused("orders=x").refused(1, &["is not a table and its version"]);
    let told = verb(&lake, &["compact", "orders"]).ok().out;
    assert!(told.starts_with("public.orders: 2 files became 1"), "{told}");
    verb(&lake, &["compact", "absent"]).refused(1, &["table \"absent\" does not exist"]);
    assert_eq!(at("orders=2", "headquarters"), "4,14.00");
    verb(&lake, &["vacuum", "--retain", "1h"]).ok();
    assert_eq!(at("orders=2", "headquarters"), "4,14.00");
    verb(&lake, &["vacuum", "--retain", "0s"]).ok();
    refused("orders=2").refused(1, &["files of version 2", "were taken away"]);
    assert_eq!(at("", "headquarters"), "4,14.00");
    verb(&lake, &["check"]).ok();
}

#[test]
fn a_backup_becomes_a_lake_again_with_its_users_and_its_persons() {
    let folder = folder();
    let lake = lake(folder.path());
    for sql in [
        "CREATE TABLE visits (n int)",
        "INSERT INTO visits VALUES (7)",
        "CREATE USER anna PASSWORD 'x' IN ROLE tmall_team",
    ] {
        verb(&lake, &["sql", "-c", sql]).ok();
    }
    let (backup, restored) = (folder.path().join("backup"), folder.path().join("restored"));
    verb(&lake, &["backup", backup.to_str().unwrap()]).ok();
    verb(&lake, &["backup", backup.to_str().unwrap()]).refused(1, &["is not empty"]);
    load(&lake, &["tmall,B1,2026-02-01 10:00,paid,5,13812345678"]);
    verb(&restored, &["restore", backup.to_str().unwrap()]).ok();
    verb(&restored, &["restore", folder.path().to_str().unwrap()]).refused(1, &["there is no lake"]);
    verb(&restored, &["check"]).ok();
    assert_eq!(last(&restored, "anna", "SELECT count(*) FROM orders"), "2");
    assert_eq!(last(&restored, "admin", "SELECT n FROM visits"), "7");
    load(&restored, &["tmall,C1,2026-02-01 10:00,paid,5,13812345678"]);
    let persons = "SELECT count(DISTINCT one_id) FROM orders WHERE order_id IN ('A1', 'C1')";
    assert_eq!(last(&restored, "admin", persons), "1");
}

#[test]
fn a_forgotten_person_leaves_every_table() {
    let folder = folder();
    let lake = lake(folder.path());
    let told = verb(&lake, &["forget", "phone", "138-1234-5678"]).ok().out;
    assert!(
        told.contains("public.orders: 1 rows erased") && told.contains("public.identities: 1 rows erased"),
        "{told}"
    );
    assert_eq!(last(&lake, "admin", "SELECT count(*) FROM orders"), "3");
    assert_eq!(last(&lake, "admin", "SELECT count(*) FROM identities WHERE id_type = 'phone'"), "1");
    verb(&lake, &["forget", "phone", "138-1234-5678"]).refused(1, &[]);
    verb(&lake, &["check"]).ok();
}

#[test]
fn files_that_come_into_a_watched_folder_are_loaded_and_moved() {
    let folder = folder();
    let lake = lake(folder.path());
    let inbox = folder.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let mut watching = henna(&lake);
    watching.args(["load", "orders", "--watch"]).arg(&inbox).stdout(Stdio::null());
    let mut watching = watching.spawn().unwrap();
    fs::write(inbox.join("good.csv"), format!("{HEADER}\njd,W1,2026-03-01 10:00,paid,1,\n")).unwrap();
    fs::write(inbox.join("torn.csv"), "colour\nred\n").unwrap();
    let wanted = [inbox.join("loaded/good.csv"), inbox.join("failed/torn.csv"), inbox.join("failed/torn.csv.why")];
    let deadline = Instant::now() + Duration::from_secs(60);
    while !wanted.iter().all(|path| path.exists()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    watching.kill().unwrap();
    watching.wait().unwrap();
    for path in wanted {
        assert!(path.exists(), "{}", path.display());
    }
    assert_eq!(last(&lake, "admin", "SELECT count(*) FROM orders WHERE order_id = 'W1'"), "1");
}
