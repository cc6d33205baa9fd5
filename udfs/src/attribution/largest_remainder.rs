//! Splitting a whole number in proportion to weights so that the parts sum to it exactly.

use std::cmp::Reverse;

/// Parts of `total` in proportion to `weights`. Each is the exact share rounded towards zero, and the units left over go to the largest
/// remainders, the earlier part first. Weights sum to at most 2^62; all zero gives zero parts.
/// Source: the method of Hamilton (largest remainder).
pub(crate) fn split(total: i128, weights: &[u64]) -> Vec<i128> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let (whole, rest) = (total.unsigned_abs() / sum, total.unsigned_abs() % sum);
    let mut left = total.unsigned_abs();
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().map(|weight| u128::from(*weight)).enumerate() {
        // rest < sum <= 2^62 and weight <= 2^62: the product has at most 124 bits.
        let part = whole * weight + rest * weight / sum;
        left -= part;
        parts.push(part);
        remainders.push((Reverse(rest * weight % sum), index));
    }
    remainders.sort_unstable();
    // Fewer units are left than there are parts with a remainder.
    for (_, index) in remainders.into_iter().take(left as usize) {
        parts[index] += 1;
    }
    let sign = if total < 0 { -1 } else { 1 };
    parts.into_iter().map(|part| sign * part as i128).collect()
}

/// 2^53: sums of its fractions up to 1 are exact in doubles, in any order.
const UNIT: i128 = 1 << 53;

/// Shares in proportion to `weights` that sum to 1 exactly in doubles.
pub(crate) fn shares(weights: &[u64]) -> Vec<f64> {
    let sum: u64 = weights.iter().sum();
    let nearest: Vec<f64> = weights.iter().map(|weight| *weight as f64 / sum as f64).collect();
    if nearest.iter().sum::<f64>() == 1.0 && nearest.iter().rev().sum::<f64>() == 1.0 {
        return nearest;
    }
    split(UNIT, weights).into_iter().map(|part| part as f64 / UNIT as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_sum_to_the_whole_and_the_earlier_gets_the_odd_unit() {
        assert_eq!(split(10_000, &[1, 1, 1]), [3_334, 3_333, 3_333]);
        assert_eq!(split(-10_000, &[1, 1, 1]), [-3_334, -3_333, -3_333]);
        assert_eq!(split(1, &[1, 2, 1]), [0, 1, 0]);
        assert_eq!(split(0, &[1, 2]), [0, 0]);
    }

    #[test]
    fn the_largest_decimal_is_split_without_overflow() {
        let total = 10i128.pow(38) - 1;
        let weights = [(1 << 61) - 1, 1 << 60, 12_345];
        assert_eq!(split(total, &weights).iter().sum::<i128>(), total);
    }

    #[test]
    fn shares_sum_to_one_exactly_in_any_order() {
        for n in 1..200u64 {
            let weights: Vec<u64> = (0..n).map(|index| 1 + index % 7).collect();
            assert_eq!(shares(&weights).iter().sum::<f64>(), 1.0);
        }
        assert_eq!(shares(&[2, 1, 2]), [0.4, 0.2, 0.4]);
    }
}
