//! The audit log over the wire and on disk: what it tells to whom, what it never holds, and how it is verified.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::TryStreamExt;

use super::support::{ADMIN_PASSWORD, DEMO_PASSWORD, House, Rows, Wire, folder, henna, ran, run, server};

/// What a client finds in the log, oldest first.
async fn records(client: &Wire, columns: &str, condition: &str) -> Rows {
    let sql = format!("SELECT {columns} FROM henna.audit_log WHERE {condition} ORDER BY event_time, command");
    client.ask(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn row(cells: &[&str]) -> Vec<Option<String>> {
    cells.iter().map(|cell| (*cell != "-").then(|| (*cell).to_owned())).collect()
}

#[test]
fn a_statement_is_told_with_its_tables_its_policies_and_its_rows() {
    run(async {
        let house = House::copy().await;
        let (client, hq, admin) = (house.wire("wecom").await, house.wire("hq").await, house.wire("admin").await);
        let all = client.value("SELECT count(*) FROM orders").await;
        client.ask("SELECT order_id FROM orders").await.unwrap();
        client.ask("SELECT count(*) FROM mart.rfm").await.unwrap();
        client.ask("SELECT 1 / 0").await.unwrap_err();
        client.ask("SELEC 1").await.unwrap_err();
        let copied = client.client.copy_out("COPY (SELECT 1) TO STDOUT").await.unwrap();
        assert_eq!(copied.try_collect::<Vec<_>>().await.unwrap().concat(), b"1\n");
        client.run("BEGIN; SET application_name = 'x'; COMMIT; SHOW application_name").await;
        hq.ask("SELECT status FROM orders LIMIT 3").await.unwrap();
        let columns = "usename, command, tables, policies, rows, sqlstate, client_addr";
        let found = records(&admin, columns, "kind = 'statement' AND usename = 'wecom'").await;
        let here = "127.0.0.1";
        let expected = [
            row(&["wecom", "SELECT", "{public.orders}", "t", "1", "00000", here]),
            row(&["wecom", "SELECT", "{public.orders}", "t", &all, "00000", here]),
            row(&["wecom", "SELECT", "{mart.rfm,public.orders}", "t", "1", "00000", here]),
            row(&["wecom", "SELECT", "-", "f", "0", "22012", here]),
            row(&["wecom", "-", "-", "f", "-", "42601", here]),
            row(&["wecom", "COPY", "-", "f", "1", "00000", here]),
        ];
        for expected in &expected {
            assert!(found.contains(expected), "{expected:?} is not in {found:#?}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        let of_hq = records(&admin, "tables, policies, rows", "usename = 'hq' AND command = 'SELECT'").await;
        assert_eq!(of_hq, [row(&["{public.orders}", "t", "3"])]);
    });
}

#[test]
fn the_same_statement_has_the_same_hash_whatever_its_literals_are() {
    run(async {
        let house = House::copy().await;
        let (client, admin) = (house.wire("wecom").await, house.wire("admin").await);
        client.run("SELECT 1 FROM orders WHERE order_id = 'a'").await;
        client.run("select 2   from orders where order_id = 'bcd'").await;
        client.run("SELECT 1 FROM orders WHERE city = 'a'").await;
        let sql = "SELECT count(*), count(DISTINCT statement_hash) FROM henna.audit_log WHERE usename = 'wecom' AND command = 'SELECT'";
        assert_eq!(admin.ask(sql).await.unwrap(), [row(&["3", "2"])]);
        // As SECURITY.md says how to work it out.
        let plain = "SELECT encode(sha256('SELECT ? FROM orders WHERE city = ?'), 'hex')";
        let hash = admin.value(plain).await;
        assert_eq!(records(&admin, "command", &format!("statement_hash = '{hash}'")).await, [row(&["SELECT"])]);
    });
}

#[test]
fn denials_are_told_as_such_and_look_to_their_user_as_they_did() {
    run(async {
        let house = House::copy().await;
        let (client, admin) = (house.wire("wecom").await, house.wire("admin").await);
        admin.run("REVOKE SELECT ON orders FROM wecom_team; GRANT SELECT (order_id) ON orders TO wecom_team").await;
        for sql in [
            "SELECT city FROM orders",
            "SELECT * FROM identities",
            "SELECT * FROM nothing_at_all",
            "COPY (SELECT 1) TO '/tmp/henna-stolen'",
            "GRANT SELECT ON identities TO PUBLIC",
            "GRANT SELECT ON nothing_at_all TO PUBLIC",
        ] {
            client.ask(sql).await.unwrap_err();
        }
        let columns = "kind, command, tables, hidden_tables, sqlstate";
        let of_wecom = "usename = 'wecom' AND kind <> 'login' AND sqlstate <> '00000'";
        let found = records(&admin, columns, of_wecom).await;
        let expected = [
            row(&["denial", "SELECT", "{public.orders}", "-", "42501"]),
            row(&["denial", "SELECT", "-", "{public.identities}", "42P01"]),
            row(&["statement", "SELECT", "-", "-", "42P01"]),
            row(&["denial", "COPY", "-", "-", "42501"]),
            row(&["denial", "GRANT", "-", "{public.identities}", "42P01"]),
            row(&["security", "GRANT", "-", "-", "42P01"]),
        ];
        assert_eq!(found, expected);
        // The user cannot tell the hidden table from the missing one.
        for (command, kind) in [("SELECT", "statement"), ("GRANT", "security")] {
            let found = records(&client, columns, &format!("sqlstate = '42P01' AND command = '{command}'")).await;
            let same = row(&[kind, command, "-", "-", "42P01"]);
            assert_eq!(found, [same.clone(), same]);
        }
    });
}

#[test]
fn changes_of_role_and_of_rights_are_told() {
    run(async {
        let house = House::copy().await;
        let (client, admin) = (house.wire("tmall").await, house.wire("admin").await);
        client.run("SET ROLE tmall_team; SELECT 1; RESET ROLE").await;
        client.ask("SET ROLE hq").await.unwrap_err();
        client.ask("SET SESSION AUTHORIZATION hq").await.unwrap_err();
        client.ask("CREATE ROLE mole SUPERUSER").await.unwrap_err();
        house.login("tmall", DEMO_PASSWORD, &[("role", "hq")]).await.err().unwrap();
        admin.run("CREATE USER anna PASSWORD 'PASSWORD-OF-ANNA' IN ROLE tmall_team").await;
        admin.run("GRANT SELECT ON identities TO anna").await;
        admin.run("SET SESSION AUTHORIZATION anna; SELECT 2; SET SESSION AUTHORIZATION DEFAULT").await;
        let columns = "kind, command, subject, role_name, sqlstate";
        let found = records(&admin, columns, "usename = 'tmall' AND kind <> 'login'").await;
        for expected in [
            row(&["role", "SET ROLE", "tmall_team", "-", "00000"]),
            row(&["statement", "SELECT", "-", "tmall_team", "00000"]),
            row(&["role", "SET ROLE", "none", "tmall_team", "00000"]),
            row(&["denial", "SET ROLE", "hq", "-", "42501"]),
            row(&["denial", "SET SESSION AUTHORIZATION", "hq", "-", "42501"]),
            row(&["denial", "CREATE ROLE", "mole", "-", "42501"]),
        ] {
            assert!(found.contains(&expected), "{expected:?} is not in {found:#?}");
        }
        assert_eq!(found.iter().filter(|row| row[2].as_deref() == Some("hq")).count(), 3, "{found:#?}");
        let found = records(&admin, columns, "usename = 'admin' AND client_addr IS NOT NULL AND kind <> 'login'").await;
        for expected in [
            row(&["security", "CREATE ROLE", "anna", "-", "00000"]),
            row(&["security", "GRANT", "identities TO anna", "-", "00000"]),
            row(&["role", "SET SESSION AUTHORIZATION", "anna", "-", "00000"]),
            row(&["statement", "SELECT", "-", "anna", "00000"]),
        ] {
            assert!(found.contains(&expected), "{expected:?} is not in {found:#?}");
        }
        // The epoch of a change is the record of the security log that holds it.
        let epoch = records(&admin, "epoch", "command = 'GRANT' AND subject = 'identities TO anna'").await;
        let number: u64 = epoch[0][0].as_ref().unwrap().parse().unwrap();
        let path = Path::new(house.lake.store().root()).join(format!("security/{number:020}.json"));
        assert!(std::fs::read_to_string(path).unwrap().contains("\"tag\":\"GRANT\""));
    });
}

#[test]
fn a_user_sees_its_own_records_and_nothing_of_others() {
    run(async {
        let house = House::copy().await;
        let (wecom, tmall, admin) = (house.wire("wecom").await, house.wire("tmall").await, house.wire("admin").await);
        tmall.run("SELECT count(*) AS of_tmall FROM orders").await;
        house.login("tmall", "wrong", &[]).await.err().unwrap();
        wecom.run("SELECT 1").await;
        admin.run("SET SESSION AUTHORIZATION wecom; SELECT 2; SET SESSION AUTHORIZATION DEFAULT").await;
        let users = "SELECT DISTINCT usename FROM henna.audit_log";
        assert_eq!(wecom.ask(users).await.unwrap(), [row(&["wecom"])]);
        assert_eq!(tmall.ask(users).await.unwrap(), [row(&["tmall"])]);
        let columns = ["number", "previous", "hash", "epoch", "hidden_tables"];
        let counts = columns.map(|column| format!("count({column})")).join(", ");
        let told = wecom.ask(&format!("SELECT {counts} FROM henna.audit_log")).await.unwrap();
        assert_eq!(told, [row(&["0"; 5])]);
        // Its failed logins concern a user too.
        assert_eq!(tmall.value("SELECT count(*) FROM henna.audit_log WHERE sqlstate = '28P01'").await, "1");
        assert_eq!(wecom.value("SELECT count(*) FROM henna.audit_log WHERE sqlstate = '28P01'").await, "0");
        // A group's members do not see each other.
        admin.run("CREATE USER wecom2 PASSWORD 'henna-demo' IN ROLE wecom_team").await;
        let wecom2 = house.wire("wecom2").await;
        assert_eq!(wecom2.ask(users).await.unwrap(), [row(&["wecom2"])]);
        // One of the same name that was made later is another.
        admin.run("DROP ROLE wecom2; CREATE USER wecom2 PASSWORD 'henna-demo' IN ROLE wecom_team").await;
        let again = house.wire("wecom2").await;
        assert_eq!(again.value("SELECT count(*) FROM henna.audit_log WHERE kind = 'statement'").await, "0");
        // A superuser sees all, in a lesser role what that one sees.
        assert!(admin.ask(users).await.unwrap().len() >= 4);
        admin.run("SET ROLE tmall").await;
        assert_eq!(admin.ask(users).await.unwrap(), [row(&["tmall"])]);
    });
}

#[test]
fn no_literal_no_password_and_no_unknown_name_is_kept() {
    run(async {
        let house = House::copy().await;
        let (client, admin) = (house.wire("wecom").await, house.wire("admin").await);
        client
            .run("SELECT 'LITERAL-ONE', E'LITERAL-TWO', $$LITERAL-THREE$$ FROM orders WHERE city = 'LITERAL-FOUR'")
            .await;
        client.ask("SELECT CAST('LITERAL-FIVE' AS INT)").await.unwrap_err();
        client.ask("SELECT 'LITERAL-SIX").await.unwrap_err();
        client.ask("SET henna.guide_id = 'LITERAL-SEVEN'").await.unwrap_err();
        client.ask("SET ROLE 'LITERAL-EIGHT'").await.unwrap_err();
        client.ask("PREPARE p AS SELECT 'LITERAL-NINE'").await.ok();
        client.client.query("SELECT $1::text", &[&"LITERAL-TEN"]).await.unwrap();
        admin.run("CREATE USER anna PASSWORD 'LITERAL-PASSWORD'").await;
        admin.run("SECURITY LABEL FOR henna ON COLUMN orders.city IS '''LITERAL-MASK'''").await;
        house.login("LITERAL-USER", "LITERAL-WRONG", &[]).await.err().unwrap();
        house.lake.audit().flush().await;
        let text = audit_text(Path::new(house.lake.store().root()));
        assert!(text.contains("\"anna\""), "{text}");
        assert!(!text.contains("LITERAL"), "{text}");
        // The failed login is told, without the name that is no role.
        let found = records(&admin, "usename, sqlstate, client_addr", "kind = 'login' AND usename IS NULL").await;
        assert_eq!(found, [row(&["-", "28P01", "127.0.0.1"])]);
    });
}

#[test]
fn others_statements_are_hidden_while_they_run() {
    run(async {
        let house = House::copy().await;
        let (wecom, hq, admin) = (house.wire("wecom").await, house.wire("hq").await, house.wire("admin").await);
        hq.run("SELECT count(*) AS of_headquarters FROM orders").await;
        for table in ["henna.activity", "pg_catalog.pg_stat_activity"] {
            let sql = format!("SELECT query, client_addr, query_start FROM {table} WHERE usename = 'hq'");
            let seen = wecom.ask(&sql).await.unwrap();
            let mut told = seen.iter().flatten().flatten();
            assert!(told.all(|cell| ["", "<insufficient privilege>"].contains(&cell.as_str())), "{sql}: {seen:?}");
            let text = format!("{:?}", admin.ask(&sql).await.unwrap());
            assert!(text.contains("of_headquarters"), "{sql}: {text}");
            let own = format!("SELECT query FROM {table} WHERE usename = 'wecom'");
            assert!(format!("{:?}", wecom.ask(&own).await.unwrap()).contains("SELECT query"), "{own}");
        }
    });
}

#[test]
fn wrong_passwords_slow_down_and_lock_out_nobody_else() {
    run(async {
        let house = House::copy().await;
        let wrong = "password authentication failed for user \"wecom\"";
        for _ in 0..5 {
            let refusal = house.login("wecom", "wrong", &[]).await.err().unwrap();
            assert_eq!((refusal.sqlstate.as_str(), refusal.message.as_str()), ("28P01", wrong));
        }
        let mut tried = 0;
        let throttled = loop {
            let refusal = house.login("wecom", "wrong", &[]).await.err().unwrap();
            tried += 1;
            assert!(tried < 5, "{refusal}");
            if refusal.message != wrong {
                break refusal;
            }
        };
        assert_eq!(throttled.sqlstate, "28P01");
        assert_eq!(throttled.message, "too many failed logins of user \"wecom\"");
        assert!(throttled.hint.unwrap().starts_with("Try again in "));
        // Others at the same address log in at once, and the user does when the wait is over.
        house.wire("tmall").await;
        let deadline = Instant::now() + Duration::from_secs(70);
        while house.login("wecom", DEMO_PASSWORD, &[]).await.is_err() {
            assert!(Instant::now() < deadline, "the wait does not end");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // A success makes five mistakes free again.
        for _ in 0..5 {
            assert_eq!(house.login("wecom", "wrong", &[]).await.err().unwrap().message, wrong);
        }
        let admin = house.wire("admin").await;
        let sum = "SELECT sum(times) >= 10 FROM henna.audit_log WHERE usename = 'wecom' AND sqlstate = '28P01' AND subject = 'wire'";
        assert_eq!(admin.value(sum).await, "t");
        let throttled = "SELECT DISTINCT usename, client_addr FROM henna.audit_log WHERE subject = 'wire, throttled'";
        assert_eq!(admin.ask(throttled).await.unwrap(), [row(&["wecom", "127.0.0.1"])]);
    });
}

#[test]
fn guesses_made_at_once_are_few() {
    run(async {
        let house = House::copy().await;
        let guesses = futures::future::join_all((0..40).map(|_| house.login("wecom", "wrong", &[]))).await;
        let refusals = guesses.into_iter().map(|guess| guess.err().unwrap().message);
        let judged = refusals.filter(|message| message.starts_with("password authentication failed")).count();
        assert!((1..=8).contains(&judged), "{judged} of 40 guesses were judged");
    });
}

/// All lines of a lake's audit log.
fn audit_text(lake: &Path) -> String {
    segments(lake).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The files of a lake's audit log, oldest first.
fn segments(lake: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for state in ["open", "closed"] {
        let Ok(entries) = std::fs::read_dir(lake.join("audit").join(state)) else { continue };
        found.extend(entries.map(|entry| entry.unwrap().path()));
    }
    found.sort();
    found
}

#[test]
fn check_names_an_audit_record_that_was_changed_or_removed() {
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    for sql in ["SELECT 1", "CREATE ROLE a", "SELECT * FROM nothing", "SELECT 2"] {
        ran(henna(&lake).args(["sql", "-c", sql]));
    }
    let told = ran(henna(&lake).arg("check")).ok().out;
    assert!(told.contains("note  audit log: ") && told.contains("is sound"), "{told}");
    let files = segments(&lake);
    let (victim, last) = (&files[files.len() - 3], &files[files.len() - 1]);
    let number: u64 = victim.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let whole = std::fs::read_to_string(victim).unwrap();

    std::fs::write(victim, whole.replace("CREATE ROLE", "CREATE LORE")).unwrap();
    let found = ran(henna(&lake).arg("check"));
    assert_eq!(found.code, 1);
    assert!(found.out.contains(&format!("FAULT  audit log: record {number} is not what was written")), "{}", found.out);

    std::fs::remove_file(victim).unwrap();
    let found = ran(henna(&lake).arg("check"));
    assert!(found.out.contains(&format!("FAULT  audit log: record {number} is missing")), "{}", found.out);

    std::fs::write(victim, &whole).unwrap();
    ran(henna(&lake).arg("check")).ok();
    std::fs::remove_file(last).unwrap();
    let found = ran(henna(&lake).arg("check"));
    assert!(found.out.contains("is missing") && found.code == 1, "{}", found.out);
}

/// Logs in and runs one statement.
async fn visit(port: u16, sql: &str) {
    let address = format!("host=127.0.0.1 port={port} user=admin password={ADMIN_PASSWORD} dbname=henna");
    let (client, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.simple_query(sql).await.unwrap();
    drop(client);
    let _ = connection.await;
}

#[test]
fn a_server_that_is_asked_to_stop_keeps_what_it_recorded_and_one_that_is_killed_stays_sound() {
    let folder = folder();
    let lake = folder.path().join("lake");
    ran(henna(&lake).arg("init")).ok();
    let (mut child, port) = server(&lake);
    run(visit(port, "SELECT 4711 AS asked_to_stop"));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let count = "SELECT count(*) FROM henna.audit_log WHERE kind = 'statement' AND client_addr = '127.0.0.1' AND sqlstate = '00000'";
    let told = ran(henna(&lake).args(["sql", "--format", "csv", "-c", count])).ok().out;
    assert_eq!(told, "count\n1\n");

    let (mut child, port) = server(&lake);
    run(visit(port, "CREATE ROLE made_before_the_end"));
    child.kill().unwrap();
    child.wait().unwrap();
    ran(henna(&lake).arg("check")).ok();
}
