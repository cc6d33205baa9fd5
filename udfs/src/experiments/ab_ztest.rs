//! `ab_ztest`: whether two arms succeed equally often.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Fields};
use datafusion_common::Result;
use datafusion_common::plan_err;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::arms::{Arms, Test, coerce_arm};
use super::comparison::{Pair, Verdict, compare, comparison_fields};
use super::quantiles::NORMAL_975;
use crate::documents::{EXPERIMENTS, Entry};
use crate::tails::normal_two_sided;

const NAME: &str = "ab_ztest";
const EXTRAS: [&str; 0] = [];

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: EXPERIMENTS,
        description: "The two-sided z test of two success rates (pooled variance). Gives struct{control TEXT, treatment TEXT, n_control BIGINT, n_treatment BIGINT, mean_control, mean_treatment, diff, lift, \
            statistic, p_value, lo, hi DOUBLE}. Control is the arm whose name comes first; diff is mean_treatment - mean_control, lift is diff / mean_control (NULL where that is 0), lo and hi bound diff \
            with 95 % confidence (unpooled variance). statistic and p_value are NULL where all or none succeeded. \
            Rows with a NULL are left out; NULL below two arms, an error beyond two. The state is some 100 bytes an arm. \
            Source: definition; compared with statsmodels' proportions_ztest.",
        syntax: "ab_ztest(success boolean, arm text) -> json",
        arguments: &[
            ("success", "Whether this row is a success."),
            ("arm", "Name or number of the arm."),
        ],
        example: "SELECT ab_ztest(bought, variant) FROM (VALUES (true, 'a'), (false, 'a'), (true, 'b'), (true, 'b')) AS t(bought, variant)",
        related: &["welch_ttest", "srm_test"],
    }
    .build()
});

/// The test of the aggregate `ab_ztest(success boolean, arm text)`.
#[derive(Debug, Clone)]
pub struct AbZtest;

impl Test for AbZtest {
    const NAME: &'static str = NAME;
    const MEASURES: usize = 1;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [success, arm] = take_function_args(NAME, types)?;
        if !matches!(success, DataType::Boolean | DataType::Null) {
            return plan_err!("{NAME}: success must be true or false, got {success}");
        }
        Ok(vec![DataType::Boolean, coerce_arm(NAME, arm)?])
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

fn judge(pair: &Pair) -> (f64, f64, Option<Verdict<0>>) {
    let (control, treatment) = pair.moments();
    let pooled = (control.n * control.mean_y + treatment.n * treatment.mean_y) / (control.n + treatment.n);
    let diff = treatment.mean_y - control.mean_y;
    let statistic = diff / (pooled * (1.0 - pooled) * (1.0 / control.n + 1.0 / treatment.n)).sqrt();
    let variance = |rate: f64, n: f64| rate * (1.0 - rate) / n;
    let deviation = (variance(control.mean_y, control.n) + variance(treatment.mean_y, treatment.n)).sqrt();
    let verdict = Verdict {
        statistic,
        p_value: if statistic.is_finite() { normal_two_sided(statistic) } else { f64::NAN },
        lo: diff - NORMAL_975 * deviation,
        hi: diff + NORMAL_975 * deviation,
        extras: [],
    };
    (control.mean_y, treatment.mean_y, Some(verdict))
}
