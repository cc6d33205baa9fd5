//! `pnbd_palive`: the chance that a customer still buys, by the Pareto/NBD model.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::model::{Model, coerce_palive, invoke_palive};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, LIFETIME};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Probability that the customer is still a customer, DOUBLE from 0 to 1, by the Pareto/NBD model. \
            NULL when an argument is NULL, a parameter is not above 0, x is not a whole number from 0, t_x is above 0 at x = 0 or 0 <= t_x <= t does not hold. \
            Source: P. Fader, B. Hardie, A Note on Deriving the Pareto/NBD Model, 2005; the integral over the time of leaving is computed as such, not as a difference of hypergeometric functions.",
        syntax: "pnbd_palive(params json, x bigint, t_x double precision, t double precision) -> double precision",
        arguments: &[
            ("params", "Struct with the numbers r, alpha, s, beta, as pnbd_fit gives it; alpha and beta in the unit of t."),
            ("x", "Repeat purchases."),
            ("t_x", "Time from the first to the last purchase, in the unit of t."),
            ("t", "Time from the first purchase to now."),
        ],
        example: "SELECT pnbd_palive(named_struct('r', 0.553, 'alpha', 10.578, 's', 0.606, 'beta', 11.669), 2, 30.43, 38.86)",
        related: &["pnbd_fit", "pnbd_expected", "rfm_summary"],
    }
    .build()
});

/// The scalar `pnbd_palive`.
pub struct PnbdPalive;

impl ScalarDefinition for PnbdPalive {
    const NAME: &'static str = "pnbd_palive";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_palive(Model::Pnbd, Self::NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        invoke_palive(Model::Pnbd, Self::NAME, args)
    }
}
