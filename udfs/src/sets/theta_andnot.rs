//! `theta_andnot`: a sketch of what one set has and another has not.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};
use datasketches::theta::ThetaANotB;

use super::theta::{coerce_two, combine};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "A sketch of the values that are in the first set and not in the second, BYTEA. NULL where an argument is NULL or no sketch of theta_build. \
            Source: A. Dasgupta, K. Lang, L. Rhodes, J. Thaler, A Framework for Estimating Stream Expression Cardinalities, ICDT 2016, as Apache DataSketches hashes, computes and stores it.",
        syntax: "theta_andnot(a bytea, b bytea) -> bytea",
        arguments: &[("a", "Sketch of theta_build, or one made of such."), ("b", "Such a sketch.")],
        example: "SELECT theta_estimate(theta_andnot(a.s, b.s)) AS persons FROM (SELECT theta_build(one_id) AS s FROM orders) AS a, (SELECT theta_build(one_id) AS s FROM touches) AS b",
        related: &["theta_build", "theta_and", "bitmap_andnot"],
    }
    .build()
});

/// The scalar `theta_andnot(a bytea, b bytea)`.
pub struct ThetaAndnot;

impl ScalarDefinition for ThetaAndnot {
    const NAME: &'static str = "theta_andnot";

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
        combine(Self::NAME, args, |one, two| ThetaANotB::default().compute(one, two, true))
    }
}
