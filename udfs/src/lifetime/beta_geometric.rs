//! Poisson purchases with a gamma rate, until a beta-distributed chance ends them: the BG/NBD model and its modification.
//!
//! Sources: P. Fader, B. Hardie, K. Lee, "Counting Your Customers" the Easy Way, Marketing Science 24(2), 2005, equations 3, 6 and 10;
//! E. Batislam, M. Denizel, A. Filiztekin, Empirical Validation and Comparison of Models for Customer Base Analysis, IJRM 24(3), 2007.

use super::fit::{Alike, Fit, in_units, most_likely, unit, weight};
use super::history::{History, log_add_exp, logistic};
use super::hypergeometric::ln_2f1;
use super::quadrature::integrate;
use crate::gamma::{digamma, ln_gamma};

/// Starts of the search, as logarithms of r, alpha (time in mean observation lengths), a, b.
const STARTS: [[f64; 4]; 3] = [[0.0, 0.0, 0.0, 0.0], [-1.4, -0.7, -0.7, 0.7], [0.0, 1.0, -4.0, 1.5]];
/// Panels of an expectation at the most: parameters that would need more are far beyond those of any customer base.
const PANELS_MAX: f64 = 64.0;

/// When a customer may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// BG/NBD: after a repeat purchase.
    AfterRepeat,
    /// MBG/NBD: after any purchase, the first one included.
    AfterAny,
}

impl Leaving {
    /// How often a customer with x repeat purchases might have left.
    fn chances(self, x: f64) -> f64 {
        match self {
            Self::AfterRepeat => x,
            Self::AfterAny => x + 1.0,
        }
    }
}

/// Fits r, alpha, a, b to (x, t_x, t).
pub(super) fn fit(customers: &[Alike<3>], leaving: Leaving) -> Option<Fit<4>> {
    let (weight, unit) = (weight(customers)?, unit(customers, 2));
    let scaled = in_units(customers, unit, &[1, 2]);
    let best = most_likely(&STARTS, weight, |params| log_likelihood(&scaled, leaving, params))?;
    let [r, alpha, a, b] = best.at.map(f64::exp);
    let params = [r, alpha * unit, a, b];
    let loglik = log_likelihood(customers, leaving, params).0;
    // Without a repeat purchase the likelihood only flattens out towards a rate of 0.
    let converged = best.converged && customers.iter().any(|each| each.inputs[0] > 0.0);
    loglik.is_finite().then_some(Fit { params, loglik, converged })
}

/// P(alive): a logistic of the log odds, so it overflows nowhere.
pub(super) fn palive(leaving: Leaving, [r, alpha, a, b]: [f64; 4], History { x, t_x, t }: History) -> f64 {
    let chances = leaving.chances(x);
    if chances == 0.0 {
        return 1.0;
    }
    let log_odds_of_end = a.ln() - (b + chances - 1.0).ln() + (r + x) * ((t - t_x) / (alpha + t_x)).ln_1p();
    logistic(-log_odds_of_end)
}

/// Expected purchases between `from` and `to` after t of a customer who is alive at t.
///
/// The closed form is a difference divided by a - 1, which loses its digits near a = 1 and for short times. This is the integral of the
/// expected rate, which is positive and smooth everywhere; over u = ln(1 + time / (alpha + t)) a panel a unit is enough.
pub(super) fn purchases(leaving: Leaving, [r, alpha, a, b]: [f64; 4], history: History, from: f64, to: f64) -> f64 {
    let (shape, rate, chances) = (r + history.x, alpha + history.t, leaving.chances(history.x));
    let (low, high) = ((from / rate).ln_1p(), (to / rate).ln_1p());
    let decay = 1.0 + (shape + 1.0) * a / (a + b + chances);
    let panels = ((high - low) * decay).ceil().clamp(1.0, PANELS_MAX);
    let mut sum = 0.0;
    for panel in 0..panels as u32 {
        let edge = |panel: u32| low + (high - low) * f64::from(panel) / panels;
        let [part] = integrate(edge(panel), edge(panel + 1), |u| {
            let ended = -(-u).exp_m1();
            [(ln_2f1(shape + 1.0, b + chances, a + b + chances, ended) - shape * u).exp()]
        });
        sum += part;
    }
    shape * sum
}

/// The log-likelihood and its gradient by r, alpha, a, b.
fn log_likelihood(customers: &[Alike<3>], leaving: Leaving, params: [f64; 4]) -> (f64, [f64; 4]) {
    let [r, alpha, a, b] = params;
    let (mut value, mut gradient) = (0.0, [0.0; 4]);
    let mut terms = Terms::of(0.0, leaving, params);
    for &Alike { inputs: [x, t_x, t], weight } in customers {
        if x != terms.x {
            terms = Terms::of(x, leaving, params);
        }
        let (ln_alive, ln_ended) = (-(r + x) * (alpha + t).ln(), terms.ln_chance - (r + x) * (alpha + t_x).ln());
        let alive = if terms.chances > 0.0 { logistic(ln_alive - ln_ended) } else { 1.0 };
        let ended = 1.0 - alive;
        value += weight * (terms.value + log_add_exp(ln_alive, ln_ended));
        gradient[0] += weight * (terms.by_r - alive * (alpha + t).ln() - ended * (alpha + t_x).ln());
        gradient[1] += weight * (r / alpha - (r + x) * (alive / (alpha + t) + ended / (alpha + t_x)));
        gradient[2] += weight * (terms.by_a + ended / a);
        gradient[3] +=
            weight * (terms.by_b - if terms.chances > 0.0 { ended / (b + terms.chances - 1.0) } else { 0.0 });
    }
    (value, gradient)
}

/// The parts of the likelihood that depend on x alone.
struct Terms {
    x: f64,
    chances: f64,
    value: f64,
    /// ln(a / (b + chances - 1)): the odds that the last purchase was the end.
    ln_chance: f64,
    by_r: f64,
    by_a: f64,
    by_b: f64,
}

impl Terms {
    fn of(x: f64, leaving: Leaving, [r, alpha, a, b]: [f64; 4]) -> Self {
        let chances = leaving.chances(x);
        let (mut value, mut by_r) = (r * alpha.ln(), alpha.ln());
        if x > 0.0 {
            value += ln_gamma(r + x) - ln_gamma(r);
            by_r += digamma(r + x) - digamma(r);
        }
        if chances == 0.0 {
            return Self { x, chances, value, ln_chance: f64::NEG_INFINITY, by_r, by_a: 0.0, by_b: 0.0 };
        }
        let beta_by_both = digamma(a + b) - digamma(a + b + chances);
        Self {
            x,
            chances,
            value: value + ln_gamma(a + b) + ln_gamma(b + chances) - ln_gamma(b) - ln_gamma(a + b + chances),
            ln_chance: a.ln() - (b + chances - 1.0).ln(),
            by_r,
            by_a: beta_by_both,
            by_b: beta_by_both + digamma(b + chances) - digamma(b),
        }
    }
}
