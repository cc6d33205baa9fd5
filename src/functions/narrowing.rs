//! Casts of decimals that lose digits, as functions.
//!
//! The engine takes a cast beside a constant for one that loses nothing, and asks `d = 1.00` in the place of
//! `CAST(d AS numeric(4, 0)) = 1`: 1.20 would not be found. It does not look into a function.

use std::hash::Hash;

use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use arrow::util::display::FormatOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// The function that rounds decimals, half away from zero, to the digits of `to`; one that has more whole digits is an error.
pub fn rounded(to: &DataType) -> ScalarUDF {
    ScalarUDF::new_from_impl(Rounded { to: to.clone(), signature: Signature::any(1, Volatility::Immutable) })
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
