//! The Pareto/NBD model: Poisson purchases with a gamma rate, until an exponential lifetime with a gamma rate ends.
//!
//! Sources: D. Schmittlein, D. Morrison, R. Colombo, Counting Your Customers, Management Science 33(1), 1987;
//! P. Fader, B. Hardie, A Note on Deriving the Pareto/NBD Model and Related Expressions, 2005.

use super::fit::{Alike, Fit, in_units, most_likely, unit, weight};
use super::history::{History, log_add_exp, logistic};
use super::quadrature::integrate;
use crate::gamma::{digamma, ln_gamma};

/// Starts of the search, as logarithms of r, alpha, s, beta (times in mean observation lengths).
const STARTS: [[f64; 4]; 3] = [[-0.5, -1.0, -0.5, -1.0], [0.0, 0.0, 0.0, 0.0], [0.0, -2.0, -2.0, 1.0]];
/// What is smaller by e^-45 adds nothing to a double.
const NEGLIGIBLE: f64 = 45.0;

/// Fits r, alpha, s, beta to (x, t_x, t).
pub(super) fn fit(customers: &[Alike<3>]) -> Option<Fit<4>> {
    let (weight, unit) = (weight(customers)?, unit(customers, 2));
    let scaled = in_units(customers, unit, &[1, 2]);
    let best = most_likely(&STARTS, weight, |params| log_likelihood(&scaled, params))?;
    let [r, alpha, s, beta] = best.at.map(f64::exp);
    let params = [r, alpha * unit, s, beta * unit];
    let loglik = log_likelihood(customers, params).0;
    let converged = best.converged && customers.iter().any(|each| each.inputs[0] > 0.0);
    loglik.is_finite().then_some(Fit { params, loglik, converged })
}

pub(super) fn palive(params: [f64; 4], history: History) -> f64 {
    logistic(ln_alive(params, history) - Ended::of(params, history).ln)
}

/// Expected purchases between `from` and `to` after t of a customer who is alive at t; s = 1 is no special case.
pub(super) fn purchases([r, alpha, s, beta]: [f64; 4], History { x, t, .. }: History, from: f64, to: f64) -> f64 {
    let length = ((to - from) / (beta + t + from)).ln_1p();
    let power = (s - 1.0) * length;
    // (1 - e^-power) / power, which is 1 at 0.
    let mean_survival = if power == 0.0 { 1.0 } else { -(-power).exp_m1() / power };
    let survival_until_from = (-s * (from / (beta + t)).ln_1p()).exp();
    (r + x) / (alpha + t) * survival_until_from * (beta + t + from) * length * mean_survival
}

/// The logarithm of the likelihood's part where the customer is alive at t.
fn ln_alive([r, alpha, s, beta]: [f64; 4], History { x, t, .. }: History) -> f64 {
    -(r + x) * (alpha + t).ln() - s * (beta + t).ln()
}

/// The part where the customer left at y between t_x and t: the integral of s (alpha + y)^-(r + x) (beta + y)^-(s + 1).
/// The literature writes it as a difference of two hypergeometric functions, which overflows and cancels; all terms here are positive.
struct Ended {
    ln: f64,
    /// Means of ln((alpha + y) / (alpha + t_x)), 1 / (alpha + y), and of the same of beta, over the time of leaving.
    ln_alpha: f64,
    per_alpha: f64,
    ln_beta: f64,
    per_beta: f64,
}

impl Ended {
    fn of([r, alpha, s, beta]: [f64; 4], History { x, t_x, t }: History) -> Self {
        let (alpha_x, beta_x) = (alpha + t_x, beta + t_x);
        let ln_start = s.ln() - (r + x) * alpha_x.ln() - (s + 1.0) * beta_x.ln();
        let falls = |y: f64| [(y / alpha_x).ln_1p(), (y / beta_x).ln_1p()];
        let (mut from, mut sums) = (0.0, [0.0; 5]);
        while from < t - t_x {
            let [fall_alpha, fall_beta] = falls(from);
            if (r + x) * fall_alpha + (s + 1.0) * fall_beta > NEGLIGIBLE {
                break;
            }
            // Within a panel the integrand falls by e^2 at the most.
            let decay = (r + x) / (alpha_x + from) + (s + 1.0) / (beta_x + from);
            let to = (t - t_x).min(from + 2.0 / decay);
            let panel = integrate(from, to, |y| {
                let [fall_alpha, fall_beta] = falls(y);
                let density = (-(r + x) * fall_alpha - (s + 1.0) * fall_beta).exp();
                [density, density * fall_alpha, density / (alpha_x + y), density * fall_beta, density / (beta_x + y)]
            });
            sums = std::array::from_fn(|index| sums[index] + panel[index]);
            from = to;
        }
        let [total, ln_alpha, per_alpha, ln_beta, per_beta] = sums;
        if total == 0.0 {
            return Self { ln: f64::NEG_INFINITY, ln_alpha: 0.0, per_alpha: 0.0, ln_beta: 0.0, per_beta: 0.0 };
        }
        Self {
            ln: ln_start + total.ln(),
            ln_alpha: ln_alpha / total,
            per_alpha: per_alpha / total,
            ln_beta: ln_beta / total,
            per_beta: per_beta / total,
        }
    }
}

/// The log-likelihood and its gradient by r, alpha, s, beta.
fn log_likelihood(customers: &[Alike<3>], params: [f64; 4]) -> (f64, [f64; 4]) {
    let [r, alpha, s, beta] = params;
    let (mut value, mut gradient) = (0.0, [0.0; 4]);
    let (ln_gamma_r, digamma_r) = (ln_gamma(r), digamma(r));
    for &Alike { inputs, weight } in customers {
        let history = History::from(inputs);
        let History { x, t_x, t } = history;
        let (ln_alive, left) = (ln_alive(params, history), Ended::of(params, history));
        let alive = logistic(ln_alive - left.ln);
        let ended = 1.0 - alive;
        let constant = ln_gamma(r + x) - ln_gamma_r + r * alpha.ln() + s * beta.ln();
        value += weight * (constant + log_add_exp(ln_alive, left.ln));
        gradient[0] += weight
            * (digamma(r + x) - digamma_r + alpha.ln()
                - alive * (alpha + t).ln()
                - ended * ((alpha + t_x).ln() + left.ln_alpha));
        gradient[1] += weight * (r / alpha - (r + x) * (alive / (alpha + t) + ended * left.per_alpha));
        gradient[2] +=
            weight * (beta.ln() - alive * (beta + t).ln() + ended * (1.0 / s - (beta + t_x).ln() - left.ln_beta));
        gradient[3] += weight * (s / beta - alive * s / (beta + t) - ended * (s + 1.0) * left.per_beta);
    }
    (value, gradient)
}
