//! Transaction blocks that change objects, rights and rows, beside other sessions and through a crash.

use std::path::Path;

use super::support::{ADMIN_PASSWORD, House, Refusal, Rows, folder, henna, ran, run};

/// A copy of the demo with schema `lena`, which belongs to `wecom`.
async fn house() -> House {
    let house = House::copy().await;
    house.wire("admin").await.run("CREATE SCHEMA lena AUTHORIZATION wecom").await;
    house
}

#[track_caller]
fn refused(answer: Result<Rows, Refusal>, sqlstate: &str, part: &str) -> Refusal {
    let refusal = answer.unwrap_err();
    assert_eq!(refusal.sqlstate, sqlstate, "{refusal}");
    assert!(refusal.message.contains(part), "{refusal}");
    refusal
}

/// The records of the security log.
fn records(house: &House) -> usize {
    std::fs::read_dir(Path::new(house.lake.store().root()).join("security")).unwrap().count()
}

/// The tables of schema `lena` that lie in the lake, named or not.
async fn folders(house: &House) -> usize {
    house.lake.store().tables().await.unwrap().iter().filter(|table| table.schema == "lena").count()
}

#[test]
fn others_see_a_block_when_it_is_committed_as_one_record() {
    run(async {
        let house = house().await;
        let (own, other) = (house.wire("wecom").await, house.wire("wecom").await);
        let before = records(&house);
        own.run("BEGIN; CREATE TABLE lena.t AS SELECT 1 AS n; CREATE VIEW lena.v AS SELECT n FROM lena.t").await;
        own.run("GRANT USAGE ON SCHEMA lena TO tmall; GRANT SELECT ON lena.v, lena.t TO tmall; INSERT INTO lena.t VALUES (2)").await;
        assert_eq!(own.value("SELECT sum(n) FROM lena.v").await, "3");
        let tmall = house.wire("tmall").await;
        refused(other.ask("SELECT * FROM lena.v").await, "42P01", "does not exist");
        refused(tmall.ask("SELECT * FROM lena.v").await, "42P01", "does not exist");
        assert_eq!(other.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'lena'::regnamespace").await, "0");
        assert_eq!(records(&house), before);
        own.run("COMMIT").await;
        assert_eq!(records(&house), before + 1);
        assert_eq!(tmall.value("SELECT sum(n) FROM lena.v").await, "3");
        // The rights come back with the objects.
        own.run("BEGIN; REVOKE SELECT ON lena.v FROM tmall; DROP VIEW lena.v; DROP TABLE lena.t").await;
        refused(own.ask("SELECT * FROM lena.t").await, "42P01", "does not exist");
        assert_eq!(tmall.value("SELECT sum(n) FROM lena.v").await, "3");
        own.run("ROLLBACK").await;
        assert_eq!(own.value("SELECT sum(n) FROM lena.t").await, "3");
        own.run("BEGIN; DROP VIEW lena.v; DROP TABLE lena.t; COMMIT").await;
        assert_eq!(folders(&house).await, 0);
    });
}

#[test]
fn of_two_blocks_that_clash_the_second_is_told_and_does_nothing() {
    run(async {
        let house = house().await;
        let (one, two) = (house.wire("wecom").await, house.wire("wecom").await);
        one.run("BEGIN; CREATE TABLE lena.t AS SELECT 1 AS n").await;
        two.run("BEGIN; CREATE VIEW lena.other AS SELECT 2 AS n; CREATE TABLE lena.t AS SELECT 2 AS n").await;
        one.run("COMMIT").await;
        let refusal = refused(two.ask("COMMIT").await, "40001", "could not serialize access");
        assert_eq!(refusal.detail.as_deref(), Some("relation \"t\" already exists"));
        assert_eq!(two.value("SELECT n FROM lena.t").await, "1");
        refused(two.ask("SELECT * FROM lena.other").await, "42P01", "does not exist");
        // It is over: what follows is a transaction of its own.
        two.run("CREATE VIEW lena.other AS SELECT 3 AS n").await;
        // What does not clash is both done.
        one.run("BEGIN; CREATE VIEW lena.a AS SELECT 1 AS n").await;
        two.run("BEGIN; CREATE VIEW lena.b AS SELECT 1 AS n").await;
        one.run("COMMIT").await;
        two.run("COMMIT").await;
        assert_eq!(one.value("SELECT count(*) FROM lena.a, lena.b").await, "1");
    });
}

#[test]
fn a_block_has_no_right_that_was_taken_away_since() {
    run(async {
        let house = house().await;
        let (admin, wecom, tmall) = (house.wire("admin").await, house.wire("wecom").await, house.wire("tmall").await);
        admin.run("GRANT USAGE, CREATE ON SCHEMA lena TO tmall; CREATE TABLE lena.secret AS SELECT 7 AS n").await;
        admin.run("GRANT SELECT ON lena.secret TO wecom WITH GRANT OPTION").await;
        // Its own grant gives nobody a right that its grantor has lost: the next statement is told, not COMMIT alone.
        wecom.run("BEGIN; GRANT SELECT ON lena.secret TO tmall_team").await;
        admin.run("REVOKE SELECT ON lena.secret FROM wecom CASCADE").await;
        refused(wecom.ask("SELECT n FROM lena.secret").await, "40001", "could not serialize access");
        refused(wecom.ask("SELECT 1").await, "25P02", "");
        wecom.run("COMMIT").await;
        refused(tmall.ask("SELECT n FROM lena.secret").await, "42P01", "does not exist");
        // CREATE on the schema is gone at COMMIT.
        tmall.run("BEGIN; CREATE TABLE lena.late AS SELECT 1 AS n").await;
        admin.run("REVOKE CREATE ON SCHEMA lena FROM tmall").await;
        let refusal = refused(tmall.ask("COMMIT").await, "40001", "could not serialize access");
        assert_eq!(refusal.detail.as_deref(), Some("permission denied for schema lena"));
        refused(tmall.ask("SELECT * FROM lena.late").await, "42P01", "does not exist");
        // A role that a block has made is another one than that of the same number.
        admin.run("BEGIN; CREATE ROLE mine; SET ROLE mine").await;
        house.wire("admin").await.run("CREATE ROLE other IN ROLE headquarters").await;
        refused(admin.ask("SELECT count(*) FROM orders").await, "40001", "could not serialize access");
        admin.run("ROLLBACK").await;
        assert_eq!(admin.value("SELECT current_user").await, "admin");
    });
}

#[test]
fn rows_of_a_block_come_with_its_commit_under_the_rights_of_then() {
    run(async {
        let house = house().await;
        let (wecom, tmall) = (house.wire("wecom").await, house.wire("tmall").await);
        wecom.run("CREATE TABLE lena.t (id integer PRIMARY KEY, team text)").await;
        wecom.run("GRANT USAGE ON SCHEMA lena TO tmall; GRANT SELECT, INSERT ON lena.t TO tmall").await;
        wecom.run("ALTER TABLE lena.t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON lena.t TO tmall USING (team = 'tmall')").await;
        let count = "SELECT count(*) FROM lena.t";
        tmall.run("BEGIN; INSERT INTO lena.t VALUES (1, 'tmall')").await;
        assert_eq!((tmall.value(count).await, wecom.value(count).await), ("1".into(), "0".into()));
        refused(tmall.ask("INSERT INTO lena.t VALUES (2, 'wecom')").await, "42501", "row-level security policy");
        tmall.run("ROLLBACK").await;
        assert_eq!(wecom.value(count).await, "0");
        tmall.run("BEGIN; INSERT INTO lena.t VALUES (1, 'tmall'), (2, 'tmall'); COMMIT").await;
        assert_eq!(wecom.value(count).await, "2");
        // The same key came in meanwhile.
        tmall.run("BEGIN; INSERT INTO lena.t VALUES (3, 'tmall')").await;
        wecom.run("INSERT INTO lena.t VALUES (3, 'wecom')").await;
        refused(tmall.ask("COMMIT").await, "40001", "another session changed table lena.t");
        // The right was taken away meanwhile, or the policy changed.
        tmall.run("BEGIN; INSERT INTO lena.t VALUES (4, 'tmall')").await;
        wecom.run("REVOKE INSERT ON lena.t FROM tmall").await;
        refused(tmall.ask("COMMIT").await, "42501", "permission denied for table t");
        wecom.run("GRANT INSERT ON lena.t TO tmall").await;
        tmall.run("BEGIN; INSERT INTO lena.t VALUES (4, 'tmall')").await;
        wecom.run("ALTER POLICY own ON lena.t WITH CHECK (id > 100)").await;
        refused(tmall.ask("COMMIT").await, "42501", "row-level security policy");
        // The table is another one.
        tmall.run("BEGIN; INSERT INTO lena.t VALUES (104, 'tmall')").await;
        wecom.run("DROP TABLE lena.t; CREATE TABLE lena.t (id integer PRIMARY KEY, team text)").await;
        refused(tmall.ask("COMMIT").await, "40001", "another session changed table lena.t");
        assert_eq!(wecom.value(count).await, "0");
        wecom.run("DROP TABLE lena.t").await;
        assert_eq!(folders(&house).await, 0);
    });
}

#[test]
fn a_client_that_leaves_takes_its_block_along() {
    run(async {
        let house = house().await;
        let records_before = records(&house);
        let wecom = house.wire("wecom").await;
        wecom.run("BEGIN; CREATE TABLE lena.t AS SELECT 1 AS n").await;
        assert_eq!(folders(&house).await, 1);
        let sessions = house.lake.session_count();
        drop(wecom);
        for _ in 0..600 {
            if folders(&house).await == 0 && house.lake.session_count() < sessions {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(folders(&house).await, 0);
        assert!(house.lake.session_count() < sessions, "the session stays");
        assert_eq!(records(&house), records_before);
    });
}

#[test]
fn a_block_changes_no_more_than_it_may_hold() {
    run(async {
        let house = house().await;
        let wecom = house.wire("wecom").await;
        wecom.run("CREATE VIEW lena.v AS SELECT 1 AS n; BEGIN").await;
        let many = (0..1_000).map(|n| format!("COMMENT ON VIEW lena.v IS '{n}'")).collect::<Vec<_>>().join(";");
        wecom.run(&many).await;
        refused(wecom.ask("COMMENT ON VIEW lena.v IS 'one more'").await, "54000", "1000 times");
        wecom.run("ROLLBACK").await;
        assert_eq!(wecom.value("SELECT obj_description('lena.v'::regclass, 'pg_class') IS NULL").await, "t");
    });
}

#[test]
fn the_lake_is_sound_after_blocks_of_every_end() {
    let folder = folder();
    let root = folder.path().join("lake");
    ran(henna(&root).args(["init"]).env("HENNA_ADMIN_PASSWORD", ADMIN_PASSWORD)).ok();
    let sql = "CREATE SCHEMA s; BEGIN; CREATE TABLE s.a AS SELECT 1 AS n; CREATE TABLE s.b AS SELECT 2 AS n; COMMIT; \
               BEGIN; CREATE TABLE s.c AS SELECT 3 AS n; ROLLBACK; BEGIN; INSERT INTO s.a VALUES (2); COMMIT; \
               BEGIN; INSERT INTO s.b VALUES (3); ROLLBACK";
    ran(henna(&root).args(["sql", "-c", sql])).ok();
    let told = ran(henna(&root).args([
        "sql",
        "--format",
        "csv",
        "-c",
        "SELECT sum(n) FROM s.a UNION ALL SELECT sum(n) FROM s.b ORDER BY 1 DESC",
    ]))
    .ok();
    assert_eq!(told.out.lines().skip(1).collect::<Vec<_>>(), ["3", "2"]);
    let told = ran(henna(&root).arg("check")).ok().out;
    assert!(!told.contains("no name leads to"), "{told}");
}
