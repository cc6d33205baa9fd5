//! Array parameters of one dimension, as lists.

use arrow::datatypes::DataType;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use pgwire::api::Type;

use super::{binary, fit, text};
use crate::error::{Error, Reason, Result};
use crate::forms::read::array::split;
use crate::wire::encode::Style;
use crate::wire::protocol::message::Reader;
use crate::wire::types::item_of;

/// `{1,NULL,"a b"}`.
pub fn of_text(text: &str, kind: &Type, item: &DataType, style: &Style) -> Result<ScalarValue> {
    let item_kind = item_of(kind).unwrap_or(Type::TEXT);
    let value = |text: &str| fit(text::value(text, &item_kind, item, style)?, item);
    list(split(text)?.iter().map(|part| part.as_deref().map(value).transpose()), item)
}

/// Dimensions, a flag, the items' type, then the items with their lengths.
pub fn of_binary(
    bytes: Bytes,
    item_kind: &Type,
    data_type: &DataType,
    style: &Style,
    wrong: impl Fn() -> Error,
) -> Result<ScalarValue> {
    let item = match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => item.data_type().clone(),
        _ => crate::wire::types::arrow_type_of(item_kind.oid()).unwrap_or(DataType::Utf8),
    };
    let parts = sized(bytes).map_err(|_| wrong())?.ok_or_else(|| {
        Error::new(Reason::Unsupported, "arrays of more than one dimension are not supported as parameters")
    })?;
    let value = |bytes: Bytes| fit(binary::value(&bytes, item_kind, &item, style)?, &item);
    list(parts.into_iter().map(|part| part.map(value).transpose()), &item)
}

fn list(values: impl Iterator<Item = Result<Option<ScalarValue>>>, item: &DataType) -> Result<ScalarValue> {
    let null = ScalarValue::try_from(item).map_err(|error| Error::of(Reason::Unsupported, error))?;
    let values: Vec<ScalarValue> =
        values.map(|value| Ok(value?.unwrap_or_else(|| null.clone()))).collect::<Result<_>>()?;
    Ok(ScalarValue::List(ScalarValue::new_list(&values, item, true)))
}

/// The items of a binary array; the inner `None` where it has more than one dimension.
fn sized(bytes: Bytes) -> Result<Option<Vec<Option<Bytes>>>> {
    let mut reader = Reader(bytes);
    let (dimensions, _nulls, _item) = (reader.i32()?, reader.i32()?, reader.u32()?);
    if dimensions == 0 {
        reader.end()?;
        return Ok(Some(Vec::new()));
    }
    if dimensions != 1 {
        return Ok(None);
    }
    let (count, _lower_bound) = (reader.i32()?, reader.i32()?);
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(match reader.i32()? {
            -1 => None,
            length => Some(reader.bytes(usize::try_from(length).unwrap_or(usize::MAX))?),
        });
    }
    reader.end()?;
    Ok(Some(items))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_from_both_forms() {
        let list_type = DataType::new_list(DataType::Int64, true);
        let style = Style::default();
        let from_text = of_text("{7,NULL}", &Type::INT8_ARRAY, &DataType::Int64, &style).unwrap();
        let bytes =
            [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7, 255, 255, 255, 255];
        let from_binary = binary::value(&bytes, &Type::INT4_ARRAY, &list_type, &style).unwrap();
        assert_eq!(from_text, from_binary);
        assert_eq!(from_text.data_type(), list_type);
    }

    #[test]
    fn a_torn_or_boastful_array_is_refused() {
        let style = Style::default();
        let list_type = DataType::new_list(DataType::Int32, true);
        for bytes in [&[0, 0, 0, 1][..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 127, 255, 255, 255, 0, 0, 0, 1]] {
            let error = binary::value(bytes, &Type::INT4_ARRAY, &list_type, &style).unwrap_err();
            assert_eq!(error.reason(), Reason::InvalidBinary);
        }
    }
}
