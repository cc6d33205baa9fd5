//! Rows within a row, as `ROW(...)` makes them: `(1,"a b",)` in text, the number of fields, their types and values in binary.

use arrow::array::StructArray;
use bytes::{BufMut, BytesMut};

use super::column::Put;
use super::{Cells, Column, Style};
use crate::error::Result;
use crate::wire::protocol::message::Format;
use crate::wire::types::sql_type_of;

pub fn put(array: &StructArray, format: Format, style: &Style) -> Result<Put> {
    let fields = array.fields().iter().zip(array.columns());
    let cells = fields.map(|(field, values)| {
        let wire = sql_type_of(field);
        let oid = wire.oid();
        Ok((oid, Cells::new(&**values, &Column { wire, format }, style)?))
    });
    let cells: Vec<(u32, Cells)> = cells.collect::<Result<_>>()?;
    Ok(match format {
        Format::Text => Box::new(move |row, out| put_text(&cells, row, out)),
        Format::Binary => Box::new(move |row, out| put_binary(&cells, row, out)),
    })
}

fn put_text(cells: &[(u32, Cells)], row: usize, out: &mut BytesMut) -> Result<()> {
    let mut scratch = BytesMut::new();
    out.put_u8(b'(');
    for (position, (_, cell)) in cells.iter().enumerate() {
        if position > 0 {
            out.put_u8(b',');
        }
        // Nothing between the commas is NULL.
        if !cell.is_null(row) {
            scratch.clear();
            cell.put(row, &mut scratch)?;
            put_field(&scratch, out);
        }
    }
    out.put_u8(b')');
    Ok(())
}

/// Quotes what would not read back as itself; a quote or a backslash inside is doubled.
fn put_field(field: &[u8], out: &mut BytesMut) {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || byte.is_ascii_whitespace();
    if !field.is_empty() && !field.iter().any(is_special) {
        return out.put_slice(field);
    }
    out.put_u8(b'"');
    for byte in field {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(*byte);
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

fn put_binary(cells: &[(u32, Cells)], row: usize, out: &mut BytesMut) -> Result<()> {
    out.put_i32(i32::try_from(cells.len()).unwrap_or(i32::MAX));
    for (oid, cell) in cells {
        out.put_u32(*oid);
        cell.put_sized(row, out)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, StringArray};
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn record() -> StructArray {
        let columns: [(Arc<Field>, ArrayRef); 3] = [
            (Field::new("c0", DataType::Int32, true).into(), Arc::new(Int32Array::from(vec![Some(1)]))),
            (Field::new("c1", DataType::Utf8, true).into(), Arc::new(StringArray::from(vec![Some("a \"b\"")]))),
            (Field::new("c2", DataType::Utf8, true).into(), Arc::new(StringArray::from(vec![None::<&str>]))),
        ];
        StructArray::from(columns.to_vec())
    }

    fn written(format: Format) -> Vec<u8> {
        let mut out = BytesMut::new();
        put(&record(), format, &Style::default()).unwrap()(0, &mut out).unwrap();
        out.to_vec()
    }

    // SELECT ROW(1, 'a "b"'::text, NULL::text) of PostgreSQL 15.
    #[test]
    fn a_record_is_written_as_postgres_writes_it() {
        assert_eq!(written(Format::Text), br#"(1,"a ""b""",)"#);
        let mut expected = vec![0, 0, 0, 3, 0, 0, 0, 23, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 5];
        expected.extend(b"a \"b\"");
        expected.extend([0, 0, 0, 25, 255, 255, 255, 255]);
        assert_eq!(written(Format::Binary), expected);
    }
}
