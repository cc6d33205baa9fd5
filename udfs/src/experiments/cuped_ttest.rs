//! `cuped_ttest`: whether two arms have the same mean, with what was known before taken out.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Fields};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::arms::Moments;
use super::arms::{Arms, Test, coerce_arm};
use super::comparison::{Pair, Verdict, compare, comparison_fields};
use super::welch_ttest::{Part, welch};
use crate::documents::{EXPERIMENTS, Entry};
use crate::doubles::coerce_double;

const NAME: &str = "cuped_ttest";
const EXTRAS: [&str; 2] = ["df", "theta"];

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: EXPERIMENTS,
        description: "Welch's t test of y less what a covariate x, known before the experiment, tells of it (CUPED): y - theta (x - mean of x), theta = cov(x, y) / var(x) over both arms. \
            Gives struct{control TEXT, treatment TEXT, n_control BIGINT, n_treatment BIGINT, mean_control, mean_treatment, diff, lift, \
            statistic, p_value, lo, hi, df, theta DOUBLE}; means are the adjusted ones. Control is the arm whose name comes first; diff is mean_treatment - mean_control, lift is diff / mean_control (NULL where that is 0), lo and hi bound diff \
            with 95 % confidence. theta is 0 where x does not vary; the test is NULL where an arm has fewer than two rows or nothing varies. \
            Rows with a NULL are left out; NULL below two arms, an error beyond two. The state is some 100 bytes an arm; moments are merged by Chan's formulas. \
            Source: A. Deng, Y. Xu, R. Kohavi, T. Walker, Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data, WSDM 2013.",
        syntax: "cuped_ttest(y double precision, x double precision, arm text) -> json",
        arguments: &[
            ("y", "What was measured, any number."),
            ("x", "The same or something like it from before the experiment."),
            ("arm", "Name or number of the arm."),
        ],
        example: "SELECT cuped_ttest(amount, before, variant) FROM (VALUES (5.0, 4, 'a'), (7.5, 7, 'a'), (8.0, 6, 'b'), (9.5, 8, 'b')) AS t(amount, before, variant)",
        related: &["welch_ttest"],
    }
    .build()
});

/// The test of the aggregate `cuped_ttest(y double precision, x double precision, arm text)`.
#[derive(Debug, Clone)]
pub struct CupedTtest;

impl Test for CupedTtest {
    const NAME: &'static str = NAME;
    const MEASURES: usize = 2;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [y, x, arm] = take_function_args(NAME, types)?;
        Ok(vec![coerce_double(NAME, "y", y)?, coerce_double(NAME, "x", x)?, coerce_arm(NAME, arm)?])
    }

    fn fields() -> Fields {
        comparison_fields(&EXTRAS)
    }

    fn of(_args: &AccumulatorArgs) -> Result<Self> {
        Ok(Self)
    }

    fn answers(&self, groups: &[Arms]) -> Result<ArrayRef> {
        compare(NAME, EXTRAS, groups, judge)
    }
}

fn judge(pair: &Pair) -> (f64, f64, Option<Verdict<2>>) {
    let (control, treatment) = pair.moments();
    let mut both = control;
    both.merge(treatment);
    let theta = if both.squares_x > 0.0 { both.products / both.squares_x } else { 0.0 };
    let mean = |arm: Moments| arm.mean_y - theta * (arm.mean_x - both.mean_x);
    let part = |arm: Moments| {
        // The sum of squares of y - theta x, which rounding may take below 0.
        let squares = (arm.squares_y - 2.0 * theta * arm.products + theta * theta * arm.squares_x).max(0.0);
        (arm.n > 1.0).then(|| Part { n: arm.n, mean: mean(arm), variance: squares / (arm.n - 1.0) })
    };
    let verdict = part(control).zip(part(treatment)).and_then(|(control, treatment)| welch(control, treatment));
    let with_theta = |Verdict { statistic, p_value, lo, hi, extras: [df] }| Verdict {
        statistic,
        p_value,
        lo,
        hi,
        extras: [df, theta],
    };
    (mean(control), mean(treatment), verdict.map(with_theta))
}
