//! `theta_and`: a sketch of what two sets share.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};
use datasketches::theta::{ThetaANotB, ThetaIntersection};

use super::theta::{coerce_two, combine};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "A sketch of the values that are in both sets, BYTEA. NULL where an argument is NULL or no sketch of theta_build. \
            Source: A. Dasgupta, K. Lang, L. Rhodes, J. Thaler, A Framework for Estimating Stream Expression Cardinalities, ICDT 2016, as Apache DataSketches hashes, computes and stores it.",
        syntax: "theta_and(a bytea, b bytea) -> bytea",
        arguments: &[("a", "Sketch of theta_build, or one made of such."), ("b", "Such a sketch.")],
        example: "SELECT theta_estimate(theta_and(a.s, b.s)) AS persons FROM (SELECT theta_build(one_id) AS s FROM orders) AS a, (SELECT theta_build(one_id) AS s FROM touches) AS b",
        related: &["theta_build", "theta_andnot", "bitmap_and"],
    }
    .build()
});

/// The scalar `theta_and(a bytea, b bytea)`.
pub struct ThetaAnd;

impl ScalarDefinition for ThetaAnd {
    const NAME: &'static str = "theta_and";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_two(Self::NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        combine(Self::NAME, args, |one, two| {
            let mut both = ThetaIntersection::default();
            both.update(one)?;
            both.update(two)?;
            // What was updated has a result; without one nothing is shared.
            both.to_sketch(true).map_or_else(|| ThetaANotB::default().compute(one, one, true), Ok)
        })
    }
}
