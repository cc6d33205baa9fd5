//! `bgnbd_fit`: the BG/NBD parameters of a customer base.

use std::sync::LazyLock;

use datafusion_expr::Documentation;

use super::beta_geometric::{self, Leaving};
use super::fit::{Alike, Fit, Model};
use super::history::History;
use crate::documents::{Entry, LIFETIME};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Maximum-likelihood parameters of the BG/NBD model of repeat purchases. \
            Gives struct{r DOUBLE, alpha DOUBLE, a DOUBLE, b DOUBLE, loglik DOUBLE, n BIGINT, converged BOOLEAN}: alpha in the unit of t; n the customers used \
            (sum of weights); converged false where the data do not determine the parameters, which are then not to be used. \
            A row with a NULL, with x not a whole number from 0, without 0 <= t_x <= t, with t_x above 0 at x = 0, or with a weight not above 0 is left out. \
            NULL without a customer. The state grows by about 64 bytes a distinct (x, t_x, t). \
            Source: P. Fader, B. Hardie, K. Lee, Counting Your Customers the Easy Way, Marketing Science 24(2), 2005.",
        syntax: "bgnbd_fit(x bigint, t_x double precision, t double precision [, weight double precision]) -> json",
        arguments: &[
            ("x", "Repeat purchases: frequency of rfm_summary."),
            ("t_x", "Time from the first to the last purchase, in the unit of t: recency of rfm_summary."),
            ("t", "Time from the first purchase to the end of observation: t of rfm_summary."),
            ("weight", "Number of customers the row stands for. Default 1."),
        ],
        example: "SELECT bgnbd_fit(s['frequency'], s['recency'], s['t']) AS params\nFROM (SELECT one_id, rfm_summary(paid_at, amount, DATE '1997-09-30', 'week') AS s FROM orders GROUP BY one_id)",
        related: &["rfm_summary", "bgnbd_palive", "bgnbd_expected", "clv"],
    }
    .build()
});

/// The model of the aggregate `bgnbd_fit`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct BgnbdFit;

impl Model<3, 4> for BgnbdFit {
    const NAME: &'static str = "bgnbd_fit";
    const INPUTS: [&'static str; 3] = ["x", "t_x", "t"];
    const PARAMS: [&'static str; 4] = ["r", "alpha", "a", "b"];

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn is_possible(inputs: [f64; 3]) -> bool {
        History::from(inputs).is_valid()
    }

    fn fit(customers: &[Alike<3>]) -> Option<Fit<4>> {
        beta_geometric::fit(customers, Leaving::AfterRepeat)
    }
}
