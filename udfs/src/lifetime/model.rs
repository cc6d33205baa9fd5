//! The models of buying until an unseen end, by name: what they say of one customer, and the scalars that ask them.

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::beta_geometric::{self, Leaving};
use super::history::History;
use super::params::{coerce_params, params};
use super::pareto;
use crate::doubles::{coerce_double, each_row};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    Bgnbd,
    Mbgnbd,
    Pnbd,
}

impl Model {
    pub const fn params(self) -> [&'static str; 4] {
        match self {
            Self::Bgnbd | Self::Mbgnbd => ["r", "alpha", "a", "b"],
            Self::Pnbd => ["r", "alpha", "s", "beta"],
        }
    }

    /// The probability that the customer is alive at t. Parameters are positive, the history is valid.
    pub fn palive(self, params: [f64; 4], history: History) -> f64 {
        match self {
            Self::Bgnbd => beta_geometric::palive(Leaving::AfterRepeat, params, history),
            Self::Mbgnbd => beta_geometric::palive(Leaving::AfterAny, params, history),
            Self::Pnbd => pareto::palive(params, history),
        }
    }

    /// Expected purchases between `from` and `to` after t, if the customer is alive at t.
    pub fn purchases(self, params: [f64; 4], history: History, from: f64, to: f64) -> f64 {
        match self {
            Self::Bgnbd => beta_geometric::purchases(Leaving::AfterRepeat, params, history, from, to),
            Self::Mbgnbd => beta_geometric::purchases(Leaving::AfterAny, params, history, from, to),
            Self::Pnbd => pareto::purchases(params, history, from, to),
        }
    }
}

pub(super) fn are_positive(params: &[f64]) -> bool {
    params.iter().all(|param| *param > 0.0)
}

/// Argument types of `*_palive(params, x, t_x, t)`.
pub(super) fn coerce_palive(model: Model, function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [params, x, t_x, t] = take_function_args(function, types)?;
    Ok(vec![
        coerce_params(function, "params", &model.params(), params)?,
        coerce_double(function, "x", x)?,
        coerce_double(function, "t_x", t_x)?,
        coerce_double(function, "t", t)?,
    ])
}

pub(super) fn invoke_palive(model: Model, function: &str, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [given, x, t_x, t] = take_function_args(function, args.args)?;
    let [one, two, three, four] = params(function, model.params(), &given, args.number_rows)?;
    each_row(&[one, two, three, four, x, t_x, t], args.number_rows, |[one, two, three, four, x, t_x, t]| {
        let (params, history) = ([one, two, three, four], History { x, t_x, t });
        (are_positive(&params) && history.is_valid()).then(|| model.palive(params, history))
    })
}

/// Argument types of `*_expected(params, horizon, x, t_x, t)`.
pub(super) fn coerce_expected(model: Model, function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [params, horizon, x, t_x, t] = take_function_args(function, types)?;
    Ok(vec![
        coerce_params(function, "params", &model.params(), params)?,
        coerce_double(function, "horizon", horizon)?,
        coerce_double(function, "x", x)?,
        coerce_double(function, "t_x", t_x)?,
        coerce_double(function, "t", t)?,
    ])
}

pub(super) fn invoke_expected(model: Model, function: &str, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [given, horizon, x, t_x, t] = take_function_args(function, args.args)?;
    let [one, two, three, four] = params(function, model.params(), &given, args.number_rows)?;
    let columns = [one, two, three, four, horizon, x, t_x, t];
    each_row(&columns, args.number_rows, |[one, two, three, four, horizon, x, t_x, t]| {
        let (params, history) = ([one, two, three, four], History { x, t_x, t });
        let valid = are_positive(&params) && history.is_valid() && horizon >= 0.0;
        valid.then(|| model.palive(params, history) * model.purchases(params, history, 0.0, horizon))
    })
}
