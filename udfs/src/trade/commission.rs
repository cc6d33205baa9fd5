//! Commissions: a rate of what was paid, once it is due.
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, i256};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;

use crate::amounts::{coerce_amount, scale_of, sum_type};
use crate::roi::quotient::rounded;
use crate::sums::{Sum, amount_at, sum_array};

/// Digits after the point of a rate that is no decimal.
const RATE_SCALE: i8 = 12;

/// The types of an amount and a rate: a commission is a decimal when the amount is one.
pub(super) fn coerce_money(function: &str, amount: &DataType, rate: &DataType) -> Result<[DataType; 2]> {
    let amount = coerce_amount(function, "amount", amount)?;
    let rate = coerce_amount(function, "rate", rate)?;
    match &amount {
        DataType::Decimal128(_, _) => Ok([amount, rate]),
        _ => Ok([amount, DataType::Float64]),
    }
}

/// The commission of each row: `base(row)` times the rate where that is due, 0 where it is not yet, NULL where either is unknown.
pub(super) fn commissions(
    amount: &DataType,
    rates: &ArrayRef,
    base: impl Fn(usize) -> Option<Sum>,
    mut is_due: impl FnMut(usize) -> Option<bool>,
) -> Result<ColumnarValue> {
    let scale = scale_of(rates.data_type());
    let commissions = (0..rates.len()).map(|row| {
        let rate = amount_at(rates, row).filter(|rate| !rate.is_negative())?;
        let commission = times(base(row)?, rate, scale)?;
        Some(if is_due(row)? { commission } else { Sum::zero(amount) })
    });
    Ok(ColumnarValue::Array(sum_array(commissions, &sum_type(amount))))
}

/// Half away from zero at the scale of the amount; None beyond 38 digits.
fn times(base: Sum, rate: Sum, rate_scale: i8) -> Option<Sum> {
    let (digits, rate, rate_scale) = match (base, rate) {
        (Sum::Double(base), rate) => {
            let Sum::Double(rate) = rate else { return None };
            return Some(base * rate).filter(|commission| commission.is_finite()).map(Sum::Double);
        }
        (Sum::Decimal(digits), Sum::Decimal(rate)) => (digits, rate, rate_scale),
        (Sum::Decimal(digits), Sum::Double(rate)) => {
            let scaled = (rate * 10f64.powi(i32::from(RATE_SCALE))).round();
            // Beyond 2^53 the digits of a double are no digits of the rate.
            (digits, (scaled < (1u64 << 53) as f64).then_some(scaled as i128)?, RATE_SCALE)
        }
    };
    let product = i256::from_i128(digits).checked_mul(i256::from_i128(rate))?;
    let unit = i256::from_i128(10).checked_pow(u32::try_from(rate_scale).ok()?)?;
    rounded(product, unit).map(Sum::Decimal)
}

/// The columns of arguments.
pub(super) fn columns(args: Vec<ColumnarValue>, rows: usize) -> Result<Vec<ArrayRef>> {
    args.into_iter().map(|argument| argument.into_array(rows)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commission_is_rounded_half_away_from_zero() {
        let of = |digits, rate| times(Sum::Decimal(digits), rate, 4);
        assert_eq!(of(1_050, Sum::Decimal(500)), Some(Sum::Decimal(53)));
        assert_eq!(of(1_050, Sum::Double(0.05)), Some(Sum::Decimal(53)));
        assert_eq!(of(-1_050, Sum::Decimal(500)), Some(Sum::Decimal(-53)));
        assert_eq!(of(1_000, Sum::Double(1e300)), None);
        assert_eq!(of(i128::MAX, Sum::Decimal(i128::MAX)), None);
    }
}
