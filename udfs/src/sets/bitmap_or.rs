//! `bitmap_or`: the ids that are in either set.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::bitmap::{coerce_two, combine};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "The set of ids that are in either set, a bitmap in the portable Roaring format of 64 bits (BYTEA). \
            NULL where an argument is NULL or no bitmap. Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "bitmap_or(a bytea, b bytea) -> bytea",
        arguments: &[
            ("a", "Bitmap."),
            ("b", "Bitmap."),
        ],
        example: "SELECT bitmap_count(bitmap_or(a.s, b.s)) AS persons FROM (SELECT bitmap_build(one_id) AS s FROM orders) AS a, (SELECT bitmap_build(one_id) AS s FROM touches) AS b",
        related: &["bitmap_build", "bitmap_count"],
    }
    .build()
});

/// The scalar `bitmap_or(a bytea, b bytea)`.
pub struct BitmapOr;

impl ScalarDefinition for BitmapOr {
    const NAME: &'static str = "bitmap_or";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_two(Self::NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        combine(Self::NAME, args, |one, two| one | two)
    }
}
