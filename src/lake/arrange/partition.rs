//! The partition of each row.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, partition, sort_to_indices, take, take_record_batch};
use arrow::datatypes::{DataType, Date32Type, Int32Type, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use chrono::{Datelike, NaiveDate};

use super::super::error::LakeError;
use super::super::table::{PartitionSpec, TableSpec};

const DAY_US: i64 = 86_400_000_000;

/// The rows of each partition, with its name in the log. Rows of one partition keep their order.
pub fn divided(batch: &RecordBatch, spec: &TableSpec) -> Result<Vec<(Option<String>, RecordBatch)>, LakeError> {
    let Some(by) = &spec.partition else { return Ok(vec![(None, batch.clone())]) };
    let values = batch.column(batch.schema().index_of(by.source())?);
    let values = match by {
        PartitionSpec::Month(_) => months(values)?,
        PartitionSpec::Column(_) => values.clone(),
    };
    let runs = partition(std::slice::from_ref(&values))?.ranges();
    if let [run] = runs.as_slice() {
        return Ok(vec![(name(by, &values, run.start)?, batch.clone())]);
    }
    // Sorted by place too, as the sort of the engine is not stable.
    let order = sort_to_indices(&values, None, None)?;
    let sorted = take(&values, &order, None)?;
    let runs = partition(std::slice::from_ref(&sorted))?.ranges();
    let divide = |run: Range<usize>| {
        let mut rows = order.values()[run.clone()].to_vec();
        rows.sort_unstable();
        Ok((name(by, &sorted, run.start)?, take_record_batch(batch, &UInt32Array::from(rows))?))
    };
    runs.into_iter().map(divide).collect()
}

/// Months since the year 0, in UTC (stored times have no other zone).
fn months(values: &ArrayRef) -> Result<ArrayRef, LakeError> {
    let mut last = None;
    let mut month = |day: i64| match last {
        Some((known, month)) if known == day => Some(month),
        _ => {
            let date = NaiveDate::from_epoch_days(i32::try_from(day).ok()?)?;
            let month = date.year().saturating_mul(12).saturating_add(date.month0().cast_signed());
            last = Some((day, month));
            Some(month)
        }
    };
    let months: Int32Array = match values.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(instants) => instants.iter().map(|instant| month(instant?.div_euclid(DAY_US))).collect(),
        None => {
            let days = cast(values, &DataType::Date32)?;
            days.as_primitive::<Date32Type>().iter().map(|day| month(i64::from(day?))).collect()
        }
    };
    Ok(Arc::new(months))
}

fn name(by: &PartitionSpec, values: &ArrayRef, row: usize) -> Result<Option<String>, LakeError> {
    if values.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match by {
        PartitionSpec::Month(_) => {
            let months = values.as_primitive::<Int32Type>().value(row);
            format!("{:04}-{:02}", months.div_euclid(12), months.rem_euclid(12) + 1)
        }
        PartitionSpec::Column(_) => match values.as_any().downcast_ref::<StringArray>() {
            Some(texts) => texts.value(row).to_owned(),
            None => array_value_to_string(values, row)?,
        },
    }))
}
