//! `date_trunc`: an instant, a timestamp or an interval without what is finer than a unit. A day is truncated as its midnight
//! on the clocks of the session, which is an instant, as in PostgreSQL.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoBuilder, TimestampMicrosecondBuilder};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalUnit, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::plan_err;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::casts::is_text;
use super::clocks;
use super::fields::{Field, spans};
use super::texts::{self, answer, outward, zone};
use crate::error::{Error, Reason};
use crate::forms::datetime::{Civil, MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::interval::Span;
use crate::forms::zone::Zone;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

pub fn functions() -> Vec<ScalarUDF> {
    vec![in_session("UTC")]
}

fn in_session(zone: &str) -> ScalarUDF {
    let signature = Signature::any(2, Volatility::Stable);
    ScalarUDF::new_from_impl(DateTrunc { zone: zone.into(), aliases: vec!["datetrunc".to_owned()], signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateTrunc {
    /// That of the session, in which a day has its midnight.
    zone: Arc<str>,
    aliases: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        "date_trunc"
    }

    /// The engine's own is also called so; left under that name, it would come back under its first.
    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [_, value] = types else { return plan_err!("date_trunc takes a unit and a value") };
        Ok(match value {
            DataType::Timestamp(_, named) => DataType::Timestamp(TimeUnit::Microsecond, named.clone()),
            DataType::Date32 | DataType::Null => self.instant(),
            DataType::Interval(_) | DataType::Duration(_) | DataType::Time64(_) => INTERVAL,
            text if is_text(text) => self.instant(),
            _ => {
                let text = "function date_trunc does not take arguments of these types";
                return Err(outward(Error::new(Reason::UndefinedFunction, text)));
            }
        })
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(in_session(config.execution.time_zone.as_deref().unwrap_or("UTC")))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [units, value] = args.args.as_slice() else { return plan_err!("date_trunc takes two arguments") };
        let is_constant = matches!((units, value), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let units = cast(&units.to_array(rows)?, &DataType::Utf8)?;
        let units = units.as_string::<i32>();
        let values = value.to_array(rows)?;
        let session = zone(&args.config_options);
        let mut known: Option<(&str, Unit)> = None;
        let mut unit_at = |row: usize, type_name: &str| -> Result<Option<Unit>> {
            if units.is_null(row) {
                return Ok(None);
            }
            let name = units.value(row);
            let unit = match known {
                Some((known, unit)) if known == name => unit,
                _ => Unit::of(name, type_name).map_err(outward)?,
            };
            known = Some((name, unit));
            Ok(Some(unit))
        };
        let truncated: ArrayRef = match values.data_type() {
            DataType::Interval(_) | DataType::Duration(_) | DataType::Time64(_) => {
                let mut builder = IntervalMonthDayNanoBuilder::with_capacity(rows);
                for (row, span) in lengths(&values)?.into_iter().enumerate() {
                    let unit = unit_at(row, "interval")?;
                    let span = span.zip(unit).map(|(span, unit)| unit.of_span(span)).transpose().map_err(outward)?;
                    let whole = |span: Span| {
                        IntervalMonthDayNano::new(span.months, span.days, span.micros.saturating_mul(1000))
                    };
                    builder.append_option(span.map(whole));
                }
                Arc::new(builder.finish())
            }
            data_type => {
                let moments = match data_type {
                    DataType::Timestamp(_, named) => {
                        cast(&values, &DataType::Timestamp(TimeUnit::Microsecond, named.clone()))?
                    }
                    text if is_text(text) => {
                        let texts = cast(&values, &DataType::Utf8)?;
                        texts::values(texts.as_string::<i32>(), &self.instant(), session)?
                    }
                    _ => clocks::instants(&values, &self.zone)?,
                };
                let named = match moments.data_type() {
                    DataType::Timestamp(_, named) => named.clone(),
                    _ => None,
                };
                let type_name =
                    if named.is_some() { "timestamp with time zone" } else { "timestamp without time zone" };
                let moments = moments.as_primitive::<TimestampMicrosecondType>();
                let seconds = || moments.values().iter().map(|micros| micros.div_euclid(MICROS_A_SECOND));
                let offsets = named.is_some().then(|| session.offsets_seconds(seconds()));
                let mut builder = TimestampMicrosecondBuilder::with_capacity(rows);
                for (row, micros) in moments.iter().enumerate() {
                    let offset = offsets.as_ref().and_then(|offsets| offsets.get(row)).copied();
                    let at = micros.zip(unit_at(row, type_name)?);
                    builder.append_option(at.map(|(micros, unit)| match offset {
                        Some(offset) => unit.of_instant(micros, offset, session),
                        None => unit.of_reading(micros),
                    }));
                }
                Arc::new(builder.finish().with_timezone_opt(named))
            }
        };
        answer(&args.args, truncated)
    }
}

impl DateTrunc {
    fn instant(&self) -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone)))
    }
}

/// Intervals, and times of day as such.
fn lengths(values: &ArrayRef) -> Result<Vec<Option<Span>>> {
    match values.data_type() {
        DataType::Time64(_) => {
            let times = cast(values, &DataType::Time64(TimeUnit::Microsecond))?;
            let times = times.as_primitive::<Time64MicrosecondType>();
            Ok(times.iter().map(|time| time.map(|micros| Span { months: 0, days: 0, micros })).collect())
        }
        _ => spans(values),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Years(i64),
    Quarter,
    Month,
    Week,
    Day,
    Micros(i64),
}

impl Unit {
    fn of(name: &str, type_name: &str) -> Result<Self, Error> {
        let unit = name.to_ascii_lowercase();
        let unknown = || format!("unit \"{unit}\" not recognized for type {type_name}");
        Ok(match Field::from_str(name).map_err(|()| Error::new(Reason::InvalidParameter, unknown()))? {
            Field::Millennium => Self::Years(1000),
            Field::Century => Self::Years(100),
            Field::Decade => Self::Years(10),
            Field::Year => Self::Years(1),
            Field::Quarter => Self::Quarter,
            Field::Month => Self::Month,
            Field::Week => Self::Week,
            Field::Day => Self::Day,
            Field::Hour => Self::Micros(3600 * MICROS_A_SECOND),
            Field::Minute => Self::Micros(60 * MICROS_A_SECOND),
            Field::Second => Self::Micros(MICROS_A_SECOND),
            Field::Millisecond => Self::Micros(1000),
            Field::Microsecond => Self::Micros(1),
            _ => {
                let text = format!("unit \"{unit}\" not supported for type {type_name}");
                return Err(Error::new(Reason::Unsupported, text));
            }
        })
    }

    /// Microseconds of a reading of clocks. The two ends of time stay.
    fn of_reading(self, micros: i64) -> i64 {
        if matches!(micros, i64::MAX | i64::MIN) {
            return micros;
        }
        let days = micros.div_euclid(MICROS_A_DAY);
        let civil = Civil::of_days(days);
        let first = |year: i64, month: u32| Civil { year, month, day: 1 }.days();
        let midnight = match self {
            Self::Micros(unit) => return micros.saturating_sub(micros.rem_euclid(unit)),
            Self::Day => days,
            Self::Week => days - (days + 3).rem_euclid(7),
            Self::Month => first(civil.year, civil.month),
            Self::Quarter => first(civil.year, (civil.month - 1) / 3 * 3 + 1),
            Self::Years(1) => first(civil.year, 1),
            Self::Years(10) => first(civil.year.div_euclid(10) * 10, 1),
            // A century begins with its year 1.
            Self::Years(width) => first((civil.year - 1).div_euclid(width) * width + 1, 1),
        };
        midnight.saturating_mul(MICROS_A_DAY)
    }

    /// Of an instant whose clocks are so many seconds east of Greenwich. An hour keeps the offset that it has, which tells the
    /// two hours of a clock that was set back apart; what is longer than a day may begin with another one.
    fn of_instant(self, micros: i64, offset: i32, zone: Zone) -> i64 {
        if matches!(micros, i64::MAX | i64::MIN) {
            return micros;
        }
        let shift = |offset: i32| i64::from(offset) * MICROS_A_SECOND;
        let local = self.of_reading(micros.saturating_add(shift(offset)));
        let offset = match self {
            Self::Micros(_) => offset,
            _ => zone.offset_of_local(local.div_euclid(MICROS_A_SECOND)),
        };
        local.saturating_sub(shift(offset))
    }

    fn of_span(self, span: Span) -> Result<Span, Error> {
        let months = |width: i32| Span { months: span.months / width * width, days: 0, micros: 0 };
        Ok(match self {
            Self::Years(years) => months(12 * i32::try_from(years).unwrap_or(i32::MAX / 12)),
            Self::Quarter => months(3),
            Self::Month => months(1),
            Self::Day => Span { micros: 0, ..span },
            Self::Micros(unit) => Span { micros: span.micros / unit * unit, ..span },
            Self::Week => {
                let text = "unit \"week\" not supported for type interval";
                return Err(Error::new(Reason::Unsupported, text).with_detail("Months usually have fractional weeks."));
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::forms::read::datetime::{instant, timestamp};

    // What PostgreSQL 15 gives: SELECT date_trunc(unit, timestamp text).
    #[test]
    fn readings_are_cut_off_as_in_postgres() {
        for (unit, text, expected) in [
            ("decade", "2024-01-15", "2020-01-01"),
            ("century", "2000-06-01", "1901-01-01"),
            ("millennium", "2024-01-15", "2001-01-01"),
            ("week", "2024-01-17 10:00", "2024-01-15"),
            ("quarter", "2024-06-30 23:59:59", "2024-04-01"),
            ("milliseconds", "2024-01-15 10:20:30.123456", "2024-01-15 10:20:30.123"),
            ("hour", "1969-12-31 23:30", "1969-12-31 23:00"),
        ] {
            let got = Unit::of(unit, "").unwrap().of_reading(timestamp(text).unwrap());
            assert_eq!(got, timestamp(expected).unwrap(), "{unit} of {text}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_stays_what_it_was() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        for text in ["2024-10-27 02:30+02", "2024-10-27 02:30+01"] {
            let micros = instant(text, paris).unwrap();
            let offset = paris.offset_seconds(micros.div_euclid(MICROS_A_SECOND));
            let hour = Unit::of("hour", "").unwrap().of_instant(micros, offset, paris);
            assert_eq!(micros - hour, 30 * 60 * MICROS_A_SECOND, "{text}");
        }
    }
}
