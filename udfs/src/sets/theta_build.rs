//! `theta_build`: a sketch of a set of values, of which common parts and differences can be told.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;

use super::gathering::Gathering;
use super::theta::Sketch;
use super::values::{coerce_value, each_value};
use crate::documents::{Entry, SETS};
use crate::groups::Rows;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "A sketch of the different values of the rows, BYTEA of 32 kilobytes at the most (8 bytes a value below), from which theta_estimate tells their number with a standard error of 1.6 %. \
            Unlike those of hll_build, two sketches have a common part (theta_and) and a difference (theta_andnot). Equal values give equal bytes, in any order. \
            A NULL is left out; NULL without a value. The state is the sketch: 256 bytes to 64 kilobytes a group. \
            Source: A. Dasgupta, K. Lang, L. Rhodes, J. Thaler, A Framework for Estimating Stream Expression Cardinalities, ICDT 2016, as Apache DataSketches hashes, computes and stores it.",
        syntax: "theta_build(value anyelement) -> bytea",
        arguments: &[("value", "Whole number or text.")],
        example: "SELECT theta_estimate(theta_build(one_id)) AS buyers FROM orders",
        related: &["theta_merge", "theta_and", "theta_andnot", "theta_estimate", "hll_build"],
    }
    .build()
});

/// What the aggregate `theta_build(value anyelement)` gathers.
#[derive(Debug)]
pub struct ThetaBuild;

impl Gathering for ThetaBuild {
    const NAME: &'static str = "theta_build";
    type Set = Sketch;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(argument: &DataType) -> Result<DataType> {
        coerce_value(Self::NAME, argument)
    }

    fn join(group: &mut Option<Sketch>, bytes: &[u8]) -> Result<()> {
        group.get_or_insert_default().join(Self::NAME, bytes)
    }

    fn add(column: &ArrayRef, rows: Rows<'_>, groups: &mut [Option<Sketch>]) -> Result<()> {
        each_value(column, rows, |group, value| groups[group].get_or_insert_default().add(Self::NAME, value))
    }
}
