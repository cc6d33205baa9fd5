//! COPY FROM STDIN over the wire, and COPY TO STDOUT of what came in.

use bytes::Bytes;
use futures::SinkExt;

use super::*;

const TABLE: &str = "CREATE SCHEMA s; CREATE TABLE s.t (id integer PRIMARY KEY, word text DEFAULT 'none', \
    amount numeric(10,2), at timestamptz, tags text[], doc jsonb, day date CHECK (day > '2000-01-01'))";

async fn client() -> (Server, Client) {
    let server = Server::start().await;
    let client = server.client().await;
    client.batch_execute(TABLE).await.unwrap();
    (server, client)
}

/// The number of rows that the server says it has taken.
async fn copied(client: &Client, sql: &str, data: &[u8]) -> Result<u64, tokio_postgres::Error> {
    let sink = client.copy_in::<_, Bytes>(sql).await?;
    let mut sink = std::pin::pin!(sink);
    for piece in data.chunks(7) {
        sink.send(Bytes::copy_from_slice(piece)).await?;
    }
    sink.finish().await
}

async fn out(client: &Client, sql: &str) -> Vec<u8> {
    let rows: Vec<Bytes> = client.copy_out(sql).await.unwrap().try_collect().await.unwrap();
    rows.concat()
}

async fn count(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM s.t", &[]).await.unwrap().get(0)
}

const TEXT: &str = "1\ta\\tb\t1.50\t2024-01-02 03:04:05+00\t{x,\"y z\"}\t{\"k\": 1}\t2024-01-02\n\
    2\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n";

#[tokio::test]
async fn what_is_copied_in_is_copied_out_in_every_form() {
    let (_server, client) = client().await;
    client.batch_execute("SET TimeZone = 'UTC'").await.unwrap();
    assert_eq!(copied(&client, "COPY s.t FROM STDIN", TEXT.as_bytes()).await.unwrap(), 2);
    let ordered = "SELECT * FROM s.t ORDER BY id";
    assert_eq!(String::from_utf8(out(&client, &format!("COPY ({ordered}) TO STDOUT")).await).unwrap(), TEXT);
    for form in ["(FORMAT csv, HEADER)", "(FORMAT csv, HEADER match, DELIMITER ';', NULL 'nil')", "(FORMAT binary)"] {
        let out_form = form.replace("HEADER match", "HEADER");
        let whole = out(&client, &format!("COPY ({ordered}) TO STDOUT {out_form}")).await;
        client.batch_execute("DROP TABLE s.t; DROP SCHEMA s").await.unwrap();
        client.batch_execute(TABLE).await.unwrap();
        assert_eq!(copied(&client, &format!("COPY s.t FROM STDIN {form}"), &whole).await.unwrap(), 2, "{form}");
        assert_eq!(String::from_utf8(out(&client, &format!("COPY ({ordered}) TO STDOUT")).await).unwrap(), TEXT);
    }
}

#[tokio::test]
async fn columns_that_are_not_named_get_their_defaults() {
    let (_server, client) = client().await;
    assert_eq!(copied(&client, "COPY s.t (day, id) FROM STDIN CSV", b"2024-05-06,7\n").await.unwrap(), 1);
    let row = simple(&client, "SELECT id, word, amount, day FROM s.t").await;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(row, [[text("7"), text("none"), None, text("2024-05-06")]]);
}

#[tokio::test]
async fn a_fault_is_told_with_its_place_and_nothing_comes_in() {
    let (_server, client) = client().await;
    for (sql, data, sqlstate, message, place) in [
        (
            "COPY s.t (id, word) FROM STDIN",
            "1\ta\nx\tb\n",
            "22P02",
            "invalid input syntax for type integer: \"x\"",
            Some("COPY t, line 2, column id: \"x\""),
        ),
        (
            "COPY s.t (id, word) FROM STDIN",
            "1\ta\n2\n",
            "22P04",
            "missing data for column \"word\"",
            Some("COPY t, line 2"),
        ),
        (
            "COPY s.t (id) FROM STDIN",
            "1\t2\n",
            "22P04",
            "extra data after last expected column",
            Some("COPY t, line 1"),
        ),
        (
            "COPY s.t (id, day) FROM STDIN CSV",
            "1,2024-01-01\n2,2024-02-30\n",
            "22008",
            "",
            Some("COPY t, line 2, column day: \"2024-02-30\""),
        ),
        ("COPY s.t (id) FROM STDIN", "99999999999\n", "22003", "", Some("COPY t, line 1, column id: \"99999999999\"")),
        ("COPY s.t (id) FROM STDIN", "\n", "22P02", "", Some("COPY t, line 1, column id: \"\"")),
        ("COPY s.t (id, word) FROM STDIN CSV", "1,\"a\n", "22P04", "unterminated CSV quoted field", Some("COPY t")),
        (
            "COPY s.t (id, word) FROM STDIN (FORMAT csv, HEADER match)",
            "id,words\n1,a\n",
            "22P04",
            "column name mismatch in header line field 2: got \"words\", expected \"word\"",
            Some("COPY t, line 1"),
        ),
        (
            "COPY s.t (id) FROM STDIN (FORMAT binary)",
            "nothing binary at all",
            "22P04",
            "COPY file signature not recognized",
            Some("COPY t"),
        ),
        (
            "COPY s.t (id) FROM STDIN",
            "\\N\n",
            "23502",
            "null value in column \"id\" of relation \"t\" violates not-null constraint",
            None,
        ),
        (
            "COPY s.t (id) FROM STDIN",
            "1\n1\n",
            "23505",
            "duplicate key value violates unique constraint \"t_pkey\"",
            None,
        ),
        (
            "COPY s.t (id, day) FROM STDIN",
            "1\t1999-01-01\n",
            "23514",
            "new row for relation \"t\" violates check constraint \"t_day_check\"",
            None,
        ),
    ] {
        let error = copied(&client, sql, data.as_bytes()).await.unwrap_err();
        let told = error.as_db_error().unwrap_or_else(|| panic!("{sql} {data:?}: {error}"));
        let sqlstates = if sqlstate == "22008" { vec!["22007", "22008"] } else { vec![sqlstate] };
        assert!(sqlstates.contains(&told.code().code()), "{sql} {data:?}: {told:?}");
        assert!(told.message().contains(message), "{sql} {data:?}: {told:?}");
        assert_eq!(told.where_(), place, "{sql} {data:?}: {told:?}");
        assert_eq!(count(&client).await, 0, "{sql}");
    }
    // The connection goes on, and the table is as it was.
    assert_eq!(copied(&client, "COPY s.t (id) FROM STDIN", b"1\n").await.unwrap(), 1);
}

#[tokio::test]
async fn a_copy_that_its_client_gives_up_leaves_nothing() {
    let (server, client) = client().await;
    {
        let sink = client.copy_in::<_, Bytes>("COPY s.t (id) FROM STDIN").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        sink.send(Bytes::from_static(b"1\n2\n")).await.unwrap();
        sink.flush().await.unwrap();
        // Dropped, it sends CopyFail.
    }
    assert_eq!(count(&client).await, 0);
    let leaving = server.client().await;
    {
        let sink = leaving.copy_in::<_, Bytes>("COPY s.t (id) FROM STDIN").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        sink.send(Bytes::from_static(b"1\n2\n")).await.unwrap();
        sink.flush().await.unwrap();
        drop(leaving);
    }
    assert_eq!(count(&client).await, 0);
}

#[tokio::test]
async fn a_copy_is_part_of_its_transaction() {
    let (server, mut client) = client().await;
    let other = server.client().await;
    let transaction = client.transaction().await.unwrap();
    {
        let sink = transaction.copy_in::<_, Bytes>("COPY s.t (id) FROM STDIN").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        sink.send(Bytes::from_static(b"1\n2\n")).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), 2);
    }
    let own: i64 = transaction.query_one("SELECT count(*) FROM s.t", &[]).await.unwrap().get(0);
    assert_eq!((own, count(&other).await), (2, 0));
    transaction.rollback().await.unwrap();
    assert_eq!(count(&client).await, 0);
    client.batch_execute("BEGIN").await.unwrap();
    copied(&client, "COPY s.t (id) FROM STDIN", b"1\n2\n").await.unwrap();
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(count(&other).await, 2);
}

#[tokio::test]
async fn many_rows_come_in_one_commit() {
    let (_server, client) = client().await;
    let data: String = (0..30_000).map(|n| format!("{n},\"word, {n}\"\n")).collect();
    let sink = client.copy_in::<_, Bytes>("COPY s.t (id, word) FROM STDIN CSV").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    for piece in data.as_bytes().chunks(4099) {
        sink.send(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 30_000);
    let row = simple(&client, "SELECT count(DISTINCT word), max(id) FROM s.t").await;
    assert_eq!(row, [[Some("30000".to_owned()), Some("29999".to_owned())]]);
}

#[tokio::test]
async fn what_cannot_be_filled_is_refused_before_its_rows_come() {
    let (_server, client) = client().await;
    client.batch_execute("CREATE VIEW s.v AS SELECT 1 AS n").await.unwrap();
    for (sql, sqlstate) in [
        ("COPY numbers FROM STDIN", "0A000"),
        ("COPY s.v FROM STDIN", "42809"),
        ("COPY s.nothing FROM STDIN", "42P01"),
        ("COPY s.t (nothing) FROM STDIN", "42703"),
        ("COPY s.t (id, id) FROM STDIN", "42701"),
        ("COPY s.t FROM '/etc/passwd'", "42501"),
        ("COPY s.t TO PROGRAM 'cat'", "42501"),
        ("COPY s.t FROM STDIN (FORMAT xml)", "22023"),
        ("COPY pg_class FROM STDIN", "42501"),
    ] {
        assert_eq!(code(&client.batch_execute(sql).await.unwrap_err()), sqlstate, "{sql}");
    }
    client.batch_execute("SET default_transaction_read_only = on").await.unwrap();
    assert_eq!(code(&client.batch_execute("COPY s.t FROM STDIN").await.unwrap_err()), "25006");
}
