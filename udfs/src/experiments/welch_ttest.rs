//! `welch_ttest`: whether two arms have the same mean.

use std::cmp::Ordering;
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
use super::quantiles::student_975;
use crate::documents::{EXPERIMENTS, Entry};
use crate::doubles::coerce_double;
use crate::tails::student_two_sided;

const NAME: &str = "welch_ttest";
const EXTRAS: [&str; 1] = ["df"];

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: EXPERIMENTS,
        description: "Welch's two-sided t test of two means, which may have different variances. Gives struct{control TEXT, treatment TEXT, n_control BIGINT, n_treatment BIGINT, mean_control, mean_treatment, diff, lift, \
            statistic, p_value, lo, hi, df DOUBLE}. Control is the arm whose name comes first; diff is mean_treatment - mean_control, lift is diff / mean_control (NULL where that is 0), lo and hi bound diff \
            with 95 % confidence. The test is NULL where an arm has fewer than two rows or nothing varies. \
            Rows with a NULL are left out; NULL below two arms, an error beyond two. The state is some 100 bytes an arm; moments are merged by Chan's formulas. \
            Source: B. Welch, The Generalization of Student's Problem, Biometrika 34, 1947; compared with scipy's ttest_ind.",
        syntax: "welch_ttest(y double precision, arm text) -> json",
        arguments: &[
            ("y", "What was measured, any number."),
            ("arm", "Name or number of the arm."),
        ],
        example: "SELECT welch_ttest(amount, variant) FROM (VALUES (5.0, 'a'), (7.5, 'a'), (8.0, 'b'), (9.5, 'b')) AS t(amount, variant)",
        related: &["cuped_ttest", "msprt", "ab_ztest"],
    }
    .build()
});

/// The test of the aggregate `welch_ttest(y double precision, arm text)`.
#[derive(Debug, Clone)]
pub struct WelchTtest;

impl Test for WelchTtest {
    const NAME: &'static str = NAME;
    const MEASURES: usize = 1;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [y, arm] = take_function_args(NAME, types)?;
        Ok(vec![coerce_double(NAME, "y", y)?, coerce_arm(NAME, arm)?])
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

fn judge(pair: &Pair) -> (f64, f64, Option<Verdict<1>>) {
    let (control, treatment) = pair.moments();
    let part = |moments: Moments| Some(Part { n: moments.n, mean: moments.mean_y, variance: moments.variance_y()? });
    let verdict = part(control).zip(part(treatment)).and_then(|(control, treatment)| welch(control, treatment));
    (control.mean_y, treatment.mean_y, verdict)
}

/// An arm as the test sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub n: f64,
    pub mean: f64,
    pub variance: f64,
}

/// The test of two arms, None where nothing varies. The extra number is the degrees of freedom of Welch and Satterthwaite.
pub(super) fn welch(control: Part, treatment: Part) -> Option<Verdict<1>> {
    let (one, two) = (control.variance / control.n, treatment.variance / treatment.n);
    let variance = one + two;
    if variance.partial_cmp(&0.0) != Some(Ordering::Greater) {
        return None;
    }
    let df = variance * variance / (one * one / (control.n - 1.0) + two * two / (treatment.n - 1.0));
    let (diff, deviation) = (treatment.mean - control.mean, variance.sqrt());
    let half = student_975(df) * deviation;
    let statistic = diff / deviation;
    let p_value = student_two_sided(statistic, df);
    Some(Verdict { statistic, p_value, lo: diff - half, hi: diff + half, extras: [df] })
}
