//! `bitmap_contains`: whether an id is in a set.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};
use roaring::RoaringTreemap;

use super::bitmap::{coerce_bitmap, coerce_id, read};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "Whether the id is in the set, BOOLEAN. \
            NULL where an argument is NULL or no bitmap. Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "bitmap_contains(set bytea, id bigint) -> boolean",
        arguments: &[
            ("set", "Bitmap."),
            ("id", "Whole number."),
        ],
        example: "SELECT bitmap_contains(s, 1) FROM (SELECT bitmap_build(one_id) AS s FROM orders)",
        related: &["bitmap_build", "bitmap_subset"],
    }
    .build()
});

/// The scalar `bitmap_contains(set bytea, id bigint)`.
pub struct BitmapContains;

impl ScalarDefinition for BitmapContains {
    const NAME: &'static str = "bitmap_contains";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [set, id] = take_function_args(Self::NAME, types)?;
        Ok(vec![coerce_bitmap(Self::NAME, "set", set)?, coerce_id(Self::NAME, "id", id)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [sets, ids] = take_function_args(Self::NAME, args.args)?;
        // A constant set is read once.
        let known = match &sets {
            ColumnarValue::Scalar(ScalarValue::Binary(Some(set))) => read(set),
            _ => None,
        };
        let (sets, ids) = (sets.to_array(if known.is_some() { 1 } else { rows })?, ids.to_array(rows)?);
        let (sets, ids) = (sets.as_binary::<i32>(), ids.as_primitive::<Int64Type>());
        let contained = (0..rows).map(|row| {
            let id = ids.is_valid(row).then(|| ids.value(row))?;
            let contains = |set: &RoaringTreemap| u64::try_from(id).is_ok_and(|id| set.contains(id));
            match &known {
                Some(set) => Some(contains(set)),
                None if sets.is_null(row) => None,
                None => read(sets.value(row)).as_ref().map(contains),
            }
        });
        Ok(ColumnarValue::Array(Arc::new(contained.collect::<BooleanArray>())))
    }
}
