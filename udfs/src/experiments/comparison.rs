//! Two arms beside each other: what every test of a difference tells.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::{Result, exec_err};

use super::arms::{Arms, Moments};

/// What all descriptions say of arms and of the fields they share.
pub(super) const NUMBERS: [&str; 8] =
    ["mean_control", "mean_treatment", "diff", "lift", "statistic", "p_value", "lo", "hi"];

/// Control is the arm whose name comes first.
pub(super) struct Pair<'a> {
    control: (&'a str, Moments),
    treatment: (&'a str, Moments),
}

/// The outcome of a test; None where the arms do not tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict<const E: usize> {
    pub statistic: f64,
    pub p_value: f64,
    pub lo: f64,
    pub hi: f64,
    /// Numbers that this test alone gives.
    pub extras: [f64; E],
}

impl Pair<'_> {
    pub fn moments(&self) -> (Moments, Moments) {
        (self.control.1, self.treatment.1)
    }
}

/// The two arms of a group, None with fewer; an error with more.
fn pair<'a>(function: &str, arms: &'a Arms) -> Result<Option<Pair<'a>>> {
    let mut arms_left = arms.iter().map(|(name, moments)| (name.as_str(), *moments));
    match (arms_left.next(), arms_left.next(), arms_left.next()) {
        (Some(control), Some(treatment), None) => Ok(Some(Pair { control, treatment })),
        (_, _, None) => Ok(None),
        _ => exec_err!("{function}: two arms are compared, got {} in a group: filter the others out", arms.len()),
    }
}

/// The fields of every comparison, and those of one test.
pub(super) fn comparison_fields(extras: &[&str]) -> Fields {
    let texts = ["control", "treatment"].map(|name| Field::new(name, DataType::Utf8, true));
    let counts = ["n_control", "n_treatment"].map(|name| Field::new(name, DataType::Int64, true));
    let numbers = NUMBERS.iter().chain(extras).map(|name| Field::new(*name, DataType::Float64, true));
    texts.into_iter().chain(counts).chain(numbers).collect()
}

/// A number of the result, given both means and the verdict.
type NumberOf<'a, const E: usize> = dyn Fn(f64, f64, Option<&Verdict<E>>) -> Option<f64> + 'a;

/// `judge` says what a test finds; the means of the arms it may adjust are given back by it.
pub(super) fn compare<const E: usize>(
    function: &str,
    extras: [&str; E],
    groups: &[Arms],
    judge: impl Fn(&Pair) -> (f64, f64, Option<Verdict<E>>),
) -> Result<ArrayRef> {
    let pairs = groups.iter().map(|arms| pair(function, arms)).collect::<Result<Vec<_>>>()?;
    let judged: Vec<_> = pairs.iter().map(|pair| pair.as_ref().map(&judge)).collect();
    let found: NullBuffer = pairs.iter().map(Option::is_some).collect();
    let number = |of: &NumberOf<'_, E>| -> ArrayRef {
        let numbers = judged.iter().map(|judged| {
            let (control, treatment, verdict) = judged.as_ref()?;
            of(*control, *treatment, verdict.as_ref()).filter(|number| number.is_finite())
        });
        Arc::new(numbers.collect::<Float64Array>())
    };
    let names = |name: fn(&Pair) -> String| -> ArrayRef {
        Arc::new(pairs.iter().map(|pair| pair.as_ref().map(name)).collect::<StringArray>())
    };
    let counts = |n: fn(&Pair) -> f64| -> ArrayRef {
        Arc::new(pairs.iter().map(|pair| pair.as_ref().map(|pair| n(pair) as i64)).collect::<Int64Array>())
    };
    let mut columns: Vec<ArrayRef> = vec![
        names(|pair| pair.control.0.to_owned()),
        names(|pair| pair.treatment.0.to_owned()),
        counts(|pair| pair.control.1.n),
        counts(|pair| pair.treatment.1.n),
        number(&|control, _, _| Some(control)),
        number(&|_, treatment, _| Some(treatment)),
        number(&|control, treatment, _| Some(treatment - control)),
        number(&|control, treatment, _| Some((treatment - control) / control)),
        number(&|_, _, verdict| Some(verdict?.statistic)),
        number(&|_, _, verdict| Some(verdict?.p_value)),
        number(&|_, _, verdict| Some(verdict?.lo)),
        number(&|_, _, verdict| Some(verdict?.hi)),
    ];
    columns.extend((0..E).map(|extra| number(&|_, _, verdict| Some(verdict?.extras[extra]))));
    Ok(Arc::new(StructArray::try_new(comparison_fields(&extras), columns, Some(found))?))
}
