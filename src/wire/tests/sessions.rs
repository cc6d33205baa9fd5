//! The end of sessions: by their own timeouts, and by another session's hand.

use super::*;

/// What a connection that the server ends is told.
async fn last_words(raw: &mut Raw) -> Vec<u8> {
    let mut answer = Vec::new();
    raw.socket.read_to_end(&mut answer).await.unwrap();
    answer
}

fn tells(answer: &[u8], sqlstate: &str) -> bool {
    answer.windows(5).any(|code| code == sqlstate.as_bytes())
}

fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

#[tokio::test]
async fn a_session_that_is_idle_for_longer_than_it_may_is_ended() {
    let server = Server::start().await;
    for (sql, sqlstate) in [
        ("SET idle_session_timeout = '50ms'", "57P05"),
        ("SET idle_in_transaction_session_timeout = '50ms'; BEGIN", "25P03"),
        ("SET idle_in_transaction_session_timeout = '50ms'; BEGIN; SELECT 1/0", "25P03"),
    ] {
        let mut raw = Raw::log_in(&server).await;
        raw.send(&[query(sql)]).await;
        assert!(tells(&last_words(&mut raw).await, sqlstate), "{sql}");
    }
    // Each counts where it is meant to.
    let client = server.client().await;
    client.batch_execute("SET idle_in_transaction_session_timeout = '20ms'").await.unwrap();
    tokio::time::sleep(Duration::from_millis(80)).await;
    client
        .batch_execute("SET idle_session_timeout = '20ms'; SET idle_in_transaction_session_timeout = 0; BEGIN")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(80)).await;
    client.batch_execute("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_session_is_ended_from_another_one_idle_or_not() {
    let server = Server::start().await;
    let client = server.client().await;
    for sql in ["SELECT 1", ENDLESS, "BEGIN"] {
        let mut raw = Raw::log_in(&server).await;
        raw.send(&[query(&format!("/* the one */ {sql}"))]).await;
        let others = "SELECT pid FROM henna.activity WHERE pid <> pg_backend_pid() AND query IS NOT NULL";
        let pid = loop {
            if let Some(row) = simple(&client, others).await.first() {
                break row[0].clone().unwrap();
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(simple(&client, &format!("SELECT pg_terminate_backend({pid})")).await, [[Some("t".to_owned())]]);
        assert!(tells(&last_words(&mut raw).await, "57P01"), "{sql}");
        while simple(&client, "SELECT pid FROM henna.activity").await.len() > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(simple(&client, &format!("SELECT pg_terminate_backend({pid})")).await, [[Some("f".to_owned())]]);
    }
}

#[tokio::test]
async fn a_copy_in_a_simple_query_is_one_of_its_statements() {
    let server = Server::start().await;
    let client = server.client().await;
    client.batch_execute("CREATE SCHEMA s; CREATE TABLE s.t (id integer PRIMARY KEY)").await.unwrap();
    let mut raw = Raw::log_in(&server).await;
    let (row, done) = (message(b'd', b"1\n2\n"), message(b'c', b""));
    raw.send(&[query("COPY s.t FROM STDIN; SELECT count(*) FROM s.t"), row.clone(), done.clone()]).await;
    assert_eq!(raw.until_ready().await, "GCTDCZ");
    // What comes after a fault is passed over, up to the end that the client sends.
    raw.send(&[query("COPY s.t FROM STDIN"), row.clone(), row.clone(), done.clone()]).await;
    assert_eq!(raw.until_ready().await, "GEZ");
    raw.send(&[query("COPY s.t FROM STDIN"), row, message(b'f', b"no\0")]).await;
    assert_eq!(raw.until_ready().await, "GEZ");
    raw.send(&[query("SELECT count(*) FROM s.t")]).await;
    assert_eq!(raw.until_ready().await, "TDCZ");
    // A message that has no place there ends the connection.
    raw.send(&[query("COPY s.t FROM STDIN"), query("SELECT 1")]).await;
    assert!(tells(&last_words(&mut raw).await, "08P01"));
}

#[tokio::test]
async fn others_see_what_a_session_is_at() {
    let server = Server::start().await;
    let (client, other) = (server.client().await, server.client().await);
    let states = "SELECT state FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
    for (sql, state) in [
        ("SELECT 1", "idle"),
        ("BEGIN", "idle in transaction"),
        ("SELECT 1; SELECT 2", "idle in transaction"),
        ("SELECT nothing", "idle in transaction (aborted)"),
        ("ROLLBACK", "idle"),
        ("SELECT 1; SELECT nothing", "idle"),
        ("SELECT 1; BEGIN", "idle in transaction"),
        ("SAVEPOINT s; SELECT nothing", "idle in transaction (aborted)"),
        ("ROLLBACK TO s", "idle in transaction"),
        ("COMMIT", "idle"),
    ] {
        let _ = client.simple_query(sql).await;
        assert_eq!(simple(&other, states).await, [[Some(state.to_owned())]], "{sql}");
    }
}

#[tokio::test]
async fn values_that_portals_wait_with_are_bounded() {
    let server = Server::start().await;
    let mut raw = Raw::log_in(&server).await;
    let bound = |portal: &str| {
        let value = vec![b'x'; 30 << 20];
        let mut body = format!("{portal}\0\0\0\0\0\u{1}").into_bytes();
        body.extend_from_slice(&(value.len() as i32).to_be_bytes());
        body.extend_from_slice(&value);
        body.extend_from_slice(&[0, 0]);
        message(b'B', &body)
    };
    raw.send(&[parse("SELECT length($1::text)"), bound("a"), bound("b"), bound("c"), sync()]).await;
    assert_eq!(raw.until_ready().await, "122EZ");
}
