//! `bitmap_build`: the set of the ids of rows.

use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, exec_err};
use datafusion_expr::Documentation;
use roaring::RoaringTreemap;

use super::bitmap::{coerce_id, union};
use super::gathering::Gathering;
use crate::documents::{Entry, SETS};
use crate::groups::Rows;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "The set of the ids of the rows, a bitmap in the portable Roaring format of 64 bits (BYTEA), which other programs read and which is a fraction of a list's size. A NULL is left out, NULL without an id; an error for a negative id. The state is the set. \
            Source: RoaringFormatSpec, extension for 64-bit implementations.",
        syntax: "bitmap_build(id bigint) -> bytea",
        arguments: &[
            ("id", "Whole number from 0."),
        ],
        example: "SELECT paid_at, bitmap_count(bitmap_build(one_id)) AS buyers FROM orders GROUP BY paid_at",
        related: &["bitmap_count", "bitmap_union_agg", "bitmap_and"],
    }
    .build()
});

/// What the aggregate `bitmap_build(id bigint)` gathers.
#[derive(Debug)]
pub struct BitmapBuild;

impl Gathering for BitmapBuild {
    const NAME: &'static str = "bitmap_build";
    type Set = RoaringTreemap;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(argument: &DataType) -> Result<DataType> {
        coerce_id(Self::NAME, "id", argument)
    }

    fn join(group: &mut Option<RoaringTreemap>, bytes: &[u8]) -> Result<()> {
        union(Self::NAME, group, bytes)
    }

    fn add(column: &ArrayRef, rows: Rows<'_>, groups: &mut [Option<RoaringTreemap>]) -> Result<()> {
        let ids = column.as_primitive::<Int64Type>();
        rows.each(|row, group| {
            if ids.is_valid(row) {
                let id = ids.value(row);
                let Ok(id) = u64::try_from(id) else {
                    return exec_err!("{}: id must be 0 or more, got \"{id}\"", Self::NAME);
                };
                groups[group].get_or_insert_default().insert(id);
            }
            Ok(())
        })
    }
}
