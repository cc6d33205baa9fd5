//! The gamma-gamma model of spending: purchases vary around a customer's own mean, and these means vary among customers.
//!
//! Source: P. Fader, B. Hardie, The Gamma-Gamma Model of Monetary Value, note 025, 2013, equations 1a and 5.

use super::fit::{Alike, Fit, in_units, most_likely, unit, weight};
use crate::gamma::{digamma, ln_gamma};

/// Starts of the search, as logarithms of p, q, gamma (in mean spends).
const STARTS: [[f64; 3]; 3] = [[1.5, 1.2, -1.0], [0.0, 0.7, 0.0], [0.7, 1.2, 1.0]];

/// Fits p, q, gamma to (x, m).
pub(super) fn fit(customers: &[Alike<2>]) -> Option<Fit<3>> {
    let (weight, unit) = (weight(customers)?, unit(customers, 1));
    let scaled = in_units(customers, unit, &[1]);
    let best = most_likely(&STARTS, weight, |params| log_likelihood(&scaled, params))?;
    let [p, q, gamma] = best.at.map(f64::exp);
    let params = [p, q, gamma * unit];
    let loglik = log_likelihood(customers, params).0;
    loglik.is_finite().then_some(Fit { params, loglik, converged: best.converged })
}

/// The expected spend a purchase of a customer with x purchases of mean m; None where the model has no mean (x = 0 and q <= 1).
pub(super) fn expected([p, q, gamma]: [f64; 3], x: f64, m: f64) -> Option<f64> {
    let divisor = p * x + q - 1.0;
    (divisor > 0.0).then(|| p * (gamma + x * m) / divisor)
}

/// The log-likelihood and its gradient by p, q, gamma.
fn log_likelihood(customers: &[Alike<2>], [p, q, gamma]: [f64; 3]) -> (f64, [f64; 3]) {
    let (mut value, mut gradient) = (0.0, [0.0; 3]);
    let constant = q * gamma.ln() - ln_gamma(q);
    let digamma_q = digamma(q);
    for &Alike { inputs: [x, m], weight } in customers {
        let (shape, total) = (p * x, x * m);
        let (ln_total, ln_all) = (total.ln(), (total + gamma).ln());
        let digamma_all = digamma(shape + q);
        value += weight
            * (ln_gamma(shape + q) - ln_gamma(shape) + constant + shape * ln_total - m.ln() - (shape + q) * ln_all);
        gradient[0] += weight * x * (digamma_all - digamma(shape) + ln_total - ln_all);
        gradient[1] += weight * (digamma_all - digamma_q + gamma.ln() - ln_all);
        gradient[2] += weight * (q / gamma - (shape + q) / (total + gamma));
    }
    (value, gradient)
}
