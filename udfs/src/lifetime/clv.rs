//! `clv`: what a customer is still worth.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::gg_expected::{self, null_as_zero, spend};
use super::history::History;
use super::model::{Model, are_positive};
use super::params::{coerce_params, has_numbers, params};
use crate::constants::{quoted, text};
use crate::definition::{ScalarDefinition, expect_arguments};
use crate::documents::{Entry, LIFETIME};
use crate::doubles::{coerce_double, each_row};

const NAME: &str = "clv";
const RULE: &str = "'bgnbd', 'mbgnbd' or 'pnbd'";
/// A century of weeks.
const PERIODS_MAX: f64 = 5_200.0;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Customer lifetime value, DOUBLE in the money of m: the purchases expected in each period of the horizon times the expected spend a purchase, \
            discounted to now from the period's end. A period is one unit of t; a last part of a period counts at its own end. \
            Purchases are those of the model, as *_expected gives them, the spend is that of gg_expected; costs are not taken off, so give m as a margin where a margin is meant. \
            NULL when an argument is NULL (m may be at x = 0) or out of range, as in those functions; when horizon is not within 0 to 5200, or discount is -1 or less. \
            Source: P. Fader, B. Hardie, K. Lee, RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, 2005.",
        syntax: "clv(params json, spend json, x bigint, t_x double precision, t double precision, m double precision, horizon double precision, discount double precision [, model text]) -> double precision",
        arguments: &[
            ("params", "Struct of bgnbd_fit, mbgnbd_fit or pnbd_fit."),
            ("spend", "Struct of gg_fit."),
            ("x", "Repeat purchases."),
            ("t_x", "Time from the first to the last purchase, in the unit of t."),
            ("t", "Time from the first purchase to now."),
            ("m", "Mean amount of the repeat purchases in money."),
            ("horizon", "Number of periods, that is units of t, 0 to 5200."),
            ("discount", "Discount rate a period, above -1: 0.01 is one per cent."),
            ("model", "Constant 'bgnbd', 'mbgnbd' or 'pnbd'. Default: 'pnbd' where params has s and beta, 'bgnbd' where it has a and b."),
        ],
        example: "SELECT clv(named_struct('r', 0.525, 'alpha', 6.183, 'a', 0.891, 'b', 1.614), named_struct('p', 6.25, 'q', 3.74, 'gamma', 15.44), 2, 30.43, 38.86, 22.35, 52, 0.002, 'mbgnbd')",
        related: &["bgnbd_expected", "mbgnbd_expected", "pnbd_expected", "gg_expected"],
    }
    .build()
});

/// The scalar `clv(params, spend, x, t_x, t, m, horizon, discount [, model])`.
pub struct Clv;

impl ScalarDefinition for Clv {
    const NAME: &'static str = NAME;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, 8, 9)?;
        if !has_numbers(&types[0], &Model::Bgnbd.params()) && !has_numbers(&types[0], &Model::Pnbd.params()) {
            return plan_err!(
                "{NAME}: params must be a struct with the numbers r, alpha, a, b or r, alpha, s, beta, got {}",
                types[0]
            );
        }
        let mut coerced = vec![types[0].clone(), coerce_params(NAME, "spend", &gg_expected::PARAMS, &types[1])?];
        for (argument, data_type) in ["x", "t_x", "t", "m", "horizon", "discount"].iter().zip(&types[2..]) {
            coerced.push(coerce_double(NAME, argument, data_type)?);
        }
        coerced.extend(types.get(8).map(|_| DataType::Utf8));
        Ok(coerced)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [given, spending, x, t_x, t, m, horizon, discount, model @ ..] = args.args.as_slice() else {
            return exec_err!("{NAME}: 8 or 9 arguments are needed, got {}", args.args.len());
        };
        let model = model_of(model.first(), &given.data_type())?;
        let [one, two, three, four] = params(NAME, model.params(), given, rows)?;
        let [p, q, gamma] = params(NAME, gg_expected::PARAMS, spending, rows)?;
        let columns = [
            one,
            two,
            three,
            four,
            p,
            q,
            gamma,
            x.clone(),
            t_x.clone(),
            t.clone(),
            null_as_zero(m, rows)?,
            horizon.clone(),
            discount.clone(),
        ];
        each_row(&columns, rows, |[one, two, three, four, p, q, gamma, x, t_x, t, m, horizon, discount]| {
            let (params, history) = ([one, two, three, four], History { x, t_x, t });
            let is_valid = are_positive(&params)
                && history.is_valid()
                && (0.0..=PERIODS_MAX).contains(&horizon)
                && discount > -1.0;
            if !is_valid {
                return None;
            }
            let spend = spend([p, q, gamma], x, m)?;
            Some(spend * model.palive(params, history) * discounted(model, params, history, horizon, discount))
        })
    }
}

/// Purchases of a customer who is alive, each period's divided by (1 + discount) ^ (its end).
fn discounted(model: Model, params: [f64; 4], history: History, horizon: f64, discount: f64) -> f64 {
    let mut sum = 0.0;
    let mut from = 0.0;
    while from < horizon {
        let to = horizon.min(from + 1.0);
        sum += model.purchases(params, history, from, to) * (-to * discount.ln_1p()).exp();
        from = to;
    }
    sum
}

fn model_of(given: Option<&ColumnarValue>, params: &DataType) -> Result<Model> {
    let model = match given {
        None if has_numbers(params, &Model::Pnbd.params()) => Model::Pnbd,
        None => Model::Bgnbd,
        Some(ColumnarValue::Scalar(name)) => named(name)?,
        Some(ColumnarValue::Array(_)) => return exec_err!("{NAME}: model must be a constant"),
    };
    if has_numbers(params, &model.params()) {
        return Ok(model);
    }
    exec_err!("{NAME}: params must have the numbers {} of the model, got {params}", model.params().join(", "))
}

fn named(name: &ScalarValue) -> Result<Model> {
    match text(name, NAME, "model", RULE)?.as_str() {
        "bgnbd" => Ok(Model::Bgnbd),
        "mbgnbd" => Ok(Model::Mbgnbd),
        "pnbd" => Ok(Model::Pnbd),
        _ => exec_err!("{NAME}: model must be {RULE}, got {}", quoted(name)),
    }
}
