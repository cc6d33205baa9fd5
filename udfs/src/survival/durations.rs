//! Durations as keys of counts, and whether they ended.

use arrow::array::{Array, Float64Array};
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};

/// The bits of a duration, which sort as durations do; None for NULL and what is no duration.
pub(super) fn duration_key(durations: &Float64Array, row: usize) -> Option<u64> {
    // Adding 0 turns -0 into 0, so that both are one key.
    let duration = durations.is_valid(row).then(|| durations.value(row) + 0.0)?;
    (duration >= 0.0 && duration.is_finite()).then(|| duration.to_bits())
}

pub(super) fn duration_of(key: u64) -> f64 {
    f64::from_bits(key)
}

pub(super) fn coerce_event(function: &str, event: &DataType) -> Result<DataType> {
    match event {
        DataType::Boolean | DataType::Null => Ok(DataType::Boolean),
        other => plan_err!("{function}: event must be true or false, got {other}"),
    }
}
