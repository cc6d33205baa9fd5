//! `bgbb_expected`: the purchases still to come, by the BG/BB model.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::beta_binomial;
use super::bgbb_fit::BgbbFit;
use super::fit::Model;
use super::model::are_positive;
use super::params::{coerce_params, params};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, LIFETIME};
use crate::doubles::{coerce_double, each_row};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Expected number of purchases of the customer at the next occasions, DOUBLE, by the BG/BB model. horizon is a whole number of occasions from 0 to 10000, else NULL. \
            NULL when an argument is NULL, a parameter is not above 0, or 0 <= x <= t_x <= n <= 10000 does not hold in whole numbers. \
            Source: P. Fader, B. Hardie, J. Shang, Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing Science 29(6), 2010.",
        syntax: "bgbb_expected(params json, horizon bigint, x bigint, t_x bigint, n bigint) -> double precision",
        arguments: &[
            ("params", "Struct with the numbers alpha, beta, gamma, delta, as bgbb_fit gives it."),
            ("horizon", "Number of occasions after n."),
            ("x", "Occasions after the first at which the customer bought."),
            ("t_x", "Number of the last of them, 0 without one."),
            ("n", "Occasions after the first until now."),
        ],
        example: "SELECT bgbb_expected(named_struct('alpha', 1.204, 'beta', 0.750, 'gamma', 0.657, 'delta', 2.783), 5, 3, 5, 6)",
        related: &["bgbb_fit", "bgbb_palive"],
    }
    .build()
});

/// The scalar `bgbb_expected`.
pub struct BgbbExpected;

impl ScalarDefinition for BgbbExpected {
    const NAME: &'static str = "bgbb_expected";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [params, horizon, x, t_x, n] = take_function_args(Self::NAME, types)?;
        Ok(vec![
            coerce_params(Self::NAME, "params", &BgbbFit::PARAMS, params)?,
            coerce_double(Self::NAME, "horizon", horizon)?,
            coerce_double(Self::NAME, "x", x)?,
            coerce_double(Self::NAME, "t_x", t_x)?,
            coerce_double(Self::NAME, "n", n)?,
        ])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [given, horizon, x, t_x, n] = take_function_args(Self::NAME, args.args)?;
        let [one, two, three, four] = params(Self::NAME, BgbbFit::PARAMS, &given, args.number_rows)?;
        let columns = [one, two, three, four, horizon, x, t_x, n];
        each_row(&columns, args.number_rows, |[one, two, three, four, horizon, x, t_x, n]| {
            let (params, history) = ([one, two, three, four], [x, t_x, n]);
            let is_valid =
                are_positive(&params) && beta_binomial::is_possible(history) && beta_binomial::is_horizon(horizon);
            is_valid.then(|| beta_binomial::expected(params, history, horizon))
        })
    }
}
