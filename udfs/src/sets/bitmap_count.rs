//! `bitmap_count`: how many ids a set has.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::bitmap::{coerce_bitmap, read};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "How many ids the set has, BIGINT. \
            NULL where an argument is NULL or no bitmap. Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "bitmap_count(set bytea) -> bigint",
        arguments: &[
            ("set", "Bitmap."),
        ],
        example: "SELECT bitmap_count(bitmap_build(one_id)) AS buyers FROM orders",
        related: &["bitmap_build", "intersect_count"],
    }
    .build()
});

/// The scalar `bitmap_count(set bytea)`.
pub struct BitmapCount;

impl ScalarDefinition for BitmapCount {
    const NAME: &'static str = "bitmap_count";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [set] = take_function_args(Self::NAME, types)?;
        Ok(vec![coerce_bitmap(Self::NAME, "set", set)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [sets] = take_function_args(Self::NAME, args.args)?;
        let sets = sets.to_array(args.number_rows)?;
        let counts = sets.as_binary::<i32>().iter().map(|set| read(set?).map(|set| set.len() as i64));
        Ok(ColumnarValue::Array(Arc::new(counts.collect::<Int64Array>())))
    }
}
