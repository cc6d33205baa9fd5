//! `bitmap_union_agg`: the ids that are in any of many sets.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;
use roaring::RoaringTreemap;

use super::bitmap::{coerce_bitmap, union};
use super::gathering::Gathering;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "The set of ids that are in any of the sets, a bitmap in the portable Roaring format of 64 bits (BYTEA). A NULL is left out, NULL without a set; an error where a value is no bitmap. The state is the set. \
            Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "bitmap_union_agg(set bytea) -> bytea",
        arguments: &[
            ("set", "Bitmap."),
        ],
        example: "SELECT bitmap_count(bitmap_union_agg(s)) AS buyers FROM (SELECT paid_at, bitmap_build(one_id) AS s FROM orders GROUP BY paid_at)",
        related: &["bitmap_or", "bitmap_intersect_agg"],
    }
    .build()
});

/// What the aggregate `bitmap_union_agg(set bytea)` gathers.
#[derive(Debug)]
pub struct BitmapUnionAgg;

impl Gathering for BitmapUnionAgg {
    const NAME: &'static str = "bitmap_union_agg";
    type Set = RoaringTreemap;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(argument: &DataType) -> Result<DataType> {
        coerce_bitmap(Self::NAME, "set", argument)
    }

    fn join(group: &mut Option<RoaringTreemap>, bytes: &[u8]) -> Result<()> {
        union(Self::NAME, group, bytes)
    }
}
