//! `hll_build`: a sketch of how many different values there are.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;
use datasketches::hll::HllSketch;

use super::gathering::Gathering;
use super::hll::{empty, join};
use super::values::{coerce_value, each_value};
use crate::documents::{Entry, SETS};
use crate::groups::Rows;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "A sketch of the different values of the rows, BYTEA of some 4 kilobytes at the most, from which hll_estimate tells their number with a standard error of 1.6 %. \
            Sketches of parts are merged by hll_merge without loss. A NULL is left out; NULL without a value. The state is the sketch. \
            Source: P. Flajolet and others, HyperLogLog, 2007, as Apache DataSketches hashes, computes and stores it.",
        syntax: "hll_build(value anyelement) -> bytea",
        arguments: &[
            ("value", "Whole number or text."),
        ],
        example: "SELECT hll_estimate(hll_build(one_id)) AS buyers FROM orders",
        related: &["hll_merge", "hll_estimate", "bitmap_build"],
    }
    .build()
});

/// What the aggregate `hll_build(value anyelement)` gathers.
#[derive(Debug)]
pub struct HllBuild;

impl Gathering for HllBuild {
    const NAME: &'static str = "hll_build";
    type Set = HllSketch;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(argument: &DataType) -> Result<DataType> {
        coerce_value(Self::NAME, argument)
    }

    fn join(group: &mut Option<HllSketch>, bytes: &[u8]) -> Result<()> {
        join(Self::NAME, group, bytes)
    }

    fn add(column: &ArrayRef, rows: Rows<'_>, groups: &mut [Option<HllSketch>]) -> Result<()> {
        each_value(column, rows, |group, value| {
            let sketch = match &mut groups[group] {
                Some(known) => known,
                first => first.insert(empty(Self::NAME)?),
            };
            sketch.update(value);
            Ok(())
        })
    }
}
