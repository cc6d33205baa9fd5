//! `churn_risk`: how unusual the present silence is for this customer.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::documents::{CHURN, Entry};
use crate::doubles::{argument_or, coerce_doubles, constant_double, each_row};

const NAME: &str = "churn_risk";
const ARGUMENTS: [&str; 5] = ["n_gaps", "sum_gap_days", "days_since", "k0", "theta0"];
/// The prior weighs as much as two gaps ...
const K0: f64 = 2.0;
/// ... of thirty days, so that a one-time buyer is at 50 % after 25 days and at 95 % after 208.
const THETA0: f64 = 60.0;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: CHURN,
        description: "Share of silences, for a customer of this rhythm, that would have ended by now: \
            1 - ((theta0 + sum_gap_days) / (theta0 + sum_gap_days + days_since)) ^ (k0 + n_gaps), DOUBLE from 0 to 1, rising with days_since. \
            Works for one-time buyers (n_gaps 0, sum_gap_days 0). NULL when an argument is NULL, negative or not finite. \
            Source: gaps are exponential with a rate that is gamma(k0, theta0) over the customers; \
            this is the distribution function of the next gap given the past ones (Lomax).",
        syntax: "churn_risk(n_gaps bigint, sum_gap_days double precision, days_since double precision [, k0 double precision, theta0 double precision]) -> double precision",
        arguments: &[
            ("n_gaps", "Number of gaps between purchase days, 0 or more."),
            ("sum_gap_days", "Sum of these gaps in days: n_gaps * mean_days of repurchase_cycle."),
            ("days_since", "Days since the last purchase, 0 or more."),
            ("k0", "Shape of the prior, above 0: how many gaps it weighs. Default 2."),
            ("theta0", "Scale of the prior in days, above 0; theta0 / k0 is the gap at the mean rate. Default 60."),
        ],
        example: "SELECT churn_risk(4, 120, 45) AS risk, churn_risk(0, 0, 45) AS risk_of_a_one_time_buyer",
        related: &["repurchase_cycle", "churn_level"],
    }
    .build()
});

/// The scalar `churn_risk(n_gaps, sum_gap_days, days_since [, k0, theta0])`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ChurnRisk {
    signature: Signature,
}

impl Default for ChurnRisk {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ChurnRisk {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !matches!(types.len(), 3 | 5) {
            return plan_err!("{NAME}: 3 or 5 arguments are needed, got {}", types.len());
        }
        coerce_doubles(NAME, &ARGUMENTS, types)
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let prior = [argument_or(&args, 3, K0), argument_or(&args, 4, THETA0)];
        for (value, argument) in prior.iter().zip(["k0", "theta0"]) {
            if let Some(number) = constant_double(value).filter(|number| !is_prior(*number)) {
                return exec_err!("{NAME}: {argument} must be above 0, got \"{number}\"");
            }
        }
        let [k0, theta0] = prior;
        let (n_gaps, sum, since) = (argument_or(&args, 0, 0.0), argument_or(&args, 1, 0.0), argument_or(&args, 2, 0.0));
        each_row(&[n_gaps, sum, since, k0, theta0], args.number_rows, risk)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

fn is_prior(number: f64) -> bool {
    number.is_finite() && number > 0.0
}

fn risk([n_gaps, sum_gap_days, days_since, k0, theta0]: [f64; 5]) -> Option<f64> {
    let valid = n_gaps >= 0.0 && sum_gap_days >= 0.0 && days_since >= 0.0 && is_prior(k0) && is_prior(theta0);
    // exp_m1 and ln_1p keep the digits of a risk near 0.
    valid.then(|| -(-(k0 + n_gaps) * (days_since / (theta0 + sum_gap_days)).ln_1p()).exp_m1())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_form_is_computed() {
        // By hand: 1 - ((60 + 120) / (60 + 120 + 60))^(2 + 4) = 1 - 0.75^6.
        assert!((risk([4.0, 120.0, 60.0, K0, THETA0]).unwrap() - (1.0 - 0.75f64.powi(6))).abs() < 1e-15);
        assert_eq!(risk([0.0, 0.0, 0.0, K0, THETA0]), Some(0.0));
    }

    #[test]
    fn the_documented_prior_medians_hold() {
        assert!((risk([0.0, 0.0, 24.853, K0, THETA0]).unwrap() - 0.5).abs() < 1e-4);
        assert!((risk([0.0, 0.0, 208.33, K0, THETA0]).unwrap() - 0.95).abs() < 1e-4);
    }

    proptest::proptest! {
        #[test]
        fn the_risk_lies_in_its_range_and_rises_with_the_silence(
            n_gaps in 0u32..1_000, sum in 0.0f64..1e5, since in 0.0f64..1e5, more in 0.0f64..1e5, k0 in 1e-3f64..1e3, theta0 in 1e-3f64..1e3,
        ) {
            let sooner = risk([f64::from(n_gaps), sum, since, k0, theta0]).unwrap();
            let later = risk([f64::from(n_gaps), sum, since + more, k0, theta0]).unwrap();
            proptest::prop_assert!((0.0..=1.0).contains(&sooner) && (0.0..=1.0).contains(&later));
            proptest::prop_assert!(later >= sooner);
        }
    }

    #[test]
    fn a_negative_argument_gives_null() {
        assert_eq!(risk([-1.0, 1.0, 1.0, K0, THETA0]), None);
        assert_eq!(risk([1.0, -1.0, 1.0, K0, THETA0]), None);
        assert_eq!(risk([1.0, 1.0, -1.0, K0, THETA0]), None);
    }
}
