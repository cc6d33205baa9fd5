//! Gauss's hypergeometric function of positive arguments, as a logarithm, so that it overflows nowhere.

/// Beyond this the power series at 0 is slow, and the function is continued in steps.
const SERIES_MAX: f64 = 0.9;
/// Partial sums above this are scaled down; their logarithm is kept apart.
const LARGE: f64 = 1e200;
/// More terms than the series of any parameters up to some millions has.
const TERMS_MAX: u64 = 50_000_000;

/// ln 2F1(a, b; c; z) for a, b, c > 0 and 0 <= z < 1; NaN elsewhere. Relative error below 1e-12 for parameters up to a thousand.
///
/// All terms of the series at 0 are positive, so none cancels. Above 0.9 the series of the same function at z0 is used, whose terms
/// follow from the differential equation; each step goes half of the way to the singularity at 1.
/// Source: Abramowitz and Stegun 15.1.1, 15.2.1, 15.5.1.
pub fn ln_2f1(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let positive = [a, b, c].iter().all(|number| number.is_finite() && *number > 0.0);
    if !(positive && (0.0..1.0).contains(&z)) {
        return f64::NAN;
    }
    if z <= SERIES_MAX {
        return ln_series(a, b, c, z);
    }
    let mut at = SERIES_MAX;
    let mut ln_value = ln_series(a, b, c, at);
    let mut slope = a * b / c * (ln_series(a + 1.0, b + 1.0, c + 1.0, at) - ln_value).exp();
    while at < z {
        let next = z.min(at + 0.5 * (1.0 - at));
        let (ln_growth, next_slope) = step(a, b, c, at, next - at, slope);
        ln_value += ln_growth;
        slope = next_slope;
        at = next;
    }
    ln_value
}

/// The power series at 0. The leading 1 is kept apart, so that a small z keeps its digits.
fn ln_series(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut one, mut term, mut sum, mut lost, mut ln_scale) = (1.0, 1.0, 0.0, 0.0, 0.0);
    for index in 0..TERMS_MAX {
        let k = index as f64;
        let ratio = (a + k) * (b + k) / ((c + k) * (k + 1.0)) * z;
        term *= ratio;
        // Kahan's compensated sum.
        let corrected = term - lost;
        let next = sum + corrected;
        lost = (next - sum) - corrected;
        sum = next;
        if ratio < 1.0 && term <= 1e-18 * (sum + one) * (1.0 - ratio) {
            break;
        }
        if sum > LARGE {
            (one, term, sum, lost) = (one / LARGE, term / LARGE, sum / LARGE, lost / LARGE);
            ln_scale += LARGE.ln();
        }
    }
    if ln_scale == 0.0 { sum.ln_1p() } else { (sum + one).ln() + ln_scale }
}

/// From `at` to `at + length`: the logarithm of how much the function grows, and its slope there relative to its value.
fn step(a: f64, b: f64, c: f64, at: f64, length: f64, slope: f64) -> (f64, f64) {
    // Terms y_k length^k of Taylor's series, the first being 1.
    let (mut before, mut term) = (1.0, slope * length);
    let (mut sum, mut slopes, mut ln_scale) = (before + term, term, 0.0);
    for index in 0..TERMS_MAX {
        let k = index as f64;
        let second = ((2.0 * at - 1.0) * k - c + (a + b + 1.0) * at) * (k + 1.0) * length * term;
        let first = (k + a) * (k + b) * length * length * before;
        (before, term) = (term, (second + first) / (at * (1.0 - at) * (k + 1.0) * (k + 2.0)));
        sum += term;
        slopes += (k + 2.0) * term;
        if (k + 2.0) * term.abs() <= 1e-19 * slopes.abs() && term.abs() < before.abs() {
            break;
        }
        if sum > LARGE {
            (before, term, sum, slopes) = (before / LARGE, term / LARGE, sum / LARGE, slopes / LARGE);
            ln_scale += LARGE.ln();
        }
    }
    (sum.ln() + ln_scale, slopes / (length * sum))
}
