//! `bitmap_intersect_agg`: the ids that are in all of many sets.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;
use roaring::RoaringTreemap;

use super::bitmap::{bitmap_of, coerce_bitmap};
use super::gathering::Gathering;
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

/// What the aggregate `bitmap_intersect_agg(set bytea)` gathers.
#[derive(Debug)]
pub struct BitmapIntersectAgg;

impl Gathering for BitmapIntersectAgg {
    const NAME: &'static str = "bitmap_intersect_agg";
    type Set = RoaringTreemap;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(argument: &DataType) -> Result<DataType> {
        coerce_bitmap(Self::NAME, "set", argument)
    }

    fn join(group: &mut Option<RoaringTreemap>, bytes: &[u8]) -> Result<()> {
        let set = bitmap_of(Self::NAME, bytes)?;
        match group {
            Some(known) => *known &= set,
            None => *group = Some(set),
        }
        Ok(())
    }
}
