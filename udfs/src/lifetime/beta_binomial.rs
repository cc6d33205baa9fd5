//! The BG/BB model for purchases at set occasions: a beta chance to buy at each, until a beta-distributed chance ends them.
//!
//! Source: P. Fader, B. Hardie, J. Shang, Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing Science 29(6), 2010,
//! equations 5, 11 and 13.

use super::fit::{Alike, Fit, most_likely, weight};
use super::history::{History, log_add_exp, logistic};
use crate::gamma::{digamma, ln_gamma};

/// Starts of the search, as logarithms of alpha, beta, gamma, delta.
const STARTS: [[f64; 4]; 2] = [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 1.5]];

/// Fits alpha, beta, gamma, delta to (x, t_x, n): x purchases, the last at occasion t_x of n.
pub(super) fn fit(customers: &[Alike<3>]) -> Option<Fit<4>> {
    let best = most_likely(&STARTS, weight(customers)?, |params| log_likelihood(customers, params))?;
    let params = best.at.map(f64::exp);
    let loglik = log_likelihood(customers, params).0;
    loglik.is_finite().then_some(Fit { params, loglik, converged: best.converged })
}

/// A history whose times are whole occasions, with a purchase at each at the most.
pub(super) fn is_possible([x, t_x, n]: [f64; 3]) -> bool {
    History { x, t_x, t: n }.is_valid() && t_x.fract() == 0.0 && n.fract() == 0.0 && x <= t_x && n <= OCCASIONS_MAX
}

/// More occasions than any calendar has; the likelihood has a term for each.
const OCCASIONS_MAX: f64 = 10_000.0;

/// One way a history came about: alive until the end, or gone after an occasion from t_x on.
struct Way {
    ln: f64,
    gradient: [f64; 4],
}

fn ways([alpha, beta, gamma, delta]: [f64; 4], [x, t_x, n]: [f64; 3]) -> impl Iterator<Item = Way> {
    let (base_buy, base_leave) = (ln_beta(alpha, beta), ln_beta(gamma, delta));
    let way = move |buys: f64, misses: f64, leaves: f64, stays: f64| Way {
        ln: ln_beta(alpha + buys, beta + misses) - base_buy + ln_beta(gamma + leaves, delta + stays) - base_leave,
        gradient: [
            by_first(alpha + buys, beta + misses) - by_first(alpha, beta),
            by_first(beta + misses, alpha + buys) - by_first(beta, alpha),
            by_first(gamma + leaves, delta + stays) - by_first(gamma, delta),
            by_first(delta + stays, gamma + leaves) - by_first(delta, gamma),
        ],
    };
    let gone = (t_x as u32..n as u32).map(f64::from);
    std::iter::once(way(x, n - x, 0.0, n)).chain(gone.map(move |last| way(x, last - x, 1.0, last)))
}

/// P(alive) at the occasion after n, so that the customer may still buy.
pub(super) fn palive(params: [f64; 4], inputs: [f64; 3]) -> f64 {
    let [_, _, gamma, delta] = params;
    let [_, _, n] = inputs;
    alive_until_end(params, inputs) * (delta + n) / (gamma + delta + n)
}

/// Expected purchases at the `horizon` occasions after n: the chance to buy at one, times the chance to be alive at each.
pub(super) fn expected(params: [f64; 4], inputs: [f64; 3], horizon: f64) -> f64 {
    let [alpha, beta, gamma, delta] = params;
    let [x, _, n] = inputs;
    let (mut alive, mut occasions) = (1.0, 0.0);
    for occasion in 0..horizon as u32 {
        let stays = delta + n + f64::from(occasion);
        alive *= stays / (gamma + stays);
        occasions += alive;
    }
    alive_until_end(params, inputs) * (alpha + x) / (alpha + beta + n) * occasions
}

/// True for a number of occasions that is no longer than a history may be.
pub(super) fn is_horizon(horizon: f64) -> bool {
    (0.0..=OCCASIONS_MAX).contains(&horizon) && horizon.fract() == 0.0
}

/// The share of the likelihood where the customer was alive at n.
fn alive_until_end(params: [f64; 4], inputs: [f64; 3]) -> f64 {
    let mut ways = ways(params, inputs).map(|way| way.ln);
    let alive = ways.next().unwrap_or(f64::NEG_INFINITY);
    logistic(alive - ways.fold(f64::NEG_INFINITY, log_add_exp))
}

fn log_likelihood(customers: &[Alike<3>], params: [f64; 4]) -> (f64, [f64; 4]) {
    let (mut value, mut gradient) = (0.0, [0.0; 4]);
    for &Alike { inputs, weight } in customers {
        let ways: Vec<Way> = ways(params, inputs).collect();
        let ln = ways.iter().fold(f64::NEG_INFINITY, |sum, way| log_add_exp(sum, way.ln));
        value += weight * ln;
        for way in &ways {
            let share = weight * (way.ln - ln).exp();
            gradient = std::array::from_fn(|index| gradient[index] + share * way.gradient[index]);
        }
    }
    (value, gradient)
}

fn ln_beta(one: f64, two: f64) -> f64 {
    ln_gamma(one) + ln_gamma(two) - ln_gamma(one + two)
}

/// The derivative of ln B(one, two) by the first.
fn by_first(one: f64, two: f64) -> f64 {
    digamma(one) - digamma(one + two)
}
