//! Rows come back as they went in, in the types of a session, and the log answers what it can.

use std::collections::HashMap;

use arrow::util::pretty::pretty_format_batches;
use datafusion::common::assert_batches_eq;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::source::DataSourceExec;

use super::super::remap::Survivors;
use super::*;
use crate::error::{Error, Reason};

#[tokio::test]
async fn rows_come_back_as_a_session_sees_them() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    let commit = store.write(&name(), load("1", &THREE)).await.unwrap();
    assert_eq!((commit.version, commit.rows_added, commit.files), (1, 3, 2));
    let rows = ask(&store, "SELECT id, time, amount, opens, tags FROM orders ORDER BY id").await;
    assert_batches_eq!(
        [
            "+----+----------------------------------+---------------------+----------+-------+",
            "| id | time                             | amount              | opens    | tags  |",
            "+----+----------------------------------+---------------------+----------+-------+",
            "| a  | 2025-04-01T00:00:00+08:00        | 2.50                | 00:00:01 | [a, ] |",
            "| b  | 2025-04-01T08:00:00+08:00        | -0.01               | 00:00:02 | [b, ] |",
            "| c  | 2025-03-31T23:59:59.999999+08:00 | 1234567890123456.78 | 00:00:03 | [c, ] |",
            "+----+----------------------------------+---------------------+----------+-------+",
        ],
        &rows
    );
}

#[tokio::test]
async fn a_repeated_load_adds_no_rows() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let again = store.write(&name(), load("1", &THREE)).await.unwrap();
    assert_eq!(again, Commit { version: 1, repeated: true, ..Commit::default() });
    let snapshot = store.snapshot(&name()).await.unwrap();
    assert_eq!((snapshot.rows(), store.holds(&name(), "1").await.unwrap()), (3, true));
    assert!(!store.holds(&name(), "2").await.unwrap());
}

#[tokio::test]
async fn a_commit_of_another_process_shows_at_the_next_snapshot() {
    let (folder, here) = lake(&spec(&[], None)).await;
    assert_eq!(here.snapshot(&name()).await.unwrap().rows(), 0);
    let elsewhere = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    elsewhere.write(&name(), load("1", &THREE)).await.unwrap();
    assert_eq!(here.snapshot(&name()).await.unwrap().rows(), 3);
    elsewhere.drop_table(&name()).await.unwrap();
    let gone = here.snapshot(&name()).await.map(|snapshot| snapshot.version).unwrap_err();
    assert_eq!(gone.reason(), Reason::UndefinedTable);
}

/// `EXPLAIN ANALYZE` of a query.
async fn analyzed(context: &SessionContext, sql: &str) -> String {
    let frame = context.sql(&format!("EXPLAIN ANALYZE {sql}")).await.unwrap();
    pretty_format_batches(&frame.collect().await.unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn a_time_in_another_zone_prunes_files_and_row_groups() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let context = context(&store, None).await;
    let plan = analyzed(&context, "SELECT id FROM orders WHERE time >= '2025-04-01T07:00:00'").await;
    assert!(plan.contains("files_pruned_by_log=1") && plan.contains("files_scanned=1"), "{plan}");
    let plan = analyzed(&context, "SELECT id FROM orders WHERE time >= now() AND time < '2025-03-31T23:59:59'").await;
    assert!(!plan.contains("files_scanned"), "{plan}");
    // The predicate that reaches the file is on the column itself, not on a cast of it.
    let plan = analyzed(&context, "SELECT id FROM orders WHERE time >= '2025-04-01T00:00:00'").await;
    assert!(plan.contains("time_max") && !plan.contains("CAST(time"), "{plan}");
}

#[tokio::test]
async fn a_count_reads_no_file() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let context = context(&store, None).await;
    let plan = analyzed(&context, "SELECT count(*), max(time), min(amount) FROM orders").await;
    assert!(plan.contains("PlaceholderRowExec") && !plan.contains("DataSourceExec"), "{plan}");
    let rows = ask(&store, "SELECT count(*) AS n, max(time) AS last, max(amount) AS most FROM orders").await;
    assert_batches_eq!(
        [
            "+---+---------------------------+---------------------+",
            "| n | last                      | most                |",
            "+---+---------------------------+---------------------+",
            "| 3 | 2025-04-01T08:00:00+08:00 | 1234567890123456.78 |",
            "+---+---------------------------+---------------------+",
        ],
        &rows
    );
}

#[tokio::test]
async fn a_condition_that_the_partition_decides_is_asked_of_no_row() {
    let mut by_id = spec(&[], None);
    by_id.partition = Some(PartitionSpec::Column("id".into()));
    let (_folder, store) = lake(&by_id).await;
    let mut orders = THREE.to_vec();
    orders.push(("", "2025-04-01T00:00:00Z", 4, 1, 1));
    store.write(&name(), load("1", &orders)).await.unwrap();
    let context = context(&store, None).await;
    for (condition, count, is_decided) in [
        ("id = 'a'", 1, true),
        ("id IN ('a', 'c')", 2, true),
        ("'b' < id", 1, true),
        ("NOT id < 'b'", 2, true),
        ("id = 'z'", 0, true),
        // True of the empty text, which lies with the nulls.
        ("id <> 'a'", 3, false),
        ("id < 'b'", 2, false),
        // Asked as two conditions, of which the second is such a one.
        ("id BETWEEN 'a' AND 'b'", 2, false),
        ("id = 'a' AND one_id > 0", 1, false),
        ("id = 'a' OR one_id > 3", 2, false),
    ] {
        let sql = format!("SELECT count(*) AS n FROM orders WHERE {condition}");
        let plan = analyzed(&context, &sql).await;
        assert_eq!(!plan.contains("DataSourceExec"), is_decided, "{condition}: {plan}");
        assert_eq!(count_of(&context, &sql).await, count, "{condition}");
    }
}

async fn count_of(context: &SessionContext, sql: &str) -> i64 {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    batches[0].column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0)
}

#[tokio::test]
async fn an_empty_table_gives_no_rows() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    let rows = ask(&store, "SELECT count(*) AS n FROM orders WHERE id = 'a'").await;
    assert_batches_eq!(["+---+", "| n |", "+---+", "| 0 |", "+---+"], &rows);
}

#[tokio::test]
async fn a_merged_customer_reads_as_its_survivor_also_in_filters() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let remap = Remap { column: "one_id".into(), survivors: Arc::new(Survivors::new(HashMap::from([(3, 1)]))) };
    let context = context(&store, Some(remap)).await;
    for (sql, found) in [
        ("SELECT id FROM orders WHERE one_id = 1 ORDER BY id", "a c"),
        ("SELECT id FROM orders WHERE one_id = 3", ""),
        ("SELECT id FROM orders WHERE one_id > 2", ""),
        ("SELECT id FROM orders WHERE one_id IN (1, 9) ORDER BY id", "a c"),
        ("SELECT CAST(max(one_id) AS VARCHAR) FROM orders", "2"),
    ] {
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let cell = |batch: &RecordBatch| {
            let column = arrow::compute::cast(batch.column(0), &DataType::Utf8).unwrap();
            column
                .as_any()
                .downcast_ref::<StringArray>()
                .unwrap()
                .iter()
                .flatten()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(batches.iter().flat_map(cell).collect::<Vec<_>>().join(" "), found, "{sql}");
    }
}

#[tokio::test]
async fn files_are_partitioned_sorted_and_checksummed() {
    let (folder, store) = lake(&spec(&[], None)).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    let snapshot = store.snapshot(&name()).await.unwrap();
    let months: Vec<_> = snapshot.files.iter().map(|file| file.partition.clone().unwrap()).collect();
    assert_eq!(months, ["2025-03", "2025-04"]);
    for file in &snapshot.files {
        let bytes = std::fs::read(folder.path().join(&file.path)).unwrap();
        assert_eq!((bytes.len() as u64, Some(crc32c::crc32c(&bytes))), (file.bytes, file.crc32c));
        assert_eq!(file.sorted, ["time", "id"]);
    }
}

#[tokio::test]
async fn a_table_may_be_partitioned_by_a_column_of_any_text() {
    let mut by_id = spec(&[], None);
    by_id.partition = Some(PartitionSpec::Column("id".into()));
    let (_folder, store) = lake(&by_id).await;
    let orders: [Order; 3] = [
        ("天猫/1", "2025-03-31T15:59:59Z", 1, 1, 1),
        ("", "2025-03-31T15:59:59Z", 2, 1, 1),
        ("%41", "2025-03-31T15:59:59Z", 3, 1, 1),
    ];
    store.write(&name(), load("1", &orders)).await.unwrap();
    let rows = ask(&store, "SELECT one_id FROM orders WHERE id = '天猫/1' OR id = '%41' OR id = '' ORDER BY 1").await;
    assert_batches_eq!(
        ["+--------+", "| one_id |", "+--------+", "| 1      |", "| 2      |", "| 3      |", "+--------+"],
        &rows
    );
    let plan = analyzed(&context(&store, None).await, "SELECT one_id FROM orders WHERE id = '天猫/1'").await;
    assert!(!plan.contains("files_scanned=3"), "{plan}");
}

#[tokio::test]
async fn tables_are_listed_and_made_once() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    let other = TableName::new("市场", "a b");
    store.create_table(&other, &TableSpec::plain(&orders_schema())).await.unwrap();
    assert_eq!(store.tables().await.unwrap(), [name(), other]);
    let taken = store.create_table(&name(), &spec(&[], None)).await.unwrap_err();
    assert_eq!(taken.reason(), Reason::DuplicateTable);
}

#[tokio::test]
async fn a_dropped_table_may_be_made_again_and_is_empty() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    store.write(&name(), load("1", &THREE)).await.unwrap();
    store.drop_table(&name()).await.unwrap();
    store.create_table(&name(), &spec(&[], None)).await.unwrap();
    assert_eq!(store.snapshot(&name()).await.unwrap().rows(), 0);
    assert!(!store.write(&name(), load("1", &THREE)).await.unwrap().repeated);
}

#[tokio::test]
async fn rows_of_other_columns_are_refused() {
    let (_folder, store) = lake(&TableSpec::plain(&Schema::new(vec![Field::new("id", DataType::Utf8, true)]))).await;
    let refused = store.write(&name(), load("1", &THREE)).await.unwrap_err();
    assert_eq!(refused.to_string(), "rows for table \"public.orders\" do not fit: the table has no column \"time\"");
}

#[tokio::test]
async fn an_error_among_the_rows_ends_the_load_and_comes_back_as_it_was() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    let torn = datafusion::error::DataFusionError::External(Box::new(Error::new(Reason::FileInvalid, "torn")));
    let rows = futures::stream::iter([Ok(batch(&THREE)), Err(torn)]);
    let rows = Box::pin(RecordBatchStreamAdapter::new(orders_schema(), rows));
    let request = WriteRequest { load_id: "1".into(), rows, notes: BTreeMap::new() };
    let error = store.write(&name(), request).await.unwrap_err();
    assert_eq!((error.reason(), error.to_string()), (Reason::FileInvalid, "torn".to_owned()));
    assert_eq!(store.snapshot(&name()).await.unwrap().rows(), 0);
}

#[tokio::test]
async fn blobs_are_kept_apart_from_tables() {
    let (_folder, store) = lake(&spec(&[], None)).await;
    assert!(store.put_if_absent("security/1", "a".into()).await.unwrap());
    assert!(!store.put_if_absent("security/1", "b".into()).await.unwrap());
    assert_eq!(store.get("security/1").await.unwrap().unwrap(), "a");
    store.put("security/1", "c".into()).await.unwrap();
    assert_eq!(store.get("security/1").await.unwrap().unwrap(), "c");
    assert_eq!(store.get("security/2").await.unwrap(), None);
    assert_eq!(store.list("security").await.unwrap(), ["security/1"]);
    let refused = store.put("tables/public/orders/x", "a".into()).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::InvalidParameter);
}

#[tokio::test]
async fn a_lake_is_made_once_and_opened_where_it_is() {
    let (folder, _) = lake(&spec(&[], None)).await;
    let root = folder.path().to_str().unwrap();
    assert!(Store::create(root).await.is_err());
    assert!(Store::open(root).await.is_ok());
    let other = tempfile::tempdir().unwrap();
    let absent = Store::open(other.path().to_str().unwrap()).await.map(|_| ()).unwrap_err();
    assert_eq!(absent.reason(), Reason::FileMissing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_keeps_files_tags_statistics_and_loads() {
    let (folder, store) = lake(&spec(&[], None)).await;
    for (index, order) in THREE.iter().enumerate() {
        store.write(&name(), load(&index.to_string(), std::slice::from_ref(order))).await.unwrap();
    }
    let before = store.snapshot(&name()).await.unwrap();
    store.checkpoint(&name()).await.unwrap();
    let elsewhere = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    let after = elsewhere.snapshot(&name()).await.unwrap();
    assert_eq!(after.files, before.files);
    assert!(elsewhere.holds(&name(), "0").await.unwrap());
}

#[tokio::test]
async fn every_stored_type_comes_back_and_prunes_nothing_that_is_there() {
    use arrow::array::{BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int16Array, Int32Array};
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("small", Arc::new(Int16Array::from(vec![Some(-7), None]))),
        ("plain", Arc::new(Int32Array::from(vec![Some(i32::MIN), None]))),
        ("real", Arc::new(Float32Array::from(vec![Some(1.5), None]))),
        ("double", Arc::new(Float64Array::from(vec![Some(f64::NAN), None]))),
        ("bytes", Arc::new(BinaryArray::from_opt_vec(vec![Some(&[0, 255]), None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        ("clock", Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None]))),
        ("text", Arc::new(StringArray::from(vec![Some("é".repeat(200)), None]))),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
    let rows = rows.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().to_str().unwrap()).await.unwrap();
    let mut by_day = TableSpec::plain(&rows.schema());
    by_day.partition = Some(PartitionSpec::Column("day".into()));
    store.create_table(&name(), &by_day).await.unwrap();
    let stream = RecordBatchStreamAdapter::new(rows.schema(), futures::stream::iter([Ok(rows.clone())]));
    let request = WriteRequest { load_id: "1".into(), rows: Box::pin(stream), notes: BTreeMap::new() };
    store.write(&name(), request).await.unwrap();
    store.checkpoint(&name()).await.unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    let context = SessionContext::new();
    store.register(&context.runtime_env()).unwrap();
    let provider = store.snapshot(&name()).await.unwrap().provider(rows.schema(), None);
    context.register_table("t", provider).unwrap();
    for sql in [
        "SELECT * FROM t ORDER BY day NULLS LAST",
        "SELECT * FROM t WHERE day = '1969-12-31' OR day IS NULL ORDER BY day NULLS LAST",
        "SELECT * FROM t WHERE (clock < '1970-01-01' AND small = -7 AND real = 1.5) OR text IS NULL ORDER BY small NULLS LAST",
        "SELECT * FROM t WHERE plain < 0 OR flag IS NULL ORDER BY plain NULLS LAST",
    ] {
        let found = context.sql(sql).await.unwrap().collect().await.unwrap();
        let found = arrow::compute::concat_batches(&rows.schema(), &found).unwrap();
        let text = |batch: &RecordBatch| pretty_format_batches(std::slice::from_ref(batch)).unwrap().to_string();
        assert_eq!(text(&found), text(&rows), "{sql}");
    }
}

/// Whether the scan of a query asks the bloom filters of its files.
async fn asks_bloom_filters(context: &SessionContext, sql: &str) -> bool {
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let mut nodes = vec![plan];
    while let Some(node) = nodes.pop() {
        if let Some(scan) = node.downcast_ref::<DataSourceExec>() {
            let (_, source) = scan.downcast_to_file_source::<ParquetSource>().unwrap();
            return source.table_parquet_options().global.bloom_filter_on_read;
        }
        nodes.extend(node.children().into_iter().cloned());
    }
    panic!("no scan: {sql}")
}

#[tokio::test]
async fn a_row_that_is_named_by_its_key_is_read_from_its_page_without_a_bloom_filter() {
    let mut keyed = spec(&["id"], None);
    (keyed.partition, keyed.sort) = (None, vec!["id".into()]);
    let (_folder, store) = lake(&keyed).await;
    let id = |number: usize| -> &'static str { format!("{number:05}").leak() };
    let orders: Vec<Order> = (0..20_000).map(|number| (id(number), "2025-04-01T00:00:00Z", 1, 1, 1)).collect();
    store.write(&name(), load("1", &orders)).await.unwrap();
    let by_key = "SELECT * FROM orders WHERE id = '12345'";
    let context = context(&store, None).await;
    // The second time from memory.
    for _ in 0..2 {
        let plan = analyzed(&context, by_key).await;
        assert!(plan.contains("page_index_pages_pruned=6 total → 1 matched"), "{plan}");
        assert_eq!(count_of(&context, "SELECT count(*) AS n FROM orders WHERE id = '12345'").await, 1);
    }
    assert!(!asks_bloom_filters(&context, by_key).await);
    assert!(asks_bloom_filters(&context, "SELECT * FROM orders WHERE one_id = 1").await);
    // Where the rows lie in another order, the filter tells what the order does not.
    let (_folder, store) = lake(&spec(&["id"], None)).await;
    store.write(&name(), load("1", &orders)).await.unwrap();
    assert!(asks_bloom_filters(&self::context(&store, None).await, by_key).await);
}
