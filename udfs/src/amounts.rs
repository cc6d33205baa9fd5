//! Amounts: decimals are summed exactly as decimals, every other number as a double.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Float64Type};
use datafusion_common::{Result, plan_err};

/// 10^38: a decimal of 38 digits is below it.
const DECIMAL_LIMIT: u128 = 100_000_000_000_000_000_000_000_000_000_000_000_000;

/// A number that can be summed: `i128` holds the digits of a decimal, `f64` is a double.
pub(crate) trait Amount: Copy + Default + Debug + PartialEq + PartialOrd + Send + Sync + 'static {
    type Arrow: ArrowPrimitiveType<Native = Self>;
    /// No amount: what no sum can be.
    const ABSENT: Self;

    fn is_absent(self) -> bool;
    /// False for NaN and infinities, which count as no amount.
    fn is_usable(self) -> bool;
    /// None when the sum has more digits than the type holds.
    fn plus(self, other: Self) -> Option<Self>;
    /// The number itself, given the scale of its decimal type.
    fn to_double(self, scale: i8) -> f64;
    /// Parts in proportion to `weights`; decimal parts sum to the whole exactly.
    fn split(self, weights: &[u64]) -> Vec<Self>;
}

impl Amount for i128 {
    type Arrow = Decimal128Type;
    const ABSENT: Self = Self::MIN;

    #[inline]
    fn is_absent(self) -> bool {
        self == Self::ABSENT
    }

    fn is_usable(self) -> bool {
        true
    }

    #[inline]
    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other).filter(|sum| sum.unsigned_abs() < DECIMAL_LIMIT)
    }

    fn to_double(self, scale: i8) -> f64 {
        self as f64 / 10f64.powi(i32::from(scale))
    }

    fn split(self, weights: &[u64]) -> Vec<Self> {
        crate::attribution::largest_remainder::split(self, weights)
    }
}

impl Amount for f64 {
    type Arrow = Float64Type;
    const ABSENT: Self = Self::NAN;

    #[inline]
    fn is_absent(self) -> bool {
        self.is_nan()
    }

    #[inline]
    fn is_usable(self) -> bool {
        self.is_finite()
    }

    #[inline]
    fn plus(self, other: Self) -> Option<Self> {
        Some(self + other).filter(|sum| sum.is_finite())
    }

    fn to_double(self, _scale: i8) -> f64 {
        self
    }

    fn split(self, weights: &[u64]) -> Vec<Self> {
        let total: u64 = weights.iter().sum();
        weights.iter().map(|weight| self * (*weight as f64 / total as f64)).collect()
    }
}

/// The type an amount is read in: Decimal128 for decimals, Float64 for other numbers and NULL.
pub(crate) fn coerce_amount(function: &str, argument: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => Ok(DataType::Decimal128(*precision, *scale)),
        DataType::Decimal256(_, scale) => Ok(DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale)),
        DataType::Null => Ok(DataType::Float64),
        DataType::Dictionary(_, value) => coerce_amount(function, argument, value),
        number if number.is_numeric() => Ok(DataType::Float64),
        other => plan_err!("{function}: {argument} must be a number, got {other}"),
    }
}

/// The type of a sum of amounts: all 38 digits at the scale of the input.
pub(crate) fn sum_type(amount: &DataType) -> DataType {
    match amount {
        DataType::Decimal128(_, scale) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale),
        _ => DataType::Float64,
    }
}

/// Digits after the point of a decimal type, 0 for a double.
pub(crate) fn scale_of(amount: &DataType) -> i8 {
    match amount {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

/// An Arrow column of amounts in the type `data_type`.
pub(crate) fn amount_array<A: Amount>(amounts: impl Iterator<Item = Option<A>>, data_type: &DataType) -> ArrayRef {
    Arc::new(amounts.collect::<PrimitiveArray<A::Arrow>>().with_data_type(data_type.clone()))
}
