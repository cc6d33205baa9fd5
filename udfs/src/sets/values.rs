//! Values of which sketches are made, hashed as other programs of Apache DataSketches hash them.

use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;
use datasketches::hash::value::raw_bytes;

use crate::constants::coerce_text;
use crate::groups::Rows;

/// Whole numbers or texts.
pub(super) fn coerce_value(function: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        number if number.is_integer() => Ok(DataType::Int64),
        text => coerce_text(function, "value", text),
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(i64),
    Text(&'a str),
}

impl Hash for Value<'_> {
    /// A number as its eight bytes, a text as its bytes alone.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Number(number) => number.hash(state),
            Self::Text(text) => raw_bytes::from_str(text).hash(state),
        }
    }
}

/// Calls `add` with the group and the value of each row that has one.
pub(super) fn each_value<'a>(
    column: &'a ArrayRef,
    rows: Rows<'_>,
    mut add: impl FnMut(usize, Value<'a>) -> Result<()>,
) -> Result<()> {
    let mut valid = (0..rows.groups.len()).filter(|row| rows.passes(*row) && column.is_valid(*row));
    match column.data_type() {
        DataType::Int64 => {
            let numbers = column.as_primitive::<Int64Type>();
            valid.try_for_each(|row| add(rows.groups[row], Value::Number(numbers.value(row))))
        }
        _ => {
            let texts = column.as_string::<i32>();
            valid.try_for_each(|row| add(rows.groups[row], Value::Text(texts.value(row))))
        }
    }
}
