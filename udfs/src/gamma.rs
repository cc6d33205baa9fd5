//! The gamma function's logarithm and its derivative, for positive arguments.

/// Stirling's series is exact to the last digits from here on.
const STIRLING_MIN: f64 = 12.0;
/// ln(2 pi) / 2.
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// ln Gamma(x), x > 0: raised to Stirling's range by Gamma(x + 1) = x Gamma(x).
/// Source: Abramowitz and Stegun 6.1.41.
pub(crate) fn ln_gamma(mut x: f64) -> f64 {
    let mut product = 1.0;
    while x < STIRLING_MIN {
        product *= x;
        x += 1.0;
    }
    let (inverse, square) = (1.0 / x, 1.0 / (x * x));
    let series = inverse
        * (1.0 / 12.0
            - square
                * (1.0 / 360.0
                    - square
                        * (1.0 / 1260.0
                            - square * (1.0 / 1680.0 - square * (1.0 / 1188.0 - square * (691.0 / 360_360.0))))));
    (x - 0.5) * x.ln() - x + HALF_LN_2PI + series - product.ln()
}

/// The derivative of ln Gamma(x), x > 0. Source: Abramowitz and Stegun 6.3.18.
pub(crate) fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < STIRLING_MIN {
        sum += 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = square
        * (1.0 / 12.0
            - square
                * (1.0 / 120.0
                    - square
                        * (1.0 / 252.0
                            - square * (1.0 / 240.0 - square * (1.0 / 132.0 - square * (691.0 / 32_760.0))))));
    x.ln() - 0.5 / x - series - sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_has_its_tabulated_values() {
        // Abramowitz and Stegun, table 6.1; ln Gamma(1/2) = ln(pi) / 2; Gamma(21) = 20!.
        for (x, expected) in [
            (1.0, 0.0),
            (2.0, 0.0),
            (0.5, 0.572_364_942_924_700_1),
            (1.5, -0.120_782_237_635_245_2),
            (21.0, 42.335_616_460_753_485),
        ] {
            assert!((ln_gamma(x) - expected).abs() < 2e-14, "ln_gamma({x}) = {}", ln_gamma(x));
        }
    }

    #[test]
    fn digamma_has_its_tabulated_values() {
        // psi(1) = -Euler's constant; psi(1/2) = psi(1) - 2 ln 2.
        for (x, expected) in [(1.0, -0.577_215_664_901_532_9), (0.5, -1.963_510_026_021_423_5)] {
            assert!((digamma(x) - expected).abs() < 1e-14, "digamma({x}) = {}", digamma(x));
        }
    }
}
