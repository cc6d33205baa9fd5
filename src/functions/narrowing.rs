//! Casts of decimals that lose digits, as functions.
//!
//! The engine takes a cast beside a constant for one that loses nothing, and asks `d = 1.00` in the place of
//! `CAST(d AS numeric(4, 0)) = 1`: 1.20 would not be found. It does not look into a function. And it divides by a power of ten
//! to make a float, which is not the nearest one where the digits or the power are many.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use arrow::util::display::FormatOptions;
use datafusion::common::plan_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::texts::answer;

/// The function that rounds decimals, half away from zero, to the digits of `to`; one that has more whole digits is an error.
pub fn rounded(to: &DataType) -> ScalarUDF {
    ScalarUDF::new_from_impl(Rounded { to: to.clone(), signature: Signature::any(1, Volatility::Immutable) })
}

/// Whether a division gives another double precision than the nearest to some decimal of the type.
pub fn is_long(precision: u8, scale: i8) -> bool {
    precision > DIGITS_EXACT || !(0..=POWER_EXACT).contains(&scale)
}

/// The function that gives the double precision nearest to a decimal.
pub fn nearest() -> ScalarUDF {
    ScalarUDF::new_from_impl(Nearest { signature: Signature::any(1, Volatility::Immutable) })
}

/// Whole numbers of so many digits are doubles, and so is ten to this power: their quotient is rounded once.
const DIGITS_EXACT: u8 = 15;
const POWER_EXACT: i8 = 22;
const WHOLE_EXACT: u128 = 1 << 53;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Nearest {
    signature: Signature,
}

impl ScalarUDFImpl for Nearest {
    fn name(&self) -> &str {
        "nearest"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [decimals] = arrays.as_slice() else { return plan_err!("nearest takes one decimal") };
        let DataType::Decimal128(_, scale) = decimals.data_type() else {
            return plan_err!("nearest takes a decimal, not {}", decimals.data_type());
        };
        let power = (0..=POWER_EXACT).contains(scale).then(|| 10_f64.powi(i32::from(*scale)));
        let nearest = |digits: i128| match power {
            Some(power) if digits.unsigned_abs() <= WHOLE_EXACT => Ok(digits as f64 / power),
            _ => format!("{digits}e{}", -i16::from(*scale))
                .parse::<f64>()
                .map_err(|error| DataFusionError::External(error.into())),
        };
        let nearest = decimals.as_primitive::<Decimal128Type>().try_unary::<_, Float64Type, _>(nearest)?;
        answer(&args.args, Arc::new(nearest))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounded {
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Rounded {
    fn name(&self) -> &str {
        "rounded"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let strict = CastOptions { safe: false, format_options: FormatOptions::default() };
        match args.args.into_iter().next() {
            Some(ColumnarValue::Array(array)) => {
                Ok(ColumnarValue::Array(cast_with_options(&array, &self.to, &strict)?))
            }
            Some(scalar) => scalar.cast_to(&self.to, Some(&strict)),
            None => Ok(ColumnarValue::Scalar((&self.to).try_into()?)),
        }
    }
}
