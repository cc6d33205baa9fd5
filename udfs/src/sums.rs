//! Sums of amounts whose type is known at run time: the digits of a decimal, or a double.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};

use crate::amounts::{Amount, scale_of};

#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Sum {
    Decimal(i128),
    Double(f64),
}

impl Sum {
    /// 0 of an amount's type, as `coerce_amount` gives it.
    pub fn zero(amount: &DataType) -> Self {
        match amount {
            DataType::Decimal128(_, _) => Self::Decimal(0),
            _ => Self::Double(0.0),
        }
    }

    /// None where the sum is out of range, or the types differ.
    pub fn plus(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Decimal(one), Self::Decimal(two)) => one.plus(two).map(Self::Decimal),
            (Self::Double(one), Self::Double(two)) => one.plus(two).map(Self::Double),
            _ => None,
        }
    }

    /// None where the difference is out of range, or the types differ.
    pub fn less(self, other: Self) -> Option<Self> {
        match other {
            Self::Decimal(digits) => self.plus(Self::Decimal(digits.checked_neg()?)),
            Self::Double(number) => self.plus(Self::Double(-number)),
        }
    }

    pub fn is_negative(self) -> bool {
        match self {
            Self::Decimal(digits) => digits < 0,
            Self::Double(number) => number < 0.0,
        }
    }

    pub fn to_double(self, amount: &DataType) -> f64 {
        match self {
            Self::Decimal(digits) => digits.to_double(scale_of(amount)),
            Self::Double(number) => number,
        }
    }

    /// Parts in proportion to `shares` (0 or more, finite); decimal parts sum to the whole exactly, unless all shares are 0.
    pub fn split(self, shares: &[f64]) -> Vec<Self> {
        let whole: f64 = shares.iter().sum();
        match self {
            Self::Decimal(digits) => {
                let weights: Vec<u64> = shares.iter().map(|share| (share / whole * WEIGHTS) as u64).collect();
                digits.split(&weights).into_iter().map(Self::Decimal).collect()
            }
            Self::Double(number) => {
                let part = |share: &f64| if whole > 0.0 { number * (share / whole) } else { 0.0 };
                shares.iter().map(|share| Self::Double(part(share))).collect()
            }
        }
    }
}

/// What shares become as whole numbers: more steps than a double has digits.
const WEIGHTS: f64 = (1u64 << 60) as f64;

/// The amount of a row, None for NULL and what is not finite.
pub(crate) fn amount_at(amounts: &dyn Array, row: usize) -> Option<Sum> {
    if amounts.is_null(row) {
        return None;
    }
    match amounts.data_type() {
        DataType::Decimal128(_, _) => Some(Sum::Decimal(amounts.as_primitive::<Decimal128Type>().value(row))),
        _ => {
            Some(amounts.as_primitive::<Float64Type>().value(row)).filter(|number| number.is_finite()).map(Sum::Double)
        }
    }
}

/// An Arrow column of sums in the type `data_type`.
pub(crate) fn sum_array(sums: impl Iterator<Item = Option<Sum>>, data_type: &DataType) -> ArrayRef {
    match data_type {
        DataType::Decimal128(_, _) => {
            let digits = sums.map(|sum| match sum {
                Some(Sum::Decimal(digits)) => Some(digits),
                _ => None,
            });
            Arc::new(digits.collect::<Decimal128Array>().with_data_type(data_type.clone()))
        }
        _ => Arc::new(
            sums.map(|sum| match sum {
                Some(Sum::Double(number)) => Some(number),
                _ => None,
            })
            .collect::<Float64Array>(),
        ),
    }
}
