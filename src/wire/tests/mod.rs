//! Connections over a loopback socket: the whole door, with a house of one user behind it.

mod copy;
mod fuzz;
mod prepared;
mod sessions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{StreamExt, TryStreamExt};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

use super::{Backend, ScramVerifier, Settings, Startup, serve, tls};
use crate::config::TlsPolicy;
use crate::error::{Reason, Result};
use crate::query::{Lake, Opening, Session};

/// Slow enough to be cancelled, and without an end that a test would wait for.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 9000000000) AS a(n) WHERE n % 7 = 8";

/// One lake in memory, whose superuser everyone is.
#[derive(Default)]
struct House {
    lake: OnceCell<Lake>,
}

#[async_trait]
impl Backend for House {
    async fn verifier(&self, user: &str) -> ScramVerifier {
        let password = if user == "hq" { "henna-demo" } else { "\u{1}" };
        ScramVerifier::derive(password, b"0123456789abcdef", 4096)
    }

    async fn open(&self, _: &str, startup: Startup) -> Result<Session> {
        let lake = self.lake.get_or_try_init(Lake::detached).await?;
        let opening = Opening { pid: Some(startup.pid), options: startup.options, ..Opening::default() };
        lake.session_with(lake.security().bootstrap_principal(), opening).await
    }

    fn tell_login(&self, _: &str, _: SocketAddr, _: Result<(), Reason>) {}
}

/// A server on a free port, for as long as the value lives.
struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    done: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = Settings {
            tls: TlsPolicy::Allow,
            identity: None,
            connections_max: 8,
            idle_max: None,
            drain_max: Duration::from_millis(200),
        };
        change(&mut settings);
        let shutdown = CancellationToken::new();
        let done = tokio::spawn(serve(listener, Arc::new(House::default()), settings, shutdown.clone()));
        Self { address, shutdown, done }
    }

    fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.address.port()).user("hq").password("henna-demo").dbname("henna");
        config
    }

    async fn client(&self) -> Client {
        connect(&self.config()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn connect(config: &tokio_postgres::Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("none", |code| code.code())
}

async fn simple(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await.unwrap();
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
        _ => None,
    });
    rows.collect()
}

#[tokio::test]
async fn the_right_password_opens_and_a_wrong_one_or_an_unknown_user_does_not() {
    let server = Server::start().await;
    assert_eq!(simple(&server.client().await, "SELECT 1").await, [[Some("1".to_owned())]]);
    for (user, password) in [("hq", "wrong"), ("nobody", "henna-demo")] {
        let error = connect(server.config().user(user).password(password)).await.unwrap_err();
        assert_eq!(code(&error), "28P01", "{user}");
    }
}

#[tokio::test]
async fn another_database_does_not_exist() {
    let server = Server::start().await;
    assert_eq!(code(&connect(server.config().dbname("shop")).await.unwrap_err()), "3D000");
    assert!(connect(server.config().dbname("postgres")).await.is_ok());
}

#[tokio::test]
async fn plain_text_is_refused_where_tls_is_required() {
    let server = Server::with(|settings| settings.tls = TlsPolicy::Require).await;
    assert_eq!(code(&connect(&server.config()).await.unwrap_err()), "28000");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = Server::with(|settings| settings.connections_max = 1).await;
    let first = server.client().await;
    assert_eq!(code(&connect(&server.config()).await.unwrap_err()), "53300");
    assert_eq!(simple(&first, "SELECT 1").await.len(), 1);
}

#[tokio::test]
async fn an_error_tells_where_the_wrong_name_stands() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, place) in [
        ("SELECT 1,\n nope FROM numbers", 12),
        ("SELECT 'é' FROM nothing", 17),
        ("SELECT 1; SELECT nothing(number) FROM numbers", 18),
    ] {
        let error = client.simple_query(sql).await.unwrap_err();
        let position = error.as_db_error().and_then(|error| error.position()).cloned();
        assert_eq!(position, Some(ErrorPosition::Original(place)), "{sql}");
    }
}

// The types that PostgreSQL 15 tells for the same columns.
#[tokio::test]
async fn columns_are_told_with_the_types_of_postgres() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, expected) in [
        ("number + 1", Type::INT4),
        ("sum(number) OVER ()", Type::INT8),
        ("sum(number::bigint) OVER ()", Type::NUMERIC),
        ("'x'::name", Type::NAME),
        ("coalesce('x'::varchar, 'y')", Type::VARCHAR),
        ("nullif('x'::name, 'y')", Type::NAME),
        ("ARRAY['x'::name]", Type::NAME_ARRAY),
        ("CASE WHEN number > 1 THEN '{}'::jsonb ELSE NULL END", Type::JSONB),
        ("CASE WHEN number > 1 THEN 'x'::name ELSE 'y' END", Type::NAME),
        ("(SELECT 'x'::name)", Type::NAME),
        ("'x'::name::text", Type::TEXT),
        ("1::oid", Type::OID),
        ("ROW(1, 'a'::text)", Type::RECORD),
        ("extract(year FROM now())", Type::NUMERIC),
        ("'{1}'::int[]", Type::INT4_ARRAY),
        ("-7", Type::INT4),
        ("3000000000", Type::INT8),
        ("'{\"a\":1}'::jsonb -> 'a'", Type::JSONB),
        ("now() AT TIME ZONE 'UTC'", Type::TIMESTAMP),
    ] {
        let statement = client.prepare(&format!("SELECT {sql} AS told FROM numbers")).await.unwrap();
        assert_eq!(statement.columns()[0].type_(), &expected, "{sql}");
    }
}

#[tokio::test]
async fn a_simple_query_answers_each_statement_up_to_the_first_error() {
    let server = Server::start().await;
    let client = server.client().await;
    let rows = simple(&client, "SELECT 1, NULL; SELECT 'a' AS b; ;").await;
    assert_eq!(rows, [vec![Some("1".to_owned()), None], vec![Some("a".to_owned())]]);
    assert!(client.simple_query("SELECT 1; SELECT nonsense_column; SELECT 2").await.is_err());
    assert_eq!(code(&client.simple_query("SELEC 1").await.unwrap_err()), "42601");
    assert_eq!(simple(&client, "SELECT 3").await, [[Some("3".to_owned())]]);
    assert!(simple(&client, "").await.is_empty());
}

#[tokio::test]
async fn copy_to_the_client_sends_the_rows_of_a_query() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql =
        "COPY (SELECT generate_series AS n, 'a,b' AS t FROM generate_series(1, 2)) TO STDOUT (FORMAT csv, HEADER)";
    let copied: Vec<_> = client.copy_out(sql).await.unwrap().try_collect().await.unwrap();
    assert_eq!(copied.concat(), b"n,t\n1,\"a,b\"\n2,\"a,b\"\n");
    let mut raw = Raw::log_in(&server).await;
    raw.send(&[message(b'Q', b"COPY (SELECT 1) TO STDOUT (FORMAT binary); SELECT 1\0")]).await;
    // The header goes with the first row, as clients expect it.
    assert_eq!(raw.until_ready().await, "HddcCTDCZ");
    raw.send(&[message(b'Q', b"COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)\0")]).await;
    assert_eq!(raw.until_ready().await, "HdcCZ");
}

#[tokio::test]
async fn a_copy_that_cannot_be_is_refused_and_the_connection_goes_on() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, expected) in [
        ("COPY numbers FROM STDIN", "0A000"),
        ("COPY (SELECT 1) TO '/tmp/henna'", "42501"),
        ("COPY (SELECT 1) TO STDOUT (FORMAT xml)", "22023"),
        ("COPY (SELECT 1) TO STDOUT (FORMAT text, QUOTE '|')", "22023"),
    ] {
        assert_eq!(code(&client.simple_query(sql).await.unwrap_err()), expected, "{sql}");
    }
    assert_eq!(simple(&client, "SELECT 3").await.len(), 1);
}

#[tokio::test]
async fn binary_rows_arrive_as_what_they_were() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "SELECT 1::int, 2::bigint, 1.5::double, true, 'text', NULL::text, DATE '2024-02-29', \
               TIMESTAMP '2024-02-29 10:00:00.5', [1, 2]";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i64>(1), row.get::<_, f64>(2)), (1, 2, 1.5));
    assert_eq!((row.get::<_, bool>(3), row.get::<_, &str>(4), row.get::<_, Option<&str>>(5)), (true, "text", None));
    assert_eq!(row.columns()[6].type_().name(), "date");
    assert_eq!(row.columns()[7].type_().name(), "timestamp");
    assert_eq!(row.get::<_, Vec<i32>>(8), [1, 2]);
}

#[tokio::test]
async fn a_long_result_is_streamed_whole_and_in_order() {
    let server = Server::start().await;
    let client = server.client().await;
    let parameters: [i64; 0] = [];
    let rows = client.query_raw("SELECT generate_series FROM generate_series(1, 200000)", parameters).await.unwrap();
    let counted = rows.try_fold(0_i64, |last, row| async move {
        assert_eq!(row.get::<_, i64>(0), last + 1);
        Ok(last + 1)
    });
    assert_eq!(counted.await.unwrap(), 200_000);
}

#[tokio::test]
async fn a_portal_gives_its_rows_in_helpings() {
    let server = Server::start().await;
    let mut raw = Raw::log_in(&server).await;
    raw.send(&[
        parse("SELECT generate_series FROM generate_series(1, 5)"),
        bind(),
        execute(2),
        execute(2),
        execute(2),
        execute(2),
    ])
    .await;
    raw.send(&[sync()]).await;
    // ParseComplete, BindComplete, rows and PortalSuspended twice, a row and the tag, then the tag alone.
    assert_eq!(raw.until_ready().await, "12DDsDDsDCCZ");
}

#[tokio::test]
async fn after_an_error_messages_are_passed_over_up_to_sync() {
    let server = Server::start().await;
    let mut raw = Raw::log_in(&server).await;
    raw.send(&[parse("SELECT nonsense"), bind(), execute(0), sync(), parse("SELECT 1"), bind(), execute(0), sync()])
        .await;
    assert_eq!(raw.until_ready().await, "EZ");
    assert_eq!(raw.until_ready().await, "12DCZ");
}

#[tokio::test]
async fn an_error_is_sent_before_the_sync_that_ends_it() {
    let server = Server::start().await;
    let mut raw = Raw::log_in(&server).await;
    raw.send(&[parse("SELECT nonsense"), message(b'D', b"S\0"), message(b'H', b"")]).await;
    assert_eq!(raw.receive().await.0, b'E');
    raw.send(&[sync()]).await;
    assert_eq!(raw.until_ready().await, "Z");
}

#[tokio::test]
async fn a_description_is_told_for_a_statement_and_for_a_portal() {
    let server = Server::start().await;
    let mut raw = Raw::log_in(&server).await;
    let describe = |kind: u8| message(b'D', &[kind, 0]);
    raw.send(&[parse("SELECT 1"), describe(b'S'), bind(), describe(b'P'), parse(""), describe(b'S'), sync()]).await;
    assert_eq!(raw.until_ready().await, "1tT2T1tnZ");
}

#[tokio::test]
async fn names_that_are_unknown_are_errors_of_their_own() {
    let server = Server::start().await;
    let mut raw = Raw::log_in(&server).await;
    raw.send(&[
        message(b'E', b"no\0\0\0\0\0"),
        sync(),
        message(b'D', b"Sno\0"),
        sync(),
        message(b'C', b"Sno\0"),
        sync(),
    ])
    .await;
    assert_eq!(raw.until_ready().await, "EZ");
    assert_eq!(raw.until_ready().await, "EZ");
    assert_eq!(raw.until_ready().await, "3Z");
}

#[tokio::test]
async fn a_cancel_request_ends_a_running_query_within_a_second() {
    let server = Server::start().await;
    let client = server.client().await;
    let token = client.cancel_token();
    let (started, cancel) = (Instant::now(), async move {
        // The query may not have begun when the first request comes: requests go on until it ends.
        loop {
            token.cancel_query(NoTls).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let error = tokio::select! {
        outcome = client.simple_query(ENDLESS) => outcome.unwrap_err(),
        () = cancel => unreachable!(),
    };
    assert_eq!(code(&error), "57014");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(simple(&client, "SELECT 1").await.len(), 1);
}

#[tokio::test]
async fn a_cancel_request_with_a_wrong_secret_ends_nothing() {
    let server = Server::start().await;
    let mut stranger = TcpStream::connect(server.address).await.unwrap();
    stranger.write_all(&[0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 1]).await.unwrap();
    assert_eq!(stranger.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place_at_once() {
    let server = Server::with(|settings| settings.connections_max = 1).await;
    let mut raw = Raw::log_in(&server).await;
    raw.send(&[message(b'Q', format!("{ENDLESS}\0").as_bytes())]).await;
    drop(raw);
    let deadline = Instant::now() + Duration::from_secs(5);
    while connect(&server.config()).await.is_err() {
        assert!(Instant::now() < deadline, "the query goes on without its client");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_scan_and_can_still_be_cancelled() {
    let server = Server::start().await;
    let client = server.client().await;
    let parameters: [i64; 0] = [];
    let endless = "SELECT 1 FROM generate_series(1, 100000) AS a CROSS JOIN generate_series(1, 100000) AS b";
    let rows = client.query_raw(endless, parameters).await.unwrap();
    client.cancel_token().cancel_query(NoTls).await.unwrap();
    let errors: Vec<_> = rows.filter_map(|row| async { row.err() }).collect().await;
    assert_eq!(errors.iter().map(code).collect::<Vec<_>>(), ["57014"]);
}

#[tokio::test]
async fn a_conversation_cut_at_every_byte_is_the_same_conversation() {
    let server = Server::start().await;
    let mut raw = Raw::log_in_slowly(&server).await;
    for byte in message(b'Q', b"SELECT 1; SELECT 2\0") {
        raw.socket.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.until_ready().await, "TDCTDCZ");
}

#[tokio::test]
async fn garbage_and_boastful_lengths_end_the_connection_with_a_word() {
    let server = Server::start().await;
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\x03", b"\x7f\xff\xff\xff\0\x03\0\0", b"\0\0\0\x09\0\x03\0\0x"]
    {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"E"), "{answer:?}");
    }
    for bytes in [&b"Q\x7f\xff\xff\xff"[..], b"Q\0\0\0\x01", b"\xff\0\0\0\x04", b"p\0\0\0\x04"] {
        let mut raw = Raw::log_in(&server).await;
        raw.socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = raw.socket.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"E") && answer.windows(5).any(|code| code == b"08P01"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_torn_message_is_an_error_and_not_the_end() {
    let server = Server::start().await;
    let mut raw = Raw::log_in(&server).await;
    raw.send(&[message(b'B', b"\0\0\0\0\xff"), sync(), message(b'Q', b"SELECT 1")]).await;
    assert_eq!(raw.until_ready().await, "EZ");
    assert_eq!(raw.until_ready().await, "EZ");
}

#[tokio::test]
async fn an_idle_client_is_sent_away_when_its_time_is_over() {
    let server = Server::with(|settings| settings.idle_max = Some(Duration::from_millis(50))).await;
    let mut raw = Raw::log_in(&server).await;
    let mut answer = Vec::new();
    raw.socket.read_to_end(&mut answer).await.unwrap();
    assert!(answer.windows(5).any(|code| code == b"57P05"));
}

#[tokio::test]
async fn a_stop_tells_those_who_wait_and_ends_those_who_run() {
    let mut server = Server::start().await;
    let mut idle = Raw::log_in(&server).await;
    let mut busy = Raw::log_in(&server).await;
    busy.send(&[message(b'Q', format!("{ENDLESS}\0").as_bytes())]).await;
    tokio::task::yield_now().await;
    server.shutdown.cancel();
    for raw in [&mut idle, &mut busy] {
        let mut answer = Vec::new();
        raw.socket.read_to_end(&mut answer).await.unwrap();
        assert!(answer.windows(5).any(|code| code == b"57P01"), "{answer:?}");
    }
    (&mut server.done).await.unwrap();
}

/// psql, where it is installed: its own TLS and its own reading of the protocol.
#[tokio::test(flavor = "multi_thread")]
async fn psql_talks_over_tls_with_a_certificate_made_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let identity = tls::certificate(dir.path()).unwrap_or_else(|error| panic!("{error}"));
    let server = Server::with(|settings| {
        settings.tls = TlsPolicy::Require;
        settings.identity = Some(identity);
    })
    .await;
    let port = server.address.port();
    let target = format!("host=127.0.0.1 port={port} user=hq dbname=henna sslmode=require channel_binding=require");
    let psql = tokio::task::spawn_blocking(move || {
        let mut psql = std::process::Command::new("psql");
        psql.args(["-XAtc", "SELECT 1, 'a b', NULL, 1.50::numeric(10,2), true", &target]);
        psql.env("PGPASSWORD", "henna-demo").output()
    });
    let Ok(psql) = psql.await.unwrap() else { return };
    assert_eq!(String::from_utf8_lossy(&psql.stdout), "1|a b||1.50|t\n", "{}", String::from_utf8_lossy(&psql.stderr));
}

/// A client that speaks in bytes.
struct Raw<S = TcpStream> {
    socket: S,
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn parse(sql: &str) -> Vec<u8> {
    message(b'P', format!("\0{sql}\0\0\0").as_bytes())
}

fn bind() -> Vec<u8> {
    message(b'B', &[0; 8])
}

fn execute(rows_max: i32) -> Vec<u8> {
    let mut body = vec![0];
    body.extend_from_slice(&rows_max.to_be_bytes());
    message(b'E', &body)
}

fn sync() -> Vec<u8> {
    message(b'S', &[])
}

/// The client's last message of SCRAM (RFC 5802, section 3).
fn proof(password: &str, server_first: &str) -> String {
    let attribute = |at: usize| &server_first.split(',').nth(at).unwrap()[2..];
    let hmac = |key: &[u8], message: &str| -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.chain_update(message).finalize().into_bytes().into()
    };
    let salt = BASE64.decode(attribute(1)).unwrap();
    let iterations = attribute(2).parse().unwrap();
    let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), &salt, iterations);
    let client_key = hmac(&salted, "Client Key");
    let without_proof = format!("c=biws,r={}", attribute(0));
    let signature = hmac(&Sha256::digest(client_key), &format!("n=,r=nonce,{server_first},{without_proof}"));
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, mask)| key ^ mask).collect();
    format!("{without_proof},p={}", BASE64.encode(proof))
}

impl Raw {
    async fn log_in(server: &Server) -> Self {
        Self::with_chunks(server, usize::MAX).await
    }

    async fn log_in_slowly(server: &Server) -> Self {
        Self::with_chunks(server, 1).await
    }

    /// The login by hand, its messages cut into pieces of `chunk` bytes.
    async fn with_chunks(server: &Server, chunk: usize) -> Self {
        let socket = TcpStream::connect(server.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self::enter(socket, chunk).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    async fn enter(socket: S, chunk: usize) -> Self {
        let mut raw = Self { socket };
        let packet = b"\0\x03\0\0user\0hq\0database\0henna\0\0";
        let mut start = (packet.len() as i32 + 4).to_be_bytes().to_vec();
        start.extend_from_slice(packet);
        raw.send_in(&start, chunk).await;
        assert_eq!(raw.receive().await.0, b'R');
        let first = b"n,,n=,r=nonce";
        let mut body = b"SCRAM-SHA-256\0".to_vec();
        body.extend_from_slice(&(first.len() as i32).to_be_bytes());
        body.extend_from_slice(first);
        raw.send_in(&message(b'p', &body), chunk).await;
        let (_, answer) = raw.receive().await;
        let last = proof("henna-demo", std::str::from_utf8(&answer[4..]).unwrap());
        raw.send_in(&message(b'p', last.as_bytes()), chunk).await;
        assert!(raw.until_ready().await.starts_with("RR"));
        raw
    }

    async fn send_in(&mut self, bytes: &[u8], chunk: usize) {
        for piece in bytes.chunks(chunk.min(bytes.len())) {
            self.socket.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    async fn send(&mut self, messages: &[Vec<u8>]) {
        self.socket.write_all(&messages.concat()).await.unwrap();
    }

    async fn receive(&mut self) -> (u8, Vec<u8>) {
        let tag = self.socket.read_u8().await.unwrap();
        let length = self.socket.read_i32().await.unwrap();
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.socket.read_exact(&mut body).await.unwrap();
        (tag, body)
    }

    /// The tags of the messages up to ReadyForQuery, without those of ParameterStatus.
    async fn until_ready(&mut self) -> String {
        let mut tags = String::new();
        while !tags.ends_with('Z') {
            tags.push(char::from(self.receive().await.0));
        }
        tags.replace('S', "")
    }
}
