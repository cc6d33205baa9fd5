//! A lake that goes by another text of its dataset, as an operator types it; a server sees it while it serves.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::{House, Ran, folder, henna, outside, ran, run};

const TOML: &str =
    "name = 'shop'\ntime_zone = 'Asia/Shanghai'\n[tables.orders]\npartition = 'at by month'\nversion = 'at'\n";
/// One of all kinds of columns, divided by one that may not be null: it stays as it is.
const STORES: &str = "CREATE TABLE stores (store text PRIMARY KEY, region text NOT NULL, opened date, tags text[], \
    opens time, note varchar(9), seen timestamp, card uuid, more jsonb, mark bytea, rank real NOT NULL DEFAULT 1)";
const STORES_TOML: &str = "[tables.stores]\npartition = 'region'\n";
const ORDERS: &str = "CREATE TABLE orders (id text PRIMARY KEY, at timestamptz NOT NULL, team text, amount numeric(18,2), extras jsonb);";
const ACCESS: &str = "CREATE ROLE north;\nGRANT USAGE ON SCHEMA public, mart TO north;\nGRANT SELECT ON orders TO north;\n\
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;\nCREATE POLICY orders_north ON orders TO north USING (team = 'north');\n";

fn verb(lake: &Path, arguments: &[&str]) -> Ran {
    ran(henna(lake).args(arguments))
}

fn csv(lake: &Path, role: &str, sql: &str) -> Vec<String> {
    let told = verb(lake, &["sql", "--format", "csv", "--as", role, "-c", sql]).ok().out;
    told.lines().skip(1).map(str::to_owned).collect()
}

fn write(dataset: &Path, path: &str, text: &str) {
    let path = dataset.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A dataset of one table and one mart, and a lake of it with three rows.
fn shop(folder: &Path) -> (PathBuf, PathBuf) {
    let (dataset, lake) = (folder.join("shop"), folder.join("lake"));
    write(&dataset, "dataset.toml", &format!("{TOML}{STORES_TOML}"));
    write(&dataset, "tables/orders.sql", ORDERS);
    write(&dataset, "tables/stores.sql", STORES);
    write(
        &dataset,
        "marts/daily.sql",
        "CREATE VIEW mart.daily AS SELECT CAST(at AS date) AS day, sum(amount) AS amount FROM orders GROUP BY 1",
    );
    write(&dataset, "access.sql", ACCESS);
    verb(&lake, &["init", "--dataset", dataset.to_str().unwrap()]).ok();
    load(
        &lake,
        "id,at,team,amount\n1,2026-01-01 10:00,north,10\n2,2026-02-01 10:00,south,20\n3,2026-02-02 10:00,north,30\n",
    );
    (dataset, lake)
}

fn load(lake: &Path, text: &str) {
    let file = lake.with_file_name(format!("{}.csv", text.len()));
    fs::write(&file, text).unwrap();
    verb(lake, &["load", "orders", file.to_str().unwrap()]).ok();
}

/// The same dataset with more in it: two columns (one in the midst), a table, another mart in the place of the one that was.
fn grow(dataset: &Path) {
    let wider = ORDERS.replace("team text,", "coupon text, team text, gift boolean NOT NULL DEFAULT false,");
    write(dataset, "tables/orders.sql", &wider);
    write(dataset, "tables/coupons.sql", "CREATE TABLE coupons (coupon text PRIMARY KEY, share numeric(5,4))");
    fs::remove_file(dataset.join("marts/daily.sql")).unwrap();
    write(
        dataset,
        "marts/monthly.sql",
        "CREATE VIEW mart.monthly AS SELECT date_trunc('month', at) AS month, count(coupon) AS coupons, count(*) AS orders FROM orders GROUP BY 1",
    );
    write(
        dataset,
        "access.sql",
        &format!("{ACCESS}-- of the second year\nGRANT SELECT ON mart.monthly, coupons TO north;\n"),
    );
}

#[test]
fn a_lake_follows_its_dataset_and_loses_nothing() {
    let folder = folder();
    let (dataset, lake) = shop(folder.path());
    let path = dataset.to_str().unwrap();
    let told = verb(&lake, &["dataset", "diff", "--dataset", path]).ok().out;
    assert_eq!(told, "the lake goes by this dataset already\n");
    grow(&dataset);
    let wanted = "\
table coupons: new, with 2 columns
table orders: column coupon text is new; rows that are there have no value in it
table orders: column gift boolean is new; rows that are there get false
view mart.monthly: new
view mart.daily: gone
access.sql, new: GRANT SELECT ON mart.monthly, coupons TO north
";
    let told = verb(&lake, &["dataset", "diff", "--dataset", path]).ok().out;
    assert_eq!(told, wanted);
    assert_eq!(csv(&lake, "admin", "SELECT count(*) FROM mart.daily"), ["3"], "diff has changed nothing");
    let told = verb(&lake, &["dataset", "apply", "--dataset", path]).ok().out;
    assert!(told.starts_with(wanted) && told.ends_with(" goes by it\n"), "{told}");
    verb(&lake, &["dataset", "apply", "--dataset", path]).ok();
    let versions = "SELECT table_name, version FROM henna.tables WHERE schema_name = 'public' ORDER BY 1";
    let unchanged = "what has not changed is not written";
    assert_eq!(csv(&lake, "admin", versions), ["coupons,0", "orders,2", "stores,0"], "{unchanged}");
    let all = "SELECT id, coupon, team, gift, amount FROM orders ORDER BY id";
    assert_eq!(csv(&lake, "admin", all), ["1,,north,false,10.00", "2,,south,false,20.00", "3,,north,false,30.00"]);
    // Files with the new columns and without them.
    load(
        &lake,
        "id,at,team,amount,coupon,gift\n4,2026-02-03 10:00,north,40,SPRING,true\n1,2026-01-05 10:00,north,11,WINTER,false\n",
    );
    load(&lake, "id,at,team,amount\n5,2026-02-04 10:00,south,50\n");
    assert_eq!(
        csv(&lake, "admin", all),
        [
            "1,WINTER,north,false,11.00",
            "2,,south,false,20.00",
            "3,,north,false,30.00",
            "4,SPRING,north,true,40.00",
            "5,,south,false,50.00"
        ]
    );
    // The policies hold as before, for the new columns too, and what is new is granted.
    assert_eq!(csv(&lake, "north", "SELECT id, coupon FROM orders ORDER BY id"), ["1,WINTER", "3,", "4,SPRING"]);
    assert_eq!(
        csv(&lake, "north", "SELECT month::date, coupons, orders FROM mart.monthly ORDER BY 1"),
        ["2026-01-01,1,1", "2026-02-01,1,2"]
    );
    assert_eq!(csv(&lake, "north", "SELECT count(*) FROM coupons"), ["0"]);
    verb(&lake, &["sql", "-c", "SELECT 1 FROM mart.daily"]).refused(1, &["relation \"mart.daily\" does not exist"]);
    // A version of before is read in the columns of today.
    let before = "SELECT id, coupon, gift FROM orders FOR VERSION AS OF 1 ORDER BY id";
    assert_eq!(csv(&lake, "admin", before), ["1,,", "2,,", "3,,"]);
    assert_eq!(csv(&lake, "north", before), ["1,,", "3,,"]);
    // A backup takes the text along that counts.
    let (backup, restored) = (folder.path().join("backup"), folder.path().join("restored"));
    verb(&lake, &["backup", backup.to_str().unwrap()]).ok();
    verb(&restored, &["restore", backup.to_str().unwrap()]).ok();
    assert_eq!(csv(&restored, "north", "SELECT sum(coupons) FROM mart.monthly"), ["2"]);
    verb(&lake, &["check"]).ok();
    let audited = "SELECT count(*) FROM henna.audit_log WHERE command = 'APPLY DATASET'";
    assert_eq!(csv(&lake, "admin", audited), ["1"]);
}

#[test]
fn what_a_lake_cannot_follow_is_refused_before_anything_is_written() {
    let folder = folder();
    let (dataset, lake) = shop(folder.path());
    let path = dataset.to_str().unwrap();
    let apply = || verb(&lake, &["dataset", "apply", "--dataset", path]);
    for (table, told, advice) in [
        (
            ORDERS.replace("numeric(18,2)", "numeric(18,4)"),
            "column amount is numeric(18,4), was numeric(18,2)",
            "add a column of another name",
        ),
        (ORDERS.replace(" team text,", ""), "column team is gone", "leave it in the contract"),
        (ORDERS.replace("team text,", "team text NOT NULL,"), "column team is NOT NULL, was not", "may have no value"),
        (
            ORDERS.replace("team text,", "team text, n int NOT NULL,"),
            "column n is new and NOT NULL",
            "give it a DEFAULT",
        ),
        (
            ORDERS.replace("id text PRIMARY KEY", "id text").replace(");", ", PRIMARY KEY (id, at));"),
            "the primary key is id, at, was id",
            "another name",
        ),
    ] {
        write(&dataset, "tables/orders.sql", &table);
        apply().refused(1, &[told, advice]);
        let diff = verb(&lake, &["dataset", "diff", "--dataset", path]);
        assert_eq!(diff.code, 1);
        assert!(diff.out.contains(told) && diff.out.contains(advice), "{}", diff.out);
    }
    write(&dataset, "tables/orders.sql", ORDERS);
    write(&dataset, "dataset.toml", &format!("{}{STORES_TOML}", TOML.replace("at by month", "team")));
    apply().refused(1, &["the partition of dataset.toml is another one"]);
    write(&dataset, "dataset.toml", &format!("{TOML}{STORES_TOML}"));
    // A mart that does not plan, and rights for nobody: nothing of it counts.
    write(&dataset, "marts/wrong.sql", "SELECT nothing FROM orders");
    apply().refused(1, &["view mart.wrong cannot be planned"]);
    fs::remove_file(dataset.join("marts/wrong.sql")).unwrap();
    write(&dataset, "tables/orders.sql", &ORDERS.replace("team text,", "team text, coupon text,"));
    write(&dataset, "access.sql", &format!("{ACCESS}GRANT SELECT ON orders TO nobody;"));
    apply().refused(1, &["role \"nobody\" does not exist"]);
    assert_eq!(
        csv(&lake, "admin", "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders'"),
        ["5"]
    );
    // What was cut off half way does not stand in the way of loads, nor of the next attempt.
    load(&lake, "id,at,team,amount\n4,2026-03-01 10:00,north,40\n");
    write(&dataset, "access.sql", ACCESS);
    apply().ok();
    assert_eq!(csv(&lake, "north", "SELECT id, coupon FROM orders ORDER BY id"), ["1,", "3,", "4,"]);
    // A table that a user made keeps its name.
    verb(&lake, &["sql", "-c", "CREATE TABLE coupons (n int)"]).ok();
    write(&dataset, "tables/coupons.sql", "CREATE TABLE coupons (coupon text PRIMARY KEY)");
    apply().refused(1, &["public.coupons is there already: a user made it", "RENAME TO"]);
    verb(&lake, &["check"]).ok();
}

#[test]
fn a_server_goes_by_the_new_text_without_a_restart() {
    run(async {
        let folder = folder();
        let (dataset, lake) = shop(folder.path());
        let house = House::serve(&lake, None).await;
        let open = house.login("admin", super::support::ADMIN_PASSWORD, &[]).await.unwrap();
        let all = "SELECT * FROM orders ORDER BY id";
        assert_eq!(open.ask(all).await.unwrap()[0].len(), 5);
        grow(&dataset);
        verb(&lake, &["dataset", "apply", "--dataset", dataset.to_str().unwrap()]).ok();
        // The statement is one that the session has kept.
        assert_eq!(open.ask(all).await.unwrap()[0].len(), 7, "an open session sees it at its next statement");
        assert_eq!(open.value("SELECT count(*) FROM mart.monthly").await, "2");
        load(&lake, "id,at,team,amount,coupon\n4,2026-02-03 10:00,north,40,SPRING\n");
        assert_eq!(open.value("SELECT coupon FROM orders WHERE id = '4'").await, "SPRING");
        let fresh = house.login("admin", super::support::ADMIN_PASSWORD, &[]).await.unwrap();
        assert_eq!(fresh.value("SELECT count(*) FROM coupons").await, "0");
    });
}

#[test]
fn a_lake_of_the_shipped_dataset_is_up_to_date() {
    let folder = folder();
    let lake = folder.path().join("lake");
    verb(&lake, &["init"]).ok();
    assert!(verb(&lake, &["dataset", "diff"]).ok().out.starts_with("the lake goes by this dataset already"));
    let Some(_) = outside("HENNA_TEST_DATA", "schema change of a shipped dataset") else { return };
    verb(&lake, &["dataset", "diff", "--dataset", "nothing"]).refused(1, &["there is no dataset 'nothing'"]);
}

#[test]
fn rows_are_kept_for_as_long_as_the_dataset_says() {
    let folder = folder();
    let (dataset, lake) = shop(folder.path());
    load(&lake, "id,at,team,amount\n9,2020-01-01 10:00,north,1\n");
    let path = dataset.to_str().unwrap();
    let count = || csv(&lake, "admin", "SELECT count(*) FROM orders");
    let retention = "SELECT coalesce(retention, 'for ever') FROM henna.tables WHERE table_name = 'orders'";
    assert_eq!((count(), csv(&lake, "admin", retention)), (vec!["4".to_owned()], vec!["for ever".to_owned()]));
    assert_eq!(verb(&lake, &["expire"]).ok().out, "no rows are older than their tables keep them\n");
    write(&dataset, "dataset.toml", &format!("{TOML}retention = '1500 days'\n{STORES_TOML}"));
    let told = verb(&lake, &["dataset", "apply", "--dataset", path]).ok().out;
    assert!(told.contains("table orders: rows are kept for 1500 days after at; older ones are taken away"), "{told}");
    assert_eq!(
        (count(), csv(&lake, "admin", retention)),
        (vec!["4".to_owned()], vec!["1500 days after at".to_owned()])
    );
    assert_eq!(verb(&lake, &["expire"]).ok().out, "public.orders: 1 rows were taken away\n");
    assert_eq!(csv(&lake, "admin", "SELECT id FROM orders ORDER BY id"), ["1", "2", "3"]);
    let audited = "SELECT tables::text, rows FROM henna.audit_log WHERE command = 'EXPIRE'";
    assert_eq!(csv(&lake, "admin", audited), ["{public.orders},1"]);
    verb(&lake, &["check"]).ok();
}
