//! Refused rows on their way: listed, written as a file of the export's own form, corrected, loaded again, settled.

use std::path::{Path, PathBuf};

use super::bench::Bench;
use super::support::{Ran, henna, ran};

/// What `henna rejects` says.
fn rejects(bench: &Bench, more: &[&str]) -> Ran {
    ran(bench.command().args(["rejects", "--format", "csv"]).args(more))
}

/// The id of the newest load that has rows to correct, and how many.
fn newest(bench: &Bench) -> Option<(String, u64)> {
    let told = rejects(bench, &[]).ok().out;
    let cells: Vec<&str> = told.lines().nth(1)?.split(',').collect();
    Some((cells[0].to_owned(), cells[4].parse().unwrap()))
}

/// Writes the rows of a load into a folder; the one file that comes.
fn exported(bench: &Bench, load: &str, into: &str) -> PathBuf {
    let out = bench.path(into);
    rejects(bench, &[&load[..8], "--out", out.to_str().unwrap()]).ok();
    let files: Vec<PathBuf> = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// A file in which texts are other ones.
fn corrected(file: &Path, pairs: &[(&str, &str)]) -> PathBuf {
    let mut text = std::fs::read_to_string(file).unwrap();
    for (wrong, right) in pairs {
        assert!(text.contains(wrong), "'{wrong}' is not in {text}");
        text = text.replace(wrong, right);
    }
    std::fs::write(file, text).unwrap();
    file.to_owned()
}

fn export(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exports").join(name)
}

#[test]
fn refused_rows_of_an_export_are_corrected_in_its_own_form_and_settled() {
    let bench = Bench::new();
    assert_eq!(bench.counts("orders", &export("ExportOrderList202606181000.csv")), [80, 78, 0, 0, 2]);
    let (first, open) = newest(&bench).unwrap();
    assert_eq!(open, 2);
    let told = rejects(&bench, &[&first]).ok().out;
    assert!(told.contains(",19,,") && told.contains(",44,goods_amount,"), "{told}");
    let file = exported(&bench, &first, "june");
    assert_eq!(file.file_name().unwrap(), "ExportOrderList202606181000.rejects.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("\u{feff}_reject,_reason,"), "{text}");
    let reason = "\"\"\"等待外星人签收\"\" is no value that the source knows for column \"\"status\"\"\"";
    assert!(text.contains(&format!("\"{first}:19:ExportOrderList202606181000.csv\",{reason},\"=\"\"90260")), "{text}");
    // One of the two is corrected, and the other refused again: it is one row to be corrected still, under the newer load.
    let file = corrected(&file, &[(",等待外星人签收,", ",交易成功,")]);
    let told = bench.load("orders", &file, &["--reject-share-max", "1"]).ok().out;
    assert!(
        told.contains("from tmall_orders") && told.contains("1 rows that were refused before are settled"),
        "{told}"
    );
    assert!(!told.contains("new columns") && !told.contains("_reject"), "{told}");
    let (second, open) = newest(&bench).unwrap();
    assert!(second != first && open == 1, "{second} {open}");
    let file = corrected(&exported(&bench, &second, "july"), &[(",一百元,", ",100.00,")]);
    let head = std::fs::read_to_string(&file).unwrap();
    assert_eq!(head.matches("_reject").count(), 1, "{head}");
    assert_eq!(bench.counts("orders", &file), [1, 1, 0, 0, 0]);
    assert_eq!(newest(&bench), None, "both the newer refusal and the first one are settled");
    assert_eq!(bench.csv("SELECT count(*), count(DISTINCT order_id) FROM orders"), ["80,80"]);
    // Exactly once: the same file again adds nothing and settles nothing.
    bench.counts("orders", &file);
    assert_eq!(bench.csv("SELECT count(*) FROM orders"), ["80"]);
    assert_eq!(bench.csv("SELECT count(*) FROM henna.corrections"), ["3"]);
    rejects(&bench, &["feed"]).refused(1, &["no load whose id begins with 'feed' has rejects"]);
    rejects(&bench, &["'; DROP"]).refused(1, &["is no id of a load"]);
    ran(henna(&bench.lake).arg("check")).ok();
}

#[test]
fn an_order_of_several_rows_is_refused_and_corrected_whole() {
    let (bench, clean) = (Bench::new(), Bench::new());
    let text = std::fs::read_to_string(export("douyin_orders_73.csv")).unwrap();
    clean.counts("orders", &export("douyin_orders_73.csv"));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // The number of the order comes first. The second row of the first order that has two.
    let order = |line: &str| line.split(',').next().unwrap_or_default().to_owned();
    let broken = (2..lines.len()).find(|nth| order(&lines[*nth]) == order(&lines[nth - 1])).unwrap();
    let word = ["待支付", "备货中", "已发货", "已完成", "已关闭"].into_iter();
    let word = word.map(|word| format!(",{word},")).find(|word| lines[broken].contains(word.as_str())).unwrap();
    lines[broken] = lines[broken].replace(&word, ",已飞走,");
    let file = bench.file("douyin_orders_73.csv", lines.join("\n") + "\n");
    assert_eq!(bench.counts("orders", &file), [49, 47, 0, 0, 2]);
    let (load, open) = newest(&bench).unwrap();
    let told = rejects(&bench, &[&load]).ok().out;
    assert!(open == 2 && told.contains("another row of order_id"), "{told}");
    let file = corrected(&exported(&bench, &load, "out"), &[(",已飞走,", &word)]);
    assert_eq!(bench.counts("orders", &file), [1, 1, 0, 0, 0]);
    assert_eq!(newest(&bench), None);
    let sums = "SELECT status, count(*), sum(gross_amount), sum(discount_amount), sum(paid_amount), sum(refund_amount), sum(item_count) \
        FROM orders GROUP BY status ORDER BY status";
    assert_eq!(bench.csv(sums), clean.csv(sums));
}

#[test]
fn torn_rows_stand_in_one_cell_and_json_rows_stay_json() {
    let bench = Bench::new();
    let csv = "channel,order_id,order_time,status\ntmall,A1,2026-06-01,paid\ntmall,\"A2\"x,2026-06-01,paid\ntmall,A3,2026-06-01\n";
    let file = bench.path("torn.csv");
    std::fs::write(&file, csv).unwrap();
    assert_eq!(bench.counts("orders", &file), [3, 1, 0, 0, 2]);
    let (load, _) = newest(&bench).unwrap();
    let file = exported(&bench, &load, "torn");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(",\"tmall,\"\"A2\"\"x,2026-06-01,paid\"\n"), "{text}");
    // Nobody mended them: they are refused again, and nothing is settled.
    assert_eq!(bench.counts("orders", &file), [2, 0, 0, 0, 2]);
    assert_eq!(bench.csv("SELECT count(*) FROM henna.corrections"), ["0"]);
    let file = corrected(
        &file,
        &[
            ("\"tmall,\"\"A2\"\"x,2026-06-01,paid\"", "tmall,A2,2026-06-01,paid"),
            ("A3,2026-06-01\n", "A3,2026-06-01,paid\n"),
        ],
    );
    assert_eq!(bench.counts("orders", &file), [2, 2, 0, 0, 0]);
    assert_eq!(newest(&bench), None, "the refusals of the first attempt are settled, too");

    let lines = "{\"channel\":\"tmall\",\"order_id\":\"B1\",\"order_time\":\"2026-06-01\",\"status\":\"lent\"}\n{\"channel\":\n";
    let file = bench.path("events.ndjson");
    std::fs::write(&file, lines).unwrap();
    assert_eq!(bench.counts("orders", &file), [2, 0, 0, 0, 2]);
    let (load, _) = newest(&bench).unwrap();
    let file = exported(&bench, &load, "json");
    assert_eq!(file.file_name().unwrap(), "events.rejects.ndjson");
    let file = corrected(&file, &[("\"lent\"", "\"paid\"")]);
    assert_eq!(bench.counts("orders", &file), [2, 1, 0, 0, 1]);
    assert_eq!(bench.csv("SELECT order_id, extras FROM orders ORDER BY 1"), ["A1,", "A2,", "A3,", "B1,"]);
}

#[test]
fn a_load_that_was_refused_whole_is_corrected_in_its_own_file() {
    let bench = Bench::new();
    let file = bench.path("orders.csv");
    std::fs::write(&file, "channel,order_id,order_time,status\ntmall,A1,2026-06-01,paid\ntmall,A2,2026-06-01,lent\n")
        .unwrap();
    ran(henna(&bench.lake).args(["load", "orders"]).arg(&file)).refused(1, &["1 of 2 rows were refused"]);
    let (load, open) = newest(&bench).unwrap();
    assert_eq!(open, 1);
    let out = bench.path("out");
    rejects(&bench, &[&load, "--out", out.to_str().unwrap()])
        .refused(1, &["was refused whole", "correct its files themselves"]);
    assert!(!out.exists());
}
