//! `bgnbd_palive`: the chance that a customer still buys, by the BG/NBD model.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::bgnbd::{Customers, Params, palive};
use crate::documents::{Entry, LIFETIME};
use crate::doubles::{coerce_double, each_row};

const NAME: &str = "bgnbd_palive";
const PARAMS: [&str; 4] = ["r", "alpha", "a", "b"];

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Probability that the customer is still a customer, DOUBLE from 0 to 1, by the BG/NBD model; 1 at x = 0, \
            because the model lets customers leave only after a repeat purchase. \
            NULL when an argument is NULL, a parameter is not above 0, x is not a whole number from 0 or 0 <= t_x <= t does not hold. \
            Source: P. Fader, B. Hardie, K. Lee, Computing P(alive) Using the BG/NBD Model, 2008.",
        syntax: "bgnbd_palive(params json, x bigint, t_x double precision, t double precision) -> double precision",
        arguments: &[
            ("params", "Struct with the numbers r, alpha, a, b, as bgnbd_fit gives it; alpha in the unit of t."),
            ("x", "Repeat purchases."),
            ("t_x", "Time from the first to the last purchase, in the unit of t."),
            ("t", "Time from the first purchase to now."),
        ],
        example: "SELECT bgnbd_palive(named_struct('r', 0.243, 'alpha', 4.414, 'a', 0.793, 'b', 2.426), 2, 30.43, 38.86)",
        related: &["bgnbd_fit", "rfm_summary"],
    }
    .build()
});

/// The scalar `bgnbd_palive(params, x, t_x, t)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct BgnbdPalive {
    signature: Signature,
}

impl Default for BgnbdPalive {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for BgnbdPalive {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [params, x, t_x, t] = take_function_args(NAME, types)?;
        let named = |name: &&str| matches!(params, DataType::Struct(fields) if fields.find(name).is_some_and(|(_, field)| field.data_type().is_numeric()));
        if !PARAMS.iter().all(named) {
            return plan_err!("{NAME}: params must be a struct with the numbers r, alpha, a, b, got {params}");
        }
        let (x, t_x, t) =
            (coerce_double(NAME, "x", x)?, coerce_double(NAME, "t_x", t_x)?, coerce_double(NAME, "t", t)?);
        Ok(vec![params.clone(), x, t_x, t])
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [params, x, t_x, t] = take_function_args(NAME, args.args)?;
        let [r, alpha, a, b] = parameters(&params, args.number_rows)?;
        each_row(&[r, alpha, a, b, x, t_x, t], args.number_rows, |[r, alpha, a, b, x, t_x, t]| {
            let valid = [r, alpha, a, b].iter().all(|parameter| *parameter > 0.0)
                && Customers { x, t_x, t, weight: 1.0 }.is_valid();
            valid.then(|| palive(Params { r, alpha, a, b }, x, t_x, t))
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// The four parameters as columns of doubles, NULL where the struct is.
fn parameters(params: &ColumnarValue, rows: usize) -> Result<[ColumnarValue; 4]> {
    let array = params.to_array(rows)?;
    let structs = array.as_struct();
    let mut columns = Vec::with_capacity(PARAMS.len());
    for name in PARAMS {
        let Some(column) = structs.column_by_name(name) else {
            return exec_err!("{NAME}: params has no field {name:?}");
        };
        let doubles = cast(column, &DataType::Float64)?;
        let doubles = doubles.as_primitive::<Float64Type>();
        let nulls = NullBuffer::union(doubles.nulls(), structs.nulls());
        columns.push(ColumnarValue::Array(Arc::new(Float64Array::new(doubles.values().clone(), nulls))));
    }
    take_function_args(NAME, columns)
}
