//! Intervals made of two instants, and intervals times a number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoBuilder};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::plan_datafusion_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::texts::{answer, outward, zone};
use crate::error::{Error, Reason};
use crate::forms::datetime::{Civil, MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::interval::Span;
use crate::forms::zone::Zone;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const DAYS_A_MONTH: f64 = 30.0;

pub fn functions() -> Vec<ScalarUDF> {
    let signature = || Signature::any(2, Volatility::Stable);
    let justify = |kind: Justify| {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::new_from_impl(Justified { kind, signature })
    };
    vec![
        ScalarUDF::new_from_impl(Age { signature: signature() }),
        scaled(Scale::Times),
        scaled(Scale::Over),
        justify(Justify::Hours),
        justify(Justify::Days),
        justify(Justify::All),
    ]
}

/// The function that an interval and a number are given to.
pub fn scaled(scale: Scale) -> ScalarUDF {
    ScalarUDF::new_from_impl(Scaled { scale, signature: Signature::any(2, Volatility::Immutable) })
}

/// The years, months, days and time from one instant to a later one, as the calendar counts them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Age {
    signature: Signature,
}

impl ScalarUDFImpl for Age {
    fn name(&self) -> &str {
        "age"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [end, start] = arrays.as_slice() else { return Err(plan_datafusion_err!("age takes two instants")) };
        let zone = zone(&args.config_options);
        let (ends, starts) = (clock_readings(end, zone)?, clock_readings(start, zone)?);
        let mut builder = IntervalMonthDayNanoBuilder::with_capacity(ends.len());
        for (end, start) in ends.into_iter().zip(starts) {
            builder.append_option(end.zip(start).map(|(end, start)| age(end, start)));
        }
        answer(&args.args, Arc::new(builder.finish()))
    }
}

/// Microseconds since 1970 as the clocks of the session show them.
fn clock_readings(array: &ArrayRef, zone: Zone) -> Result<Vec<Option<i64>>> {
    let named = match array.data_type() {
        DataType::Timestamp(_, named) => named.clone(),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Date32 | DataType::Null => None,
        other => return Err(plan_datafusion_err!("age takes instants, not {other}")),
    };
    let is_instant = named.is_some();
    let values = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, named))?;
    let reading = |micros: i64| {
        let offset = if is_instant { zone.offset_seconds(micros.div_euclid(MICROS_A_SECOND)) } else { 0 };
        micros.saturating_add(i64::from(offset) * MICROS_A_SECOND)
    };
    Ok(values.as_primitive::<TimestampMicrosecondType>().iter().map(|value| value.map(reading)).collect())
}

/// As `timestamp_age` of PostgreSQL: field by field, and what is missing is borrowed from the field above.
fn age(end: i64, start: i64) -> IntervalMonthDayNano {
    let (later, earlier, sign) = if end >= start { (end, start, 1) } else { (start, end, -1) };
    let split = |micros: i64| (Civil::of_days(micros.div_euclid(MICROS_A_DAY)), micros.rem_euclid(MICROS_A_DAY));
    let ((a, a_time), (b, b_time)) = (split(later), split(earlier));
    let mut months = (a.year - b.year) * 12 + i64::from(a.month) - i64::from(b.month);
    let mut days = i64::from(a.day) - i64::from(b.day);
    let mut micros = a_time - b_time;
    if micros < 0 {
        micros += MICROS_A_DAY;
        days -= 1;
    }
    if days < 0 {
        // The days of the month in which the earlier of the two lies.
        let month = if end >= start { b } else { a };
        days += days_in_month(month);
        months -= 1;
    }
    let small = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    IntervalMonthDayNano::new(sign * small(months), sign * small(days), i64::from(sign) * micros.saturating_mul(1000))
}

fn days_in_month(civil: Civil) -> i64 {
    let first = Civil { day: 1, ..civil };
    let next = if civil.month == 12 {
        Civil { year: civil.year + 1, month: 1, day: 1 }
    } else {
        Civil { month: civil.month + 1, ..first }
    };
    next.days() - first.days()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scale {
    Times,
    Over,
}

/// An interval, so many times. A part of a month becomes days, a part of a day becomes time, as in PostgreSQL.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Scaled {
    scale: Scale,
    signature: Signature,
}

impl ScalarUDFImpl for Scaled {
    fn name(&self) -> &str {
        match self.scale {
            Scale::Times => "interval_times",
            Scale::Over => "interval_over",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [interval, number] = arrays.as_slice() else {
            return Err(plan_datafusion_err!("{} takes an interval and a number", self.name()));
        };
        let (interval, number) = (cast(interval, &INTERVAL)?, cast(number, &DataType::Float64)?);
        let (interval, number) =
            (interval.as_primitive::<IntervalMonthDayNanoType>(), number.as_primitive::<Float64Type>());
        let mut builder = IntervalMonthDayNanoBuilder::with_capacity(interval.len());
        for (interval, number) in interval.iter().zip(number) {
            builder.append_option(interval.zip(number).map(|(i, n)| self.scale.of(i, n)).transpose().map_err(outward)?);
        }
        answer(&args.args, Arc::new(builder.finish()))
    }
}

impl Scale {
    fn of(self, interval: IntervalMonthDayNano, number: f64) -> Result<IntervalMonthDayNano, Error> {
        let factor = match self {
            Self::Times => number,
            Self::Over if number == 0.0 => return Err(Error::new(Reason::DivisionByZero, "division by zero")),
            Self::Over => 1.0 / number,
        };
        let months = f64::from(interval.months) * factor;
        let days = f64::from(interval.days) * factor + months.fract() * DAYS_A_MONTH;
        // What is not a whole number for want of precision is one.
        let days = if (days - days.round()).abs() < 1e-9 { days.round() } else { days };
        let nanos = interval.nanoseconds as f64 * factor + days.fract() * MICROS_A_DAY as f64 * 1000.0;
        let micros = (nanos / 1000.0).round();
        let fits = months.trunc().abs() <= f64::from(i32::MAX)
            && days.trunc().abs() <= f64::from(i32::MAX)
            && micros.abs() < i64::MAX as f64 / 1000.0;
        if !fits {
            return Err(Error::new(Reason::OutOfRange, "interval out of range"));
        }
        Ok(IntervalMonthDayNano::new(months.trunc() as i32, days.trunc() as i32, micros as i64 * 1000))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Justify {
    Hours,
    Days,
    All,
}

/// An interval whose hours are less than a day, or whose days are less than a month of thirty, or both.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Justified {
    kind: Justify,
    signature: Signature,
}

impl ScalarUDFImpl for Justified {
    fn name(&self) -> &str {
        match self.kind {
            Justify::Hours => "justify_hours",
            Justify::Days => "justify_days",
            Justify::All => "justify_interval",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [intervals] = arrays.as_slice() else {
            return Err(plan_datafusion_err!("{} takes an interval", self.name()));
        };
        let mut builder = IntervalMonthDayNanoBuilder::with_capacity(intervals.len());
        for span in super::fields::spans(intervals)? {
            let justified = span.map(|span| {
                self.kind.of(span).ok_or_else(|| outward(Error::new(Reason::OutOfRange, "interval out of range")))
            });
            builder.append_option(justified.transpose()?);
        }
        answer(&args.args, Arc::new(builder.finish()))
    }
}

impl Justify {
    fn of(self, span: Span) -> Option<IntervalMonthDayNano> {
        const DAYS: i64 = DAYS_A_MONTH as i64;
        let (mut months, mut days, mut micros) = (i64::from(span.months), i64::from(span.days), span.micros);
        if self != Self::Days {
            (days, micros) = (days + micros / MICROS_A_DAY, micros % MICROS_A_DAY);
        }
        if self != Self::Hours {
            (months, days) = (months + days / DAYS, days % DAYS);
        }
        // A field does not go against the one above it.
        if self != Self::Hours && months.signum() * days.signum() < 0
            || self == Self::All && days == 0 && months.signum() * micros.signum() < 0
        {
            (months, days) = (months - months.signum(), days + months.signum() * DAYS);
        }
        if self != Self::Days && days.signum() * micros.signum() < 0 {
            (days, micros) = (days - days.signum(), micros + days.signum() * MICROS_A_DAY);
        }
        let (months, days) = (i32::try_from(months).ok()?, i32::try_from(days).ok()?);
        Some(IntervalMonthDayNano::new(months, days, micros.checked_mul(1000)?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::forms::read::datetime::timestamp;

    // What PostgreSQL 15 gives: SELECT age(timestamp a, timestamp b).
    #[test]
    fn ages_are_those_of_postgres() {
        for (end, start, months, days, seconds) in [
            ("2024-03-01", "2024-01-15", 1, 17, 0),
            ("2024-01-15", "2024-03-01", -1, -17, 0),
            ("2024-02-29 12:00", "2023-02-28 13:00", 12, 0, 82_800),
            ("2001-04-10", "1957-06-13", 43 * 12 + 9, 27, 0),
            ("2024-01-01", "2024-01-01", 0, 0, 0),
        ] {
            let got = age(timestamp(end).unwrap(), timestamp(start).unwrap());
            assert_eq!(got, IntervalMonthDayNano::new(months, days, seconds * 1_000_000_000), "{end} {start}");
        }
    }

    // What PostgreSQL 15 gives.
    #[test]
    fn an_interval_times_a_number_spills_downwards() {
        let day = 86_400_000_000_000;
        for (interval, factor, expected) in [
            ((0, 1, 0), 7.0, (0, 7, 0)),
            ((1, 0, 0), 1.5, (1, 15, 0)),
            ((0, 1, 0), 0.5, (0, 0, day / 2)),
            ((0, 0, day), 0.5, (0, 0, day / 2)),
        ] {
            let (months, days, nanos) = interval;
            let got = Scale::Times.of(IntervalMonthDayNano::new(months, days, nanos), factor).unwrap();
            assert_eq!((got.months, got.days, got.nanoseconds), expected);
        }
        assert_eq!(
            Scale::Over.of(IntervalMonthDayNano::new(0, 1, 0), 0.0).unwrap_err().reason(),
            Reason::DivisionByZero
        );
    }
}
