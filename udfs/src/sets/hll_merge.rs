//! `hll_merge`: one sketch of many.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;
use datasketches::hll::HllSketch;

use super::hll::{Gathering, States, add_sketch, coerce_sketch, sketch_partials};
use crate::definition::AggregateDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "The sketch of all values of many sketches of hll_build, BYTEA. A NULL is left out; NULL without a sketch; an error where a value is no sketch of hll_build. The state is the sketch. \
            Source: P. Flajolet and others, HyperLogLog, 2007, as Apache DataSketches computes and stores it.",
        syntax: "hll_merge(sketch bytea) -> bytea",
        arguments: &[
            ("sketch", "Sketch of hll_build."),
        ],
        example: "SELECT hll_estimate(hll_merge(s)) AS buyers FROM (SELECT paid_at, hll_build(one_id) AS s FROM orders GROUP BY paid_at)",
        related: &["hll_build", "hll_estimate"],
    }
    .build()
});

/// The aggregate `hll_merge(sketch bytea)`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct HllMerge;

impl AggregateDefinition for HllMerge {
    const NAME: &'static str = "hll_merge";
    type States = States<Self>;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [sketch] = take_function_args("hll_merge", types)?;
        Ok(vec![coerce_sketch("hll_merge", sketch)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(sketch_partials())
    }

    fn states(_args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(States::none())
    }
}

impl Gathering for HllMerge {
    const NAME: &'static str = "hll_merge";

    fn add(column: &ArrayRef, row: usize, group: &mut Option<HllSketch>) -> Result<()> {
        add_sketch("hll_merge", column, row, group)
    }
}
