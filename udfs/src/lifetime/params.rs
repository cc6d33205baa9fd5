//! Structs of model parameters, as the fits give them and as anyone may write them.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;

/// True for a struct that has a number of each of these names.
pub(super) fn has_numbers(data_type: &DataType, names: &[&str]) -> bool {
    let DataType::Struct(fields) = data_type else { return false };
    names.iter().all(|name| fields.find(name).is_some_and(|(_, field)| field.data_type().is_numeric()))
}

/// A struct that has these numbers is taken as it is.
pub(super) fn coerce_params(function: &str, argument: &str, names: &[&str], data_type: &DataType) -> Result<DataType> {
    if has_numbers(data_type, names) {
        return Ok(data_type.clone());
    }
    plan_err!("{function}: {argument} must be a struct with the numbers {}, got {data_type}", names.join(", "))
}

/// The numbers as columns of doubles, NULL where the struct is.
pub(super) fn params<const N: usize>(
    function: &str,
    names: [&str; N],
    value: &ColumnarValue,
    rows: usize,
) -> Result<[ColumnarValue; N]> {
    let array = value.to_array(rows)?;
    let structs = array.as_struct();
    let mut columns = Vec::with_capacity(N);
    for name in names {
        let Some(column) = structs.column_by_name(name) else {
            return exec_err!("{function}: the parameters have no field {name:?}");
        };
        let doubles = cast(column, &DataType::Float64)?;
        let doubles = doubles.as_primitive::<Float64Type>();
        let nulls = NullBuffer::union(doubles.nulls(), structs.nulls());
        columns.push(ColumnarValue::Array(Arc::new(Float64Array::new(doubles.values().clone(), nulls))));
    }
    take_function_args(function, columns)
}
