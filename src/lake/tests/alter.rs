//! Tables that gain columns, and what is left of rows that are gone.

use std::collections::HashMap;
use std::time::Duration;

use arrow::util::pretty::pretty_format_batches;

use super::*;
use crate::error::Reason;

/// The spec with columns put in after the first: one that may be null, and one that may not.
fn wider(before: &TableSpec, columns: &[Field]) -> TableSpec {
    let mut spec = before.clone();
    let new = columns.iter().cloned().map(StoredColumn::new);
    let rest = spec.columns.split_off(1);
    spec.columns.extend(new.chain(rest));
    spec
}

fn points() -> Field {
    Field::new("points", DataType::Int64, true)
}

fn grade() -> Field {
    Field::new("grade", DataType::Utf8, false)
}

fn grades() -> HashMap<String, ArrayRef> {
    HashMap::from([("grade".to_owned(), Arc::new(StringArray::from(vec!["new"])) as ArrayRef)])
}

/// The rows of a load with a number in the new column.
fn with_points(load_id: &str, orders: &[Order], number: i64) -> WriteRequest {
    let rows = batch(orders);
    let mut fields: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.insert(1, points());
    let mut columns = rows.columns().to_vec();
    columns.insert(1, Arc::new(Int64Array::from(vec![number; orders.len()])));
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let schema = rows.schema();
    let rows = RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(rows)]));
    WriteRequest { load_id: load_id.to_owned(), rows: Box::pin(rows), notes: BTreeMap::new() }
}

async fn read_at(store: &Store, version: Option<u64>, columns: &[Field], sql: &str) -> String {
    let mut fields: Vec<Field> = shape().fields().iter().map(|field| field.as_ref().clone()).collect();
    columns.iter().rev().for_each(|field| fields.insert(1, field.clone()));
    let snapshot = match version {
        None => store.snapshot(&name()).await.unwrap(),
        Some(version) => store.snapshot_at(&name(), Moment::Version(version)).await.unwrap(),
    };
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    store.register(&context.runtime_env()).unwrap();
    context.register_table("orders", snapshot.provider(Arc::new(Schema::new(fields)), None)).unwrap();
    let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&rows).unwrap().to_string()
}

fn table(lines: &[&str]) -> String {
    lines.join("\n")
}

#[tokio::test]
async fn a_column_that_comes_later_is_null_in_the_rows_that_were_there() {
    for key in [&["id"][..], &[]] {
        let before = spec(key, Some("version").filter(|_| !key.is_empty()));
        let (_folder, store) = lake(&before).await;
        store.write(&name(), load("1", &THREE)).await.unwrap();
        let wide = wider(&before, &[points()]);
        let altered = store.alter_table(&name(), &wide, &HashMap::new()).await.unwrap();
        assert_eq!((altered.version, altered.added, altered.files), (2, vec!["points".to_owned()], 0));
        let again = store.alter_table(&name(), &wide, &HashMap::new()).await.unwrap();
        assert_eq!((again.version, again.added.len()), (2, 0), "what is so already is not written again");
        // Loads with the column, and without it.
        store.write(&name(), with_points("2", &[("d", "2025-05-02T00:00:00Z", 4, 4, 1)], 7)).await.unwrap();
        store.write(&name(), load("3", &[("e", "2025-05-03T00:00:00Z", 5, 5, 1)])).await.unwrap();
        let rows = |version| read_at_points(&store, version);
        let all = [
            "+----+--------+-----------+",
            "| id | points | amount_ok |",
            "+----+--------+-----------+",
            "| a  |        | true      |",
            "| b  |        | true      |",
            "| c  |        | true      |",
            "| d  | 7      | true      |",
            "| e  |        | true      |",
            "+----+--------+-----------+",
        ];
        assert_eq!(rows(None).await, table(&all), "{key:?}");
        assert_eq!(rows(Some(1)).await, table(&[&all[..6], &all[8..]].concat()), "the version before");
        // What the log says of columns still tells files apart.
        let snapshot = store.snapshot(&name()).await.unwrap();
        let old = snapshot.files.iter().filter(|file| file.shape == 0);
        for file in old {
            assert_eq!(file.range(&snapshot.schema, "points").unwrap().null_count, Some(file.rows));
            assert!(file.range(&snapshot.schema, "time").unwrap().min.is_some());
        }
        let plan = read_at(&store, None, &[points()], "EXPLAIN ANALYZE SELECT id FROM orders WHERE points = 7").await;
        assert!(plan.contains("files_scanned=1") && plan.contains("files_pruned_by_log=3"), "{plan}");
        let plan = "EXPLAIN ANALYZE SELECT id FROM orders WHERE one_id = 5";
        let plan = read_at(&store, None, &[points()], plan).await;
        assert!(plan.contains("files_scanned=1"), "{plan}");
        // Small files of both shapes become one.
        store.compact(&name()).await.unwrap();
        assert_eq!(rows(None).await, table(&all), "gathered");
        let snapshot = store.snapshot(&name()).await.unwrap();
        assert!(snapshot.files.iter().any(|file| file.shape == 1));
        assert_eq!(store.check().await.unwrap().iter().filter(|found| found.severity == Severity::Fault).count(), 0);
    }
}

async fn read_at_points(store: &Store, version: Option<u64>) -> String {
    let sql = "SELECT id, points, amount IS NOT NULL AS amount_ok FROM orders ORDER BY id";
    read_at(store, version, &[points()], sql).await
}

#[tokio::test]
async fn a_row_of_an_older_shape_is_superseded_and_its_neighbours_stay() {
    let before = spec(&["id"], Some("version"));
    let (_folder, store) = lake(&before).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    store.alter_table(&name(), &wider(&before, &[points()]), &HashMap::new()).await.unwrap();
    let newer = [("a", "2025-03-31T16:00:00Z", 1, 999, 2), ("b", "2025-04-01T00:00:00Z", 2, -1, 1)];
    let commit = store.write(&name(), load("2", &newer)).await.unwrap();
    assert_eq!((commit.rows_updated, commit.rows_duplicate), (1, 1));
    let commit = store.write(&name(), with_points("3", &newer, 5)).await.unwrap();
    assert_eq!((commit.rows_updated, commit.rows_duplicate), (2, 0), "a value where there was none is another row");
    let sql = "SELECT id, points, amount FROM orders ORDER BY id";
    assert_eq!(
        read_at(&store, None, &[points()], sql).await,
        table(&[
            "+----+--------+---------------------+",
            "| id | points | amount              |",
            "+----+--------+---------------------+",
            "| a  | 5      | 9.99                |",
            "| b  | 5      | -0.01               |",
            "| c  |        | 1234567890123456.78 |",
            "+----+--------+---------------------+",
        ])
    );
}

#[tokio::test]
async fn a_value_for_rows_that_are_there_is_written_into_their_files() {
    let before = spec(&["id"], Some("version"));
    let (folder, store) = lake(&before).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let altered = store.alter_table(&name(), &wider(&before, &[grade(), points()]), &grades()).await.unwrap();
    assert_eq!((altered.version, altered.files), (2, 2));
    let sql = "SELECT id, grade, points FROM orders ORDER BY id";
    let columns = [grade(), points()];
    let wanted = [
        "+----+-------+--------+",
        "| id | grade | points |",
        "+----+-------+--------+",
        "| a  | new   |        |",
        "| b  | new   |        |",
        "| c  | new   |        |",
        "+----+-------+--------+",
    ];
    assert_eq!(read_at(&store, None, &columns, sql).await, table(&wanted));
    let sql_before = "SELECT id, grade FROM orders WHERE id = 'a'";
    assert!(read_at(&store, Some(1), &columns, sql_before).await.contains("| a  |       |"));
    // A load that has no value for it does not fit.
    let refused = store.write(&name(), load("2", &THREE)).await.unwrap_err();
    assert_eq!(refused.to_string(), "rows for table \"public.orders\" do not fit: column \"grade\" is absent");
    // Another process finds the same.
    let elsewhere = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    assert_eq!(read_at(&elsewhere, None, &columns, sql).await, table(&wanted));
    elsewhere.checkpoint(&name()).await.unwrap();
    let third = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    assert_eq!(read_at(&third, None, &columns, sql).await, table(&wanted));
}

#[tokio::test]
async fn a_time_without_a_zone_may_come_later() {
    let before = spec(&[], None);
    let (_folder, store) = lake(&before).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let local = Field::new("local", DataType::Timestamp(TimeUnit::Microsecond, None), true);
    store.alter_table(&name(), &wider(&before, std::slice::from_ref(&local)), &HashMap::new()).await.unwrap();
    let rows = read_at(&store, None, &[local], "SELECT count(*) AS n, count(local) AS m FROM orders").await;
    assert!(rows.contains("| 3 | 0 |"), "{rows}");
    store.write(&name(), load("2", &THREE)).await.unwrap();
    assert_eq!(store.snapshot(&name()).await.unwrap().rows(), 6);
}

#[tokio::test]
async fn what_would_lose_rows_or_their_meaning_is_refused() {
    let before = spec(&["id"], Some("version"));
    let (_folder, store) = lake(&before).await;
    let refusal = |spec: TableSpec| {
        let store = store.clone();
        async move {
            let error = store.alter_table(&name(), &spec, &HashMap::new()).await.unwrap_err();
            assert_eq!(error.reason(), Reason::Unsupported);
            error.to_string()
        }
    };
    let mut fewer = before.clone();
    fewer.columns.retain(|column| column.field.name() != "opens");
    assert_eq!(refusal(fewer).await, "column \"opens\" of table \"public.orders\" cannot be taken away");
    let mut other = before.clone();
    other.columns[2].field = Field::new("one_id", DataType::Int32, true);
    assert_eq!(refusal(other).await, "column \"one_id\" of table \"public.orders\" cannot get another type");
    let mut strict = before.clone();
    strict.columns[2].field = Field::new("one_id", DataType::Int64, false);
    assert!(refusal(strict).await.contains("cannot become NOT NULL"));
    assert!(refusal(wider(&before, &[grade()])).await.contains("is NOT NULL, and rows that are there"));
    let keyed = TableSpec { key: vec!["id".into(), "time".into()], ..before.clone() };
    assert!(refusal(keyed).await.contains("is part of key, version or partition"));
    assert_eq!(store.snapshot(&name()).await.unwrap().version, 0, "nothing was written");
    let mut loose = before.clone();
    loose.columns[1].field = loose.columns[1].field.clone().with_nullable(true);
    assert_eq!(store.alter_table(&name(), &loose, &HashMap::new()).await.unwrap().version, 1);
}

#[tokio::test]
async fn rows_are_kept_as_long_as_they_are_to_be() {
    let (_folder, store) = lake(&spec(&["id"], Some("version"))).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    store.write(&name(), load("2", &[("d", "2025-01-02T00:00:00Z", 4, 4, 1)])).await.unwrap();
    let before = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
    let expired = store.expire_rows(&name(), "time", before("2025-03-31T16:00:00Z")).await.unwrap();
    // c lies in March with a and goes from its file; that of d goes unread.
    assert_eq!((expired.version, expired.rows_removed, expired.files), (3, 2, 1));
    let rows = ask(&store, "SELECT id FROM orders ORDER BY id").await;
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    let again = store.expire_rows(&name(), "time", before("2025-03-31T16:00:00Z")).await.unwrap();
    assert_eq!((again.version, again.rows_removed), (3, 0));
}

#[tokio::test]
async fn no_log_tells_of_values_in_files_that_are_gone() {
    let (folder, store) = lake(&spec(&["id"], Some("version"))).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    store.write(&name(), load("2", &[("zoe-of-the-log", "2025-05-01T00:00:00Z", 77, 4, 1)])).await.unwrap();
    store.checkpoint(&name()).await.unwrap();
    store.write(&name(), load("3", &[("zoe-of-the-log", "2025-05-01T00:00:00Z", 78, 4, 2)])).await.unwrap();
    let doomed = |batch: &RecordBatch| -> crate::error::Result<arrow::array::BooleanArray> {
        let ids = arrow::array::AsArray::as_string::<i32>(batch.column(0));
        Ok(ids.iter().map(|id| Some(id == Some("zoe-of-the-log"))).collect())
    };
    assert_eq!(store.delete_rows(&name(), &doomed).await.unwrap().rows_removed, 1);
    store.vacuum(&name(), Duration::ZERO).await.unwrap();
    let elsewhere = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    assert!(elsewhere.holds(&name(), "1").await.unwrap());
    assert!(store.clear_traces(&name()).await.unwrap() >= 3, "two commits and a checkpoint");
    // Another process does not go on by the checkpoint that it has read.
    assert!(elsewhere.holds(&name(), "1").await.unwrap());
    assert_eq!(elsewhere.vacuum(&name(), Duration::ZERO).await.unwrap(), 0);
    assert_eq!(store.clear_traces(&name()).await.unwrap(), 0);
    let log = folder.path().join("tables/public/orders/_delta_log");
    for file in std::fs::read_dir(&log).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(14).any(|found| found == b"zoe-of-the-log"), "{}", path.display());
        assert!(!path.display().to_string().contains("0002.checkpoint"), "an old checkpoint is left");
    }
    let elsewhere = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    assert_eq!(elsewhere.snapshot(&name()).await.unwrap().rows(), 3);
    assert_eq!(elsewhere.check().await.unwrap(), []);
    assert!(elsewhere.write(&name(), load("2", &THREE)).await.unwrap().repeated, "loads are known as before");
}
