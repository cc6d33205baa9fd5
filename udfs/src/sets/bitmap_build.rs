//! `bitmap_build`: the set of the ids of rows.

use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;
use roaring::RoaringTreemap;

use super::bitmap::coerce_id;
use super::bitmap_states::{Gathering, States, set_partials};
use crate::definition::AggregateDefinition;
use crate::documents::{Entry, SETS};

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

/// The aggregate `bitmap_build(id bigint)`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct BitmapBuild;

impl AggregateDefinition for BitmapBuild {
    const NAME: &'static str = "bitmap_build";
    type States = States<Self>;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [id] = take_function_args("bitmap_build", types)?;
        Ok(vec![coerce_id("bitmap_build", "id", id)?])
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

impl Gathering for BitmapBuild {
    const NAME: &'static str = "bitmap_build";

    fn set_of(column: &ArrayRef, row: usize) -> Result<Option<RoaringTreemap>> {
        let mut set = None;
        Self::add(column, row, &mut set)?;
        Ok(set)
    }

    fn join(group: &mut RoaringTreemap, set: RoaringTreemap) {
        *group |= set;
    }

    fn add(column: &ArrayRef, row: usize, group: &mut Option<RoaringTreemap>) -> Result<bool> {
        let ids = column.as_primitive::<Int64Type>();
        if ids.is_valid(row) {
            let id = ids.value(row);
            let Ok(id) = u64::try_from(id) else {
                return exec_err!("bitmap_build: id must be 0 or more, got \"{id}\"");
            };
            group.get_or_insert_default().insert(id);
        }
        Ok(true)
    }
}
