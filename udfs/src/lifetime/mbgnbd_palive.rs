//! `mbgnbd_palive`: the chance that a customer still buys, by the MBG/NBD model.

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
        description: "Probability that the customer is still a customer, DOUBLE from 0 to 1, by the MBG/NBD model. \
            NULL when an argument is NULL, a parameter is not above 0, x is not a whole number from 0, t_x is above 0 at x = 0 or 0 <= t_x <= t does not hold. \
            Source: E. Batislam, M. Denizel, A. Filiztekin, IJRM 24(3), 2007.",
        syntax: "mbgnbd_palive(params json, x bigint, t_x double precision, t double precision) -> double precision",
        arguments: &[
            ("params", "Struct with the numbers r, alpha, a, b, as mbgnbd_fit gives it; alpha in the unit of t."),
            ("x", "Repeat purchases."),
            ("t_x", "Time from the first to the last purchase, in the unit of t."),
            ("t", "Time from the first purchase to now."),
        ],
        example: "SELECT mbgnbd_palive(named_struct('r', 0.525, 'alpha', 6.183, 'a', 0.891, 'b', 1.614), 2, 30.43, 38.86)",
        related: &["mbgnbd_fit", "mbgnbd_expected", "rfm_summary"],
    }
    .build()
});

/// The scalar `mbgnbd_palive`.
pub struct MbgnbdPalive;

impl ScalarDefinition for MbgnbdPalive {
    const NAME: &'static str = "mbgnbd_palive";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_palive(Model::Mbgnbd, Self::NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        invoke_palive(Model::Mbgnbd, Self::NAME, args)
    }
}
