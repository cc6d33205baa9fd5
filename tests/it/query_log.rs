//! `henna.query_log`: what a statement did and cost, for those whose it is.

use std::path::Path;

use henna::query::Lake;

use super::support::{House, run};

/// All that lies in the folder of the log.
fn on_disk(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            on_disk(&entry, found);
        } else {
            found.push_str(&std::fs::read_to_string(&entry).unwrap());
        }
    }
}

#[test]
fn a_statement_is_found_with_what_it_did_and_without_its_literals() {
    run(async {
        let house = House::copy().await;
        let (tmall, wecom, hq) = (house.wire("tmall").await, house.wire("wecom").await, house.wire("hq").await);
        let admin = house.wire("admin").await;
        tmall.run("SELECT order_id FROM orders WHERE channel <> 'very secret' LIMIT 3").await;
        tmall.ask("SELECT 1 / (length(channel) - 5) AS failing FROM orders").await.unwrap_err();
        hq.run("SELECT count(*) AS joined FROM orders AS a JOIN orders AS b ON a.order_id = b.order_id").await;
        admin.run("CREATE ROLE someone PASSWORD 'very secret'").await;
        let of = |part: &str| {
            format!(
                "SELECT usename, command, statement, rows, sqlstate, bytes > 0, cpu_ms > 0, memory_bytes > 0, tables[1], elapsed_ms > 0 \
                 FROM henna.query_log WHERE statement LIKE '%{part}%' AND statement NOT LIKE '%query_log%'"
            )
        };
        let text = |cells: &[&str]| cells.iter().map(|cell| Some((*cell).to_owned())).collect::<Vec<_>>();
        let found = tmall.ask(&of("order_id FROM orders WHERE channel")).await.unwrap();
        let statement = "SELECT order_id FROM orders WHERE channel <> ? LIMIT ?";
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0][..5], text(&["tmall", "SELECT", statement, "3", "00000"]));
        // How much passed through follows how the visible rows lie among the hidden ones.
        assert_eq!((&found[0][5], &found[0][7]), (&None, &None));
        assert_eq!(found[0][8..], text(&["public.orders", "t"]));
        let failed = tmall.ask(&of("AS failing")).await.unwrap();
        assert_eq!(failed[0][4], Some("22012".to_owned()));
        // A join tells what it held.
        let joined = hq.ask(&of("AS joined")).await.unwrap();
        assert_eq!(joined[0][5..8], text(&["t", "t", "t"]), "{joined:?}");
        // Each sees its own, and whoever has its rights.
        assert!(wecom.ask(&of("AS failing")).await.unwrap().is_empty());
        assert_eq!(admin.ask(&of("AS failing")).await.unwrap(), failed);
        // What may hold a password has no text.
        let told = "SELECT count(*), count(statement) FROM henna.query_log WHERE command = 'CREATE ROLE'";
        let told = admin.ask(told).await.unwrap();
        assert!(told[0][0].as_deref() != Some("0") && told[0][1].as_deref() == Some("0"), "{told:?}");
        house.lake.query_log().flush().await;
        let mut written = String::new();
        on_disk(&Path::new(house.lake.store().root()).join("queries"), &mut written);
        assert!(written.contains("AS failing") && !written.contains("very secret"));
        // It is there when the lake is opened again.
        let again = Lake::open(house.lake.store().root()).await.unwrap();
        let session = again.session(again.principal("admin").unwrap()).await.unwrap();
        let rows = session.execute("SELECT 1 FROM henna.query_log WHERE statement LIKE '%AS failing%'").await.unwrap();
        let rows: Vec<_> = futures::TryStreamExt::try_collect(rows).await.unwrap();
        let rows: usize = rows.iter().map(arrow::array::RecordBatch::num_rows).sum();
        assert!(rows > 0);
    });
}

#[test]
fn a_pool_that_asks_all_day_fills_neither_log_and_is_counted() {
    run(async {
        let house = House::copy().await;
        let (tmall, admin) = (house.wire("tmall").await, house.wire("admin").await);
        for _ in 0..200 {
            tmall.run("SELECT 1 AS alive").await;
        }
        tmall.client.query("SELECT 2 AS alive", &[]).await.unwrap();
        let of_query_log =
            "SELECT sum(times), count(*) < 100 FROM henna.query_log WHERE statement = 'SELECT ? AS alive'";
        let of_audit_log = "SELECT sum(times), count(*) < 100 FROM henna.audit_log WHERE statement_hash = encode(sha256('SELECT ? AS alive'), 'hex')";
        for sql in [of_query_log, of_audit_log] {
            let told = admin.ask(sql).await.unwrap();
            assert_eq!(told, [[Some("201".to_owned()), Some("t".to_owned())]], "{sql}");
        }
    });
}

#[test]
fn a_block_tells_nobody_elses_statements_by_a_right_that_it_gave_itself() {
    run(async {
        let house = House::copy().await;
        let (admin, tmall, wecom) = (house.wire("admin").await, house.wire("tmall").await, house.wire("wecom").await);
        admin.run("GRANT tmall TO wecom WITH ADMIN OPTION, INHERIT FALSE").await;
        tmall.run("SELECT 1 AS of_tmall").await;
        let others = "SELECT count(*) FROM henna.query_log WHERE usename = 'tmall'";
        assert_eq!(wecom.value(others).await, "0");
        // What is not committed does not open what others did.
        wecom.run("BEGIN; GRANT tmall TO wecom WITH INHERIT TRUE").await;
        assert_eq!(wecom.value(others).await, "0");
        let pid = admin.value("SELECT pid FROM henna.activity WHERE usename = 'tmall'").await;
        assert_eq!(wecom.value(&format!("SELECT pg_terminate_backend({pid})")).await, "f");
        wecom.run("COMMIT").await;
        assert_ne!(wecom.value(others).await, "0");
        assert_eq!(wecom.value(&format!("SELECT pg_terminate_backend({pid})")).await, "t");
    });
}
