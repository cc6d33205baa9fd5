//! `churn_level`: a risk in four words.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::documents::{CHURN, Entry};
use crate::doubles::{argument_or, coerce_doubles, constant_double};

const NAME: &str = "churn_level";
const ARGUMENTS: [&str; 4] = ["risk", "cooling", "at_risk", "lost"];
/// Half, four fifths and nineteen twentieths of such silences would have ended.
const THRESHOLDS: [f64; 3] = [0.5, 0.8, 0.95];

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: CHURN,
        description: "Level of a churn risk, TEXT: 'active' below cooling, 'cooling' from there, 'at_risk' from at_risk, 'lost' from lost. \
            NULL when the risk is NULL or outside 0 to 1. Source: own definition; the default thresholds are a choice, not a law of the trade.",
        syntax: "churn_level(risk double precision [, cooling double precision, at_risk double precision, lost double precision]) -> text",
        arguments: &[
            ("risk", "Risk from 0 to 1, as churn_risk gives it."),
            ("cooling", "Constant, the least risk that is 'cooling'. Default 0.5."),
            ("at_risk", "Constant, the least risk that is 'at_risk'. Default 0.8."),
            ("lost", "Constant, the least risk that is 'lost'. Default 0.95. The thresholds must not fall and lie in 0 to 1."),
        ],
        example: "SELECT churn_level(churn_risk(4, 120, 45)), churn_level(0.7, 0.4, 0.6, 0.9)",
        related: &["churn_risk"],
    }
    .build()
});

/// The scalar `churn_level(risk [, cooling, at_risk, lost])`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ChurnLevel {
    signature: Signature,
}

impl Default for ChurnLevel {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ChurnLevel {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !matches!(types.len(), 1 | 4) {
            return plan_err!("{NAME}: 1 or 4 arguments are needed, got {}", types.len());
        }
        coerce_doubles(NAME, &ARGUMENTS, types)
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let thresholds = thresholds(&args)?;
        match argument_or(&args, 0, 0.0) {
            ColumnarValue::Scalar(ScalarValue::Float64(risk)) => {
                let level = risk.and_then(|risk| level(risk, thresholds)).map(str::to_owned);
                Ok(ColumnarValue::Scalar(ScalarValue::Utf8(level)))
            }
            risks => {
                let risks = risks.to_array(args.number_rows)?;
                let levels = risks.as_primitive::<Float64Type>().iter().map(|risk| level(risk?, thresholds));
                Ok(ColumnarValue::Array(Arc::new(levels.collect::<StringArray>())))
            }
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

fn thresholds(args: &ScalarFunctionArgs) -> Result<[f64; 3]> {
    let mut thresholds = THRESHOLDS;
    for (index, threshold) in thresholds.iter_mut().enumerate() {
        let given = argument_or(args, index + 1, *threshold);
        let Some(number) = constant_double(&given) else {
            return exec_err!("{NAME}: {} must be a constant number", ARGUMENTS[index + 1]);
        };
        *threshold = number;
    }
    let [cooling, at_risk, lost] = thresholds;
    if !(0.0 <= cooling && cooling <= at_risk && at_risk <= lost && lost <= 1.0) {
        return exec_err!(
            "{NAME}: 0 <= cooling <= at_risk <= lost <= 1 must hold, got \"{cooling}\", \"{at_risk}\", \"{lost}\""
        );
    }
    Ok(thresholds)
}

fn level(risk: f64, [cooling, at_risk, lost]: [f64; 3]) -> Option<&'static str> {
    match risk {
        risk if !(0.0..=1.0).contains(&risk) => None,
        risk if risk >= lost => Some("lost"),
        risk if risk >= at_risk => Some("at_risk"),
        risk if risk >= cooling => Some("cooling"),
        _ => Some("active"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_belongs_to_the_level_it_opens() {
        let levels = [0.0, 0.4999, 0.5, 0.8, 0.95, 1.0].map(|risk| level(risk, THRESHOLDS));
        assert_eq!(
            levels,
            [Some("active"), Some("active"), Some("cooling"), Some("at_risk"), Some("lost"), Some("lost")]
        );
    }

    #[test]
    fn a_risk_outside_its_range_has_no_level() {
        assert_eq!([-0.1, 1.1, f64::NAN].map(|risk| level(risk, THRESHOLDS)), [None; 3]);
    }
}
