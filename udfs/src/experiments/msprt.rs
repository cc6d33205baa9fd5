//! `msprt`: whether two arms have the same mean, whenever one looks.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Fields};
use datafusion_common::Result;
use datafusion_common::ScalarValue;
use datafusion_common::exec_err;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::arms::{Arms, Test, coerce_arm};
use super::comparison::{Pair, Verdict, compare, comparison_fields};
use crate::constants::{aggregate_constant, quoted};
use crate::documents::{EXPERIMENTS, Entry};
use crate::doubles::coerce_double;

/// One less the confidence of the bounds.
const ALPHA: f64 = 0.05;

const NAME: &str = "msprt";
const EXTRAS: [&str; 0] = [];

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: EXPERIMENTS,
        description: "The mixture sequential probability ratio test of two means: its p value may be looked at after every row, and stopping at p <= 0.05 is wrong in one case of twenty at the most. \
            Gives struct{control TEXT, treatment TEXT, n_control BIGINT, n_treatment BIGINT, mean_control, mean_treatment, diff, lift, statistic, p_value, lo, hi DOUBLE}: \
            statistic is the logarithm of the mixture likelihood ratio, p_value is min(1, exp(-statistic)) at this look (keep the least of all looks). Control is the arm whose name comes first; diff is mean_treatment - mean_control, lift is diff / mean_control (NULL where that is 0), lo and hi bound diff \
            with 95 % confidence at every look. The test is NULL where an arm has fewer than two rows or nothing varies; it supposes so many rows that means are normal. \
            Rows with a NULL are left out; NULL below two arms, an error beyond two. The state is some 100 bytes an arm; moments are merged by Chan's formulas. \
            Source: R. Johari, P. Koomen, L. Pekelis, D. Walsh, Peeking at A/B Tests, KDD 2017.",
        syntax: "msprt(y double precision, arm text, tau2 double precision) -> json",
        arguments: &[
            ("y", "What was measured, any number."),
            ("arm", "Name or number of the arm."),
            ("tau2", "Constant variance of the differences that are expected, above 0, in squared units of y."),
        ],
        example: "SELECT msprt(amount, variant, 0.5) FROM (VALUES (5.0, 'a'), (7.5, 'a'), (8.0, 'b'), (9.5, 'b')) AS t(amount, variant)",
        related: &["welch_ttest"],
    }
    .build()
});

/// The test of the aggregate `msprt(y double precision, arm text, tau2 double precision)`.
#[derive(Debug, Clone)]
pub struct Msprt {
    tau2: f64,
}

impl Test for Msprt {
    const NAME: &'static str = NAME;
    const MEASURES: usize = 1;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [y, arm, tau2] = take_function_args(NAME, types)?;
        Ok(vec![coerce_double(NAME, "y", y)?, coerce_arm(NAME, arm)?, coerce_double(NAME, "tau2", tau2)?])
    }

    fn fields() -> Fields {
        comparison_fields(&EXTRAS)
    }

    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let tau2 = aggregate_constant(args, NAME, 2, "tau2")?.unwrap_or(ScalarValue::Null);
        match tau2 {
            ScalarValue::Float64(Some(tau2)) if tau2 > 0.0 && tau2.is_finite() => Ok(Self { tau2 }),
            _ => exec_err!("{NAME}: tau2 must be above 0, got {}", quoted(&tau2)),
        }
    }

    fn answers(&self, groups: &[Arms]) -> Result<ArrayRef> {
        compare(NAME, EXTRAS, groups, |pair| judge(pair, self.tau2))
    }
}

fn judge(pair: &Pair, tau2: f64) -> (f64, f64, Option<Verdict<0>>) {
    let (control, treatment) = pair.moments();
    let verdict = control.variance_y().zip(treatment.variance_y()).and_then(|(one, two)| {
        let variance = one / control.n + two / treatment.n;
        let both = variance + tau2;
        let diff = treatment.mean_y - control.mean_y;
        let ln_ratio = 0.5 * (variance / both).ln() + tau2 * diff * diff / (2.0 * variance * both);
        let half = (variance * both / tau2 * (2.0 * (1.0 / ALPHA).ln() - (variance / both).ln())).sqrt();
        (variance > 0.0).then(|| Verdict {
            statistic: ln_ratio,
            p_value: (-ln_ratio).exp().min(1.0),
            lo: diff - half,
            hi: diff + half,
            extras: [],
        })
    });
    (control.mean_y, treatment.mean_y, verdict)
}
