//! The BG/NBD model: Poisson purchases with a gamma rate, until a beta-distributed chance ends them after some purchase.
//!
//! Source: P. Fader, B. Hardie, K. Lee, "Counting Your Customers" the Easy Way, Marketing Science 24(2), 2005, equations 3 and 6.

use super::gamma::{digamma, ln_gamma};
use super::minimise::{Minimum, minimise};

/// Starts of the search, as logarithms of r, alpha (time in mean observation lengths), a, b.
const STARTS: [[f64; 4]; 3] = [[0.0, 0.0, 0.0, 0.0], [-1.4, -0.7, -0.7, 0.7], [0.0, 1.0, -4.0, 1.5]];

/// What is known of `weight` customers alike: x repeat purchases, the last at t_x, observed until t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Customers {
    pub x: f64,
    pub t_x: f64,
    pub t: f64,
    pub weight: f64,
}

impl Customers {
    /// x a whole number from 0, 0 <= t_x <= t, t_x 0 when x is, weight above 0, all finite.
    pub fn is_valid(&self) -> bool {
        let finite = [self.x, self.t_x, self.t, self.weight].iter().all(|number| number.is_finite());
        finite
            && self.x >= 0.0
            && self.x.fract() == 0.0
            && self.t_x >= 0.0
            && self.t_x <= self.t
            && self.weight > 0.0
            && (self.x > 0.0 || self.t_x == 0.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Params {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

/// Parameters of largest likelihood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    pub params: Params,
    pub loglik: f64,
    pub converged: bool,
}

/// Fits the model. `customers` sorted by x is quickest; None without customers or where no finite fit exists.
pub(super) fn fit(customers: &[Customers]) -> Option<Fit> {
    let weight: f64 = customers.iter().map(|each| each.weight).sum();
    let mean_t = customers.iter().map(|each| each.weight * each.t).sum::<f64>() / weight;
    if !(weight > 0.0 && mean_t.is_finite()) {
        return None;
    }
    // In mean observation lengths alpha is of the order of 1, whatever the unit.
    let unit = if mean_t > 0.0 { mean_t } else { 1.0 };
    let scaled: Vec<Customers> =
        customers.iter().map(|each| Customers { t_x: each.t_x / unit, t: each.t / unit, ..*each }).collect();
    let mut best: Option<Minimum<4>> = None;
    for start in STARTS {
        let found = minimise(start, |logs| mean_loss(&scaled, weight, logs));
        if found.value.is_finite()
            && best.is_none_or(|best| (found.converged, -found.value) > (best.converged, -best.value))
        {
            best = Some(found);
        }
        if found.converged {
            break;
        }
    }
    let best = best?;
    let [r, alpha, a, b] = best.at.map(f64::exp);
    let params = Params { r, alpha: alpha * unit, a, b };
    let loglik = log_likelihood(customers, params).0;
    // Without a repeat purchase the likelihood only flattens out towards a rate of 0.
    let converged = best.converged && customers.iter().any(|each| each.x > 0.0);
    loglik.is_finite().then_some(Fit { params, loglik, converged })
}

/// P(alive): a logistic of the log odds, so it overflows nowhere.
pub(super) fn palive(params: Params, x: f64, t_x: f64, t: f64) -> f64 {
    let Params { r, alpha, a, b } = params;
    if x == 0.0 {
        return 1.0;
    }
    let log_odds_of_end = a.ln() - (b + x - 1.0).ln() + (r + x) * ((t - t_x) / (alpha + t_x)).ln_1p();
    logistic(-log_odds_of_end)
}

/// The loss a customer on average, and its gradient by the logarithms of the parameters.
fn mean_loss(customers: &[Customers], weight: f64, logs: &[f64; 4]) -> (f64, [f64; 4]) {
    let [r, alpha, a, b] = logs.map(f64::exp);
    let (value, gradient) = log_likelihood(customers, Params { r, alpha, a, b });
    (-value / weight, std::array::from_fn(|i| -gradient[i] * [r, alpha, a, b][i] / weight))
}

/// The log-likelihood and its gradient by r, alpha, a, b.
fn log_likelihood(customers: &[Customers], params: Params) -> (f64, [f64; 4]) {
    let Params { r, alpha, a, b } = params;
    let (mut value, mut gradient) = (0.0, [0.0; 4]);
    let mut terms = Terms::of(0.0, params);
    for &Customers { x, t_x, t, weight } in customers {
        if x != terms.x {
            terms = Terms::of(x, params);
        }
        let (ln_alive, ln_ended) = (-(r + x) * (alpha + t).ln(), terms.ln_chance - (r + x) * (alpha + t_x).ln());
        let (ln_either, alive) =
            if x > 0.0 { (log_add_exp(ln_alive, ln_ended), logistic(ln_alive - ln_ended)) } else { (ln_alive, 1.0) };
        let ended = 1.0 - alive;
        value += weight * (terms.value + ln_either);
        gradient[0] += weight * (terms.by_r - alive * (alpha + t).ln() - ended * (alpha + t_x).ln());
        gradient[1] += weight * (r / alpha - (r + x) * (alive / (alpha + t) + ended / (alpha + t_x)));
        gradient[2] += weight * (terms.by_a + ended / a);
        gradient[3] += weight * (terms.by_b - if x > 0.0 { ended / (b + x - 1.0) } else { 0.0 });
    }
    (value, gradient)
}

/// The parts of the likelihood that depend on x alone.
struct Terms {
    x: f64,
    value: f64,
    /// ln(a / (b + x - 1)): the odds that the last purchase was the end.
    ln_chance: f64,
    by_r: f64,
    by_a: f64,
    by_b: f64,
}

impl Terms {
    fn of(x: f64, params: Params) -> Self {
        let Params { r, alpha, a, b } = params;
        if x == 0.0 {
            return Self {
                x,
                value: r * alpha.ln(),
                ln_chance: f64::NEG_INFINITY,
                by_r: alpha.ln(),
                by_a: 0.0,
                by_b: 0.0,
            };
        }
        let beta_by_both = digamma(a + b) - digamma(a + b + x);
        Self {
            x,
            value: ln_gamma(r + x) - ln_gamma(r) + r * alpha.ln() + ln_gamma(a + b) + ln_gamma(b + x)
                - ln_gamma(b)
                - ln_gamma(a + b + x),
            ln_chance: a.ln() - (b + x - 1.0).ln(),
            by_r: digamma(r + x) - digamma(r) + alpha.ln(),
            by_a: beta_by_both,
            by_b: beta_by_both + digamma(b + x) - digamma(b),
        }
    }
}

/// ln(e^one + e^two).
fn log_add_exp(one: f64, two: f64) -> f64 {
    let (larger, smaller) = if one >= two { (one, two) } else { (two, one) };
    larger + (smaller - larger).exp().ln_1p()
}

fn logistic(log_odds: f64) -> f64 {
    if log_odds >= 0.0 {
        1.0 / (1.0 + (-log_odds).exp())
    } else {
        let odds = log_odds.exp();
        odds / (1.0 + odds)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const PUBLISHED: Params = Params { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };

    #[test]
    fn the_gradient_is_the_slope_of_the_likelihood() {
        let customers = [
            Customers { x: 2.0, t_x: 30.43, t: 38.86, weight: 1.0 },
            Customers { x: 0.0, t_x: 0.0, t: 38.86, weight: 3.0 },
            Customers { x: 29.0, t_x: 37.71, t: 38.0, weight: 1.0 },
        ];
        let at = [-1.0, 1.2, -0.3, 0.8];
        let (_, gradient) = mean_loss(&customers, 5.0, &at);
        for i in 0..4 {
            let (mut above, mut below) = (at, at);
            above[i] += 1e-5;
            below[i] -= 1e-5;
            let slope = (mean_loss(&customers, 5.0, &above).0 - mean_loss(&customers, 5.0, &below).0) / 2e-5;
            assert!((slope - gradient[i]).abs() < 1e-8, "{i}: {slope} against {}", gradient[i]);
        }
    }

    #[test]
    fn heavy_buyers_do_not_overflow() {
        // Histories on which the plain formulas overflow (known from the regression tests of CLVTools).
        for (x, t_x, t) in [(221.0, 103.42857, 103.57143), (254.0, 97.14286, 97.28571), (100_000.0, 1.0, 1e9)] {
            assert!((0.0..=1.0).contains(&palive(PUBLISHED, x, t_x, t)));
        }
    }

    #[test]
    fn customers_without_repeat_purchase_give_a_finite_fit_that_did_not_converge() {
        let fit = fit(&[Customers { x: 0.0, t_x: 0.0, t: 10.0, weight: 5.0 }]).unwrap();
        assert!(!fit.converged);
        assert!(
            [fit.params.r, fit.params.alpha, fit.params.a, fit.params.b, fit.loglik]
                .iter()
                .all(|number| number.is_finite())
        );
    }

    #[test]
    fn impossible_histories_are_not_valid() {
        let valid = Customers { x: 1.0, t_x: 1.0, t: 2.0, weight: 1.0 };
        assert!(valid.is_valid());
        for wrong in [
            Customers { x: -1.0, ..valid },
            Customers { x: 0.5, ..valid },
            Customers { x: 0.0, ..valid },
            Customers { t_x: 3.0, ..valid },
            Customers { t: f64::NAN, ..valid },
            Customers { weight: 0.0, ..valid },
        ] {
            assert!(!wrong.is_valid(), "{wrong:?}");
        }
    }
}
