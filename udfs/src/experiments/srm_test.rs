//! `srm_test`: whether an experiment's arms got the shares of traffic that were meant.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::arms::{Arms, Test, coerce_arm};
use crate::constants::{aggregate_constant, quoted};
use crate::definition::expect_arguments;
use crate::documents::{EXPERIMENTS, Entry};
use crate::doubles::coerce_double;
use crate::tails::chi_square;

const NAME: &str = "srm_test";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: EXPERIMENTS,
        description: "The chi-square test of a sample ratio mismatch: whether rows fell to the arms in the shares that were meant. \
            Gives struct{chi2 DOUBLE, df BIGINT, p_value DOUBLE, n BIGINT}; a p value below 0.001 says that the experiment is broken and its result not to be used. \
            A row with a NULL arm is left out; chi2 and p_value are NULL with one arm; NULL without a row; an error beyond 100 arms. \
            The state is some 100 bytes an arm. \
            Source: A. Fabijan and others, Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD 2019; compared with scipy's chisquare.",
        syntax: "srm_test(arm text [, expected json]) -> json",
        arguments: &[
            ("arm", "Name or number of the arm."),
            ("expected", "Constant list of the shares of the arms in order of their names, in any unit, each above 0; as many as there are arms, else an error. Default equal shares."),
        ],
        example: "SELECT srm_test(variant, [9, 1]) FROM (VALUES ('a'), ('a'), ('a'), ('b')) AS t(variant)",
        related: &["ab_ztest"],
    }
    .build()
});

/// The test of the aggregate `srm_test(arm [, expected])`.
#[derive(Debug, Clone)]
pub struct SrmTest {
    /// The shares that were meant, None for equal ones.
    expected: Option<Vec<f64>>,
}

impl Test for SrmTest {
    const NAME: &'static str = NAME;
    const MEASURES: usize = 0;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, 1, 2)?;
        let mut coerced = vec![coerce_arm(NAME, &types[0])?];
        for expected in &types[1..] {
            let (DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)) = expected else {
                return plan_err!("{NAME}: expected must be a list of shares, got {expected}");
            };
            let share = coerce_double(NAME, "a share of expected", item.data_type())?;
            coerced.push(DataType::List(Arc::new(Field::new("item", share, true))));
        }
        Ok(coerced)
    }

    fn fields() -> Fields {
        Fields::from(vec![
            Field::new("chi2", DataType::Float64, true),
            Field::new("df", DataType::Int64, true),
            Field::new("p_value", DataType::Float64, true),
            Field::new("n", DataType::Int64, true),
        ])
    }

    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let Some(expected) = aggregate_constant(args, NAME, 1, "expected")? else {
            return Ok(Self { expected: None });
        };
        let shares: Option<Vec<f64>> = match &expected {
            ScalarValue::List(list) if list.len() == 1 && list.is_valid(0) => {
                list.value(0).as_primitive::<Float64Type>().iter().collect()
            }
            _ => None,
        };
        match shares.filter(|shares| shares.iter().all(|share| *share > 0.0 && share.is_finite())) {
            Some(shares) => Ok(Self { expected: Some(shares) }),
            None => exec_err!("{NAME}: expected must be a list of shares above 0, got {}", quoted(&expected)),
        }
    }

    fn answers(&self, groups: &[Arms]) -> Result<ArrayRef> {
        let statistics = groups.iter().map(|arms| self.statistic(arms)).collect::<Result<Vec<_>>>()?;
        let seen: NullBuffer = groups.iter().map(|arms| !arms.is_empty()).collect();
        let known = |arms: &Arms, number: i64| (!arms.is_empty()).then_some(number);
        let p_values = groups
            .iter()
            .zip(&statistics)
            .map(|(arms, statistic)| (*statistic).map(|chi2| chi_square(chi2, (arms.len() - 1) as f64)));
        let rows = |arms: &Arms| arms.values().map(|arm| arm.n).sum::<f64>() as i64;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(statistics.iter().copied().collect::<Float64Array>()),
            Arc::new(groups.iter().map(|arms| known(arms, arms.len() as i64 - 1)).collect::<Int64Array>()),
            Arc::new(p_values.collect::<Float64Array>()),
            Arc::new(groups.iter().map(|arms| known(arms, rows(arms))).collect::<Int64Array>()),
        ];
        Ok(Arc::new(StructArray::try_new(Self::fields(), columns, Some(seen))?))
    }
}

impl SrmTest {
    fn statistic(&self, arms: &Arms) -> Result<Option<f64>> {
        let equal = vec![1.0; arms.len()];
        let expected = self.expected.as_ref().unwrap_or(&equal);
        if arms.is_empty() {
            return Ok(None);
        }
        if expected.len() != arms.len() {
            return exec_err!("{NAME}: expected has {} shares, a group has {} arms", expected.len(), arms.len());
        }
        let (rows, whole): (f64, f64) = (arms.values().map(|arm| arm.n).sum(), expected.iter().sum());
        let terms = arms.values().zip(expected).map(|(arm, share)| {
            let meant = rows * share / whole;
            (arm.n - meant) * (arm.n - meant) / meant
        });
        Ok((arms.len() > 1).then(|| terms.sum()))
    }
}
