//! PREPARE, EXECUTE and DEALLOCATE beside the protocol's own named statements.

use super::*;

async fn client() -> (Server, Client) {
    let server = Server::start().await;
    let client = server.client().await;
    (server, client)
}

async fn refused(client: &Client, sql: &str) -> String {
    code(&client.batch_execute(sql).await.unwrap_err()).to_owned()
}

fn row(cells: &[&str]) -> Vec<Option<String>> {
    cells.iter().map(|cell| Some((*cell).to_owned())).collect()
}

#[tokio::test]
async fn a_prepared_statement_runs_with_the_values_of_each_execute() {
    let (_server, client) = client().await;
    client.batch_execute("PREPARE q (integer, text) AS SELECT $1 + 1 AS n, $2 || '!' AS w").await.unwrap();
    assert_eq!(simple(&client, "EXECUTE q(41, 'a')").await, [row(&["42", "a!"])]);
    assert_eq!(simple(&client, "EXECUTE q(1 + 1, upper('b'))").await, [row(&["3", "B!"])]);
    assert_eq!(simple(&client, "EXECUTE q(NULL, 'c')").await, [vec![None, Some("c!".to_owned())]]);
    assert_eq!(refused(&client, "EXECUTE q(1)").await, "42601");
    assert_eq!(refused(&client, "EXECUTE q('x', 'c')").await, "22P02");
    assert_eq!(refused(&client, "EXECUTE q(1, (SELECT current_user))").await, "0A000");
    assert_eq!(refused(&client, "PREPARE q AS SELECT 1").await, "42P05");
    assert_eq!(refused(&client, "EXECUTE nothing").await, "26000");
    assert_eq!(refused(&client, "DEALLOCATE nothing").await, "26000");
    client.batch_execute("DEALLOCATE q").await.unwrap();
    assert_eq!(refused(&client, "EXECUTE q(1, 'a')").await, "26000");
    client.batch_execute("PREPARE q AS VALUES (1), (2)").await.unwrap();
    assert_eq!(simple(&client, "EXECUTE q").await, [row(&["1"]), row(&["2"])]);
    assert_eq!(refused(&client, "PREPARE other AS SELECT * FROM nothing").await, "42P01");
    assert_eq!(refused(&client, "EXECUTE other").await, "26000");
}

#[tokio::test]
async fn what_describe_tells_of_execute_is_what_it_sends() {
    let (_server, client) = client().await;
    client
        .batch_execute("PREPARE q (date) AS SELECT $1 AS d, CAST(1.5 AS numeric(5,2)) AS n, true AS b")
        .await
        .unwrap();
    let statement = client.prepare("EXECUTE q('2024-01-02')").await.unwrap();
    let told: Vec<_> = statement.columns().iter().map(|column| (column.name(), column.type_().name())).collect();
    assert_eq!(told, [("d", "date"), ("n", "numeric"), ("b", "bool")]);
    let rows = client.query(&statement, &[]).await.unwrap();
    assert!(rows[0].get::<_, bool>(2));
}

#[tokio::test]
async fn an_execute_follows_the_table_and_not_an_old_plan() {
    let (_server, client) = client().await;
    client
        .batch_execute("CREATE SCHEMA s; CREATE TABLE s.t (n integer); PREPARE q AS SELECT * FROM s.t")
        .await
        .unwrap();
    client
        .batch_execute("PREPARE i (integer) AS INSERT INTO s.t VALUES ($1); EXECUTE i(1); EXECUTE i(2)")
        .await
        .unwrap();
    assert_eq!(simple(&client, "EXECUTE q").await.len(), 2);
    client.batch_execute("DROP TABLE s.t; CREATE TABLE s.t (n integer)").await.unwrap();
    assert_eq!(simple(&client, "EXECUTE q").await.len(), 0);
    client.batch_execute("DROP TABLE s.t; CREATE TABLE s.t (n text, m text)").await.unwrap();
    assert_eq!(refused(&client, "EXECUTE q").await, "0A000");
    client.batch_execute("DROP TABLE s.t").await.unwrap();
    assert_eq!(refused(&client, "EXECUTE q").await, "42P01");
}

#[tokio::test]
async fn names_are_shared_with_the_protocol() {
    let (_server, client) = client().await;
    let statement = client.prepare("SELECT $1::int4 + 1 AS next").await.unwrap();
    client.batch_execute("PREPARE q (text) AS SELECT $1").await.unwrap();
    let list = "SELECT name, from_sql, parameter_types FROM pg_prepared_statements WHERE statement NOT LIKE '%pg_prep%' ORDER BY from_sql";
    let listed = simple(&client, list).await;
    assert_eq!((listed[0][1].as_deref(), listed[0][2].as_deref()), (Some("f"), Some("{integer}")));
    assert_eq!(listed[1], row(&["q", "t", "{text}"]));
    let name = listed[0][0].clone().unwrap();
    assert_eq!(simple(&client, &format!("EXECUTE {name}(41)")).await, [row(&["42"])]);
    assert_eq!(refused(&client, &format!("PREPARE {name} AS SELECT 1")).await, "42P05");
    client.batch_execute(&format!("DEALLOCATE {name}")).await.unwrap();
    assert_eq!(code(&client.query(&statement, &[&1]).await.unwrap_err()), "26000");
    // Two that run each other would never end.
    let _running = client.prepare("EXECUTE q('a')").await.unwrap();
    let names = "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'EXECUTE%'";
    let name = simple(&client, names).await[0][0].clone().unwrap();
    assert_eq!(refused(&client, &format!("EXECUTE {name}")).await, "0A000");
    client.batch_execute("DISCARD ALL").await.unwrap();
    assert_eq!(simple(&client, "SELECT count(*) FROM pg_prepared_statements").await, [row(&["0"])]);
}

#[tokio::test]
async fn prepared_statements_are_bounded() {
    let (_server, client) = client().await;
    let many: String = (0..1024).map(|n| format!("PREPARE q{n} AS SELECT {n};")).collect();
    client.batch_execute(&many).await.unwrap();
    assert_eq!(refused(&client, "PREPARE one_more AS SELECT 1").await, "54000");
    client.batch_execute("DEALLOCATE ALL; PREPARE one_more AS SELECT 1").await.unwrap();
}
