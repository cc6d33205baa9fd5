//! Rows over HTTP.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::StreamWriter;

use super::*;

const NDJSON: &str = "application/x-ndjson";

fn line(team: &str, number: u32, amount: &str) -> String {
    format!("{{\"team\":\"{team}\",\"number\":{number},\"amount\":{amount}}}\n")
}

impl Server {
    async fn load(&self, user: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let authorization = basic(user, "sesame");
        let mut all = vec![("authorization", authorization.as_str())];
        all.extend_from_slice(headers);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type", NDJSON));
        }
        self.send_bytes("POST", &format!("/v1/load/{path}"), &all, body).await
    }

    async fn rows(&self, sql: &str) -> Value {
        let answer = self.query(&[("authorization", &basic("admin", "sesame"))], sql).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["rows"].clone()
    }

    async fn run_all(&self, statements: &[&str]) {
        for sql in statements {
            let answer = self.query(&[("authorization", &basic("admin", "sesame"))], sql).await;
            assert_eq!(answer.status, 200, "{sql}: {}", answer.body);
        }
    }
}

fn counts(answer: &Answer) -> [u64; 5] {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let report = answer.json();
    ["rows_read", "rows_added", "rows_updated", "rows_duplicate", "rows_rejected"]
        .map(|name| report[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_load_is_answered_when_its_rows_can_be_read() {
    let server = Server::start().await;
    let body = line("jd", 1, "7.25") + &line("tmall", 1, "10.00") + &line("douyin", 1, "21");
    let answer = server.load("admin", "sales", &[], body.as_bytes()).await;
    assert_eq!(counts(&answer), [3, 1, 1, 1, 0]);
    let sum = server.rows("SELECT count(*), sum(amount) FROM sales").await;
    assert_eq!(sum, json!([[4, 68.25]]));
    let told = server
        .rows("SELECT status, rows_added, rows_updated, rows_duplicate FROM henna.loads WHERE files LIKE 'HTTP %'")
        .await;
    assert_eq!(told, json!([["loaded", 1, 1, 1]]));
}

#[tokio::test]
async fn a_repeat_under_its_key_adds_nothing_and_gets_the_first_report() {
    let server = Server::start().await;
    let key = [("idempotency-key", "a-1")];
    let body = line("jd", 1, "7.25") + &line("tmall", 1, "10.00");
    let first = server.load("admin", "sales", &key, body.as_bytes()).await;
    assert_eq!((counts(&first), first.json()["repeated"].as_bool()), ([2, 1, 0, 1, 0], Some(false)));
    // Another load lies between the two.
    assert_eq!(counts(&server.load("admin", "sales", &[], line("jd", 1, "9").as_bytes()).await), [1, 0, 1, 0, 0]);
    let again = server.load("admin", "sales", &key, body.as_bytes()).await;
    assert_eq!((counts(&again), again.json()["repeated"].as_bool()), ([2, 1, 0, 1, 0], Some(true)));
    assert_eq!(first.json()["version"], again.json()["version"]);
    assert_eq!(server.rows("SELECT amount FROM sales WHERE team = 'jd'").await, json!([[9.00]]));
    let other = server.load("admin", "sales", &key, line("jd", 5, "1").as_bytes()).await;
    assert_eq!(other.status, 422, "{}", other.body);
    assert!(other.body.contains("idempotency key"), "{}", other.body);
    // A key is one user's and one table's.
    server
        .run_all(&[
            "GRANT INSERT ON sales TO headquarters",
            "CREATE POLICY sales_new ON sales FOR INSERT TO headquarters WITH CHECK (true)",
        ])
        .await;
    let theirs = server.load("hq", "sales", &key, line("jd", 6, "1").as_bytes()).await;
    assert_eq!(counts(&theirs), [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn loads_that_wait_share_a_commit_and_each_gets_its_own_report() {
    let server = Server::start().await;
    let bodies: Vec<String> = (0..12)
        .map(|client| {
            (0..=client).map(|row| line("jd", 100 * client + row, "1")).collect::<String>() + &line("tmall", 1, "10")
        })
        .collect();
    let sent = bodies.iter().map(|body| server.load("admin", "sales", &[], body.as_bytes()));
    let answers = futures::future::join_all(sent).await;
    let mut versions = BTreeSet::new();
    for (client, answer) in answers.iter().enumerate() {
        let own = client as u64 + 1;
        assert_eq!(counts(answer), [own + 1, own, 0, 1, 0], "client {client}");
        versions.insert(answer.json()["version"].as_u64().unwrap());
    }
    assert!(versions.len() < 12, "{versions:?}");
    assert_eq!(server.rows("SELECT count(*) FROM sales").await, json!([[3 + 78]]));
}

#[tokio::test]
async fn a_load_that_is_refused_does_not_keep_those_beside_it() {
    let server = Server::start().await;
    server
        .run_all(&[
            "GRANT INSERT ON sales TO tmall_team",
            "CREATE POLICY sales_new ON sales FOR INSERT TO tmall_team WITH CHECK (team = 'tmall')",
        ])
        .await;
    let (torn, own, foreign) = (line("jd", 1, "\"x\""), line("tmall", 7, "1"), line("douyin", 7, "1"));
    let (torn, own, foreign, good) = tokio::join!(
        server.load("admin", "sales", &[], torn.as_bytes()),
        server.load("tmall", "sales", &[], own.as_bytes()),
        server.load("tmall", "sales", &[], foreign.as_bytes()),
        server.load("admin", "sales", &[], b"{\"team\":\"jd\",\"number\":8}"),
    );
    assert_eq!(torn.status, 422, "{}", torn.body);
    assert!(torn.json()["error"]["detail"].as_str().unwrap().starts_with("line 1: column amount:"), "{}", torn.body);
    assert_eq!((counts(&own), counts(&good)), ([1, 1, 0, 0, 0], [1, 1, 0, 0, 0]));
    assert_eq!(foreign.status, 403, "{}", foreign.body);
    // Whether the lake knows a person is told to nobody who may not read identities.
    assert_eq!((&own.json()["identities_new"], &good.json()["identities_new"]), (&json!(null), &json!(0)));
    assert_eq!(
        server.rows("SELECT team, number FROM sales WHERE number > 6 ORDER BY 1").await,
        json!([["jd", 8], ["tmall", 7]])
    );
    assert_eq!(server.rows("SELECT line, column_name FROM henna.rejects").await, json!([[1, "amount"]]));
    assert_eq!(server.load("hq", "sales", &[], b"").await.status, 403);
    assert_eq!(server.load("hq", "absent", &[], b"").await.status, 404);
    assert_eq!(server.send("POST", "/v1/load/sales", &[("content-type", NDJSON)], "").await.status, 401);
}

#[tokio::test]
async fn a_user_replaces_those_rows_alone_that_it_may_see_and_change() {
    let server = Server::start().await;
    server
        .run_all(&[
            "CREATE TABLE notes (number bigint PRIMARY KEY, team text, said text)",
            "INSERT INTO notes VALUES (1, 'tmall', 'a'), (2, 'douyin', 'b')",
            "GRANT SELECT, INSERT ON notes TO tmall_team",
            "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY notes_tmall ON notes TO tmall_team USING (team = 'tmall')",
        ])
        .await;
    let note = |number: u32, said: &str| format!("{{\"number\":{number},\"team\":\"tmall\",\"said\":\"{said}\"}}\n");
    let taken = server.load("tmall", "notes", &[], (note(1, "c") + &note(2, "c")).as_bytes()).await;
    assert_eq!(taken.status, 403, "{}", taken.body);
    assert!(!taken.body.contains("douyin"), "{}", taken.body);
    assert_eq!(counts(&server.load("tmall", "notes", &[], note(1, "d").as_bytes()).await), [1, 0, 1, 0, 0]);
    assert_eq!(server.rows("SELECT said FROM notes ORDER BY number").await, json!([["d"], ["b"]]));
}

/// Who may add rows and knows a key that is hidden learns that it is taken, as by INSERT, and nothing more.
#[tokio::test]
async fn a_load_tells_nothing_of_the_version_and_content_of_a_hidden_row() {
    let server = Server::start().await;
    server
        .run_all(&[
            "CREATE TABLE notes (number bigint PRIMARY KEY, team text, said text)",
            "INSERT INTO notes VALUES (1, 'tmall', 'a'), (2, 'douyin', 'b')",
            "GRANT SELECT, INSERT ON notes TO tmall_team",
            "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY notes_tmall ON notes FOR SELECT TO tmall_team USING (team = 'tmall')",
            "CREATE POLICY notes_new ON notes FOR INSERT TO tmall_team WITH CHECK (true)",
            "CREATE POLICY notes_changed ON notes FOR UPDATE TO tmall_team USING (true)",
        ])
        .await;
    let note = |number: u32, team: &str, said: &str| {
        format!("{{\"number\":{number},\"team\":\"{team}\",\"said\":\"{said}\"}}\n")
    };
    let (same, other) = (note(2, "douyin", "b"), note(2, "douyin", "c"));
    let same = server.load("tmall", "notes", &[], same.as_bytes()).await;
    let other = server.load("tmall", "notes", &[], other.as_bytes()).await;
    assert_eq!((same.status, &same.body), (403, &other.body), "{}", same.body);
    assert_eq!(other.status, 403);
    let own = server.load("tmall", "notes", &[], note(1, "tmall", "a").as_bytes()).await;
    assert_eq!(counts(&own), [1, 0, 0, 1, 0]);
    // The files that a load writes anew hold rows of others.
    let untold = |answer: &Answer| ["files", "bytes", "version"].map(|key| answer.json()[key].is_null());
    assert_eq!(untold(&own), [true; 3]);
    let all = server.load("admin", "notes", &[], note(3, "jd", "a").as_bytes()).await;
    assert_eq!(untold(&all), [false; 3]);
}

#[tokio::test]
async fn an_export_is_recognised_by_its_header_or_named() {
    let server = Server::start().await;
    let csv = "单号,店铺,实收,新列\n7,京东,\"￥1,234.50\",x\n8,天猫,2元,\n9,唯品会,3,\n";
    let (bytes, _, _) = encoding_rs::GB18030.encode(csv);
    let header = [("content-type", "text/csv")];
    let answer = server.load("admin", "sales?reject_share_max=0.5", &header, &bytes).await;
    assert_eq!(counts(&answer), [3, 2, 0, 0, 1]);
    let report = answer.json();
    assert_eq!(report["source"], json!("till"));
    assert_eq!(report["header"], json!({ "renamed": [], "missing": ["备注"], "new": ["新列"] }));
    let sales = "SELECT team, number, amount FROM sales WHERE number > 6 ORDER BY 2";
    assert_eq!(server.rows(sales).await, json!([["jd", 7, 1234.50], ["tmall", 8, 2.00]]));
    assert_eq!(server.rows("SELECT source FROM henna.loads WHERE files LIKE 'HTTP %'").await, json!([["till"]]));
    let raw = "SELECT line, raw FROM henna.rejects";
    assert_eq!(server.rows(raw).await, json!([[4, "9,唯品会,3,"]]));
    let heads = "SELECT source, delimiter, head, mapped FROM henna.reject_files";
    assert_eq!(server.rows(heads).await, json!([["till", ",", "[\"单号,店铺,实收,新列\"]", false]]));
    // Its encoding told by the request, its source by the address, its header by another name.
    let utf16: Vec<u8> = "小票号,店铺,实收,备注\n10,天猫,4,无\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let header = [("content-type", "text/csv; charset=\"UTF-16LE\"")];
    let answer = server.load("admin", "sales?source=till", &header, &utf16).await;
    assert_eq!(counts(&answer), [1, 1, 0, 0, 0]);
    assert_eq!(answer.json()["header"], json!({ "renamed": [["小票号", "单号"]], "missing": [], "new": [] }));
    let ndjson = "{\"单号\":11,\"店铺\":\"京东\",\"实收\":\"5\",\"备注\":\"\"}\n";
    let answer = server.load("admin", "sales", &[], ndjson.as_bytes()).await;
    assert_eq!((counts(&answer), answer.json()["source"].as_str()), ([1, 1, 0, 0, 0], Some("till")));
    let canonical = server.load("admin", "sales", &[], line("jd", 12, "1").as_bytes()).await;
    assert_eq!((&canonical.json()["source"], counts(&canonical)), (&json!(null), [1, 1, 0, 0, 0]));
    let refused = server.load("admin", "sales?source=none", &[], ndjson.as_bytes()).await;
    assert!(refused.status == 404 && refused.body.contains("there is no source 'none'"), "{}", refused.body);
    let refused = server.load("admin", "sales", &[("content-type", "text/csv; charset=none")], b"x").await;
    assert!(refused.status == 415 && refused.body.contains("charset 'none' is not known"), "{}", refused.body);
}

#[tokio::test]
async fn every_format_gives_the_same_rows() {
    let server = Server::start().await;
    let csv = b"team,number,amount\njd,1,1.50\njd,2,\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(csv).unwrap();
    let columns: [(&str, ArrayRef); 3] = [
        ("team", Arc::new(StringArray::from(vec!["jd", "jd"]))),
        ("number", Arc::new(Int64Array::from(vec![1, 2]))),
        ("amount", Arc::new(StringArray::from(vec![Some("1.50"), None]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    stream.finish().unwrap();
    let sent: [(&str, Vec<u8>); 5] = [
        ("text/csv; charset=utf-8", csv.to_vec()),
        ("text/csv", packed.finish().unwrap()),
        ("text/tab-separated-values", b"number\tteam\tamount\n1\tjd\t1.50\n2\tjd\t\n".to_vec()),
        ("application/x-ndjson", (line("jd", 1, "1.50") + &line("jd", 2, "null")).into_bytes()),
        ("application/vnd.apache.arrow.stream", stream.into_inner().unwrap()),
    ];
    for (nth, (kind, body)) in sent.iter().enumerate() {
        let answer = server.load("admin", "sales", &[("content-type", kind)], body).await;
        let wanted = if nth == 0 { [2, 2, 0, 0, 0] } else { [2, 0, 0, 2, 0] };
        assert_eq!(counts(&answer), wanted, "{kind}");
    }
    assert_eq!(
        server.rows("SELECT number, amount FROM sales WHERE team = 'jd' ORDER BY 1").await,
        json!([[1, 1.50], [2, null]])
    );
    let torn = server.load("admin", "sales", &[("content-type", "application/vnd.apache.arrow.stream")], b"x").await;
    assert_eq!(torn.status, 400, "{}", torn.body);
    assert_eq!(server.load("admin", "sales", &[("content-type", "image/png")], b"x").await.status, 415);
}

#[tokio::test]
async fn refused_rows_are_kept_and_counted() {
    let server = Server::start().await;
    let body = line("jd", 1, "1") + "{\"team\":\"jd\"}\n{not json\n" + &line("jd", 2, "2");
    assert_eq!(server.load("admin", "sales", &[], body.as_bytes()).await.status, 422);
    assert_eq!(server.rows("SELECT count(*) FROM sales WHERE team = 'jd'").await, json!([[0]]));
    let answer = server.load("admin", "sales?reject_share_max=0.5", &[], body.as_bytes()).await;
    assert_eq!(counts(&answer), [4, 2, 0, 0, 2]);
    assert_eq!(server.load("admin", "sales?reject_share_max=2", &[], b"").await.status, 400);
    let stopped = server.load("admin", "sales?reject_share_max=1&on_reject=stop", &[], body.as_bytes()).await;
    assert_eq!(stopped.status, 422, "{}", stopped.body);
    let rejects = server.rows("SELECT line, count(*) FROM henna.rejects GROUP BY 1 ORDER BY 1").await;
    assert_eq!(rejects, json!([[2, 3], [3, 3]]));
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_refused_before_it_is_read() {
    let server = Server::start().await;
    let long = server.load("admin", "sales", &[("content-length", "16777217")], b"").await;
    assert_eq!(long.status, 413, "{}", long.body);
    let waiting = server.lake.room_for(64 << 20).unwrap();
    let busy = server.load("admin", "sales", &[], line("jd", 1, "1").as_bytes()).await;
    assert_eq!((busy.status, busy.header("retry-after")), (429, "1"), "{}", busy.body);
    drop(waiting);
    assert_eq!(counts(&server.load("admin", "sales", &[], line("jd", 1, "1").as_bytes()).await), [1, 1, 0, 0, 0]);
}
