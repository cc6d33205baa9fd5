//! What the models know of a customer: how often, how lately, for how long.

/// x repeat purchases, the last at `t_x`, observed until `t`; times since the first purchase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct History {
    pub x: f64,
    pub t_x: f64,
    pub t: f64,
}

impl History {
    /// x a whole number from 0, 0 <= t_x <= t, t_x 0 when x is, all finite.
    pub fn is_valid(self) -> bool {
        let Self { x, t_x, t } = self;
        [x, t_x, t].iter().all(|number| number.is_finite())
            && x >= 0.0
            && x.fract() == 0.0
            && t_x >= 0.0
            && t_x <= t
            && (x > 0.0 || t_x == 0.0)
    }
}

impl From<[f64; 3]> for History {
    fn from([x, t_x, t]: [f64; 3]) -> Self {
        Self { x, t_x, t }
    }
}

pub(super) fn logistic(log_odds: f64) -> f64 {
    if log_odds >= 0.0 {
        1.0 / (1.0 + (-log_odds).exp())
    } else {
        let odds = log_odds.exp();
        odds / (1.0 + odds)
    }
}

/// ln(e^one + e^two).
pub(super) fn log_add_exp(one: f64, two: f64) -> f64 {
    let (larger, smaller) = if one >= two { (one, two) } else { (two, one) };
    if smaller == f64::NEG_INFINITY { larger } else { larger + (smaller - larger).exp().ln_1p() }
}
