//! `hll_merge`: one sketch of many.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;
use datasketches::hll::HllSketch;

use super::gathering::Gathering;
use super::hll::{coerce_sketch, join};
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

/// What the aggregate `hll_merge(sketch bytea)` gathers.
#[derive(Debug)]
pub struct HllMerge;

impl Gathering for HllMerge {
    const NAME: &'static str = "hll_merge";
    type Set = HllSketch;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(argument: &DataType) -> Result<DataType> {
        coerce_sketch(Self::NAME, argument)
    }

    fn join(group: &mut Option<HllSketch>, bytes: &[u8]) -> Result<()> {
        join(Self::NAME, group, bytes)
    }
}
