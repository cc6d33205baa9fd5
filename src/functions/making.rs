//! Dates, times and intervals made of their parts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Builder, Float64Array, Int64Array, IntervalMonthDayNanoBuilder, StringArray,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::texts::{answer, outward, zone};
use crate::error::{Error, Reason};
use crate::forms::datetime::{Civil, MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::zone::Zone;

pub fn functions() -> Vec<ScalarUDF> {
    use Kind::*;
    [Date, Time, Timestamp, Instant, Interval].map(|kind| in_session(kind, "UTC")).into()
}

fn in_session(kind: Kind, zone: &str) -> ScalarUDF {
    let count = |count: usize| if count == 0 { TypeSignature::Nullary } else { TypeSignature::Any(count) };
    let counts = kind.counts().map(count).collect();
    let signature = Signature::one_of(counts, Volatility::Stable);
    ScalarUDF::new_from_impl(Make { kind, zone: zone.into(), signature })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Date,
    Time,
    Timestamp,
    Instant,
    Interval,
}

impl Kind {
    fn counts(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Date | Self::Time => 3..=3,
            Self::Timestamp => 6..=6,
            Self::Instant => 6..=7,
            Self::Interval => 0..=7,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Make {
    kind: Kind,
    /// That of the session, in which an instant is told.
    zone: Arc<str>,
    signature: Signature,
}

impl ScalarUDFImpl for Make {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Date => "make_date",
            Kind::Time => "make_time",
            Kind::Timestamp => "make_timestamp",
            Kind::Instant => "make_timestamptz",
            Kind::Interval => "make_interval",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Date => DataType::Date32,
            Kind::Time => DataType::Time64(TimeUnit::Microsecond),
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone))),
            Kind::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        })
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(in_session(self.kind, config.execution.time_zone.as_deref().unwrap_or("UTC")))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let parts = Parts::new(self.kind, &columns)?;
        let of_session = zone(&args.config_options);
        let values: ArrayRef = match self.kind {
            Kind::Date => {
                let mut builder = Date32Builder::with_capacity(rows);
                for row in 0..rows {
                    builder.append_option(parts.at(row, || parts.day(row))?.and_then(|day| i32::try_from(day).ok()));
                }
                Arc::new(builder.finish())
            }
            Kind::Time => {
                let mut builder = Time64MicrosecondBuilder::with_capacity(rows);
                for row in 0..rows {
                    builder.append_option(parts.at(row, || parts.time(row, 0))?);
                }
                Arc::new(builder.finish())
            }
            Kind::Timestamp | Kind::Instant => {
                let mut builder = TimestampMicrosecondBuilder::with_capacity(rows);
                for row in 0..rows {
                    builder.append_option(parts.at(row, || {
                        let local = parts.day(row)?.checked_mul(MICROS_A_DAY);
                        let local = local.zip(Some(parts.time(row, 3)?)).and_then(|(day, time)| day.checked_add(time));
                        let local = local.filter(|local| local.unsigned_abs() < i64::MAX as u64 - MICROS_A_DAY as u64);
                        let local = local.ok_or_else(|| out_of_range("timestamp out of range".to_owned()))?;
                        if self.kind == Kind::Timestamp {
                            return Ok(local);
                        }
                        let zone = parts.zone(row)?.unwrap_or(of_session);
                        let offset = zone.offset_of_local(local.div_euclid(MICROS_A_SECOND));
                        Ok(local - i64::from(offset) * MICROS_A_SECOND)
                    })?);
                }
                let zone = (self.kind == Kind::Instant).then(|| Arc::clone(&self.zone));
                Arc::new(builder.finish().with_timezone_opt(zone))
            }
            Kind::Interval => {
                let mut builder = IntervalMonthDayNanoBuilder::with_capacity(rows);
                for row in 0..rows {
                    builder.append_option(parts.at(row, || parts.interval(row))?);
                }
                Arc::new(builder.finish())
            }
        };
        answer(&args.args, values)
    }
}

/// The arguments: whole numbers, seconds with a fraction, the name of a zone.
struct Parts {
    columns: Vec<ArrayRef>,
    wholes: Vec<Int64Array>,
    /// Where there are seconds, they are the argument of this place.
    seconds: Option<Float64Array>,
    zones: Option<StringArray>,
}

impl Parts {
    fn new(kind: Kind, columns: &[ArrayRef]) -> Result<Self> {
        let seconds_at = match kind {
            Kind::Date => usize::MAX,
            Kind::Time => 2,
            Kind::Timestamp | Kind::Instant => 5,
            Kind::Interval => 6,
        };
        let wholes = columns.iter().take(seconds_at);
        let wholes = wholes.map(|column| Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone()));
        let seconds = columns.get(seconds_at).map(|column| cast(column, &DataType::Float64)).transpose()?;
        let zones =
            columns.get(seconds_at.saturating_add(1)).map(|column| cast(column, &DataType::Utf8)).transpose()?;
        Ok(Self {
            columns: columns.to_vec(),
            wholes: wholes.collect::<Result<_>>()?,
            seconds: seconds.map(|seconds| seconds.as_primitive::<Float64Type>().clone()),
            zones: zones.map(|zones| zones.as_string::<i32>().clone()),
        })
    }

    /// What `made` makes of a row; NULL where a part is.
    fn at<T>(&self, row: usize, made: impl FnOnce() -> Result<T, Error>) -> Result<Option<T>> {
        if self.columns.iter().any(|column| column.data_type().is_null() || column.is_null(row)) {
            return Ok(None);
        }
        made().map(Some).map_err(outward)
    }

    fn whole(&self, row: usize, place: usize) -> i64 {
        self.wholes.get(place).map_or(0, |column| column.value(row))
    }

    fn seconds(&self, row: usize) -> f64 {
        self.seconds.as_ref().map_or(0.0, |column| column.value(row))
    }

    /// Days since 1970; a year below 0 is one before Christ.
    fn day(&self, row: usize) -> Result<i64, Error> {
        let (year, month, day) = (self.whole(row, 0), self.whole(row, 1), self.whole(row, 2));
        let refused = || out_of_range(format!("date field value out of range: {year}-{month:02}-{day:02}"));
        let is_year = year != 0 && (-4713..=294_276).contains(&year);
        let civil = Civil {
            year: if year < 0 { year + 1 } else { year },
            month: u32::try_from(month).ok().filter(|month| (1..=12).contains(month)).ok_or_else(refused)?,
            day: u32::try_from(day).ok().filter(|day| (1..=31).contains(day)).ok_or_else(refused)?,
        };
        // A day that does not exist comes back as another one.
        let is_there = is_year && Civil::of_days(civil.days()) == civil;
        is_there.then(|| civil.days()).ok_or_else(refused)
    }

    /// Microseconds since midnight, of hours, minutes and seconds from this place on.
    fn time(&self, row: usize, from: usize) -> Result<i64, Error> {
        let (hour, minute, second) = (self.whole(row, from), self.whole(row, from + 1), self.seconds(row));
        let is_plausible = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&second);
        let micros = is_plausible
            .then(|| (hour * 3600 + minute * 60) * MICROS_A_SECOND + (second * MICROS_A_SECOND as f64).round() as i64);
        micros
            .filter(|micros| *micros <= MICROS_A_DAY)
            .ok_or_else(|| out_of_range(format!("time field value out of range: {hour}:{minute:02}:{second:02}")))
    }

    fn zone(&self, row: usize) -> Result<Option<Zone>, Error> {
        let Some(zones) = &self.zones else { return Ok(None) };
        Zone::named(zones.value(row)).map(Some)
    }

    fn interval(&self, row: usize) -> Result<IntervalMonthDayNano, Error> {
        let part = |place: usize| i128::from(self.whole(row, place));
        let refused = || Error::new(Reason::DatetimeOutOfRange, "interval out of range");
        let seconds = (self.seconds(row) * MICROS_A_SECOND as f64).round();
        if !seconds.is_finite() || seconds.abs() > 1e18 {
            return Err(refused());
        }
        let micros = (part(4) * 3600 + part(5) * 60) * i128::from(MICROS_A_SECOND) + seconds as i128;
        Ok(IntervalMonthDayNano::new(
            i32::try_from(part(0) * 12 + part(1)).map_err(|_| refused())?,
            i32::try_from(part(2) * 7 + part(3)).map_err(|_| refused())?,
            i64::try_from(micros * 1000).map_err(|_| refused())?,
        ))
    }
}

fn out_of_range(text: String) -> Error {
    Error::new(Reason::DatetimeOutOfRange, text)
}
