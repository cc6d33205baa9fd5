//! The program as its user meets it: each verb, each refusal, its exit code, and that nothing is lost on the way.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::bench::Bench;
use super::support::{folder, henna, ran};

const HEADER: &str = "channel,order_id,order_time,status,paid_amount,id_phone";

fn orders_csv(rows: &[&str]) -> String {
    let mut text = HEADER.to_owned();
    for row in rows {
        text.push('\n');
        text.push_str(row);
    }
    text.push('\n');
    text
}

const THREE: &[&str] = &[
    "tmall,T1,2024-05-01 10:00:00,paid,10.50,13800000001",
    "tmall,T2,2024-05-02 10:00:00,completed,20.00,13800000002",
    "douyin,D1,2024-05-03 10:00:00,paid,30.25,13800000001",
];

#[test]
fn init_refuses_a_folder_that_holds_a_lake() {
    let bench = Bench::new();
    ran(bench.command().arg("init")).refused(1, &["there is a lake at", "already"]);
    assert_eq!(bench.orders(), Vec::<String>::new());
}

#[test]
fn a_verb_without_a_lake_says_where_it_looked() {
    let folder = folder();
    let lake = folder.path().join("nothing");
    let told = ran(henna(&lake).args(["sql", "-c", "SELECT 1"]));
    told.refused(1, &[&*lake.to_string_lossy()]);
}

#[test]
fn a_load_reports_what_the_contract_promises() {
    let bench = Bench::new();
    let report = bench.report("orders", &bench.file("orders.csv", orders_csv(THREE)));
    let mut names: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut wanted = [
        "table",
        "source",
        "rows_read",
        "rows_added",
        "rows_updated",
        "rows_duplicate",
        "rows_rejected",
        "identities_new",
        "identities_merged",
        "files",
        "bytes",
        "version",
        "seconds",
    ];
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    let number = |name: &str| report[name].as_u64();
    assert_eq!((number("rows_read"), number("rows_added"), number("rows_rejected")), (Some(3), Some(3), Some(0)));
    // Two telephone numbers.
    assert_eq!((number("identities_new"), report["table"].as_str()), (Some(2), Some("orders")));
    assert_eq!(bench.orders(), ["D1", "T1", "T2"]);
    // The same number is the same person; the team follows from the channel.
    assert_eq!(bench.csv("SELECT count(DISTINCT one_id) FROM orders WHERE order_id IN ('T1', 'D1')"), ["1"]);
    assert_eq!(bench.csv("SELECT team FROM orders WHERE order_id = 'D1'"), ["douyin"]);
    assert_eq!(bench.csv("SELECT rows FROM henna.tables WHERE table_name = 'orders'"), ["3"]);
    assert_eq!(bench.csv("SELECT count(*) FROM henna.loads"), ["1"]);
}

#[test]
fn a_repeated_load_adds_no_rows() {
    let bench = Bench::new();
    let file = bench.file("orders.csv", orders_csv(THREE));
    bench.report("orders", &file);
    let again = bench.report("orders", &file);
    assert_eq!((again["rows_added"].as_u64(), again["rows_updated"].as_u64()), (Some(0), Some(0)));
    // The same rows under another name are duplicates, too.
    let copy = bench.report("orders", &bench.file("copy.csv", orders_csv(&[THREE[2], THREE[0], THREE[1]])));
    assert_eq!((copy["rows_added"].as_u64(), copy["rows_updated"].as_u64()), (Some(0), Some(0)));
    assert_eq!(bench.orders(), ["D1", "T1", "T2"]);
    assert_eq!(bench.csv("SELECT sum(paid_amount) FROM orders"), ["60.75"]);
}

#[test]
fn loads_of_several_processes_at_once_all_come_through() {
    let bench = Bench::new();
    let files: Vec<PathBuf> = (0..4)
        .map(|part| {
            let rows: Vec<String> = (0..200)
                .map(|row| format!("tmall,P{part}-{row},2025-01-01 10:00:00,paid,1.50,1380000{part}{row:03}"))
                .collect();
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            bench.file(&format!("part{part}.csv"), orders_csv(&rows))
        })
        .collect();
    let running = files.iter().map(|file| {
        let mut command = bench.command();
        command.args(["load", "orders"]).arg(file).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in running.collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(bench.csv("SELECT count(*), count(DISTINCT one_id), sum(paid_amount) FROM orders"), ["800,800,1200.00"]);
}

#[test]
fn the_newest_version_of_a_row_wins() {
    let bench = Bench::new();
    let header = "channel,order_id,order_time,status,paid_amount,updated_at\n";
    let version =
        |status: &str, day: &str| format!("{header}tmall,T1,2024-05-01 10:00:00,{status},10.50,{day} 10:00:00\n");
    bench.report("orders", &bench.file("a.csv", version("shipped", "2024-05-03")));
    bench.report("orders", &bench.file("b.csv", version("paid", "2024-05-02")));
    assert_eq!(bench.csv("SELECT status FROM orders"), ["shipped"]);
    let report = bench.report("orders", &bench.file("c.csv", version("completed", "2024-05-04")));
    assert_eq!(report["rows_updated"].as_u64(), Some(1));
    assert_eq!(bench.csv("SELECT status FROM orders"), ["completed"]);
}

#[test]
fn a_bad_cell_is_kept_as_a_reject_with_its_place_and_reason() {
    let bench = Bench::new();
    let mut rows: Vec<String> =
        (0..40).map(|n| format!("tmall,T{n},2024-05-01 10:00:00,paid,{n}.00,1380000{n:04}")).collect();
    rows[7] = "tmall,T7,2024-05-01 10:00:00,paid,ten,13800000007".to_owned();
    rows[9] = "tmall,T9,2024-05-01 10:00:00,lent,9.00,13800000009".to_owned();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let file = bench.file("orders.csv", orders_csv(&rows));
    let told = bench.load("orders", &file, &["--json", "--reject-share-max", "0.1"]).ok();
    let report: Value = serde_json::from_str(told.out.trim()).unwrap();
    assert_eq!(
        (report["rows_read"].as_u64(), report["rows_added"].as_u64(), report["rows_rejected"].as_u64()),
        (Some(40), Some(38), Some(2))
    );
    let rejects = bench.csv("SELECT line, column_name, reason FROM henna.rejects ORDER BY line");
    assert_eq!(rejects.len(), 2, "{rejects:?}");
    // The header is line 1, so row 7 (counted from 0) is line 9.
    assert!(rejects[0].starts_with("9,paid_amount,") && rejects[0].contains("ten"), "{rejects:?}");
    assert!(rejects[1].starts_with("11,") && rejects[1].contains("status"), "{rejects:?}");
    let files = bench.csv("SELECT DISTINCT file FROM henna.rejects");
    assert!(files[0].contains("orders.csv"), "{files:?}");
}

#[test]
fn too_many_rejects_stop_the_load_and_nothing_is_added() {
    let bench = Bench::new();
    let file = bench
        .file("orders.csv", orders_csv(&[THREE[0], "tmall,T2,yesterday,paid,1.00,", "tmall,T3,2024-05-01,paid,x,"]));
    bench.load("orders", &file, &[]).refused(1, &["2 of 3 rows"]);
    assert_eq!(bench.orders(), Vec::<String>::new());
}

#[test]
fn on_reject_stop_ends_at_the_first_bad_row() {
    let bench = Bench::new();
    let file = bench.file("orders.csv", orders_csv(&[THREE[0], "tmall,T2,2024-05-01,paid,ten,"]));
    bench.load("orders", &file, &["--on-reject", "stop"]).refused(1, &["orders.csv:3", "paid_amount", "ten"]);
    assert_eq!(bench.orders(), Vec::<String>::new());
}

#[test]
fn a_missing_column_is_named_with_its_table_and_file() {
    let bench = Bench::new();
    let file = bench.file("orders.csv", "channel,order_id,status\ntmall,T1,paid\n");
    bench.load("orders", &file, &[]).refused(1, &["column order_time of orders is absent from", "orders.csv"]);
}

#[test]
fn wrong_tables_files_and_formats_are_told_apart() {
    let bench = Bench::new();
    let good = bench.file("orders.csv", orders_csv(THREE));
    bench.load("oders", &good, &[]).refused(1, &["table 'oders' does not exist"]);
    bench.load("orders", Path::new("nothing.csv"), &[]).refused(1, &["nothing.csv"]);
    bench.load("orders", &bench.file("orders.doc", "x"), &[]).refused(1, &["orders.doc", "format"]);
    bench
        .load("orders", &bench.file("orders.parquet", "PAR1 and then nothing"), &[])
        .refused(1, &["orders.parquet", "Parquet"]);
    bench.load("orders", &good, &["--source", "nowhere"]).refused(1, &["nowhere"]);
    let mut cut = std::fs::read(bench.file("whole.csv", orders_csv(THREE))).unwrap();
    cut = zstd::encode_all(&cut[..], 3).unwrap();
    bench.load("orders", &bench.file("cut.csv.zst", &cut[..cut.len() - 9]), &[]).refused(1, &["cut.csv.zst"]);
    assert_eq!(bench.orders(), Vec::<String>::new());
    ran(bench.command().arg("check")).ok();
}

#[test]
fn compressed_files_json_lines_and_standard_input_load_the_same_rows() {
    let csv = orders_csv(THREE);
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(csv.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let lines: String = THREE
        .iter()
        .map(|row| {
            let cells: serde_json::Map<_, _> = HEADER
                .split(',')
                .zip(row.split(','))
                .map(|(name, cell)| (name.to_owned(), Value::String(cell.to_owned())))
                .collect();
            format!("{}\n", Value::Object(cells))
        })
        .collect();
    let forms: [(&str, Vec<u8>); 4] = [
        ("orders.csv.gz", gzip),
        ("orders.csv.zst", zstd::encode_all(csv.as_bytes(), 3).unwrap()),
        ("orders.ndjson", lines.into_bytes()),
        ("orders.tsv", csv.replace(',', "\t").into_bytes()),
    ];
    for (name, bytes) in forms {
        let bench = Bench::new();
        assert_eq!(bench.report("orders", &bench.file(name, bytes))["rows_added"].as_u64(), Some(3), "{name}");
        assert_eq!(bench.csv("SELECT sum(paid_amount) FROM orders"), ["60.75"], "{name}");
    }
    let bench = Bench::new();
    let mut child = bench.command().args(["load", "orders", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(csv.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(bench.orders(), ["D1", "T1", "T2"]);
}

#[test]
fn a_port_in_use_is_told_before_anything_is_promised() {
    let bench = Bench::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = ran(bench.command().args(["serve", "--web", "off", "--listen", &address]));
    assert_ne!(told.code, 0);
    assert!(told.err.contains(&address) && told.err.contains("in use"), "{}", told.err);
    assert_eq!(told.out, "");
}

#[test]
fn an_unknown_setting_stops_the_boot_with_exit_2() {
    let bench = Bench::new();
    ran(bench.command().env("HENNA_LISTNE", "x").arg("config"))
        .refused(2, &["unknown setting 'listne' in HENNA_LISTNE"]);
    bench.file("henna.toml", "lisen = \"x\"\n");
    ran(bench.command().current_dir(bench.folder.path()).arg("config"))
        .refused(2, &["unknown setting 'lisen'", "henna.toml"]);
    ran(bench.command().arg("lode")).refused(2, &["lode"]);
}

#[test]
fn config_tells_each_setting_and_its_origin() {
    let bench = Bench::new();
    bench.file("henna.toml", "connections_max = 7\n");
    let told = ran(bench.command().current_dir(bench.folder.path()).env("HENNA_THREADS", "2").arg("config")).ok().out;
    let line = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("connections_max").contains('7') && line("connections_max").contains("henna.toml"), "{told}");
    assert!(line("threads").contains('2') && line("threads").contains("environment"), "{told}");
    assert!(line("lake").contains("flag") && line("tls").contains("shipped"), "{told}");
}

#[test]
fn functions_lists_what_sql_offers() {
    let bench = Bench::new();
    let all = ran(bench.command().arg("functions")).ok().out;
    for name in
        ["rfm", "rfm_score", "rfm_segment", "churn_risk", "bgnbd_fit", "attribute", "roi", "roas", "cac", "as_of"]
    {
        assert!(all.contains(name), "{name} is not in {all}");
    }
    assert!(ran(bench.command().args(["functions", "roas"])).ok().out.contains("roas"));
    ran(bench.command().args(["functions", "no_such"])).refused(1, &["no_such"]);
}

#[test]
fn sql_prints_csv_and_json_and_keeps_to_the_role() {
    let bench = Bench::new();
    bench.report("orders", &bench.file("orders.csv", orders_csv(THREE)));
    let sql = "SELECT order_id, paid_amount, store_id FROM orders WHERE order_id = 'T1'";
    let as_format = |format: &str| ran(bench.command().args(["sql", "--format", format, "-c", sql])).ok().out;
    assert_eq!(as_format("csv"), "order_id,paid_amount,store_id\nT1,10.50,\n");
    let line: Value =
        serde_json::from_str(as_format("json").trim().trim_start_matches('[').trim_end_matches(']')).unwrap();
    assert_eq!((line["order_id"].as_str(), &line["store_id"]), (Some("T1"), &Value::Null));
    assert!(as_format("table").contains(" T1 "), "{}", as_format("table"));
    let as_role = |role: &str| {
        ran(bench.command().args(["sql", "--format", "csv", "--as", role, "-c", "SELECT order_id FROM orders"]))
    };
    assert_eq!(as_role("douyin_team").ok().out, "order_id\nD1\n");
    as_role("nobody").refused(1, &["nobody"]);
    ran(bench.command().args(["sql", "-c", "SELECT * FROM nothing"])).refused(1, &["\"nothing\" does not exist"]);
    let script = bench.file("two.sql", "SELECT 1 AS a;\nSELECT 2 AS a;\n");
    assert_eq!(ran(bench.command().args(["sql", "--format", "csv", "-f"]).arg(script)).ok().out, "a\n1\na\n2\n");
}

#[test]
fn check_finds_a_damaged_file_and_a_damaged_security_log() {
    let bench = Bench::new();
    bench.report("orders", &bench.file("orders.csv", orders_csv(THREE)));
    ran(bench.command().arg("check")).ok();
    let mut found = Vec::new();
    parquet_files(&bench.lake, &mut found);
    found.retain(|path| path.to_string_lossy().contains("/orders/"));
    let bytes = std::fs::read(&found[0]).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 0xff;
    std::fs::write(&found[0], &damaged).unwrap();
    let told = ran(bench.command().arg("check"));
    assert_eq!(told.code, 1, "{}{}", told.out, told.err);
    let name = found[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(told.out.contains(&name), "{}", told.out);
    std::fs::write(&found[0], &bytes).unwrap();
    ran(bench.command().arg("check")).ok();
    std::fs::remove_file(&found[0]).unwrap();
    assert_eq!(ran(bench.command().arg("check")).code, 1);
}

fn parquet_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            parquet_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
}
