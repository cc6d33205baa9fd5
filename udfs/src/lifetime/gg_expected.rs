//! `gg_expected`: what a customer spends a purchase, by the gamma-gamma model.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::gamma_gamma;
use super::model::are_positive;
use super::params::{coerce_params, params};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, LIFETIME};
use crate::doubles::{coerce_double, each_row};

pub(super) const PARAMS: [&str; 3] = ["p", "q", "gamma"];

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Expected mean spend a purchase of the customer, DOUBLE in the money of m, by the gamma-gamma model: \
            p (gamma + x m) / (p x + q - 1), which lies between the customer's own mean and that of all. m is not looked at when x is 0. \
            NULL when params or x is NULL, m is NULL or not above 0 at x above 0, a parameter is not above 0, x is not a whole number from 0, or the model has \
            no mean (x = 0 and q <= 1). Source: P. Fader, B. Hardie, The Gamma-Gamma Model of Monetary Value, note 025, 2013, equation 5.",
        syntax: "gg_expected(params json, x bigint, m double precision) -> double precision",
        arguments: &[
            ("params", "Struct with the numbers p, q, gamma, as gg_fit gives it."),
            ("x", "Repeat purchases."),
            ("m", "Mean amount of these purchases in money; NULL without one, as rfm_summary gives it."),
        ],
        example: "SELECT gg_expected(named_struct('p', 6.25, 'q', 3.74, 'gamma', 15.44), 2, 22.35)",
        related: &["gg_fit", "clv"],
    }
    .build()
});

/// The scalar `gg_expected(params, x, m)`.
pub struct GgExpected;

impl ScalarDefinition for GgExpected {
    const NAME: &'static str = "gg_expected";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [params, x, m] = take_function_args(Self::NAME, types)?;
        Ok(vec![
            coerce_params(Self::NAME, "params", &PARAMS, params)?,
            coerce_double(Self::NAME, "x", x)?,
            coerce_double(Self::NAME, "m", m)?,
        ])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [given, x, m] = take_function_args(Self::NAME, args.args)?;
        let [p, q, gamma] = params(Self::NAME, PARAMS, &given, args.number_rows)?;
        let m = null_as_zero(&m, args.number_rows)?;
        each_row(&[p, q, gamma, x, m], args.number_rows, |[p, q, gamma, x, m]| spend([p, q, gamma], x, m))
    }
}

/// The expected spend, None where an argument is out of range.
pub(super) fn spend(params: [f64; 3], x: f64, m: f64) -> Option<f64> {
    let is_valid = are_positive(&params) && x >= 0.0 && x.fract() == 0.0 && (x == 0.0 || m > 0.0);
    if is_valid { gamma_gamma::expected(params, x, if x == 0.0 { 0.0 } else { m }) } else { None }
}

/// A one-time buyer has no mean of repeat purchases, and 0 stands for it.
pub(super) fn null_as_zero(m: &ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    use arrow::array::{AsArray, Float64Array};
    use arrow::datatypes::Float64Type;
    let array = m.to_array(rows)?;
    let known: Float64Array = array.as_primitive::<Float64Type>().iter().map(|m| Some(m.unwrap_or(0.0))).collect();
    Ok(ColumnarValue::Array(std::sync::Arc::new(known)))
}
