//! `bgbb_fit`: the BG/BB parameters of a customer base.

use std::sync::LazyLock;

use datafusion_expr::Documentation;

use super::beta_binomial;
use super::fit::{Alike, Fit, Model};
use crate::documents::{Entry, LIFETIME};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: LIFETIME,
        description: "Maximum-likelihood parameters of the BG/BB model of purchases at set occasions (yearly donations, weekly live sales). \
            Gives struct{alpha DOUBLE, beta DOUBLE, gamma DOUBLE, delta DOUBLE, loglik DOUBLE, n BIGINT, converged BOOLEAN}: n the customers used \
            (sum of weights); converged false where the data do not determine the parameters, which are then not to be used. \
            A row with a NULL, with numbers that are not whole, without 0 <= x <= t_x <= n <= 10000, with t_x above 0 at x = 0, or with a weight not above 0 is left out. \
            NULL without a customer. The state grows by about 64 bytes a distinct (x, t_x, n). \
            Source: P. Fader, B. Hardie, J. Shang, Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing Science 29(6), 2010.",
        syntax: "bgbb_fit(x bigint, t_x bigint, n bigint [, weight double precision]) -> json",
        arguments: &[
            ("x", "Occasions after the first at which the customer bought."),
            ("t_x", "Number of the last of them, 0 without one."),
            ("n", "Occasions after the first until the end of observation."),
            ("weight", "Number of customers the row stands for. Default 1."),
        ],
        example: "SELECT bgbb_fit(x, t_x, 6, customers) AS params FROM (VALUES (0, 0, 34), (1, 2, 7), (2, 5, 9), (6, 6, 12)) AS t(x, t_x, customers)",
        related: &["bgbb_palive", "bgbb_expected"],
    }
    .build()
});

/// The model of the aggregate `bgbb_fit`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct BgbbFit;

impl Model<3, 4> for BgbbFit {
    const NAME: &'static str = "bgbb_fit";
    const INPUTS: [&'static str; 3] = ["x", "t_x", "n"];
    const PARAMS: [&'static str; 4] = ["alpha", "beta", "gamma", "delta"];

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn is_possible(inputs: [f64; 3]) -> bool {
        beta_binomial::is_possible(inputs)
    }

    fn fit(customers: &[Alike<3>]) -> Option<Fit<4>> {
        beta_binomial::fit(customers)
    }
}
