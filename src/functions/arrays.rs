//! What PostgreSQL tells of an array where the engine tells it otherwise, and arrays of one value many times.

use std::sync::Arc;

use arrow::array::{Array, AsArray, ListArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::plain::{Outcome, PlainFunction, strict};
use super::texts::{answer, outward};
use super::value::Value;
use crate::error::{Error, Reason};

/// Items of one batch.
const ITEMS_MAX: usize = 10_000_000;

pub const FUNCTIONS: &[PlainFunction] =
    &[strict("array_dims", (1, 1), Outcome::Text, |arguments| Ok(arguments.first().and_then(dims).into()))];

pub fn functions() -> Vec<ScalarUDF> {
    vec![ScalarUDF::new_from_impl(ArrayFill { signature: Signature::any(2, Volatility::Immutable) })]
}

/// `[1:2][1:3]`; an empty array has no dimensions.
fn dims(array: &Value) -> Option<String> {
    let Value::List(items) = array else { return None };
    let first = items.first()?;
    Some(format!("[1:{}]{}", items.len(), dims(first).unwrap_or_default()))
}

/// `array_fill(value, ARRAY[length])`
#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayFill {
    signature: Signature,
}

impl ScalarUDFImpl for ArrayFill {
    fn name(&self) -> &str {
        "array_fill"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [value, dimensions] = types else { return plan_err!("array_fill takes a value and dimensions") };
        if !matches!(dimensions, DataType::List(item) if item.data_type().is_integer()) {
            let text = format!("the dimensions of array_fill are an array of integers, not {dimensions}");
            return Err(outward(Error::new(Reason::UndefinedFunction, text)));
        }
        Ok(DataType::List(Arc::new(Field::new_list_field(value.clone(), true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [values, dimensions] = arrays.as_slice() else { return plan_err!("array_fill takes two arguments") };
        let dimensions = dimensions.as_list::<i32>();
        let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(values.len()));
        for row in 0..values.len() {
            let length = length(dimensions, row).map_err(outward)?;
            if places.len() + length > ITEMS_MAX {
                let text = format!("array_fill would give more than {ITEMS_MAX} items at once");
                return Err(outward(Error::new(Reason::LimitExceeded, text)));
            }
            places.extend(std::iter::repeat_n(u32::try_from(row).unwrap_or_default(), length));
            lengths.push(length);
        }
        let items = take(values, &UInt32Array::from(places), None)?;
        let DataType::List(item) = args.return_type() else { return plan_err!("array_fill gives a list") };
        let valid = NullBuffer::new_valid(lengths.len());
        let list = ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lengths), items, Some(valid))?;
        answer(&args.args, Arc::new(list))
    }
}

/// The length of the one dimension of a row.
fn length(dimensions: &ListArray, row: usize) -> Result<usize, Error> {
    if dimensions.is_null(row) {
        let text = "dimension array or low bound array cannot be null";
        return Err(Error::new(Reason::NullNotAllowed, text));
    }
    let lengths = cast(&dimensions.value(row), &DataType::Int64).ok();
    let lengths: Vec<Option<i64>> = lengths.iter().flat_map(|all| all.as_primitive::<Int64Type>().iter()).collect();
    match lengths.as_slice() {
        [] => Ok(0),
        [None] => Err(Error::new(Reason::NullNotAllowed, "dimension values cannot be null")),
        [Some(length)] => usize::try_from(*length)
            .map_err(|_| Error::new(Reason::LimitExceeded, format!("invalid array length: {length}"))),
        _ => Err(Error::new(Reason::Unsupported, "array_fill makes arrays of one dimension")),
    }
}
