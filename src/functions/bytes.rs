//! `get_byte` and `set_byte` of binary texts, counted from 0.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, Int32Builder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::texts::{answer, outward};
use crate::error::{Error, Reason};

pub fn functions() -> Vec<ScalarUDF> {
    [Kind::Get, Kind::Set]
        .map(|kind| {
            let count = if kind == Kind::Get { 2 } else { 3 };
            ScalarUDF::new_from_impl(Byte { kind, signature: Signature::any(count, Volatility::Immutable) })
        })
        .into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Get,
    Set,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Byte {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Byte {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Get => "get_byte",
            Kind::Set => "set_byte",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if !matches!(types.first(), Some(DataType::Binary | DataType::BinaryView | DataType::LargeBinary)) {
            let text = format!("{} takes a bytea and a position", self.name());
            return Err(outward(Error::new(Reason::UndefinedFunction, text)));
        }
        Ok(if self.kind == Kind::Get { DataType::Int32 } else { DataType::Binary })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [bytes, rest @ ..] = arrays.as_slice() else { return plan_err!("{} takes a bytea", self.name()) };
        let bytes = cast(bytes, &DataType::Binary)?;
        let bytes = bytes.as_binary::<i32>();
        let numbers = rest.iter().map(|column| cast(column, &DataType::Int64)).collect::<Result<Vec<_>, _>>()?;
        let number = |place: usize, row: usize| {
            let column = numbers.get(place)?.as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let place = |row: usize, position: i64| {
            let found = usize::try_from(position).ok().filter(|place| *place < bytes.value(row).len());
            let last = bytes.value(row).len() as i64 - 1;
            let wrong = || Error::new(Reason::Subscript, format!("index {position} out of valid range, 0..{last}"));
            found.ok_or_else(|| outward(wrong()))
        };
        let values: ArrayRef = match self.kind {
            Kind::Get => {
                let mut builder = Int32Builder::with_capacity(bytes.len());
                for row in 0..bytes.len() {
                    let position = number(0, row).filter(|_| bytes.is_valid(row));
                    let byte = position.map(|position| place(row, position).map(|at| i32::from(bytes.value(row)[at])));
                    builder.append_option(byte.transpose()?);
                }
                Arc::new(builder.finish())
            }
            Kind::Set => {
                let mut builder = BinaryBuilder::new();
                for row in 0..bytes.len() {
                    match number(0, row).zip(number(1, row)).filter(|_| bytes.is_valid(row)) {
                        None => builder.append_null(),
                        Some((position, value)) => {
                            let mut changed = bytes.value(row).to_vec();
                            changed[place(row, position)?] = value as u8;
                            builder.append_value(changed);
                        }
                    }
                }
                Arc::new(builder.finish())
            }
        };
        answer(&args.args, values)
    }
}
