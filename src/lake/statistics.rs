//! What is known of a file's columns: taken from its footer, written to the log as JSON, read back from the log.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::datatypes::{DataType, Schema};
use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::common::ScalarValue;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;

use super::error::LakeError;

/// Delta's readers look at the statistics of this many leading columns.
const COLUMNS_MAX: usize = 32;
/// A longer text is no help in pruning.
const TEXT_BYTES_MAX: usize = 256;

/// What the log says of one column in one file. Values are of the stored type; text may be a bound that no row holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnRange {
    pub min: Option<ScalarValue>,
    pub max: Option<ScalarValue>,
    pub null_count: Option<u64>,
}

/// Whether the least and greatest value of such a column are kept. Floats are left out (NaN has no place in an order).
pub fn ranged(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Decimal128(_, _)
            | DataType::Utf8
            | DataType::Date32
            | DataType::Timestamp(_, _)
    )
}

/// The ranges of all columns of a file, one per field of `schema`.
pub fn from_footer(footer: &ParquetMetaData, schema: &Schema) -> Result<Vec<ColumnRange>, LakeError> {
    let parquet_schema = footer.file_metadata().schema_descr();
    schema
        .fields()
        .iter()
        .map(|field| {
            if field.data_type().is_nested() {
                return Ok(ColumnRange::default());
            }
            let converter = StatisticsConverter::try_new(field.name(), schema, parquet_schema)?;
            let counts = converter.row_group_null_counts(footer.row_groups())?;
            let null_count = (counts.len() == footer.num_row_groups() && counts.null_count() == 0)
                .then(|| counts.iter().flatten().sum());
            if !ranged(field.data_type()) {
                return Ok(ColumnRange { null_count, ..ColumnRange::default() });
            }
            let mins = converter.row_group_mins(footer.row_groups())?;
            let maxes = converter.row_group_maxes(footer.row_groups())?;
            let all_null = null_count == u64::try_from(footer.file_metadata().num_rows()).ok();
            let bound = |values, wanted| if all_null { Ok(None) } else { extreme(values, wanted) };
            Ok(ColumnRange { min: bound(&mins, Ordering::Less)?, max: bound(&maxes, Ordering::Greater)?, null_count })
        })
        .collect()
}

/// The least or greatest of the row groups' bounds; none where a row group that holds values has no bound.
fn extreme(values: &ArrayRef, wanted: Ordering) -> Result<Option<ScalarValue>, LakeError> {
    let mut found: Option<ScalarValue> = None;
    for index in 0..values.len() {
        let value = ScalarValue::try_from_array(values, index)?;
        if value.is_null() {
            return Ok(None);
        }
        if found.as_ref().is_none_or(|best| value.partial_cmp(best) == Some(wanted)) {
            found = Some(value);
        }
    }
    Ok(found.filter(|value| !matches!(value, ScalarValue::Utf8(Some(text)) if text.len() > TEXT_BYTES_MAX)))
}

/// The statistics text of an Add action. `off` names columns whose values stay out of it.
pub fn to_json(rows: u64, ranges: &[ColumnRange], schema: &Schema, off: &[String]) -> String {
    let named: Vec<_> = schema.fields().iter().zip(ranges).take(COLUMNS_MAX).collect();
    let object = |value: &dyn Fn(&ColumnRange) -> Option<String>| {
        let entries = named
            .iter()
            .filter_map(|(field, range)| value(range).map(|value| format!("{}:{value}", quoted(field.name()))));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
    };
    let nulls = object(&|range| range.null_count.map(|count| count.to_string()));
    let shown: Vec<_> = named.iter().filter(|(field, _)| !off.contains(field.name())).collect();
    let values = |value: &dyn Fn(&ColumnRange) -> &Option<ScalarValue>| {
        let entries = shown.iter().filter_map(|(field, range)| {
            // Half a range would still be right; both bounds or none is easier to reason about.
            let both = json(range.min.as_ref()?).and(json(range.max.as_ref()?));
            both.and(json(value(range).as_ref()?)).map(|value| format!("{}:{value}", quoted(field.name())))
        });
        format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
    };
    let (mins, maxes) = (values(&|range| &range.min), values(&|range| &range.max));
    format!(r#"{{"numRecords":{rows},"minValues":{mins},"maxValues":{maxes},"nullCount":{nulls}}}"#)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value as Delta writes it in statistics; none where its notation has no place for it.
fn json(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Int16(Some(number)) => Some(number.to_string()),
        ScalarValue::Int32(Some(number)) => Some(number.to_string()),
        ScalarValue::Int64(Some(number)) => Some(number.to_string()),
        ScalarValue::Decimal128(Some(number), _, scale) => Some(decimal(*number, *scale)),
        ScalarValue::Utf8(Some(text)) => Some(quoted(text)),
        ScalarValue::Date32(Some(days)) => date(*days).map(|text| quoted(&text)),
        ScalarValue::TimestampMicrosecond(Some(micros), zone) => {
            let time = DateTime::from_timestamp_micros(*micros).filter(|time| plain_year(time.year()))?;
            let mark = if zone.is_some() { "Z" } else { "" };
            Some(format!("\"{}{mark}\"", time.format("%Y-%m-%dT%H:%M:%S%.6f")))
        }
        _ => None,
    }
}

/// `2025-03-01`; none outside the years that four digits write.
pub fn date(days: i32) -> Option<String> {
    let date = NaiveDate::from_epoch_days(days).filter(|date| plain_year(date.year()))?;
    Some(date.format("%Y-%m-%d").to_string())
}

fn plain_year(year: i32) -> bool {
    (1..=9999).contains(&year)
}

fn decimal(unscaled: i128, scale: i8) -> String {
    let scale = usize::try_from(scale).unwrap_or_default();
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The least or greatest value of a column as the log's reader parsed it; none where it is unknown.
pub fn from_log(bounds: Option<&StructArray>, column: &str, data_type: &DataType, row: usize) -> Option<ScalarValue> {
    let bounds = bounds.filter(|bounds| bounds.is_valid(row))?;
    let values = bounds.column_by_name(column).filter(|_| ranged(data_type))?;
    let value = ScalarValue::try_from_array(values, row).ok().filter(|value| !value.is_null())?;
    value.cast_to(data_type).ok()
}

/// The bound above a greatest time that another engine may have cut to milliseconds.
pub fn above_cut(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::TimestampMicrosecond(Some(micros), zone) => {
            ScalarValue::TimestampMicrosecond(Some(micros.saturating_add(999)), zone)
        }
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn a_decimal_keeps_all_its_digits() {
        let cases =
            [(1, 2, "0.01"), (-1, 2, "-0.01"), (123_456_789_012_345_678, 2, "1234567890123456.78"), (7, 0, "7")];
        for (unscaled, scale, text) in cases {
            assert_eq!(decimal(unscaled, scale), text);
        }
    }

    #[test]
    fn a_column_that_is_off_shows_no_value() {
        let schema =
            Schema::new(vec![Field::new("phone", DataType::Utf8, true), Field::new("n", DataType::Int32, true)]);
        let phone = ColumnRange {
            min: Some(ScalarValue::from("138")),
            max: Some(ScalarValue::from("139")),
            null_count: Some(1),
        };
        let count = ColumnRange {
            min: Some(ScalarValue::Int32(Some(1))),
            max: Some(ScalarValue::Int32(Some(2))),
            null_count: Some(0),
        };
        assert_eq!(
            to_json(3, &[phone, count], &schema, &["phone".to_owned()]),
            r#"{"numRecords":3,"minValues":{"n":1},"maxValues":{"n":2},"nullCount":{"phone":1,"n":0}}"#
        );
    }

    #[test]
    fn a_year_that_needs_five_digits_has_no_statistics() {
        assert_eq!(date(i32::MAX), None);
        assert_eq!(date(0).as_deref(), Some("1970-01-01"));
        assert_eq!(json(&ScalarValue::TimestampMicrosecond(Some(i64::MAX), Some("UTC".into()))), None);
    }
}
