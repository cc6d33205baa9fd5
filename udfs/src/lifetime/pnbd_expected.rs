//! `pnbd_expected`: the purchases still to come, by the Pareto/NBD model.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::model::{Model, coerce_expected, invoke_expected};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, LIFETIME};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Expected number of purchases of the customer within the horizon, DOUBLE, by the Pareto/NBD model. With x, t_x and t all 0 it is the expectation for a new customer. \
            NULL when an argument is NULL, a parameter is not above 0, horizon is negative, x is not a whole number from 0, t_x is above 0 at x = 0 or 0 <= t_x <= t does not hold. \
            Source: P. Fader, B. Hardie, A Note on Deriving the Pareto/NBD Model, 2005; s = 1 is no special case.",
        syntax: "pnbd_expected(params json, horizon double precision, x bigint, t_x double precision, t double precision) -> double precision",
        arguments: &[
            ("params", "Struct with the numbers r, alpha, s, beta, as pnbd_fit gives it; alpha and beta in the unit of t."),
            ("horizon", "Time from t on, 0 or more, in the unit of t."),
            ("x", "Repeat purchases."),
            ("t_x", "Time from the first to the last purchase, in the unit of t."),
            ("t", "Time from the first purchase to now."),
        ],
        example: "SELECT pnbd_expected(named_struct('r', 0.553, 'alpha', 10.578, 's', 0.606, 'beta', 11.669), 39, 2, 30.43, 38.86)",
        related: &["pnbd_fit", "pnbd_palive", "rfm_summary"],
    }
    .build()
});

/// The scalar `pnbd_expected`.
pub struct PnbdExpected;

impl ScalarDefinition for PnbdExpected {
    const NAME: &'static str = "pnbd_expected";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_expected(Model::Pnbd, Self::NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        invoke_expected(Model::Pnbd, Self::NAME, args)
    }
}
