//! Scalar functions over doubles: NULL in, invalid input and results that are not finite all give NULL.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

/// Any number is read as a double; text and times are refused.
pub(crate) fn coerce_doubles(function: &str, arguments: &[&str], types: &[DataType]) -> Result<Vec<DataType>> {
    for (data_type, argument) in types.iter().zip(arguments) {
        coerce_double(function, argument, data_type)?;
    }
    Ok(vec![DataType::Float64; types.len()])
}

/// Any number or NULL is read as a double.
pub(crate) fn coerce_double(function: &str, argument: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Dictionary(_, value) => coerce_double(function, argument, value),
        number if number.is_numeric() || number.is_null() => Ok(DataType::Float64),
        other => plan_err!("{function}: {argument} must be a number, got {other}"),
    }
}

/// `compute` for every row that has no NULL among its N doubles; a result that is not finite is NULL.
pub(crate) fn each_row<const N: usize>(
    args: &[ColumnarValue; N],
    rows: usize,
    compute: impl Fn([f64; N]) -> Option<f64>,
) -> Result<ColumnarValue> {
    let constant = args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { rows };
    let arrays = args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<_>>>()?;
    let columns: Vec<&Float64Array> = arrays.iter().map(|array| array.as_primitive::<Float64Type>()).collect();
    let value = |row: usize| {
        let mut numbers = [0.0; N];
        for (number, column) in numbers.iter_mut().zip(&columns) {
            *number = column.is_valid(row).then(|| column.value(row)).filter(|number| number.is_finite())?;
        }
        compute(numbers).filter(|result| result.is_finite())
    };
    if constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::Float64(value(0))));
    }
    Ok(ColumnarValue::Array(Arc::new((0..rows).map(value).collect::<Float64Array>())))
}

/// Argument `index`, or `default` where it was not given.
pub(crate) fn argument_or(args: &ScalarFunctionArgs, index: usize, default: f64) -> ColumnarValue {
    args.args.get(index).cloned().unwrap_or(ColumnarValue::Scalar(ScalarValue::Float64(Some(default))))
}

/// The number of a constant, None for a column or NULL.
pub(crate) fn constant_double(value: &ColumnarValue) -> Option<f64> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Float64(number)) => *number,
        _ => None,
    }
}
