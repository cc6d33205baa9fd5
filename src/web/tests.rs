//! Requests over a loopback socket: the whole door, with a small lake of two teams behind it.

mod loads;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::serve;
use crate::access::AuditKind;
use crate::dataset::{Dataset, DatasetFile};
use crate::ingest::{LoadRequest, Loader};
use crate::query::{Lake, Limits};

const SALES: &str = "CREATE TABLE sales (team text NOT NULL, number bigint NOT NULL, amount numeric(18, 2), PRIMARY KEY (team, number))";

const ACCESS: &str = "
CREATE ROLE headquarters;
CREATE ROLE tmall_team;
GRANT USAGE ON SCHEMA public TO headquarters, tmall_team;
GRANT SELECT ON sales TO headquarters, tmall_team;
ALTER TABLE sales ENABLE ROW LEVEL SECURITY;
CREATE POLICY sales_headquarters ON sales FOR SELECT TO headquarters USING (true);
CREATE POLICY sales_tmall ON sales FOR SELECT TO tmall_team USING (team = 'tmall');
CREATE USER hq PASSWORD 'sesame' IN ROLE headquarters;
CREATE USER tmall PASSWORD 'sesame' IN ROLE tmall_team";

const BOARD: &str = r#"
title.en = "Sales <b>"
title.zh = "销售"
[[tiles]]
title.en = "Revenue"
chart = "kpi"
y = "revenue"
sql = "SELECT sum(amount) AS revenue FROM sales"
[[tiles]]
title.en = "Broken"
chart = "table"
sql = "SELECT secret FROM sales"
[[tiles]]
title.en = "Long"
chart = "table"
sql = "SELECT n FROM generate_series(1, 20000) AS a(n)"
[[tiles]]
title.en = "Evil"
chart = "table"
sql = "CREATE ROLE mole SUPERUSER"
"#;

/// Exports of a till, in GB18030.
const TILL: &str = r#"
tables = ["sales"]
encoding = "gb18030"
time_zone = "Europe/Berlin"
recognise = ["店铺", "单号", "实收"]
others = ["备注"]
[columns]
team = { from = "店铺", values = { "京东" = "jd", "天猫" = "tmall" } }
number = { from = ["单号", "小票号"], clean = ["id"] }
amount = { from = "实收", clean = ["number"] }
"#;

const ROWS: &str = "team,number,amount\ntmall,1,10.00\ndouyin,1,20.50\ndouyin,2,30.00\n";
/// Those of them that tmall may see.
const ROWS_OF_TMALL: &str = "team,number,amount\ntmall,1,10.00\n";

/// A server on a free port, for as long as the value lives.
struct Server {
    address: SocketAddr,
    lake: Lake,
    shutdown: CancellationToken,
    done: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn cookie(&self) -> &str {
        self.header("set-cookie").split(';').next().unwrap()
    }
}

impl Server {
    async fn start() -> Self {
        Self::with_rows(ROWS).await
    }

    async fn with_rows(rows: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| DatasetFile { path: path.into(), bytes: text.into() };
        let files = vec![
            file("tables/sales.sql", SALES),
            file("access.sql", ACCESS),
            file("boards/sales.toml", BOARD),
            file("boards/torn.toml", "title = 3"),
            file("sources/till.toml", TILL),
        ];
        let dataset = Dataset::parse("shop", files).unwrap();
        let root = folder.path().join("lake");
        let lake = Lake::found(root.to_str().unwrap(), &dataset, "sesame", Limits::default()).await.unwrap();
        let path = folder.path().join("sales.csv");
        std::fs::write(&path, rows).unwrap();
        let request = LoadRequest::new("sales", vec![path.to_string_lossy().into_owned()]);
        let report = Loader::new(lake.store().clone(), Arc::new(dataset)).load(request).await.unwrap();
        assert_eq!(report.rows_added, rows.lines().count() as u64 - 1);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let done = tokio::spawn(serve(listener, lake.clone(), Duration::from_secs(1), shutdown.clone()));
        Self { address, lake, shutdown, done, _folder: folder }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send_bytes(method, path, headers, body.as_bytes()).await
    }

    async fn send_bytes(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        if !headers.iter().any(|(name, _)| *name == "content-length") {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pairs = lines.filter_map(|line| line.split_once(": "));
        let headers = pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Answer { status, headers, body: body.to_owned() }
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send("GET", path, &[("cookie", cookie)], "").await
    }

    async fn log_in(&self, user: &str, password: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", "/", &form, &format!("user={user}&password={password}")).await
    }

    async fn cookie_of(&self, user: &str) -> String {
        let answer = self.log_in(user, "sesame").await;
        assert_eq!((answer.status, answer.header("location")), (303, "/boards"));
        answer.cookie().to_owned()
    }

    async fn query(&self, headers: &[(&str, &str)], sql: &str) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", "/v1/query", &all, &json!({ "sql": sql }).to_string()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
}

#[tokio::test]
async fn the_right_password_opens_the_boards_and_a_wrong_one_or_nobody_s_name_does_not() {
    let server = Server::start().await;
    let refused = [server.log_in("tmall", "wrong").await, server.log_in("nobody", "sesame").await];
    for answer in &refused {
        assert_eq!((answer.status, answer.header("set-cookie")), (401, ""));
        assert!(answer.body.contains("User or password is wrong."));
    }
    assert_eq!(refused[0].body, refused[1].body, "nobody learns who exists");
    let answer = server.log_in("tmall", "sesame").await;
    let set = answer.header("set-cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let board = server.get("/boards/sales", answer.cookie()).await;
    assert_eq!(board.status, 200);
    assert!(board.body.contains("Sales &lt;b&gt;") && !board.body.contains("{{"), "{}", board.body);
    assert_eq!(server.get("/boards/sales", "henna_login=AAAA").await.header("location"), "/");
}

#[tokio::test]
async fn who_fails_too_often_must_wait_even_with_the_right_password() {
    let server = Server::start().await;
    for _ in 0..5 {
        assert_eq!(server.query(&[("authorization", &basic("hq", "wrong"))], "SELECT 1").await.status, 401);
    }
    let answer = server.log_in("hq", "sesame").await;
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(server.log_in("tmall", "sesame").await.status, 303, "another user of that address need not");
}

#[tokio::test]
async fn each_user_s_tiles_count_the_rows_that_it_may_see() {
    let server = Server::start().await;
    for (user, revenue) in [("hq", 60.5), ("tmall", 10.0)] {
        let cookie = server.cookie_of(user).await;
        let tile = server.get("/boards/sales/tiles/0", &cookie).await.json();
        assert_eq!(tile["rows"], json!([[revenue]]), "{user}");
        let rows = server.query(&[("authorization", &basic(user, "sesame"))], "SELECT sum(amount) FROM sales").await;
        assert_eq!(rows.json()["rows"], json!([[revenue]]), "{user}");
    }
}

/// The same web before a house that never had the rows of others: status and body must be equal, to the byte.
#[tokio::test]
async fn neither_queries_nor_tiles_tell_of_hidden_rows() {
    let (walled, bare) = (Server::start().await, Server::with_rows(ROWS_OF_TMALL).await);
    let basic = basic("tmall", "sesame");
    let known = [("authorization", basic.as_str())];
    for sql in [
        "SELECT * FROM sales",
        "SELECT count(*), min(team), max(amount), sum(amount) FROM sales",
        "SELECT count(*) FROM sales WHERE 1 / (number - 2) < 9",
        "SELECT CAST(replace(team, 'tmall', '1') AS integer) FROM sales",
        "SELECT team FROM sales ORDER BY CAST(replace(team, 'tmall', '1') AS integer)",
        "SELECT count(*) FROM sales WHERE team = 'douyin' OR amount > 15",
        "SELECT CAST(team AS integer) FROM sales",
        "SELECT reltuples FROM pg_class WHERE relname = 'sales'",
        "SELECT rows, files, bytes FROM henna.tables WHERE table_name = 'sales'",
        "SELECT * FROM henna.rejects",
        "SELECT * FROM henna.nothing",
        "SET ROLE headquarters",
        "SET datafusion.optimizer.max_passes = 0",
        "ALTER POLICY sales_tmall ON sales USING (true)",
        "DELETE FROM sales",
    ] {
        let (told, wanted) = (walled.query(&known, sql).await, bare.query(&known, sql).await);
        assert_eq!((told.status, &told.body), (wanted.status, &wanted.body), "{sql}");
        assert!(!told.body.contains("douyin"), "{sql}: {}", told.body);
    }
    // Another's login, guessed or taken over, opens nothing; a tile reads as who asks.
    let (own, others) = (walled.cookie_of("tmall").await, bare.cookie_of("tmall").await);
    for number in 0..4 {
        let path = format!("/boards/sales/tiles/{number}");
        let (told, wanted) = (walled.get(&path, &own).await, bare.get(&path, &others).await);
        assert_eq!((told.status, told.body), (wanted.status, wanted.body), "{path}");
        assert_eq!(walled.get(&path, &others).await.status, 403, "{path}");
    }
    assert_eq!(walled.query(&[("cookie", &own), ("authorization", "Basic aHE6")], "SELECT 1").await.status, 401);
}

#[tokio::test]
async fn a_tile_that_fails_says_why_and_a_long_one_is_cut() {
    let server = Server::start().await;
    let cookie = server.cookie_of("tmall").await;
    let broken = server.get("/boards/sales/tiles/1", &cookie).await;
    assert_eq!(broken.status, 404);
    assert!(broken.json()["error"]["message"].as_str().unwrap().contains("secret"), "{}", broken.body);
    let long = server.get("/boards/sales/tiles/2", &cookie).await.json();
    assert_eq!((long["rows"].as_array().unwrap().len(), &long["truncated"]), (10_000, &json!(true)));
    assert_eq!(server.get("/boards/sales/tiles/9", &cookie).await.status, 404);
    assert_eq!(server.get("/boards/sales/tiles/0", "").await.status, 403);
    assert_eq!(server.get("/boards/torn", &cookie).await.status, 500);
    assert_eq!(server.get("/boards/none", &cookie).await.status, 404);
}

#[tokio::test]
async fn a_tile_cannot_act_with_its_reader_s_rights() {
    let server = Server::start().await;
    let cookie = server.cookie_of("admin").await;
    let answer = server.get("/boards/sales/tiles/3", &cookie).await;
    assert_eq!((answer.status, &answer.json()["error"]["message"]), (400, &json!("a tile's statement must give rows")));
    assert!(server.lake.security().snapshot().role_named("mole").is_none());
}

#[tokio::test]
async fn a_request_from_another_site_is_refused() {
    let server = Server::start().await;
    let cookie = server.cookie_of("hq").await;
    let own = format!("http://{}", server.address);
    let from = |origin: &str| vec![("cookie".to_owned(), cookie.clone()), ("origin".to_owned(), origin.to_owned())];
    for (origin, status) in [(own.as_str(), 200), ("http://evil.example", 403), ("null", 403)] {
        let headers = from(origin);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(server.query(&headers, "SELECT 1").await.status, status, "{origin}");
    }
    assert_eq!(
        server.send("POST", "/logout", &[("sec-fetch-site", "cross-site"), ("cookie", &cookie)], "").await.status,
        403
    );
    assert_eq!(server.get("/boards/sales", &cookie).await.status, 200, "still logged in");
}

#[tokio::test]
async fn a_query_that_is_too_long_not_json_or_not_one_statement_is_refused() {
    let server = Server::start().await;
    let basic = basic("hq", "sesame");
    let known = [("authorization", basic.as_str())];
    assert_eq!(server.query(&[], "SELECT 1").await.status, 401);
    assert_eq!(server.query(&known, &"x".repeat(super::QUERY_BYTES_MAX)).await.status, 413);
    assert_eq!(server.query(&known, "SELECT 1; SELECT 2").await.status, 400);
    assert_eq!(server.query(&known, "SELECT $1").await.status, 400);
    let text = [("authorization", basic.as_str()), ("content-type", "text/plain")];
    assert_eq!(server.send("POST", "/v1/query", &text, "{}").await.status, 415);
    let answer = server.query(&known, "SELECT 1 AS n, '上海' AS city, NULL AS nothing").await;
    assert_eq!(answer.json()["rows"], json!([[1, "上海", null]]));
}

#[tokio::test]
async fn a_login_ends_by_logging_out_and_with_a_new_password() {
    let server = Server::start().await;
    let cookie = server.cookie_of("tmall").await;
    assert_eq!(server.get("/", &cookie).await.header("location"), "/boards");
    let gone = server.send("POST", "/logout", &[("cookie", &cookie)], "").await;
    assert_eq!((gone.status, gone.cookie()), (303, "henna_login="));
    assert_eq!(server.get("/boards/sales/tiles/0", &cookie).await.status, 403);
    let cookie = server.cookie_of("tmall").await;
    let admin = basic("admin", "sesame");
    let changed = server.query(&[("authorization", &admin)], "ALTER ROLE tmall PASSWORD 'other'").await;
    assert_eq!(changed.json(), json!({ "tag": "ALTER ROLE" }));
    assert_eq!(server.get("/boards/sales/tiles/0", &cookie).await.status, 403);
}

#[tokio::test]
async fn every_answer_tells_the_browser_to_be_strict() {
    let server = Server::start().await;
    for path in ["/", "/nothing", "/static/echarts.js", "/metrics", "/v1/none"] {
        let answer = server.get(path, "").await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'self'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
    }
    let page = server.get("/", "").await;
    assert_eq!(page.header("cache-control"), "no-store");
    let sheet = page.body.split('"').find(|part| part.starts_with("/static/style.css")).unwrap();
    let sheet = server.get(sheet, "").await;
    assert_eq!(sheet.header("cache-control"), "public, max-age=31536000, immutable");
    let known = server.send("GET", "/static/style.css", &[("if-none-match", sheet.header("etag"))], "").await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
}

#[tokio::test]
async fn the_language_follows_the_browser_and_the_choice() {
    let server = Server::start().await;
    let page = server.send("GET", "/", &[("accept-language", "zh-CN,zh;q=0.9")], "").await;
    assert!(page.body.contains("登录") && page.body.contains("lang=\"zh-CN\""));
    let chosen = server.get("/?lang=zh", "").await;
    assert_eq!(chosen.cookie(), "henna_lang=zh");
    assert!(server.get("/", chosen.cookie()).await.body.contains("登录"));
}

#[tokio::test]
async fn the_server_tells_its_health_and_stops_when_asked() {
    let mut server = Server::start().await;
    server.cookie_of("hq").await;
    assert_eq!(server.get("/healthz", "").await.body, "ok\n");
    assert_eq!(server.get("/readyz", "").await.status, 200);
    let metrics = server.get("/metrics", "").await.body;
    assert!(metrics.contains("\nhenna_web_logins 1\n"), "{metrics}");
    assert!(metrics.contains("henna_web_answers_total{class=\"3xx\"} 1\n"), "{metrics}");
    server.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), &mut server.done).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn logins_of_the_web_are_recorded_with_their_address() {
    let server = Server::start().await;
    server.log_in("tmall", "sesame").await;
    for _ in 0..7 {
        server.log_in("tmall", "wrong").await;
    }
    server.log_in("SECRET-NAME", "wrong").await;
    server.lake.audit().flush().await;
    let mut reader = server.lake.audit().reader();
    let mut told = BTreeSet::new();
    while let Some(entries) = reader.next().await.unwrap() {
        for event in entries.into_iter().filter_map(|entry| Some(entry.record?.event)) {
            if event.kind == AuditKind::Login {
                let user = event.user.map_or(String::new(), |user| user.name);
                told.insert(format!("{user} {} {}", event.subject.unwrap(), event.sqlstate.unwrap()));
                assert_eq!(event.client.as_deref(), Some("127.0.0.1"));
            }
        }
    }
    let expected = ["tmall web 00000", "tmall web 28P01", "tmall web, throttled 28P01", " web 28P01"];
    assert_eq!(told, expected.map(str::to_owned).into());
}
