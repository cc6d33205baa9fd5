//! Lengths of time given as an interval or as a number of days.

use arrow::datatypes::{DataType, IntervalDayTime, IntervalMonthDayNano, TimeUnit};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};

use crate::constants::quoted;

const DAY_MICROS: f64 = 86_400e6;

/// Intervals and durations stay, numbers become doubles.
pub(crate) fn coerce_window(function: &str, argument: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Interval(_) | DataType::Duration(_) => Ok(data_type.clone()),
        number if number.is_numeric() || number.is_null() => Ok(DataType::Float64),
        other => plan_err!("{function}: {argument} must be an interval or a number of days, got {other}"),
    }
}

/// The length in microseconds, None for NULL. Months have no fixed length and are refused.
pub(crate) fn window_micros(function: &str, argument: &str, value: &ScalarValue) -> Result<Option<f64>> {
    let micros = match value {
        nothing if nothing.is_null() => return Ok(None),
        ScalarValue::Float64(Some(days)) => days * DAY_MICROS,
        ScalarValue::IntervalDayTime(Some(IntervalDayTime { days, milliseconds })) => {
            f64::from(*days) * DAY_MICROS + f64::from(*milliseconds) * 1e3
        }
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months: 0, days, nanoseconds })) => {
            f64::from(*days) * DAY_MICROS + *nanoseconds as f64 / 1e3
        }
        ScalarValue::DurationSecond(Some(length)) => *length as f64 * micros_of(TimeUnit::Second),
        ScalarValue::DurationMillisecond(Some(length)) => *length as f64 * micros_of(TimeUnit::Millisecond),
        ScalarValue::DurationMicrosecond(Some(length)) => *length as f64 * micros_of(TimeUnit::Microsecond),
        ScalarValue::DurationNanosecond(Some(length)) => *length as f64 * micros_of(TimeUnit::Nanosecond),
        other => {
            return exec_err!("{function}: {argument} must be given in days or shorter units, got {}", quoted(other));
        }
    };
    if micros.is_finite() {
        Ok(Some(micros))
    } else {
        exec_err!("{function}: {argument} must be finite, got {}", quoted(value))
    }
}

fn micros_of(unit: TimeUnit) -> f64 {
    match unit {
        TimeUnit::Second => 1e6,
        TimeUnit::Millisecond => 1e3,
        TimeUnit::Microsecond => 1.0,
        TimeUnit::Nanosecond => 1e-3,
    }
}
