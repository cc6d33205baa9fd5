//! The rows of one statement as a JSON document, bounded in number and in bytes.
//!
//! `{"columns":[{"name":"city","type":"text"}],"rows":[["上海"]],"truncated":false}`; a statement without rows gives
//! `{"tag":"CREATE ROLE"}`. Numbers are JSON numbers with all their digits, instants carry the session's offset, NULL and
//! what is not a number are `null`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;
use serde_json::json;

use crate::error::{Error, Reason, Result};
use crate::query::{Answer, Session, failure};

const ROWS_MAX: usize = 10_000;
const BYTES_MAX: usize = 8 << 20;

/// What a statement may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// One that gives rows. A tile's author is not its reader, so a tile must not act with the reader's rights.
    Rows,
    Any,
}

/// Runs the one statement of `sql`. More rows than the bounds hold are left out, and `truncated` says so.
pub async fn json(session: &Session, sql: &str, allowed: Allowed) -> Result<Vec<u8>> {
    let statements = session.parse(sql)?;
    let [statement] = statements.as_slice() else {
        return Err(Error::new(Reason::Syntax, format!("one statement is expected, got {}", statements.len())));
    };
    let prepared = session.prepare(statement, &[]).await?;
    if allowed == Allowed::Rows && prepared.columns.is_none() {
        return Err(Error::new(Reason::Unsupported, "a tile's statement must give rows"));
    }
    if !prepared.parameters.is_empty() {
        return Err(Error::new(Reason::UndefinedParameter, "there is no parameter $1"));
    }
    match session.run(&prepared, Vec::new()).await? {
        Answer::Rows { schema, stream, guard, .. } => {
            let document = Document::begin(&schema, zone(session));
            guard.run(document.fill(stream)).await?
        }
        Answer::Done { tag } => Ok(json!({ "tag": tag }).to_string().into_bytes()),
        Answer::CopyIn(_) => Err(Answer::no_copy_here()),
        Answer::Empty => Ok(json!({ "tag": "" }).to_string().into_bytes()),
    }
}

fn zone(session: &Session) -> Option<Arc<str>> {
    let told = session.take_parameter_changes();
    told.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("timezone")).map(|(_, zone)| zone.into())
}

/// The document as far as it is written.
struct Document {
    out: Vec<u8>,
    rows: usize,
    zone: Option<Arc<str>>,
    options: EncoderOptions,
}

impl Document {
    fn begin(schema: &Schema, zone: Option<Arc<str>>) -> Self {
        let columns = schema.fields().iter();
        let columns: Vec<_> =
            columns.map(|field| json!({ "name": field.name(), "type": kind(field.data_type()) })).collect();
        let out = format!("{{\"columns\":{},\"rows\":[", serde_json::Value::Array(columns)).into_bytes();
        Self { out, rows: 0, zone, options: EncoderOptions::default().with_explicit_nulls(true) }
    }

    async fn fill(mut self, mut stream: SendableRecordBatchStream) -> Result<Vec<u8>> {
        let mut truncated = false;
        while !truncated && let Some(batch) = stream.next().await {
            truncated = !self.put(&batch.map_err(failure)?)?;
        }
        self.out.extend_from_slice(format!("],\"truncated\":{truncated}}}").as_bytes());
        Ok(self.out)
    }

    /// Whether all rows of the batch fitted.
    fn put(&mut self, batch: &RecordBatch) -> Result<bool> {
        let columns: Vec<(FieldRef, ArrayRef)> =
            batch.columns().iter().map(|column| self.shown(column)).collect::<Result<_, _>>().map_err(unwritable)?;
        let cells = columns.iter().map(|(field, column)| make_encoder(field, column.as_ref(), &self.options));
        let mut cells: Vec<NullableEncoder> = cells.collect::<Result<_, _>>().map_err(unwritable)?;
        for row in 0..batch.num_rows() {
            if self.rows == ROWS_MAX || self.out.len() >= BYTES_MAX {
                return Ok(false);
            }
            if self.rows > 0 {
                self.out.push(b',');
            }
            put_row(&mut cells, row, &mut self.out);
            self.rows += 1;
        }
        Ok(true)
    }

    /// Instants in the session's zone; what the JSON writer does not know as text.
    fn shown(&self, column: &ArrayRef) -> Result<(FieldRef, ArrayRef), ArrowError> {
        let column = match (column.data_type(), &self.zone) {
            (DataType::Timestamp(unit, Some(_)), Some(zone)) => {
                cast(column, &DataType::Timestamp(*unit, Some(Arc::clone(zone))))?
            }
            _ => Arc::clone(column),
        };
        let field = Arc::new(Field::new("", column.data_type().clone(), true));
        if make_encoder(&field, column.as_ref(), &self.options).is_ok() {
            return Ok((field, column));
        }
        Ok((Arc::new(Field::new("", DataType::Utf8, true)), cast(&column, &DataType::Utf8)?))
    }
}

fn put_row(cells: &mut [NullableEncoder], row: usize, out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, cell) in cells.iter_mut().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if cell.is_null(row) {
            out.extend_from_slice(b"null");
        } else {
            cell.encode(row, out);
        }
    }
    out.push(b']');
}

/// What a reader must know to show a column.
fn kind(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::Dictionary(_, values) => kind(values),
        other if other.is_numeric() => "number",
        other if other.is_nested() => "json",
        _ => "text",
    }
}

fn unwritable(error: ArrowError) -> Error {
    Error::new(Reason::Unsupported, format!("a column cannot be written as JSON: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{Decimal128Array, Float64Array, Int32Array, StringArray, TimestampMicrosecondArray};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    fn stream(batches: Vec<RecordBatch>) -> (Arc<Schema>, SendableRecordBatchStream) {
        let schema = batches[0].schema();
        let batches = futures::stream::iter(batches.into_iter().map(Ok));
        (Arc::clone(&schema), Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    async fn document(batches: Vec<RecordBatch>) -> serde_json::Value {
        let (schema, stream) = stream(batches);
        let bytes = Document::begin(&schema, Some("Asia/Shanghai".into())).fill(stream).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn values_keep_their_digits_and_instants_their_zone() {
        let amounts = Decimal128Array::from(vec![Some(1_234_500), None]).with_precision_and_scale(18, 2).unwrap();
        let times = TimestampMicrosecondArray::from(vec![Some(0), None]).with_timezone("UTC");
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("amount", Arc::new(amounts)),
            ("time", Arc::new(times)),
            ("text", Arc::new(StringArray::from(vec!["a\"<b>", "上海"]))),
            ("share", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
        ];
        let found = document(vec![
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
                .unwrap(),
        ])
        .await;
        assert_eq!(found["columns"][1], json!({ "name": "time", "type": "timestamp" }));
        assert_eq!(found["rows"][0], json!([12345.0, "1970-01-01T08:00:00+08:00", "a\"<b>", 0.5]));
        assert_eq!(found["rows"][1], json!([null, null, "上海", null]));
        assert_eq!(found["truncated"], json!(false));
    }

    #[tokio::test]
    async fn rows_beyond_the_bound_are_left_out_and_told() {
        let batch = |rows: usize| {
            let column: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows as i32));
            RecordBatch::try_from_iter([("n", column)]).unwrap()
        };
        let exact = document(vec![batch(ROWS_MAX)]).await;
        assert_eq!((exact["rows"].as_array().unwrap().len(), &exact["truncated"]), (ROWS_MAX, &json!(false)));
        let more = document(vec![batch(ROWS_MAX), batch(1)]).await;
        assert_eq!((more["rows"].as_array().unwrap().len(), &more["truncated"]), (ROWS_MAX, &json!(true)));
    }
}
