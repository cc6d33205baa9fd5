//! Exports of each platform through the real load path: the source is recognised, the numbers are those that
//! `tests/data/exports/make.py` wrote down beside the files.

use std::path::{Path, PathBuf};

use henna::dataset::Dataset;
use henna::ingest::{LoadReport, LoadRequest, Loader};
use serde_json::Value;

use super::support::{House, folder, henna, ran, run};

fn exports() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exports")
}

fn export(name: &str) -> String {
    exports().join(name).to_string_lossy().into_owned()
}

/// A lake of the retail dataset without a row.
async fn empty() -> House {
    let folder = folder();
    let root = folder.path().join("lake");
    ran(henna(&root).arg("init")).ok();
    House::serve(&root, Some(folder)).await
}

async fn load(house: &House, request: LoadRequest) -> Result<LoadReport, henna::Error> {
    Loader::new(house.lake.store().clone(), house.lake.dataset()).load(request).await
}

async fn rows(house: &House, sql: &str) -> Vec<Vec<String>> {
    let mut admin = house.in_process("admin").await;
    let rows = admin.ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    value.as_array().into_iter().flatten().map(|pair| (texts(pair)[0].clone(), texts(pair)[1].clone())).collect()
}

#[test]
fn every_export_loads_as_it_is_and_its_numbers_are_those_that_were_written() {
    run(async {
        let house = empty().await;
        let expected: Value = serde_json::from_slice(&std::fs::read(exports().join("expected.json")).unwrap()).unwrap();
        for wanted in expected.as_array().unwrap() {
            let text = |key: &str| wanted[key].as_str().unwrap().to_owned();
            let (file, table) = (text("file"), text("table"));
            let mut request = LoadRequest::new(&table, vec![export(&file)]);
            request.source = wanted["forced"].as_bool().map(|_| text("source"));
            request.reject_share_max = wanted["share"].as_f64().unwrap_or(request.reject_share_max);
            let report = load(&house, request).await.unwrap_or_else(|error| panic!("{file} into {table}: {error}"));
            let what = format!("{file} into {table}");
            assert_eq!(report.source, Some(text("source")), "{what}");
            assert_eq!(Some(report.rows_read), wanted["read"].as_u64(), "{what}");
            assert_eq!(Some(report.rows_rejected), wanted["rejected"].as_u64(), "{what}");
            let sum = report.rows_added + report.rows_updated + report.rows_duplicate + report.rows_rejected;
            assert_eq!(report.rows_read, sum, "{what}");
            if let Some(header) = wanted.get("header") {
                assert_eq!(report.header.renamed, pairs(&header["renamed"]), "{what}");
                assert_eq!(report.header.missing, texts(&header["missing"]), "{what}");
                assert_eq!(report.header.new, texts(&header["new"]), "{what}");
            }
            let answer: Vec<Vec<String>> = wanted["answer"].as_array().unwrap().iter().map(texts).collect();
            assert_eq!(rows(&house, &text("query")).await, answer, "{what}");
        }
        // One person is one over all channels by her phone. JD masks phones, so its 40 people stand apart.
        let people = rows(&house, "SELECT count(DISTINCT one_id) FROM orders").await;
        assert_eq!(people, [["80"]]);
        // Names, addresses and phones of people are kept nowhere.
        for table in
            ["orders", "order_items", "service_cases", "settlements", "fund_movements", "live_orders", "guide_days"]
        {
            let told = "extras::text LIKE '%不存在路%' OR extras::text LIKE '%example.com%' OR extras::text LIKE '%收货人姓名%' \
                OR extras::text ~ '139[0-9]{8}'";
            assert_eq!(rows(&house, &format!("SELECT count(*) FROM {table} WHERE {told}")).await, [["0"]], "{table}");
        }
        let refused =
            "SELECT file, line, column_name, reason, raw FROM henna.rejects WHERE table_name = 'orders' ORDER BY line";
        let refused = rows(&house, refused).await;
        let first = "\"等待外星人签收\" is no value that the source knows for column \"status\"";
        assert_eq!(refused[0][..4], ["ExportOrderList202606181000.csv", "19", "", first]);
        assert!(refused[0][4].starts_with("\"=\"\"902600000000000017\"\"\",tb_00017,"), "{}", refused[0][4]);
        let second = "invalid input syntax for type numeric(18,2): \"一百元\"";
        assert_eq!(refused[1][..4], ["ExportOrderList202606181000.csv", "44", "goods_amount", second]);
    });
}

#[test]
fn what_a_platform_does_not_say_is_kept_in_extras() {
    run(async {
        let house = empty().await;
        load(&house, LoadRequest::new("orders", vec![export("douyin_orders_73.csv")])).await.unwrap();
        let extras = rows(&house, "SELECT extras FROM orders WHERE order_id = '692673000000000003'").await;
        let extras: Value = serde_json::from_str(&extras[0][0]).unwrap();
        assert_eq!(extras["商品规格"], "50ml,默认");
        assert_eq!(extras.get("达人昵称"), None, "a cell that stands for nothing is no member");
        assert_eq!(extras.get("收件人"), None);
    });
}

#[test]
fn folders_patterns_and_compressed_files_load_like_the_file() {
    run(async {
        let house = empty().await;
        let work = folder();
        let text = std::fs::read(exports().join("douyin_orders_73.csv")).unwrap();
        std::fs::create_dir_all(work.path().join("june/shop")).unwrap();
        std::fs::write(work.path().join("june/shop/a.csv.zst"), zstd::encode_all(&text[..], 1).unwrap()).unwrap();
        std::fs::write(work.path().join("june/readme.md"), "not a file of rows").unwrap();
        let other = std::fs::read(exports().join("douyin_orders_75.csv")).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &other).unwrap();
        std::fs::write(work.path().join("june/b.csv.gz"), gzip.finish().unwrap()).unwrap();

        let both =
            load(&house, LoadRequest::new("orders", vec![work.path().join("june").to_string_lossy().into()])).await;
        let both = both.unwrap();
        assert_eq!((both.source.as_deref(), both.rows_added, both.rows_rejected), (Some("douyin_orders"), 96, 0));
        // Files of one name are told apart: each refuses its line.
        let tmall = export("ExportOrderList202606181000.csv");
        std::fs::create_dir_all(work.path().join("twice/more")).unwrap();
        std::fs::copy(&tmall, work.path().join("twice/a.csv")).unwrap();
        std::fs::copy(&tmall, work.path().join("twice/more/a.csv")).unwrap();
        let twice =
            load(&house, LoadRequest::new("orders", vec![work.path().join("twice").to_string_lossy().into()])).await;
        let twice = twice.unwrap();
        assert_eq!((twice.rows_read, twice.rows_added, twice.rows_duplicate, twice.rows_rejected), (160, 78, 78, 4));

        let pattern = work.path().join("june/**/*.zst").to_string_lossy().into_owned();
        let again = load(&house, LoadRequest::new("orders", vec![pattern])).await.unwrap();
        assert_eq!((again.rows_read, again.rows_duplicate), (48, 48));
    });
}

#[test]
fn a_number_that_a_spreadsheet_shortened_is_refused() {
    run(async {
        let house = empty().await;
        let work = folder();
        let text = std::fs::read_to_string(exports().join("douyin_orders_73.csv")).unwrap();
        let path = work.path().join("saved_again.csv");
        std::fs::write(&path, text.replacen("692673000000000003", "6.92673E+17", 1)).unwrap();
        let report = load(&house, LoadRequest::new("orders", vec![path.to_string_lossy().into()])).await.unwrap();
        assert_eq!((report.rows_read, report.rows_added, report.rows_rejected), (49, 48, 1));
        let reason = rows(&house, "SELECT line, reason FROM henna.rejects").await;
        let told = "\"6.92673E+17\" in column \"order_id\" is a number whose last digits a spreadsheet cut off: export it again";
        assert_eq!(reason, [["6", told]]);
    });
}

#[test]
fn a_file_of_another_table_or_of_several_sources_is_refused() {
    run(async {
        let house = empty().await;
        let other = load(&house, LoadRequest::new("orders", vec![export("douyin_funds.csv")])).await.unwrap_err();
        let told = "douyin_funds.csv is of source 'douyin_funds', which does not feed table 'orders'; it feeds: fund_movements";
        assert_eq!(other.to_string(), told);
        let files = vec![export("jd_orders.csv"), export("youzan_orders.csv")];
        let mixed = load(&house, LoadRequest::new("orders", files)).await.unwrap_err().to_string();
        assert!(mixed.starts_with("the files are of different sources (jd_orders.csv is of jd_orders, "), "{mixed}");
        let mut forced = LoadRequest::new("orders", vec![export("jd_orders.csv")]);
        forced.source = Some("taobao".to_owned());
        let unknown = load(&house, forced).await.unwrap_err().to_string();
        assert!(unknown.starts_with("there is no source 'taobao'; the dataset has: "), "{unknown}");
        assert_eq!(rows(&house, "SELECT count(*) FROM orders").await, [["0"]]);
    });
}

#[test]
fn the_command_lists_sources_and_tells_what_would_become_of_a_file() {
    let nowhere = folder();
    let lake = nowhere.path().join("none");
    let listed = ran(henna(&lake).args(["sources", "--dataset", "retail"])).ok().out;
    for source in Dataset::shipped("retail").unwrap().sources {
        assert!(listed.lines().any(|line| line.starts_with(&format!("{} ", source.name))), "{}: {listed}", source.name);
    }
    let test = |file: &str| ran(henna(&lake).args(["sources", "test", "--dataset", "retail"]).arg(file));
    let told = test(&export("ExportOrderList202606181000.csv")).ok().out;
    for part in [
        "  source  tmall_orders  Taobao and Tmall: exported orders",
        "  table   orders  (by a SELECT)",
        "    rows read 80, good 78 (78 of a person), refused 2",
        "refused ExportOrderList202606181000.csv:19: \"等待外星人签收\" is no value",
    ] {
        assert!(told.contains(part), "'{part}' is not in: {told}");
    }
    let plain = nowhere.path().join("plain.csv");
    std::fs::write(&plain, "order_id,colour\n1,red\n").unwrap();
    let told = test(&plain.to_string_lossy());
    assert_eq!(told.code, 1);
    assert!(told.out.contains("no source recognises it"), "{}", told.out);
    assert!(!lake.exists(), "nothing is written");
}
