//! kill -9 while rights change: what was acknowledged is there, and no statement is there by half. HENNA_TEST_SEED repeats a run.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_postgres::{Client, NoTls};

use super::super::support::{ADMIN_PASSWORD, House, folder, henna, ran, run, sales_files, server};

const ROUNDS: usize = 6;

/// What a server acknowledged, and the statement that it did not get to.
#[derive(Default)]
struct Outcome {
    acknowledged: Vec<String>,
    cut_off: Option<String>,
}

/// The statements about user number `user`, each of more than one change.
fn statements(user: usize) -> [String; 4] {
    [
        format!("CREATE USER u{user} PASSWORD 'x' IN ROLE team_one, team_two"),
        format!("GRANT SELECT ON sales, stores, wages TO u{user}"),
        format!("CREATE POLICY p{user} ON sales TO u{user} USING (team = 'tmall')"),
        format!("REVOKE SELECT ON sales, stores, wages FROM u{user}"),
    ]
}

async fn connected(port: u16) -> Client {
    let address = format!("host=127.0.0.1 port={port} user=admin password={ADMIN_PASSWORD} dbname=henna");
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn change_rights(client: Client, first: usize) -> Outcome {
    let mut outcome = Outcome::default();
    for statement in (first..).flat_map(statements) {
        if let Err(error) = client.simple_query(&statement).await {
            assert!(error.is_closed() || error.as_db_error().is_none(), "{statement}: {error}");
            outcome.cut_off = Some(statement);
            break;
        }
        outcome.acknowledged.push(statement);
    }
    outcome
}

/// Roles, memberships, grants and policies of the users, each as a line.
async fn rights(lake: &Path) -> BTreeSet<String> {
    let house = House::serve(lake, None).await;
    let admin = house.wire("admin").await;
    let mut found = BTreeSet::new();
    for sql in [
        "SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE 'u%'",
        "SELECT 'member ' || pg_get_userbyid(member) || ' ' || pg_get_userbyid(roleid) FROM pg_auth_members WHERE pg_get_userbyid(member) LIKE 'u%'",
        "SELECT 'grant ' || grantee || ' ' || table_name FROM information_schema.role_table_grants WHERE grantee LIKE 'u%'",
        "SELECT 'policy ' || policyname FROM pg_policies WHERE policyname LIKE 'p%'",
    ] {
        found.extend(admin.ask(sql).await.unwrap().into_iter().filter_map(|row| row[0].clone()));
    }
    found
}

/// The lines that a statement makes, or takes away.
fn lines(statement: &str) -> (Vec<String>, bool) {
    let user =
        statement.split([' ', ';']).find(|word| word.starts_with('u') && word[1..].parse::<usize>().is_ok()).unwrap();
    let grants = ["sales", "stores", "wages"].map(|table| format!("grant {user} {table}")).to_vec();
    match statement.split(' ').next().unwrap() {
        "GRANT" => (grants, true),
        "REVOKE" => (grants, false),
        _ if statement.contains("POLICY") => (vec![format!("policy p{}", &user[1..])], true),
        _ => (vec![format!("role {user}"), format!("member {user} team_one"), format!("member {user} team_two")], true),
    }
}

#[test]
fn a_killed_server_keeps_every_change_of_rights_that_it_acknowledged_and_none_by_half() {
    let given = std::env::var("HENNA_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| rand::rng().random());
    println!("HENNA_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = folder();
    let lake = folder.path().join("lake");
    run(sales_files(&lake));
    ran(henna(&lake).args(["sql", "-c", "CREATE ROLE team_one; CREATE ROLE team_two"])).ok();
    let (mut expected, mut acknowledged, mut cut_off) = (BTreeSet::new(), 0, 0);
    for round in 0..ROUNDS {
        let (mut child, port) = server(&lake);
        let span = Duration::from_millis(random.random_range(20..600));
        let outcome = run(async {
            let work = tokio::spawn(change_rights(connected(port).await, round * 1_000));
            tokio::time::sleep(span).await;
            child.kill().unwrap();
            work.await.unwrap()
        });
        child.wait().unwrap();
        ran(henna(&lake).arg("check")).ok();
        for statement in &outcome.acknowledged {
            apply(&mut expected, statement);
        }
        let found = run(rights(&lake));
        if found != expected {
            // It may be that the last one was done and its answer lost; then all of it was.
            let last = outcome.cut_off.as_ref().unwrap_or_else(|| panic!("round {round}: {found:?}, not {expected:?}"));
            apply(&mut expected, last);
            assert_eq!(found, expected, "round {round}: {last}");
        }
        acknowledged += outcome.acknowledged.len();
        cut_off += usize::from(outcome.cut_off.is_some());
    }
    println!("{acknowledged} changes acknowledged, {cut_off} cut off");
    assert!(acknowledged > ROUNDS, "{acknowledged}");
}

fn apply(rights: &mut BTreeSet<String>, statement: &str) {
    let (lines, made) = lines(statement);
    for line in lines {
        if made {
            rights.insert(line);
        } else {
            rights.remove(&line);
        }
    }
}
