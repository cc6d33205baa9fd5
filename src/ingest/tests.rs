//! Loads into a lake in a temporary folder: what a file holds, what the lake then holds, what is said about it.

mod faults;

use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::identity::{self, IDENTITIES};
use super::person::Who;
use super::{LoadReport, LoadRequest, Loader, OnReject, PUBLIC, system, table_spec};
use crate::dataset::{Dataset, DatasetFile};
use crate::error::{Error, Reason};
use crate::lake::{Store, TableName};

const ORDERS: &str = "CREATE TABLE orders (order_id text PRIMARY KEY, order_time timestamptz NOT NULL, one_id bigint, \
    paid numeric(18,2) CHECK (paid >= 0), team text NOT NULL, updated_at timestamptz, extras json)";
const CUSTOMERS: &str = "CREATE TABLE customers (one_id bigint PRIMARY KEY, nickname text, updated_at timestamptz)";
const IDENTITIES_SQL: &str = "CREATE TABLE identities (id_type text, id_value text, one_id bigint NOT NULL, \
    first_seen timestamptz, last_seen timestamptz, source text, PRIMARY KEY (id_type, id_value))";
const TOML: &str = "time_zone = 'Asia/Shanghai'\nidentity_shared_max = 3\n\
    [tables.orders]\nversion = 'updated_at'\n[tables.orders.defaults]\nteam = \"'web'\"\n\
    [tables.customers]\nversion = 'updated_at'\n";
const SOURCE: &str = "SELECT \"Nr\" AS order_id, \"Zeit\" AS order_time, sum(CAST(\"Betrag\" AS NUMERIC(18, 2))) AS paid, \
    \"Tel\" AS id_phone FROM source GROUP BY \"Nr\", \"Zeit\", \"Tel\"";

/// A lake of a dataset, and a folder for files.
pub struct House {
    folder: TempDir,
    store: Store,
    pub loader: Loader,
}

impl House {
    async fn of(dataset: Dataset) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("lake").to_str().unwrap()).await.unwrap();
        for contract in &dataset.contracts {
            store.create_table(&TableName::new(PUBLIC, &contract.name), &table_spec(contract)).await.unwrap();
        }
        let loader = Loader::new(store.clone(), Arc::new(dataset));
        Self { folder, store, loader }
    }

    pub async fn shop() -> Self {
        Self::of(shop()).await
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub async fn load(&self, table: &str, name: &str, content: impl AsRef<[u8]>) -> Result<LoadReport, Error> {
        self.loader.load(LoadRequest::new(table, vec![self.file(name, content)])).await
    }

    /// Rows of a query over the lake's tables, as texts; a NULL is empty.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        rows_of(&self.store, sql).await
    }

    async fn count(&self, table: &str) -> u64 {
        self.rows(&format!("SELECT count(*) FROM {table}")).await[0][0].parse().unwrap()
    }
}

async fn rows_of(store: &Store, sql: &str) -> Vec<Vec<String>> {
    let context = SessionContext::new();
    store.register(&context.runtime_env()).unwrap();
    for name in store.tables().await.unwrap() {
        let snapshot = store.snapshot(&name).await.unwrap();
        let shape = Arc::clone(&snapshot.schema);
        context.register_table(name.table.as_str(), snapshot.provider(shape, None)).unwrap();
    }
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let row = |batch: &RecordBatch, row| {
        batch.columns().iter().map(|array| array_value_to_string(array, row).unwrap()).collect()
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |nth| row(batch, nth))).collect()
}

fn shop() -> Dataset {
    let files = [
        ("dataset.toml", TOML),
        ("tables/orders.sql", ORDERS),
        ("tables/customers.sql", CUSTOMERS),
        ("tables/identities.sql", IDENTITIES_SQL),
        ("sources/kasse/source.toml", "time_zone = 'Europe/Berlin'\ndelimiter = ';'"),
        ("sources/kasse/orders.sql", SOURCE),
    ];
    let files = files.map(|(path, text)| DatasetFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() });
    Dataset::parse("shop", files.to_vec()).unwrap()
}

#[tokio::test]
async fn a_csv_becomes_rows_and_a_repeat_adds_none() {
    let house = House::shop().await;
    let csv = "Order_ID,order_time,PAID,Colour\nA1,2024-01-01 08:00:00,10.005,red\nA2,2024-01-01T08:00:00Z,,\n";
    let report = house.load("orders", "orders.csv", csv).await.unwrap();
    assert_eq!((report.rows_read, report.rows_added, report.rows_rejected), (2, 2, 0));
    assert_eq!((report.version, report.files), (1, 1));
    let rows = house.rows("SELECT order_id, order_time, paid, team, extras FROM orders ORDER BY order_id").await;
    assert_eq!(rows[0], ["A1", "2024-01-01T00:00:00Z", "10.01", "web", "{\"Colour\":\"red\"}"]);
    assert_eq!(rows[1], ["A2", "2024-01-01T08:00:00Z", "", "web", ""]);

    let again = house.load("orders", "the same, renamed.csv", csv).await.unwrap();
    assert!(again.repeated);
    assert_eq!((again.rows_added, again.version), (0, 1));
    assert_eq!(house.count("orders").await, 2);
    assert_eq!(house.rows("SELECT table_name, status, rows_added FROM loads").await, [["orders", "loaded", "2"]]);
}

#[tokio::test]
async fn refused_rows_are_kept_with_line_column_and_reason() {
    let house = House::shop().await;
    let mut csv = "order_id,order_time,paid\nA1,soon,1\nA2,2024-01-01,-5\n,2024-01-01,1\nA4,2024-01-01\n".to_owned();
    csv.extend((0..100).map(|nth| format!("B{nth},2024-01-01,{nth}\n")));
    let report = house.load("orders", "orders.csv", &csv).await.unwrap();
    assert_eq!((report.rows_read, report.rows_added, report.rows_rejected), (104, 100, 4));
    let rows = house.rows("SELECT line, column_name, reason, raw, file FROM rejects ORDER BY line").await;
    let file = "orders.csv";
    assert_eq!(
        rows[0],
        ["2", "order_time", "invalid input syntax for type timestamp with time zone: \"soon\"", "A1,soon,1", file]
    );
    assert_eq!(
        rows[1],
        ["3", "paid", "new row violates check constraint \"orders_paid_check\"", "A2,2024-01-01,-5", file]
    );
    let null = "null value in column \"order_id\" violates not-null constraint";
    assert_eq!(rows[2], ["4", "order_id", null, ",2024-01-01,1", file]);
    assert_eq!(rows[3], ["5", "", "the row has 2 cells, the header 3", "A4,2024-01-01", file]);
}

#[tokio::test]
async fn too_many_refused_rows_load_nothing_and_are_kept_all_the_same() {
    let house = House::shop().await;
    let csv = "order_id,order_time,id_phone\nA1,soon,13812345678\nA2,2024-01-01,13812345679\n";
    let error = house.load("orders", "orders.csv", csv).await.unwrap_err();
    assert_eq!(error.to_string(), "1 of 2 rows were refused, more than the share of 0.05; nothing was loaded");
    assert_eq!(error.reason(), Reason::InvalidRow);
    for (table, rows) in [("orders", 0), ("identities", 0), ("rejects", 1)] {
        assert_eq!(house.count(table).await, rows, "{table}");
    }
    assert_eq!(house.rows("SELECT status, rows_rejected FROM loads").await, [["refused", "1"]]);

    let mut request = LoadRequest::new("orders", vec![house.file("orders.csv", csv)]);
    request.reject_share_max = 0.5;
    assert_eq!(house.loader.load(request).await.unwrap().rows_added, 1);
    assert_eq!(house.count("rejects").await, 1);
}

#[tokio::test]
async fn a_load_that_stops_at_a_reject_names_it() {
    let house = House::shop().await;
    let path = house.file("orders.csv", "order_id,order_time\nA1,2024-01-01\nA2,soon\n");
    let mut request = LoadRequest::new("orders", vec![path]);
    request.on_reject = OnReject::Stop;
    let error = house.loader.load(request).await.unwrap_err();
    let reason = "invalid input syntax for type timestamp with time zone: \"soon\"";
    assert_eq!(error.to_string(), format!("orders.csv:3: column order_time: {reason}"));
    assert_eq!((house.count("orders").await, house.count("rejects").await), (0, 1));
}

#[tokio::test]
async fn files_that_cannot_be_loaded_say_why() {
    let house = House::shop().await;
    let missing = house.load("orders", "orders.csv", "order_id\nA1\n").await.unwrap_err();
    assert_eq!(missing.to_string(), "column order_time of orders is absent from orders.csv");
    let corrupt = house.load("orders", "orders.parquet", "PAR1 no").await.unwrap_err();
    assert!(corrupt.to_string().starts_with("orders.parquet is not a Parquet file: "), "{corrupt}");
    let absent = house.loader.load(LoadRequest::new("orders", vec!["/nowhere/a.csv".to_owned()])).await.unwrap_err();
    assert_eq!(absent.reason(), Reason::FileMissing);
    let table = house.load("lines", "a.csv", "a\n1\n").await.unwrap_err();
    assert_eq!(table.reason(), Reason::UndefinedTable);
    let cut = house.load("orders", "orders.csv.gz", [0x1f, 0x8b, 8, 0, 0]).await.unwrap_err();
    assert!(cut.to_string().contains("corrupt compressed data"), "{cut}");
    assert_eq!(house.count("orders").await, 0);
}

#[tokio::test]
async fn identifiers_that_occur_together_are_one_person_over_all_loads() {
    let house = House::shop().await;
    let orders = "order_id,order_time,id_phone,id_member\n\
        A1,2024-01-01,138 1234 5678,\nA2,2024-01-01,138****5678,M1\nA3,2024-01-01,+8613812345678,\nA4,2024-01-01,,\n";
    let report = house.load("orders", "orders.csv", orders).await.unwrap();
    assert_eq!((report.identities_new, report.identities_merged), (2, 0));
    let persons = "SELECT order_id, one_id FROM orders ORDER BY order_id";
    assert_eq!(house.rows(persons).await, [["A1", "1"], ["A2", "2"], ["A3", "1"], ["A4", ""]]);

    let bridge = "order_id,order_time,id_phone,id_member\nA5,2024-01-02,13812345678,M1\n";
    let report = house.load("orders", "more.csv", bridge).await.unwrap();
    assert_eq!((report.identities_new, report.identities_merged), (0, 1));
    let name = TableName::new(PUBLIC, IDENTITIES);
    let snapshot = house.store.snapshot(&name).await.unwrap();
    let contract = house.loader.dataset().contract(IDENTITIES).unwrap();
    let merges = identity::merges(&house.store, contract, snapshot).await.unwrap();
    assert_eq!(merges.into_iter().collect::<Vec<_>>(), [(2, 1)]);

    let later = house.load("customers", "c.ndjson", "{\"id_member\": \"M1\", \"nickname\": \"a\"}\n").await.unwrap();
    assert_eq!((later.rows_added, later.identities_new), (1, 0));
    assert_eq!(house.rows("SELECT one_id, nickname FROM customers").await, [["1", "a"]]);
    let values = house.rows("SELECT id_value FROM identities WHERE id_type = 'phone'").await;
    assert!(values.iter().all(|row| row[0].len() == 32 && !row[0].contains("13812345678")), "{values:?}");
}

#[tokio::test]
async fn a_shared_identifier_joins_nobody_and_is_listed() {
    let house = House::shop().await;
    let mut csv = "order_id,order_time,id_phone,id_member\n".to_owned();
    csv.extend((0..4).map(|nth| format!("A{nth},2024-01-01,02112345678,M{nth}\n")));
    csv.push_str("A9,2024-01-01,02112345678,\n");
    let report = house.load("orders", "orders.csv", csv).await.unwrap();
    assert_eq!(report.identities_new, 4);
    assert_eq!(house.rows("SELECT one_id FROM orders WHERE order_id = 'A9'").await, [[""]]);
    assert_eq!(house.rows("SELECT id_type, others FROM identity_conflicts").await, [["phone", "4"]]);
}

/// Of a large lake a load reads the identities that it names, of a small one all: persons, merges and conflicts are the same.
#[tokio::test]
async fn what_a_load_does_not_name_makes_no_difference() {
    let (whole, mut part) = (House::shop().await, House::shop().await);
    part.loader.whole_max = 0;
    let mut state = 20_261_126_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut parted = 0;
    for load in 0..14 {
        let mut csv = "order_id,order_time,id_phone,id_member\n".to_owned();
        for row in 0..12 {
            let phone = if next(4) > 0 { format!("138{:08}", next(60)) } else { String::new() };
            let member = if next(4) > 0 { format!("M{}", next(60)) } else { String::new() };
            csv.push_str(&format!("A{load}-{row},2024-01-01,{phone},{member}\n"));
        }
        let file = format!("{load}.csv");
        let (one, two) =
            (whole.load("orders", &file, &csv).await.unwrap(), part.load("orders", &file, &csv).await.unwrap());
        assert_eq!((one.identities_new, one.identities_merged), (two.identities_new, two.identities_merged), "{load}");
        if load > 1 {
            let member = format!("M{}", next(60));
            let mut splits = Vec::new();
            for house in [&whole, &part] {
                let who = Who::Identifier { id_type: "member".to_owned(), value: member.clone() };
                let split = match house.loader.show_person(&who).await {
                    Ok(person) => house.loader.split_person(person.one_id, &[who]).await.ok(),
                    Err(_) => None,
                };
                splits.push(split);
            }
            assert_eq!(splits[0], splits[1], "{member}");
            parted += usize::from(splits[0].is_some());
        }
    }
    let merged = "SELECT count(*) FROM identities WHERE id_type = '_merged'";
    assert!(whole.rows(merged).await[0][0].parse::<u64>().unwrap() > 3);
    assert!(whole.count("identity_conflicts").await > 1);
    assert!(parted > 1, "{parted} splits");
    for sql in [
        "SELECT order_id, one_id FROM orders ORDER BY order_id",
        "SELECT id_type, one_id, count(*) FROM identities WHERE id_type <> '_merged' GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT id_value, one_id FROM identities WHERE id_type = '_merged' ORDER BY 1",
        "SELECT id_type, others, count(*) FROM identity_conflicts GROUP BY 1, 2 ORDER BY 1, 2",
    ] {
        assert_eq!(whole.rows(sql).await, part.rows(sql).await, "{sql}");
    }
}

#[tokio::test]
async fn a_row_that_needs_a_person_and_names_nobody_is_refused() {
    let house = House::shop().await;
    let path = house.file("c.csv", "id_phone,nickname\n13812345678,a\n138****5678,b\n");
    let mut request = LoadRequest::new("customers", vec![path]);
    request.reject_share_max = 1.0;
    let report = house.loader.load(request).await.unwrap();
    assert_eq!((report.rows_added, report.rows_rejected), (1, 1));
    assert_eq!(house.rows("SELECT line, column_name FROM rejects").await, [["3", "one_id"]]);
}

#[tokio::test]
async fn a_source_maps_foreign_files_in_its_own_zone() {
    let house = House::shop().await;
    let path = house.file("kasse.csv", "Nr;Zeit;Betrag;Tel\nK1;2024-07-01 12:00:00;1.50;13812345678\nK1;2024-07-01 12:00:00;2.50;13812345678\nK2;2024-07-01 12:00:00;9\n");
    let mut request = LoadRequest::new("orders", vec![path]);
    request.source = Some("kasse".to_owned());
    request.reject_share_max = 0.5;
    let report = house.loader.load(request).await.unwrap();
    assert_eq!((report.rows_read, report.rows_added, report.rows_rejected), (2, 1, 1));
    let rows = house.rows("SELECT order_id, order_time, paid, one_id FROM orders").await;
    assert_eq!(rows, [["K1", "2024-07-01T10:00:00Z", "4.00", "1"]]);
    assert_eq!(house.rows("SELECT line, file FROM rejects").await, [["4", "kasse.csv"]]);

    let mut unknown = LoadRequest::new("orders", vec![house.file("a.csv", "a\n")]);
    unknown.source = Some("till".to_owned());
    let error = house.loader.load(unknown).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no source 'till'; the dataset has: kasse");
}

#[tokio::test]
async fn parquet_keeps_its_types_and_tells_the_row_of_a_reject() {
    let house = House::shop().await;
    let context = SessionContext::new();
    let sql = "SELECT 'A' || value AS order_id, arrow_cast(1704067200000000 + value, 'Timestamp(Microsecond, None)') AS order_time, \
               CASE WHEN value = 3 THEN -1.5 ELSE 2.505 END AS paid, 13800000000 + value AS id_phone FROM generate_series(1, 40)";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batches[0].schema(), None).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
    let report = house.load("orders", "orders.parquet", bytes).await.unwrap();
    assert_eq!((report.rows_read, report.rows_added, report.identities_new), (40, 39, 40));
    let rows = house.rows("SELECT order_time, paid FROM orders WHERE order_id = 'A1'").await;
    assert_eq!(rows, [["2023-12-31T16:00:00.000001Z", "2.51"]]);
    assert_eq!(house.rows("SELECT line, column_name FROM rejects").await, [["3", "paid"]]);
}

#[tokio::test]
async fn of_two_versions_of_a_row_the_newer_stays() {
    let house = House::shop().await;
    let first = "order_id,order_time,paid,updated_at\nA1,2024-01-01,1,2024-01-02\nA2,2024-01-01,1,2024-01-02\n";
    house.load("orders", "first.csv", first).await.unwrap();
    let second = "order_id,order_time,paid,updated_at\nA1,2024-01-01,2,2024-01-03\nA2,2024-01-01,2,2024-01-01\n";
    let report = house.load("orders", "second.csv", second).await.unwrap();
    assert_eq!((report.rows_added, report.rows_updated, report.rows_duplicate), (0, 1, 1));
    let rows = house.rows("SELECT order_id, paid FROM orders ORDER BY order_id").await;
    assert_eq!(rows, [["A1", "2.00"], ["A2", "1.00"]]);
}

/// Gives up a load after some steps of its future, as a crash would, at whatever it has done by then.
async fn dropped_after(steps: usize, load: impl Future<Output = Result<LoadReport, Error>>) -> Option<LoadReport> {
    let mut load = Box::pin(load);
    let mut taken = 0;
    let ended = std::future::poll_fn(|context| {
        taken += 1;
        if taken > steps { Poll::Ready(None) } else { load.as_mut().poll(context).map(Some) }
    });
    ended.await.map(Result::unwrap)
}

#[tokio::test]
async fn a_load_that_is_given_up_anywhere_is_whole_after_its_repeat() {
    let mut csv = "order_id,order_time,id_phone\nbad,soon,13712345678\n".to_owned();
    csv.extend((0..50).map(|nth| format!("A{nth},2024-01-01,1380000{:04}\n", 1000 + nth)));
    let mut steps = 1;
    loop {
        let house = House::shop().await;
        let ended = dropped_after(steps, house.load("orders", "orders.csv", &csv)).await;
        let before = house.rows("SELECT one_id FROM orders").await.len();
        assert!(before == 0 || before == 50, "{before} rows after {steps} steps");
        let repeat = house.load("orders", "orders.csv", &csv).await.unwrap();
        assert_eq!(before + repeat.rows_added as usize, 50, "after {steps} steps");
        assert_eq!(house.rows("SELECT count(DISTINCT one_id) FROM orders").await, [["50"]]);
        assert_eq!((house.count("identities").await, house.count("rejects").await), (51, 1));
        assert_eq!(house.rows("SELECT status FROM loads").await, [["loaded"]]);
        if ended.is_some() {
            break;
        }
        steps += 1 + steps / 3;
    }
}

#[tokio::test]
async fn the_system_tables_are_made_once() {
    let house = House::shop().await;
    system::create_tables(&house.store).await.unwrap();
    system::create_tables(&house.store).await.unwrap();
    let names = house.store.tables().await.unwrap();
    assert_eq!(names.iter().filter(|name| name.schema == system::SCHEMA).count(), 5);
}

/// The files that the client programs expect; the numbers are those of their `facts.json`.
#[tokio::test]
async fn the_client_programs_files_load_without_a_reject() {
    let Some(home) = std::env::var_os("HENNA_CLIENTS_DIR") else {
        eprintln!("skipped: HENNA_CLIENTS_DIR is not set");
        return;
    };
    let home = Path::new(&home);
    let house = House::of(Dataset::open(&home.join("dataset")).unwrap()).await;
    for table in ["customers", "orders", "order_items", "interactions", "channel_costs"] {
        let path = home.join(format!("data/{table}.csv")).to_str().unwrap().to_owned();
        let report = house.loader.load(LoadRequest::new(table, vec![path])).await.unwrap();
        assert_eq!((report.rows_rejected, report.rows_added), (0, report.rows_read), "{table}");
        assert!(report.ignored_columns.is_empty(), "{table}");
    }
    let facts: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.join("data/facts.json")).unwrap()).unwrap();
    assert!(facts["tables"].is_object());
    for (table, rows) in facts["tables"].as_object().into_iter().flatten() {
        assert_eq!(Some(house.count(table).await), rows.as_u64(), "{table}");
    }
    let first = house.rows("SELECT name, created_at, credit_limit, tags FROM customers WHERE customer_id = 2").await;
    assert_eq!(first, [["Conor O'Brien", "2023-01-15T00:32:34.246914Z", "2644.86", "[churn risk, b2b]"]]);
    let note = house.rows("SELECT notes FROM orders WHERE order_id = 3").await;
    assert_eq!(note, [["Order 3; \"quoted\", it's\nsecond line"]]);
}

/// UCI Online Retail has 541,909 lines of 25,900 invoices; its cancelled ones begin with C.
#[tokio::test]
async fn online_retail_loads_through_its_source() {
    let Some(home) = std::env::var_os("HENNA_TEST_DATA") else {
        eprintln!("skipped: HENNA_TEST_DATA is not set");
        return;
    };
    let house = House::of(Dataset::shipped("retail").unwrap()).await;
    let path = Path::new(&home).join("online_retail/online_retail.parquet").to_str().unwrap().to_owned();
    for (table, rows) in [("orders", 25_900), ("order_items", 541_909)] {
        let mut request = LoadRequest::new(table, vec![path.clone()]);
        request.source = Some("online_retail".to_owned());
        let report = house.loader.load(request).await.unwrap();
        assert_eq!((report.rows_read, report.rows_added, report.rows_rejected), (rows, rows, 0), "{table}");
    }
    let customers = house.rows("SELECT count(DISTINCT one_id) FROM orders").await;
    assert_eq!(customers, [["4372"]]);
}

/// What the bytes and the decoded columns of every file beneath a folder hold, as one text.
fn all_of(folder: &Path) -> String {
    let mut found = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push_str(&all_of(&path));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        found.push_str(&String::from_utf8_lossy(&bytes));
        if path.extension().is_some_and(|extension| extension == "parquet") {
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
            let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
            found.push_str(&arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string());
        }
    }
    found
}

#[tokio::test]
async fn a_forgotten_person_is_in_no_file_and_nobody_gets_the_number() {
    let house = House::shop().await;
    let csv = "order_id,order_time,id_phone,id_member,note,paid\nZZ-1,2024-01-01,13812345678,m-anna,Anna Li,98765.43\n\
               A2,2024-01-02,13900000002,m-bo,Bo,2\n";
    house.load("orders", "first.csv", csv).await.unwrap();
    // What tells of a table's values beside its rows: bounds in commits, and in checkpoints of them.
    house.store.checkpoint(&TableName::new(PUBLIC, "orders")).await.unwrap();
    // Under another identifier, and a row that the contract refuses.
    let csv = "order_id,order_time,id_member,paid\nA3,2024-01-03,m-anna,1\n".to_owned();
    house.load("orders", "second.csv", &csv).await.unwrap();
    let csv = "order_id,order_time,id_phone,paid\nA4,soon,138 1234 5678,1\nA5,2024-01-05,13900000002,1\n";
    let request =
        LoadRequest { reject_share_max: 1.0, ..LoadRequest::new("orders", vec![house.file("third.csv", csv)]) };
    house.loader.load(request).await.unwrap();
    let root = house.folder.path().join("lake");
    let hash = house.rows("SELECT id_value FROM identities WHERE id_type = 'phone' ORDER BY one_id LIMIT 1").await[0]
        [0]
    .clone();
    for told in ["Anna Li", "138 1234 5678", "ZZ-1", "98765.43", &hash] {
        assert!(all_of(&root.join("tables")).contains(told), "{told}");
    }
    let forgotten = house.loader.forget("phone", "138 1234 5678").await.unwrap();
    assert_eq!(forgotten.persons.iter().copied().collect::<Vec<_>>(), [1]);
    let rows: Vec<(String, u64)> = forgotten.rows.iter().map(|(table, rows)| (table.table.clone(), *rows)).collect();
    assert_eq!(rows, [("orders".to_owned(), 2), ("rejects".to_owned(), 1), ("identities".to_owned(), 2)]);
    let left = all_of(&root.join("tables"));
    for gone in ["Anna Li", "13812345678", "138 1234 5678", "m-anna", "ZZ-1", "98765.43", &hash] {
        assert!(!left.contains(gone), "{gone}");
    }
    assert_eq!(house.rows("SELECT order_id, one_id FROM orders ORDER BY 1").await, [["A2", "2"], ["A5", "2"]]);
    house.load("orders", "fourth.csv", "order_id,order_time,id_phone\nA6,2024-01-06,13812345678\n").await.unwrap();
    assert_eq!(house.rows("SELECT one_id FROM orders WHERE order_id = 'A6'").await, [["3"]]);
    let nobody = house.loader.forget("phone", "13700000000").await.unwrap();
    assert_eq!((nobody.persons.len(), nobody.rows), (0, vec![]));
    assert_eq!(house.loader.forget("phone", "-").await.unwrap_err().reason(), Reason::InvalidParameter);
}
