//! Tails of the normal, chi-square and Student distributions, by the incomplete gamma and beta functions.

use crate::gamma::ln_gamma;

/// Terms of a series or fraction at the most; both need some square root of their parameters.
const TERMS_MAX: u32 = 100_000;
const PRECISION: f64 = 1e-16;
/// Stands for a zero denominator of a continued fraction.
const TINY: f64 = 1e-300;

/// The chance of a standard normal number further from 0 than z.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    upper_gamma(0.5, 0.5 * z * z)
}

/// The chance of a chi-square number above chi2.
pub(crate) fn chi_square(chi2: f64, df: f64) -> f64 {
    upper_gamma(0.5 * df, 0.5 * chi2)
}

/// The chance of a number of Student's distribution further from 0 than t. Source: Abramowitz and Stegun 26.7.1.
pub(crate) fn student_two_sided(t: f64, df: f64) -> f64 {
    beta(0.5 * df, 0.5, df / (df + t * t))
}

/// The regularised upper incomplete gamma function Q(a, x), a > 0. Source: Abramowitz and Stegun 6.5.29 and 6.5.31.
fn upper_gamma(a: f64, x: f64) -> f64 {
    if x.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
        return if x.is_nan() { f64::NAN } else { 1.0 };
    }
    let factor = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for k in 1..TERMS_MAX {
            term *= x / (a + f64::from(k));
            sum += term;
            if term < PRECISION * sum {
                break;
            }
        }
        return (1.0 - factor * sum).clamp(0.0, 1.0);
    }
    let fraction = continued_fraction(x + 1.0 - a, |k| (k * (a - k), x + 1.0 - a + 2.0 * k));
    (factor / fraction).clamp(0.0, 1.0)
}

/// The regularised incomplete beta function I_x(a, b), a, b > 0, 0 <= x <= 1. Source: Abramowitz and Stegun 26.5.8.
fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction is quick on this side of the mean.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(b, a, 1.0 - x);
    }
    let factor = (a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp() / a;
    let fraction = continued_fraction(1.0, |k| {
        let half = (k / 2.0).floor();
        let numerator = if k % 2.0 == 0.0 {
            half * (b - half) * x / ((a + k - 1.0) * (a + k))
        } else {
            -(a + half) * (a + b + half) * x / ((a + k - 1.0) * (a + k))
        };
        (numerator, 1.0)
    });
    (factor / fraction).clamp(0.0, 1.0)
}

/// first + n1 / (d1 + n2 / (d2 + ...)), `part` giving (n, d) of k = 1, 2, ... Source: the algorithm of Lentz and Thompson.
fn continued_fraction(first: f64, part: impl Fn(f64) -> (f64, f64)) -> f64 {
    let nonzero = |number: f64| if number.abs() < TINY { TINY } else { number };
    let mut value = nonzero(first);
    let (mut above, mut below) = (value, 0.0);
    for k in 1..TERMS_MAX {
        let (numerator, denominator) = part(f64::from(k));
        below = 1.0 / nonzero(denominator + numerator * below);
        above = nonzero(denominator + numerator / above);
        let factor = above * below;
        value *= factor;
        if (factor - 1.0).abs() < 4.0 * PRECISION {
            break;
        }
    }
    value
}
