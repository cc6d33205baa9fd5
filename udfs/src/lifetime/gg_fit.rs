//! `gg_fit`: the gamma-gamma parameters of what customers spend.

use std::sync::LazyLock;

use datafusion_expr::Documentation;

use super::fit::{Alike, Fit, Model};
use super::gamma_gamma;
use crate::documents::{Entry, LIFETIME};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Maximum-likelihood parameters of the gamma-gamma model of the spend a purchase. \
            Gives struct{p DOUBLE, q DOUBLE, gamma DOUBLE, loglik DOUBLE, n BIGINT, converged BOOLEAN}: gamma in the money of m; n the customers used \
            (sum of weights); converged false where the data do not determine the parameters, which are then not to be used. \
            A row with a NULL, with x not a whole number from 1, m not above 0 (refunds must be taken off before) or a weight not above 0 is left out. \
            NULL without a customer. The state grows by about 48 bytes a distinct (x, m). \
            Source: P. Fader, B. Hardie, The Gamma-Gamma Model of Monetary Value, note 025, 2013.",
        syntax: "gg_fit(x bigint, m double precision [, weight double precision]) -> json",
        arguments: &[
            ("x", "Repeat purchases: frequency of rfm_summary."),
            ("m", "Mean amount of these purchases in money: monetary of rfm_summary."),
            ("weight", "Number of customers the row stands for. Default 1."),
        ],
        example: "SELECT gg_fit(s['frequency'], s['monetary']) AS params\nFROM (SELECT one_id, rfm_summary(paid_at, amount, DATE '1997-09-30', 'week') AS s FROM orders GROUP BY one_id)",
        related: &["rfm_summary", "gg_expected", "clv"],
    }
    .build()
});

/// The model of the aggregate `gg_fit`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct GgFit;

impl Model<2, 3> for GgFit {
    const NAME: &'static str = "gg_fit";
    const INPUTS: [&'static str; 2] = ["x", "m"];
    const PARAMS: [&'static str; 3] = ["p", "q", "gamma"];

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn is_possible([x, m]: [f64; 2]) -> bool {
        x >= 1.0 && x.fract() == 0.0 && x.is_finite() && m > 0.0 && m.is_finite()
    }

    fn fit(customers: &[Alike<2>]) -> Option<Fit<3>> {
        gamma_gamma::fit(customers)
    }
}
