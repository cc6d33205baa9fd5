//! `intersect_count`: how many ids two sets share.

use std::sync::{Arc, LazyLock};

use arrow::array::Int64Array;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::bitmap::{coerce_two, pairs};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "How many ids are in both sets, BIGINT: bitmap_count(bitmap_and(a, b)) without making the set. \
            NULL where an argument is NULL or no bitmap. Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "intersect_count(a bytea, b bytea) -> bigint",
        arguments: &[
            ("a", "Bitmap."),
            ("b", "Bitmap."),
        ],
        example: "SELECT intersect_count(a.s, b.s) AS persons FROM (SELECT bitmap_build(one_id) AS s FROM orders) AS a, (SELECT bitmap_build(one_id) AS s FROM touches) AS b",
        related: &["bitmap_and", "bitmap_count"],
    }
    .build()
});

/// The scalar `intersect_count(a bytea, b bytea)`.
pub struct IntersectCount;

impl ScalarDefinition for IntersectCount {
    const NAME: &'static str = "intersect_count";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_two(Self::NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let counts = pairs(Self::NAME, args)?.map(|pair| pair.map(|(one, two)| one.intersection_len(&two) as i64));
        Ok(ColumnarValue::Array(Arc::new(counts.collect::<Int64Array>())))
    }
}
