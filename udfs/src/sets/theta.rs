//! Theta sketches: how many different values there were, and how many of them two sets share.
//!
//! A sketch holds the 4,096 smallest hashes of its values and the next one, theta, below which it holds all. So its bytes do not depend on the
//! order of rows or on how sketches were merged.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::DataType;
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
use datasketches::common::ResizeFactor;
use datasketches::error::Error;
use datasketches::theta::{CompactThetaSketch, ThetaSketch, ThetaSketchBuilder, ThetaUnion, ThetaUnionBuilder};

use super::gathering::{Gathered, append};
use super::values::Value;

/// 2^12 hashes: a standard error of 1.6 %.
const LG_HASHES: u8 = 12;

/// The sketch that the bytes hold; None where they are none that is written here: in order, each hash once, no more of them than there may be.
pub(super) fn read(bytes: &[u8]) -> Option<CompactThetaSketch> {
    let sketch = CompactThetaSketch::deserialize(bytes).ok()?;
    let rises = sketch.iter().zip(sketch.iter().skip(1)).all(|(one, two)| one.hash() < two.hash());
    (rises && sketch.num_retained() <= 1 << LG_HASHES && sketch.serialize() == bytes).then_some(sketch)
}

pub(super) fn coerce_sketch(function: &str, argument: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null => Ok(DataType::Binary),
        other => plan_err!("{function}: {argument} must be a sketch of theta_build (bytea), got {other}"),
    }
}

/// Argument types of a function of two sketches.
pub(super) fn coerce_two(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [one, two] = take_function_args(function, types)?;
    Ok(vec![coerce_sketch(function, "a", one)?, coerce_sketch(function, "b", two)?])
}

/// The sketch that `combine` makes of the two of each row; NULL where one is NULL or no sketch.
pub(super) fn combine(
    function: &str,
    args: ScalarFunctionArgs,
    combine: impl Fn(&CompactThetaSketch, &CompactThetaSketch) -> Result<CompactThetaSketch, Error>,
) -> Result<ColumnarValue> {
    let rows = args.number_rows;
    let [one, two] = take_function_args(function, args.args)?;
    let (one, two) = (one.to_array(rows)?, two.to_array(rows)?);
    let (one, two) = (one.as_binary::<i32>(), two.as_binary::<i32>());
    let mut sketches = BinaryBuilder::new();
    for row in 0..rows {
        let valid = one.is_valid(row) && two.is_valid(row);
        let pair = valid.then(|| read(one.value(row)).zip(read(two.value(row)))).flatten();
        let combined = pair.map(|(one, two)| combine(&one, &two)).transpose().map_err(|error| of(function, error))?;
        append(function, &mut sketches, combined.map(|sketch| sketch.serialize()))?;
    }
    Ok(ColumnarValue::Array(Arc::new(sketches.finish()) as ArrayRef))
}

fn of(function: &str, error: Error) -> datafusion_common::DataFusionError {
    exec_datafusion_err!("{function}: {error}")
}

/// The sketch of a group while rows and sketches come in.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    /// Of the rows.
    rows: Option<ThetaSketch>,
    /// Of the sketches.
    sketches: Option<ThetaUnion>,
}

impl Sketch {
    pub fn add(&mut self, function: &str, value: Value<'_>) -> Result<()> {
        let rows = match &mut self.rows {
            Some(rows) => rows,
            first => {
                let builder = ThetaSketchBuilder::default().lg_k(LG_HASHES).resize_factor(ResizeFactor::X2);
                first.insert(builder.build().map_err(|error| of(function, error))?)
            }
        };
        rows.update(value);
        Ok(())
    }

    /// An error where the bytes are no sketch.
    pub fn join(&mut self, function: &str, bytes: &[u8]) -> Result<()> {
        let Some(sketch) = read(bytes) else {
            return exec_err!("{function}: a value of {} bytes is no sketch of theta_build", bytes.len());
        };
        let sketches = match &mut self.sketches {
            Some(sketches) => sketches,
            first => first.insert(union(function)?),
        };
        sketches.update(&sketch).map_err(|error| of(function, error))
    }
}

fn union(function: &str) -> Result<ThetaUnion> {
    let builder = ThetaUnionBuilder::default().lg_k(LG_HASHES).resize_factor(ResizeFactor::X2);
    builder.build().map_err(|error| of(function, error))
}

impl Gathered for Sketch {
    fn write(&mut self, function: &str) -> Result<Vec<u8>> {
        let rows = self.rows.as_mut().map(|rows| {
            // Without the hashes that came in since theta was found last, the sketch depends on nothing but its values.
            rows.trim();
            rows.compact(true)
        });
        let sketches = self.sketches.as_ref().map(|sketches| sketches.to_sketch(true));
        match (rows, sketches) {
            (Some(one), None) | (None, Some(one)) => Ok(one.serialize()),
            (rows, sketches) => {
                let mut whole = union(function)?;
                for part in rows.iter().chain(&sketches) {
                    whole.update(part).map_err(|error| of(function, error))?;
                }
                Ok(whole.to_sketch(true).serialize())
            }
        }
    }

    fn bytes(&self) -> usize {
        let rows = self.rows.as_ref().map_or(0, ThetaSketch::estimated_size);
        rows + self.sketches.as_ref().map_or(0, ThetaUnion::estimated_size)
    }
}
