//! Roots, powers and logarithms of numbers that have none, which are errors as in PostgreSQL; the engine's functions would give
//! infinity, or what is no number.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::error::Result;
use datafusion::functions::math;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::texts::outward;
use crate::error::{Error, Reason};

pub fn functions() -> Vec<ScalarUDF> {
    let all: [(Arc<ScalarUDF>, Require); 8] = [
        (math::sqrt(), |numbers, _| square_root(numbers)),
        (math::power(), |numbers, answer| power(numbers, answer)),
        (math::ln(), |numbers, _| logarithm(numbers)),
        (math::log(), |numbers, _| logarithm(numbers)),
        (math::log10(), |numbers, _| logarithm(numbers)),
        (math::exp(), finite),
        (math::acos(), |numbers, _| sine(numbers)),
        (math::asin(), |numbers, _| sine(numbers)),
    ];
    all.map(|(inner, require)| ScalarUDF::new_from_impl(Checked { inner, require: Rule(require) })).into()
}

/// What is wrong with the numbers of a row, of which `answer` is the function's value.
type Require = fn(numbers: &[f64], answer: f64) -> Result<(), Error>;

/// A rule goes with its function and is told apart by it.
#[derive(Debug, Clone, Copy)]
struct Rule(Require);

#[derive(Debug)]
struct Checked {
    inner: Arc<ScalarUDF>,
    require: Rule,
}

impl PartialEq for Checked {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Checked {}

impl std::hash::Hash for Checked {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let doubles = |value: &ColumnarValue| -> Result<Float64Array> {
            Ok(cast(&value.to_array(rows)?, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
        };
        let columns = args.args.iter().map(doubles).collect::<Result<Vec<_>>>()?;
        // The engine has errors of its own for some of these numbers: ours come first.
        let before = vec![f64::NAN; rows];
        self.require_each(&columns, &before)?;
        let answer = self.inner.invoke_with_args(args)?;
        self.require_each(&columns, doubles(&answer)?.values())?;
        Ok(answer)
    }
}

impl Checked {
    fn require_each(&self, columns: &[Float64Array], answers: &[f64]) -> Result<()> {
        let mut numbers = Vec::with_capacity(columns.len());
        for (row, answer) in answers.iter().enumerate() {
            if columns.iter().all(|column| column.is_valid(row)) {
                numbers.clear();
                numbers.extend(columns.iter().map(|column| column.value(row)));
                (self.require.0)(&numbers, *answer).map_err(outward)?;
            }
        }
        Ok(())
    }
}

fn square_root(numbers: &[f64]) -> Result<(), Error> {
    match numbers {
        [number] if *number < 0.0 => {
            Err(Error::new(Reason::InvalidPower, "cannot take square root of a negative number"))
        }
        _ => Ok(()),
    }
}

fn logarithm(numbers: &[f64]) -> Result<(), Error> {
    if numbers.contains(&0.0) {
        return Err(Error::new(Reason::InvalidLogarithm, "cannot take logarithm of zero"));
    }
    if numbers.iter().any(|number| *number < 0.0) {
        return Err(Error::new(Reason::InvalidLogarithm, "cannot take logarithm of a negative number"));
    }
    match numbers {
        [1.0, _] => Err(Error::new(Reason::DivisionByZero, "division by zero")),
        _ => Ok(()),
    }
}

fn power(numbers: &[f64], answer: f64) -> Result<(), Error> {
    match numbers {
        [0.0, exponent] if *exponent < 0.0 => {
            Err(Error::new(Reason::InvalidPower, "zero raised to a negative power is undefined"))
        }
        [base, exponent] if *base < 0.0 && base.is_finite() && exponent.is_finite() && exponent.fract() != 0.0 => {
            let text = "a negative number raised to a non-integer power yields a complex result";
            Err(Error::new(Reason::InvalidPower, text))
        }
        _ => finite(numbers, answer),
    }
}

/// Finite numbers have a finite answer.
fn finite(numbers: &[f64], answer: f64) -> Result<(), Error> {
    if answer.is_infinite() && numbers.iter().all(|number| number.is_finite()) {
        return Err(Error::new(Reason::OutOfRange, "value out of range: overflow"));
    }
    Ok(())
}

fn sine(numbers: &[f64]) -> Result<(), Error> {
    if numbers.iter().any(|number| number.abs() > 1.0) {
        return Err(Error::new(Reason::OutOfRange, "input is out of range"));
    }
    Ok(())
}
