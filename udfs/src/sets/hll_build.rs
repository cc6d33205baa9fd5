//! `hll_build`: a sketch of how many different values there are.

use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;
use datasketches::hll::HllSketch;

use super::hll::{Gathering, States, empty, sketch_partials};
use crate::constants::coerce_text;
use crate::definition::AggregateDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "A sketch of the different values of the rows, BYTEA of some 4 kilobytes at the most, from which hll_estimate tells their number with a standard error of 1.6 %. \
            Sketches of parts are merged by hll_merge without loss. A NULL is left out; NULL without a value. The state is the sketch. \
            Source: P. Flajolet and others, HyperLogLog, 2007, as Apache DataSketches computes and stores it.",
        syntax: "hll_build(value anyelement) -> bytea",
        arguments: &[
            ("value", "Whole number or text."),
        ],
        example: "SELECT hll_estimate(hll_build(one_id)) AS buyers FROM orders",
        related: &["hll_merge", "hll_estimate", "bitmap_build"],
    }
    .build()
});

/// The aggregate `hll_build(value anyelement)`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct HllBuild;

impl AggregateDefinition for HllBuild {
    const NAME: &'static str = "hll_build";
    type States = States<Self>;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [value] = take_function_args("hll_build", types)?;
        match value {
            number if number.is_integer() => Ok(vec![DataType::Int64]),
            text => Ok(vec![coerce_text("hll_build", "value", text)?]),
        }
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

impl Gathering for HllBuild {
    const NAME: &'static str = "hll_build";

    fn add(column: &ArrayRef, row: usize, group: &mut Option<HllSketch>) -> Result<()> {
        if column.is_null(row) {
            return Ok(());
        }
        let mut sketch = match group.take() {
            Some(known) => known,
            None => empty("hll_build")?,
        };
        match column.data_type() {
            DataType::Int64 => sketch.update(column.as_primitive::<Int64Type>().value(row)),
            _ => sketch.update(column.as_string::<i32>().value(row)),
        }
        *group = Some(sketch);
        Ok(())
    }
}
