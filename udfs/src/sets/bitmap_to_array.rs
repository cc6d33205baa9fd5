//! `bitmap_to_array`: the ids of a set.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, Int64Array, ListArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err, exec_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::bitmap::{coerce_bitmap, read};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};
use crate::groups::list_offsets;

/// A set of a few bytes may hold any number of ids; as a list each takes eight.
const IDS_MAX: u64 = 1 << 24;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "The ids of the set in rising order, list of BIGINT; an error beyond 16,777,216 ids in a batch of rows or an id beyond 2^63. \
            NULL where an argument is NULL or no bitmap. Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "bitmap_to_array(set bytea) -> bigint[]",
        arguments: &[
            ("set", "Bitmap."),
        ],
        example: "SELECT unnest(bitmap_to_array(bitmap_build(one_id))) AS one_id FROM orders",
        related: &["bitmap_build"],
    }
    .build()
});

/// The scalar `bitmap_to_array(set bytea)`.
pub struct BitmapToArray;

impl ScalarDefinition for BitmapToArray {
    const NAME: &'static str = "bitmap_to_array";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [set] = take_function_args(Self::NAME, types)?;
        Ok(vec![coerce_bitmap(Self::NAME, "set", set)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(id_field()))
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [sets] = take_function_args(Self::NAME, args.args)?;
        let sets = sets.to_array(args.number_rows)?;
        let (mut ids, mut lengths, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for set in sets.as_binary::<i32>().iter() {
            let set = set.and_then(read);
            known.push(set.is_some());
            let set = set.unwrap_or_default();
            if set.len() > IDS_MAX - ids.len() as u64 {
                return exec_err!("{}: the sets have more than {IDS_MAX} ids in a batch of rows", Self::NAME);
            }
            lengths.push(set.len() as usize);
            for id in set {
                ids.push(
                    i64::try_from(id).map_err(|_| exec_datafusion_err!("{}: id {id} is beyond 2^63", Self::NAME))?,
                );
            }
        }
        let offsets = list_offsets(Self::NAME, lengths)?;
        let lists =
            ListArray::try_new(id_field(), offsets, Arc::new(Int64Array::from(ids)), Some(NullBuffer::from(known)))?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

fn id_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Int64, true))
}
