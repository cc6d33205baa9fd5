//! Constant arguments: read once, before any row.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::ColumnarValue;
use datafusion_expr::function::AccumulatorArgs;

/// The constant value of argument `index` of an aggregate, None when the argument was not given.
pub(crate) fn aggregate_constant(
    args: &AccumulatorArgs<'_>,
    function: &str,
    index: usize,
    argument: &str,
) -> Result<Option<ScalarValue>> {
    let Some(expr) = args.exprs.get(index) else {
        return Ok(None);
    };
    let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
    match expr.evaluate(&no_rows) {
        Ok(ColumnarValue::Scalar(value)) => Ok(Some(value)),
        _ => exec_err!("{function}: {argument} must be a constant, got {}", expr),
    }
}

/// A constant text; NULL and other types are refused.
pub(crate) fn text(value: &ScalarValue, function: &str, argument: &str, rule: &str) -> Result<String> {
    match value.try_as_str() {
        Some(Some(text)) => Ok(text.to_owned()),
        _ => exec_err!("{function}: {argument} must be {rule}, got {}", quoted(value)),
    }
}

/// The value as messages show it: in quotes, NULL bare.
pub(crate) fn quoted(value: &ScalarValue) -> String {
    if value.is_null() { "NULL".to_owned() } else { format!("{:?}", value.to_string()) }
}

/// Text of any kind is read as text; other types are refused.
pub(crate) fn coerce_text(function: &str, argument: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Ok(DataType::Utf8),
        DataType::Dictionary(_, value) => coerce_text(function, argument, value),
        other => plan_err!("{function}: {argument} must be text, got {other}"),
    }
}
