//! Values in PostgreSQL's text form, for who is no client of the wire: the same bytes that one would read.

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use bytes::BytesMut;

use super::encode::{Cells, Column, Style};
use super::protocol::message::Format;
use super::types::sql_type_of;
use crate::error::{Error, Reason, Result};

/// The rows of a batch; `None` is NULL. `schema` is what the statement was described with, `zone` where instants are shown.
pub fn text_rows(schema: &Schema, batch: &RecordBatch, zone: &str) -> Result<Vec<Vec<Option<String>>>> {
    let mut style = Style::default();
    style.set("TimeZone", zone);
    let column = |field| Column { wire: sql_type_of(field), format: Format::Text };
    let described = schema.fields().iter().map(|field| column(field));
    let columns: Result<Vec<Cells>> =
        batch.columns().iter().zip(described).map(|(array, column)| Cells::new(array, &column, &style)).collect();
    let columns = columns?;
    (0..batch.num_rows()).map(|row| columns.iter().map(|cells| text(cells, row)).collect()).collect()
}

fn text(cells: &Cells, row: usize) -> Result<Option<String>> {
    if cells.is_null(row) {
        return Ok(None);
    }
    let mut bytes = BytesMut::new();
    cells.put(row, &mut bytes)?;
    String::from_utf8(bytes.to_vec()).map(Some).map_err(|error| Error::of(Reason::Internal, error))
}
