//! `bitmap_intersect_agg`: the ids that are in all of many sets.

use std::sync::LazyLock;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;
use roaring::RoaringTreemap;

use super::bitmap::{bitmap_at, coerce_bitmap};
use super::bitmap_states::{Gathering, States, set_partials};
use crate::definition::AggregateDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "The set of ids that are in all of the sets, a bitmap in the portable Roaring format of 64 bits (BYTEA). A NULL is left out, NULL without a set; an error where a value is no bitmap. The state is the set. \
            Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "bitmap_intersect_agg(set bytea) -> bytea",
        arguments: &[
            ("set", "Bitmap."),
        ],
        example: "SELECT bitmap_count(bitmap_intersect_agg(s)) AS bought_each_day FROM (SELECT paid_at, bitmap_build(one_id) AS s FROM orders GROUP BY paid_at)",
        related: &["bitmap_and", "bitmap_union_agg"],
    }
    .build()
});

/// The aggregate `bitmap_intersect_agg(set bytea)`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct BitmapIntersectAgg;

impl AggregateDefinition for BitmapIntersectAgg {
    const NAME: &'static str = "bitmap_intersect_agg";
    type States = States<Self>;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [set] = take_function_args("bitmap_intersect_agg", types)?;
        Ok(vec![coerce_bitmap("bitmap_intersect_agg", "set", set)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(set_partials())
    }

    fn states(_args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(States::empty())
    }
}

impl Gathering for BitmapIntersectAgg {
    const NAME: &'static str = "bitmap_intersect_agg";

    fn set_of(column: &ArrayRef, row: usize) -> Result<Option<RoaringTreemap>> {
        bitmap_at("bitmap_intersect_agg", column.as_binary::<i32>(), row)
    }

    fn join(group: &mut RoaringTreemap, set: RoaringTreemap) {
        *group &= set;
    }
}
