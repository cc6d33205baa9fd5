//! `bitmap_subset`: whether a set lies within another.

use std::sync::{Arc, LazyLock};

use arrow::array::BooleanArray;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::bitmap::{coerce_two, pairs};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "Whether all ids of the first set are in the second, BOOLEAN; true for an empty first set. \
            NULL where an argument is NULL or no bitmap. Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "bitmap_subset(a bytea, b bytea) -> boolean",
        arguments: &[
            ("a", "Bitmap."),
            ("b", "Bitmap."),
        ],
        example: "SELECT bitmap_subset(a.s, b.s) AS every_buyer_was_touched FROM (SELECT bitmap_build(one_id) AS s FROM orders) AS a, (SELECT bitmap_build(one_id) AS s FROM touches) AS b",
        related: &["bitmap_contains", "bitmap_andnot"],
    }
    .build()
});

/// The scalar `bitmap_subset(a bytea, b bytea)`.
pub struct BitmapSubset;

impl ScalarDefinition for BitmapSubset {
    const NAME: &'static str = "bitmap_subset";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_two(Self::NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let within = pairs(Self::NAME, args)?.map(|pair| pair.map(|(one, two)| one.is_subset(&two)));
        Ok(ColumnarValue::Array(Arc::new(within.collect::<BooleanArray>())))
    }
}
