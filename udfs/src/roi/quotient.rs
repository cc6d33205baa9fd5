//! A quotient of two amounts: exact in decimals, a double otherwise, NULL where the divisor is zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, i256};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use crate::amounts::{coerce_amount, scale_of};
use crate::doubles::each_row;
use crate::sums::Sum;

/// Digits after the point of a decimal quotient, unless an argument has more.
const SCALE_MIN: i8 = 6;
/// Digits of the widest integer type.
const INTEGER_DIGITS: u8 = 20;

/// What the quotient divides.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dividend {
    /// The first argument.
    First,
    /// The first argument less the second.
    Difference,
}

/// Decimals when one argument is a decimal and the other a decimal or an integer, else doubles.
pub(crate) fn coerce(function: &str, arguments: [&str; 2], types: &[DataType]) -> Result<Vec<DataType>> {
    let [one, two] = take_function_args(function, types)?;
    coerce_exact(function, &[(arguments[0], one), (arguments[1], two)])
}

/// The types of amounts that are reckoned with each other: decimals when one is a decimal and the others are decimals or integers, else doubles.
pub(crate) fn coerce_exact(function: &str, given: &[(&str, &DataType)]) -> Result<Vec<DataType>> {
    let amounts: Vec<DataType> = given
        .iter()
        .map(|(argument, data_type)| coerce_amount(function, argument, data_type))
        .collect::<Result<_>>()?;
    if !amounts.iter().any(|amount| matches!(amount, DataType::Decimal128(_, _))) {
        return Ok(vec![DataType::Float64; amounts.len()]);
    }
    let exact = amounts.iter().zip(given).map(|(amount, (_, given))| match amount {
        DataType::Decimal128(_, _) => Some(amount.clone()),
        _ if given.is_integer() || given.is_null() => Some(DataType::Decimal128(INTEGER_DIGITS, 0)),
        _ => None,
    });
    Ok(exact.collect::<Option<Vec<_>>>().unwrap_or_else(|| vec![DataType::Float64; amounts.len()]))
}

/// The type of the quotient of arguments of these types.
pub(crate) fn quotient_type(types: &[DataType]) -> DataType {
    match types {
        [DataType::Decimal128(_, one), DataType::Decimal128(_, two)] => {
            DataType::Decimal128(DECIMAL128_MAX_PRECISION, SCALE_MIN.max(*one).max(*two))
        }
        _ => DataType::Float64,
    }
}

/// The quotient of every row.
pub(crate) fn quotient(function: &str, args: &ScalarFunctionArgs, dividend: Dividend) -> Result<ColumnarValue> {
    let [one, two] = take_function_args(function, &args.args)?;
    let (DataType::Decimal128(_, one_scale), DataType::Decimal128(_, two_scale)) = (one.data_type(), two.data_type())
    else {
        return each_row(&[one.clone(), two.clone()], args.number_rows, |[one, two]| match dividend {
            Dividend::First => Some(one / two),
            Dividend::Difference => Some((one - two) / two),
        });
    };
    let DataType::Decimal128(_, scale) = quotient_type(&[one.data_type(), two.data_type()]) else {
        return Ok(ColumnarValue::Scalar(ScalarValue::Null));
    };
    let constant = matches!((one, two), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { args.number_rows };
    let (one, two) = (one.to_array(rows)?, two.to_array(rows)?);
    let (one, two) = (one.as_primitive::<Decimal128Type>(), two.as_primitive::<Decimal128Type>());
    let quotients: Decimal128Array = (0..rows)
        .map(|row| {
            if one.is_null(row) || two.is_null(row) {
                return None;
            }
            let (one, two) =
                (aligned(one.value(row), one_scale, two_scale)?, aligned(two.value(row), two_scale, one_scale)?);
            match dividend {
                Dividend::First => divide(one, two, scale),
                Dividend::Difference => divide(one.checked_sub(two)?, two, scale),
            }
        })
        .collect();
    let quotients: ArrayRef = Arc::new(quotients.with_data_type(DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale)));
    if constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&quotients, 0)?));
    }
    Ok(ColumnarValue::Array(quotients))
}

/// The mean of amounts of the type `amount` that sum to `total`, in the type of a quotient; None without one or beyond 38 digits.
pub(crate) fn mean(total: Sum, count: i64, amount: &DataType) -> Option<Sum> {
    match (total, mean_type(amount)) {
        (Sum::Decimal(digits), DataType::Decimal128(_, scale)) => {
            let total = aligned(digits, scale_of(amount), 0)?;
            divide(total, aligned(i128::from(count), 0, scale_of(amount))?, scale).map(Sum::Decimal)
        }
        (Sum::Double(number), _) => Some(number / count as f64).filter(|mean| mean.is_finite()).map(Sum::Double),
        _ => None,
    }
}

/// The type of a mean of amounts of the type `amount`.
pub(crate) fn mean_type(amount: &DataType) -> DataType {
    quotient_type(&[amount.clone(), DataType::Decimal128(INTEGER_DIGITS, 0)])
}

/// The digits of a decimal at the larger of both scales.
fn aligned(digits: i128, scale: i8, other: i8) -> Option<i256> {
    let ten = i256::from_i128(10);
    i256::from_i128(digits)
        .checked_mul(ten.checked_pow(u32::try_from((i16::from(other) - i16::from(scale)).max(0)).ok()?)?)
}

/// `one / two` with `scale` digits after the point, half away from zero; None at zero or beyond 38 digits.
fn divide(one: i256, two: i256, scale: i8) -> Option<i128> {
    rounded(one.checked_mul(i256::from_i128(10).checked_pow(u32::try_from(scale).ok()?)?)?, two)
}

/// `scaled / two`, half away from zero; None at zero or beyond 38 digits.
pub(crate) fn rounded(scaled: i256, two: i256) -> Option<i128> {
    let (whole, rest) = (scaled.checked_div(two)?, scaled.checked_rem(two)?);
    let up = rest.checked_abs()?.checked_mul(i256::from_i128(2))? >= two.checked_abs()?;
    let towards = if scaled.is_negative() == two.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    let rounded = if up { whole.checked_add(towards)? } else { whole };
    rounded.to_i128().filter(|digits| digits.unsigned_abs() < 10u128.pow(u32::from(DECIMAL128_MAX_PRECISION)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(one: i128, two: i128) -> Option<i128> {
        divide(i256::from_i128(one), i256::from_i128(two), 2)
    }

    #[test]
    fn a_quotient_is_rounded_half_away_from_zero() {
        assert_eq!(
            [of(1, 8), of(-1, 8), of(1, -8), of(1, 3), of(2, 3)],
            [Some(13), Some(-13), Some(-13), Some(33), Some(67)]
        );
    }

    #[test]
    fn a_zero_divisor_gives_no_quotient() {
        assert_eq!(of(1, 0), None);
    }

    #[test]
    fn a_quotient_beyond_38_digits_is_none() {
        assert_eq!(of(i128::MAX, 1), None);
    }
}
