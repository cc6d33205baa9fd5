//! `theta_merge`: one sketch of many.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;

use super::gathering::Gathering;
use super::theta::{Sketch, coerce_sketch};
use crate::documents::{Entry, SETS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SETS,
        description: "The sketch of all values of many sketches of theta_build, BYTEA: the union of their sets. A NULL is left out; NULL without a sketch; an error where a value is no sketch of theta_build. The state is the sketch. \
            Source: A. Dasgupta, K. Lang, L. Rhodes, J. Thaler, A Framework for Estimating Stream Expression Cardinalities, ICDT 2016, as Apache DataSketches hashes, computes and stores it.",
        syntax: "theta_merge(sketch bytea) -> bytea",
        arguments: &[("sketch", "Sketch of theta_build, or one made of such.")],
        example: "SELECT theta_estimate(theta_merge(s)) AS buyers FROM (SELECT paid_at, theta_build(one_id) AS s FROM orders GROUP BY paid_at)",
        related: &["theta_build", "theta_estimate"],
    }
    .build()
});

/// What the aggregate `theta_merge(sketch bytea)` gathers.
#[derive(Debug)]
pub struct ThetaMerge;

impl Gathering for ThetaMerge {
    const NAME: &'static str = "theta_merge";
    type Set = Sketch;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(argument: &DataType) -> Result<DataType> {
        coerce_sketch(Self::NAME, "sketch", argument)
    }

    fn join(group: &mut Option<Sketch>, bytes: &[u8]) -> Result<()> {
        group.get_or_insert_default().join(Self::NAME, bytes)
    }
}
