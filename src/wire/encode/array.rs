//! Arrays of one dimension: `{1,NULL,"a b"}` in text, dimensions and sized items in binary.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field};
use bytes::{BufMut, BytesMut};
use pgwire::api::Type;

use super::column::{Put, widened};
use super::{Cells, Column, Style};
use crate::error::{Error, Reason, Result};
use crate::forms::array::put_item;
use crate::wire::protocol::message::Format;
use crate::wire::types::{WireType, item_of};

/// The encoder of a list array as the array type `kind`.
pub fn put(array: &dyn Array, kind: &Type, format: Format, style: &Style) -> Result<Put> {
    let (items, range) = parts(array)?;
    let item = item_of(kind).unwrap_or(Type::TEXT);
    let cells = Cells::new(&*items, &Column { wire: WireType::of(item.clone()), format }, style)?;
    // The two vector types of the catalogs count from zero and print without braces.
    let vector = matches!(*kind, Type::INT2_VECTOR | Type::OID_VECTOR);
    Ok(match (format, vector) {
        (Format::Binary, _) => {
            let (oid, lower_bound) = (item.oid(), i32::from(!vector));
            Box::new(move |row, out| put_binary(&cells, range(row), oid, lower_bound, out))
        }
        (Format::Text, true) => Box::new(move |row, out| put_vector(&cells, range(row), out)),
        (Format::Text, false) => Box::new(move |row, out| put_text(&cells, range(row), out)),
    })
}

type Ranges = Box<dyn Fn(usize) -> std::ops::Range<usize> + Send + Sync>;

/// The items of all rows, and which of them are a row's.
pub fn parts(array: &dyn Array) -> Result<(ArrayRef, Ranges)> {
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.offsets().clone();
            Ok((list.values().clone(), Box::new(move |row| offsets[row] as usize..offsets[row + 1] as usize)))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let offsets = list.offsets().clone();
            Ok((list.values().clone(), Box::new(move |row| offsets[row] as usize..offsets[row + 1] as usize)))
        }
        DataType::FixedSizeList(_, _) => {
            let list = array.as_fixed_size_list();
            let length = usize::try_from(list.value_length()).unwrap_or(0);
            Ok((list.values().clone(), Box::new(move |row| row * length..(row + 1) * length)))
        }
        DataType::ListView(item) | DataType::LargeListView(item) => {
            let list = DataType::LargeList(Field::clone(item).into());
            parts(&*widened(array, &list)?)
        }
        other => Err(Error::new(Reason::Unsupported, format!("no array can be made of {other}"))),
    }
}

fn put_binary(
    cells: &Cells,
    items: std::ops::Range<usize>,
    oid: u32,
    lower_bound: i32,
    out: &mut BytesMut,
) -> Result<()> {
    out.put_i32(i32::from(!items.is_empty()));
    out.put_i32(i32::from(items.clone().any(|item| cells.is_null(item))));
    out.put_u32(oid);
    if items.is_empty() {
        return Ok(());
    }
    out.put_i32(items.len() as i32);
    out.put_i32(lower_bound);
    for item in items {
        cells.put_sized(item, out)?;
    }
    Ok(())
}

fn put_text(cells: &Cells, items: std::ops::Range<usize>, out: &mut BytesMut) -> Result<()> {
    let first = items.start;
    let mut scratch = BytesMut::new();
    out.put_u8(b'{');
    for item in items {
        if item > first {
            out.put_u8(b',');
        }
        if cells.is_null(item) {
            out.put_slice(b"NULL");
            continue;
        }
        scratch.clear();
        cells.put(item, &mut scratch)?;
        put_item(&scratch, out);
    }
    out.put_u8(b'}');
    Ok(())
}

fn put_vector(cells: &Cells, items: std::ops::Range<usize>, out: &mut BytesMut) -> Result<()> {
    let first = items.start;
    for item in items {
        if item > first {
            out.put_u8(b' ');
        }
        cells.put(item, out)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{Int32Array, ListArray, StringArray};
    use arrow::buffer::OffsetBuffer;

    use super::*;

    fn list(items: ArrayRef, lengths: &[usize]) -> ListArray {
        let field = Field::new_list_field(items.data_type().clone(), true);
        ListArray::new(field.into(), OffsetBuffer::from_lengths(lengths.iter().copied()), items, None)
    }

    fn encode(list: &ListArray, kind: &Type, format: Format, row: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        put(list, kind, format, &Style::default()).unwrap()(row, &mut out).unwrap();
        out.to_vec()
    }

    // What array_out of PostgreSQL 15 prints.
    #[test]
    fn text_quotes_what_would_not_read_back() {
        let items = StringArray::from(vec![Some("a"), None, Some(""), Some("NULL"), Some("a b"), Some("q\"\\,{}")]);
        let list = list(std::sync::Arc::new(items), &[6, 0]);
        let text = encode(&list, &Type::TEXT_ARRAY, Format::Text, 0);
        assert_eq!(String::from_utf8(text).unwrap(), r#"{a,NULL,"","NULL","a b","q\"\\,{}"}"#);
        assert_eq!(encode(&list, &Type::TEXT_ARRAY, Format::Text, 1), b"{}");
    }

    // What array_send of PostgreSQL 15 sends.
    #[test]
    fn binary_has_dimension_bound_and_sized_items() {
        let list = list(std::sync::Arc::new(Int32Array::from(vec![Some(7), None])), &[2, 0]);
        let expected =
            [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7, 255, 255, 255, 255];
        assert_eq!(encode(&list, &Type::INT4_ARRAY, Format::Binary, 0), expected);
        assert_eq!(encode(&list, &Type::INT4_ARRAY, Format::Binary, 1), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23]);
    }

    #[test]
    fn a_vector_of_the_catalogs_has_no_braces_and_counts_from_zero() {
        let list = list(std::sync::Arc::new(Int32Array::from(vec![1, 2])), &[2]);
        assert_eq!(encode(&list, &Type::INT2_VECTOR, Format::Text, 0), b"1 2");
        let binary = encode(&list, &Type::INT2_VECTOR, Format::Binary, 0);
        assert_eq!(binary[8..20], [0, 0, 0, 21, 0, 0, 0, 2, 0, 0, 0, 0]);
    }
}
