//! Values with structure of their own (structs, maps, lists of lists) as JSON text.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use bytes::{BufMut, BytesMut};
use pgwire::api::Type;

use super::column::Put;
use super::{Cells, Column, Style, array};
use crate::dataset::contract::TYPE_KEY;
use crate::error::{Error, Reason, Result};
use crate::wire::protocol::message::Format;
use crate::wire::types::{WireType, sql_type_of};

/// Writes the JSON of a row; a NULL inside is `null`.
pub fn writer(values: &dyn Array, style: &Style) -> Result<Put> {
    match values.data_type() {
        DataType::Struct(fields) => {
            let columns = values.as_struct().columns().iter().zip(fields.iter());
            let members = columns.map(|(column, field)| {
                let mut name = BytesMut::new();
                put_string(field.name(), &mut name);
                // A member that is JSON already goes in as it is.
                let is_json = field.metadata().get(TYPE_KEY).is_some_and(|name| name.starts_with("json"));
                Ok((name, if is_json { leaf(&**column, false, style)? } else { member(&**column, style)? }))
            });
            let members: Vec<(BytesMut, Put)> = members.collect::<Result<_>>()?;
            Ok(Box::new(move |row, out| put_object(&members, row, out)))
        }
        DataType::Map(_, _) => {
            let map = values.as_map();
            let (keys, items) = (text(&**map.keys(), style)?, member(&**map.values(), style)?);
            let offsets = map.offsets().clone();
            Ok(Box::new(move |row, out| put_map(&keys, &items, offsets[row] as usize..offsets[row + 1] as usize, out)))
        }
        data_type if data_type.is_nested() => {
            let (items, range) = array::parts(values)?;
            let items = member(&*items, style)?;
            Ok(Box::new(move |row, out| put_list(&items, range(row), out)))
        }
        other => Err(Error::new(Reason::Unsupported, format!("no JSON object can be made of {other}"))),
    }
}

/// Writes a value that stands inside another one.
fn member(values: &dyn Array, style: &Style) -> Result<Put> {
    if values.data_type().is_nested() {
        let (nulls, write) = (values.logical_nulls(), writer(values, style)?);
        return Ok(Box::new(move |row, out| {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                out.put_slice(b"null");
                return Ok(());
            }
            write(row, out)
        }));
    }
    let quoted = !(values.data_type().is_numeric() || matches!(values.data_type(), DataType::Boolean));
    leaf(values, quoted, style)
}

fn leaf(values: &dyn Array, quoted: bool, style: &Style) -> Result<Put> {
    let boolean = matches!(values.data_type(), DataType::Boolean).then(|| values.as_boolean().clone());
    let cells = cells(values, style)?;
    Ok(Box::new(move |row, out| {
        if cells.is_null(row) {
            out.put_slice(b"null");
            return Ok(());
        }
        if let Some(boolean) = &boolean {
            out.put_slice(if boolean.value(row) { b"true" } else { b"false" });
            return Ok(());
        }
        let mut text = BytesMut::new();
        cells.put(row, &mut text)?;
        // JSON has no number for infinity and not-a-number.
        let is_number = !quoted && !matches!(text.as_ref(), b"NaN" | b"Infinity" | b"-Infinity");
        if is_number {
            out.put_slice(&text);
        } else {
            put_string(&String::from_utf8_lossy(&text), out);
        }
        Ok(())
    }))
}

/// Writes a key: always a string.
fn text(values: &dyn Array, style: &Style) -> Result<Put> {
    let cells = cells(values, style)?;
    Ok(Box::new(move |row, out| {
        let mut text = BytesMut::new();
        cells.put(row, &mut text)?;
        put_string(&String::from_utf8_lossy(&text), out);
        Ok(())
    }))
}

fn cells(values: &dyn Array, style: &Style) -> Result<Cells> {
    let field = arrow::datatypes::Field::new("", values.data_type().clone(), true);
    let wire = match sql_type_of(&field) {
        wire if wire.kind == Type::JSON => WireType::of(Type::TEXT),
        wire => wire,
    };
    Cells::new(values, &Column { wire, format: Format::Text }, style)
}

fn put_object(members: &[(BytesMut, Put)], row: usize, out: &mut BytesMut) -> Result<()> {
    out.put_u8(b'{');
    for (position, (name, value)) in members.iter().enumerate() {
        if position > 0 {
            out.put_u8(b',');
        }
        out.put_slice(name);
        out.put_u8(b':');
        value(row, out)?;
    }
    out.put_u8(b'}');
    Ok(())
}

fn put_map(keys: &Put, items: &Put, range: std::ops::Range<usize>, out: &mut BytesMut) -> Result<()> {
    let first = range.start;
    out.put_u8(b'{');
    for entry in range {
        if entry > first {
            out.put_u8(b',');
        }
        keys(entry, out)?;
        out.put_u8(b':');
        items(entry, out)?;
    }
    out.put_u8(b'}');
    Ok(())
}

fn put_list(items: &Put, range: std::ops::Range<usize>, out: &mut BytesMut) -> Result<()> {
    let first = range.start;
    out.put_u8(b'[');
    for item in range {
        if item > first {
            out.put_u8(b',');
        }
        items(item, out)?;
    }
    out.put_u8(b']');
    Ok(())
}

fn put_string(text: &str, out: &mut BytesMut) {
    // The keys and values of JSON are written as the JSON library writes them.
    match serde_json::to_string(text) {
        Ok(quoted) => out.put_slice(quoted.as_bytes()),
        Err(_) => out.put_slice(b"\"\""),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, ListArray, StringArray, StructArray};
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    #[test]
    fn a_struct_is_an_object_with_its_members_in_order() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("n", Arc::new(Int32Array::from(vec![Some(1), None]))),
            ("b", Arc::new(BooleanArray::from(vec![true, false]))),
            ("t", Arc::new(StringArray::from(vec!["a\"\n", "é"]))),
            ("f", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
            ("l", Arc::new(lists)),
        ];
        let columns = columns
            .into_iter()
            .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array));
        let value = StructArray::from(columns.collect::<Vec<_>>());
        let write = writer(&value, &Style::default()).unwrap();
        let text = |row| {
            let mut out = BytesMut::new();
            write(row, &mut out).unwrap();
            String::from_utf8(out.to_vec()).unwrap()
        };
        assert_eq!(text(0), r#"{"n":1,"b":true,"t":"a\"\n","f":0.5,"l":[1,null]}"#);
        assert_eq!(text(1), r#"{"n":null,"b":false,"t":"é","f":"NaN","l":null}"#);
    }
}
