//! Arrays without what they no longer show: a filtered dictionary or view array still holds the values of dropped rows.

use std::sync::Arc;

use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, BooleanArray, GenericByteViewArray, RecordBatch, RecordBatchOptions,
    UInt64Array, make_array,
};
use arrow::compute::{cast, filter};
use arrow::datatypes::{ByteViewType, DataType, SchemaRef};
use arrow::error::ArrowError;

/// The same rows under `schema`, holding no value that no row shows.
pub fn compact(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(compact_array).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn compact_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Utf8View => Ok(compact_view(array, array.as_string_view())),
        DataType::BinaryView => Ok(compact_view(array, array.as_binary_view())),
        DataType::Dictionary(key, _) => compact_dictionary(array, array.as_any_dictionary(), key),
        DataType::RunEndEncoded(..) => Err(ArrowError::NotYetImplemented("run-end encoded columns".to_string())),
        of if keeps_dropped_values(of) => compact_children(array),
        _ => Ok(Arc::clone(array)),
    }
}

/// Copies the values that the views point to, unless they are all that the buffers hold.
fn compact_view<T: ByteViewType>(array: &ArrayRef, views: &GenericByteViewArray<T>) -> ArrayRef {
    const INLINE_BYTES_MAX: u32 = 12;
    let held: usize = views.data_buffers().iter().map(|buffer| buffer.len()).sum();
    let shown = views.views().iter().map(|view| *view as u32).filter(|bytes| *bytes > INLINE_BYTES_MAX);
    let shown: usize = shown.map(|bytes| bytes as usize).sum();
    if held <= shown { Arc::clone(array) } else { Arc::new(views.gc()) }
}

/// Keeps the values that some row shows, in their order.
fn compact_dictionary(array: &ArrayRef, rows: &dyn AnyDictionaryArray, key: &DataType) -> Result<ArrayRef, ArrowError> {
    let values = rows.values();
    if values.is_empty() {
        return Ok(Arc::clone(array));
    }
    let keys = rows.normalized_keys();
    let mut shown = vec![false; values.len()];
    for (row, key) in keys.iter().enumerate() {
        shown[*key] |= array.is_valid(row);
    }
    let before = |count: &mut u64, shown: &bool| {
        let place = *count;
        *count += u64::from(*shown);
        Some(place)
    };
    let places: Vec<u64> = shown.iter().scan(0, before).collect();
    let keys = keys.iter().enumerate().map(|(row, key)| array.is_valid(row).then(|| places[*key]));
    let keys = cast(&keys.collect::<UInt64Array>(), key)?;
    let values = compact_array(&filter(values, &BooleanArray::from(shown))?)?;
    let data = keys.to_data().into_builder().data_type(array.data_type().clone());
    Ok(make_array(data.child_data(vec![values.to_data()]).build()?))
}

fn compact_children(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    let children = data.child_data().iter().map(|child| Ok(compact_array(&make_array(child.clone()))?.to_data()));
    let children = children.collect::<Result<Vec<_>, ArrowError>>()?;
    Ok(make_array(data.into_builder().child_data(children).build()?))
}

/// Whether some part of a nested type can hold values of rows that were dropped.
fn keeps_dropped_values(of: &DataType) -> bool {
    match of {
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) | DataType::RunEndEncoded(..) => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => keeps_dropped_values(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| keeps_dropped_values(field.data_type())),
        DataType::Union(fields, _) => fields.iter().any(|(_, field)| keeps_dropped_values(field.data_type())),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{DictionaryArray, ListArray, StringViewArray};
    use arrow::datatypes::{Field, Int32Type, Schema};

    use super::*;

    const SECRET: &str = "a secret that is longer than a view";

    fn held(array: &dyn Array) -> String {
        let data = array.to_data();
        let mut bytes: Vec<u8> = data.buffers().iter().flat_map(|buffer| buffer.as_slice().to_vec()).collect();
        for child in data.child_data() {
            bytes.extend(held(&make_array(child.clone())).into_bytes());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn compacted(array: ArrayRef) -> ArrayRef {
        let kept = filter(&array, &BooleanArray::from(vec![true, false])).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("a", kept.data_type().clone(), true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![kept]).unwrap();
        compact(&batch, &schema).unwrap().column(0).clone()
    }

    #[test]
    fn a_filtered_view_array_forgets_the_dropped_text() {
        let array: ArrayRef = Arc::new(StringViewArray::from(vec!["a visible text, also long enough", SECRET]));
        let small = compacted(array);
        assert!(!held(&small).contains("secret"));
        assert_eq!(small.as_string_view().value(0), "a visible text, also long enough");
    }

    #[test]
    fn a_filtered_dictionary_forgets_the_dropped_value() {
        let array: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(["visible", SECRET]));
        let small = compacted(array);
        assert_eq!(small.as_any_dictionary().values().len(), 1);
        assert!(!held(&small).contains("secret"));
    }

    #[test]
    fn lists_are_compacted_within() {
        let values: ArrayRef = Arc::new(StringViewArray::from(vec!["a visible text, also long enough", SECRET]));
        let field = Arc::new(Field::new_list_field(DataType::Utf8View, true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([1, 1]);
        let array: ArrayRef = Arc::new(ListArray::new(field, offsets, values, None));
        assert!(!held(&compacted(array)).contains("secret"));
    }
}
