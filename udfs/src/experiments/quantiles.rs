//! Quantiles of 0.975, for bounds of 95 % confidence.

use crate::tails::student_two_sided;

pub(super) const NORMAL_975: f64 = 1.959_963_984_540_054;

/// Student's, by halving: the tail falls all the way.
pub(super) fn student_975(df: f64) -> f64 {
    let (mut low, mut high) = (NORMAL_975 - 0.01, 1e3);
    while student_two_sided(high, df) > 0.05 && high < 1e300 {
        high *= 1e3;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if student_two_sided(middle, df) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}
