//! The lake as the other rooms use it: loads in, SQL out, on a real folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alter;
mod faults;
mod keys;
mod parts;
mod power;
mod reading;
mod travel;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::DateTime;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;

fn orders_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("one_id", DataType::Int64, true),
        Field::new("amount", DataType::Decimal128(18, 2), true),
        Field::new("opens", DataType::Int64, true),
        Field::new("tags", DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))), true),
        Field::new("version", DataType::Int64, true),
    ]))
}

/// What a session in Shanghai sees.
fn shape() -> SchemaRef {
    let seen = |field: &Field| match field.name().as_str() {
        "id" => Field::new("id", DataType::Utf8View, false),
        "time" => Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("Asia/Shanghai".into())), false),
        "opens" => Field::new("opens", DataType::Time64(TimeUnit::Microsecond), true),
        "tags" => Field::new("tags", DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true))), true),
        _ => field.clone(),
    };
    Arc::new(Schema::new(orders_schema().fields().iter().map(|field| seen(field)).collect::<Vec<_>>()))
}

/// An order: id, time (UTC), customer, amount in cents, version.
type Order = (&'static str, &'static str, i64, i128, i64);

fn batch(orders: &[Order]) -> RecordBatch {
    let micros = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
    let mut tags = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    for order in orders {
        tags.append_value([Some(order.0), None]);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(orders.iter().map(|order| order.0))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(orders.iter().map(|order| micros(order.1)))
                .with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from_iter_values(orders.iter().map(|order| order.2))),
        Arc::new(
            Decimal128Array::from_iter_values(orders.iter().map(|order| order.3))
                .with_precision_and_scale(18, 2)
                .unwrap(),
        ),
        Arc::new(Int64Array::from_iter_values(orders.iter().map(|order| order.2 * 1_000_000))),
        Arc::new(tags.finish()),
        Arc::new(Int64Array::from_iter_values(orders.iter().map(|order| order.4))),
    ];
    RecordBatch::try_new(orders_schema(), columns).unwrap()
}

fn stream(batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
    let batches = futures::stream::iter(batches.into_iter().map(Ok));
    Box::pin(RecordBatchStreamAdapter::new(orders_schema(), batches))
}

fn load(load_id: &str, orders: &[Order]) -> WriteRequest {
    WriteRequest { load_id: load_id.to_owned(), rows: stream(vec![batch(orders)]), notes: BTreeMap::new() }
}

fn name() -> TableName {
    TableName::new("public", "orders")
}

/// Partitioned by month, sorted by time; `key` and `version` as given.
fn spec(key: &[&str], version: Option<&str>) -> TableSpec {
    let mut spec = TableSpec::plain(&orders_schema());
    spec.key = key.iter().map(|&column| column.to_owned()).collect();
    spec.version = version.map(str::to_owned);
    spec.partition = Some(PartitionSpec::Month("time".into()));
    spec.sort = vec!["time".into(), "id".into()];
    spec
}

async fn lake(spec: &TableSpec) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().to_str().unwrap()).await.unwrap();
    store.create_table(&name(), spec).await.unwrap();
    (folder, store)
}

async fn context(store: &Store, remap: Option<Remap>) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(2);
    config.options_mut().execution.time_zone = Some("Asia/Shanghai".into());
    let context = SessionContext::new_with_config(config);
    store.register(&context.runtime_env()).unwrap();
    let provider = store.snapshot(&name()).await.unwrap().provider(shape(), remap);
    context.register_table("orders", provider).unwrap();
    context
}

async fn ask(store: &Store, sql: &str) -> Vec<RecordBatch> {
    context(store, None).await.sql(sql).await.unwrap().collect().await.unwrap()
}

const THREE: [Order; 3] = [
    ("c", "2025-03-31T15:59:59.999999Z", 3, 123_456_789_012_345_678, 1),
    ("a", "2025-03-31T16:00:00Z", 1, 250, 1),
    ("b", "2025-04-01T00:00:00Z", 2, -1, 1),
];
