//! `extract` and `date_part`: one field of a date, an instant, a time of day or an interval.
//!
//! `extract` is a numeric with as many places as the field can have, `date_part` a double. Instants are told by the clocks of
//! the session.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, Float64Builder};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Field as ArrowField, FieldRef, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType,
    TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::casts::is_text;
use super::texts::{self, answer, outward, zone};
use crate::error::{Error, Reason};
use crate::forms::datetime::{Civil, MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::interval::Span;
use crate::forms::zone::Zone;

/// Digits of a field before and after the point: those of microseconds since 1970.
const DIGITS: u8 = 20;
/// The places of a julian day that has a time.
const JULIAN_PLACES: u8 = 20;
const JULIAN_DIGITS: u8 = 38;
const JULIAN_1970: i64 = 2_440_588;
/// A year without its months, as an epoch counts it: 365.25 days.
const SECONDS_A_YEAR: i64 = 31_557_600;
const SECONDS_A_MONTH: i64 = 30 * 86_400;

pub fn functions() -> Vec<ScalarUDF> {
    let of = |kind: Kind| {
        let aliases = if kind == Kind::DatePart { vec!["datepart".to_owned()] } else { Vec::new() };
        let signature = Signature::any(2, Volatility::Stable);
        ScalarUDF::new_from_impl(FieldOf { kind, aliases, signature })
    };
    vec![of(Kind::Extract), of(Kind::DatePart)]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Extract,
    DatePart,
}

/// `extract(field, value)`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FieldOf {
    kind: Kind,
    aliases: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for FieldOf {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Extract => "extract",
            Kind::DatePart => "date_part",
        }
    }

    /// The engine's own is also called so; left under that name, it would come back under its first.
    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.kind, types) {
            (Kind::DatePart, _) => Ok(DataType::Float64),
            (Kind::Extract, [_, data_type]) => Ok(numeric(Source::of(data_type)?, None)),
            _ => plan_err!("extract takes a field and a value"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let [_, value] = args.arg_fields else { return plan_err!("{} takes a field and a value", self.name()) };
        let source = Source::of(value.data_type())?;
        let field = match args.scalar_arguments.first() {
            Some(Some(ScalarValue::Utf8(Some(name)) | ScalarValue::Utf8View(Some(name)))) => {
                Some(source.field(name, self.kind).map_err(outward)?)
            }
            _ => None,
        };
        let data_type = match self.kind {
            Kind::Extract => numeric(source, field),
            Kind::DatePart => DataType::Float64,
        };
        Ok(Arc::new(ArrowField::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [names, value] = args.args.as_slice() else { return plan_err!("{} takes two arguments", self.name()) };
        let is_constant = matches!((names, value), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let names = cast(&names.to_array(rows)?, &DataType::Utf8)?;
        let mut fields = Fields::new(names.as_string::<i32>(), self.kind);
        let (source, moments) = moments(&value.to_array(rows)?, zone(&args.config_options))?;
        let values: ArrayRef = match (self.kind, args.return_type()) {
            (Kind::Extract, DataType::Decimal128(digits, scale)) => {
                let mut builder = Decimal128Builder::with_capacity(rows);
                for (row, moment) in moments.into_iter().enumerate() {
                    let field = fields.at(row, source)?;
                    let value = moment.zip(field).and_then(|(moment, field)| moment.get(field));
                    builder.append_option(value.map(|value| value.scaled(scale.unsigned_abs())));
                }
                Arc::new(builder.finish().with_precision_and_scale(*digits, *scale)?)
            }
            _ => {
                let mut builder = Float64Builder::with_capacity(rows);
                for (row, moment) in moments.into_iter().enumerate() {
                    let field = fields.at(row, source)?;
                    builder.append_option(moment.zip(field).and_then(|(moment, field)| moment.get_float(field)));
                }
                Arc::new(builder.finish())
            }
        };
        answer(&args.args, values)
    }
}

/// The type of a field; of one that is not known before its row, the widest.
fn numeric(source: Source, field: Option<Field>) -> DataType {
    let places = field.map_or(6, |field| field.places(source));
    DataType::Decimal128(if places == JULIAN_PLACES { JULIAN_DIGITS } else { DIGITS }, places as i8)
}

/// The field that each row names: mostly one and the same.
struct Fields<'a> {
    names: &'a arrow::array::StringArray,
    kind: Kind,
    last: Option<(&'a str, Field)>,
}

impl<'a> Fields<'a> {
    fn new(names: &'a arrow::array::StringArray, kind: Kind) -> Self {
        Self { names, kind, last: None }
    }

    fn at(&mut self, row: usize, source: Source) -> Result<Option<Field>> {
        if self.names.is_null(row) {
            return Ok(None);
        }
        let name = self.names.value(row);
        if let Some((known, field)) = self.last
            && known == name
        {
            return Ok(Some(field));
        }
        let field = source.field(name, self.kind).map_err(outward)?;
        self.last = Some((name, field));
        Ok(Some(field))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
    Julian,
    Zone,
    ZoneHour,
    ZoneMinute,
}

impl FromStr for Field {
    type Err = ();

    /// By any of PostgreSQL's words for it, in any case.
    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name.trim().to_ascii_lowercase().as_str() {
            "millennium" | "millennia" | "millenniums" | "mil" | "mils" => Self::Millennium,
            "century" | "centuries" | "cent" | "c" => Self::Century,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "year" | "years" | "yr" | "yrs" | "y" => Self::Year,
            "isoyear" => Self::IsoYear,
            "quarter" | "qtr" => Self::Quarter,
            "month" | "months" | "mon" | "mons" => Self::Month,
            "week" | "weeks" | "w" => Self::Week,
            "day" | "days" | "d" => Self::Day,
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" => Self::DayOfYear,
            "hour" | "hours" | "hr" | "hrs" | "h" => Self::Hour,
            "minute" | "minutes" | "min" | "mins" | "m" => Self::Minute,
            "second" | "seconds" | "sec" | "secs" | "s" => Self::Second,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" => Self::Millisecond,
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" | "usecond" | "useconds" => Self::Microsecond,
            "epoch" => Self::Epoch,
            "julian" | "jd" | "j" => Self::Julian,
            "timezone" => Self::Zone,
            "timezone_hour" | "timezone_h" => Self::ZoneHour,
            "timezone_minute" | "timezone_m" => Self::ZoneMinute,
            _ => return Err(()),
        })
    }
}

impl Field {
    /// The digits after the point.
    fn places(self, source: Source) -> u8 {
        match (self, source) {
            (Self::Second, _) => 6,
            (Self::Millisecond, _) => 3,
            (Self::Epoch, source) if source != Source::Date => 6,
            (Self::Julian, source) if source != Source::Date => JULIAN_PLACES,
            _ => 0,
        }
    }

    fn is_of_the_clock(self) -> bool {
        matches!(self, Self::Hour | Self::Minute | Self::Second | Self::Millisecond | Self::Microsecond)
    }
}

/// What a field is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Date,
    Timestamp,
    Instant,
    Time,
    Interval,
}

impl Source {
    fn of(data_type: &DataType) -> Result<Self> {
        Ok(match data_type {
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) | DataType::Null => Self::Instant,
            DataType::Time64(_) | DataType::Time32(_) => Self::Time,
            DataType::Interval(_) | DataType::Duration(_) => Self::Interval,
            text if is_text(text) => Self::Instant,
            other => {
                let text = format!("extract takes a date, a time or an interval, not {other}");
                return Err(outward(Error::new(Reason::UndefinedFunction, text)));
            }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Timestamp => "timestamp without time zone",
            Self::Instant => "timestamp with time zone",
            Self::Time => "time without time zone",
            Self::Interval => "interval",
        }
    }

    /// The field of a name, where a value of this type has it.
    fn field(self, name: &str, kind: Kind) -> Result<Field, Error> {
        let unit = name.to_ascii_lowercase();
        // date_part takes a date for its midnight.
        let type_name = if kind == Kind::DatePart && self == Self::Date { Self::Timestamp } else { self }.name();
        let unknown = || format!("unit \"{unit}\" not recognized for type {type_name}");
        let field = Field::from_str(name).map_err(|()| Error::new(Reason::InvalidParameter, unknown()))?;
        let is_zone = matches!(field, Field::Zone | Field::ZoneHour | Field::ZoneMinute);
        let is_there = match self {
            // date_part takes a date for its midnight.
            Self::Date => !is_zone && (kind == Kind::DatePart || !field.is_of_the_clock()),
            Self::Timestamp => !is_zone,
            Self::Instant => true,
            Self::Time => field.is_of_the_clock() || field == Field::Epoch,
            Self::Interval => {
                use Field::*;
                !is_zone && !matches!(field, IsoYear | Week | DayOfWeek | IsoDayOfWeek | DayOfYear | Julian)
            }
        };
        let unsupported = || format!("unit \"{unit}\" not supported for type {}", self.name());
        is_there.then_some(field).ok_or_else(|| Error::new(Reason::Unsupported, unsupported()))
    }
}

/// A value that has fields.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Microseconds since 1970 by its own clocks, which are so many seconds east of Greenwich.
    Clock {
        local: i64,
        offset: i32,
    },
    /// One of the two ends of time.
    Never(f64),
    /// Microseconds since midnight.
    Time(i64),
    Span(Span),
}

/// A field's value: a whole number of units of so many places.
struct Exact {
    units: i128,
    places: u8,
}

impl Exact {
    /// In units of `places`, which are as many or more.
    fn scaled(&self, places: u8) -> i128 {
        match places.checked_sub(self.places) {
            Some(more) => self.units.saturating_mul(10_i128.pow(more.into())),
            None => self.units / 10_i128.pow((self.places - places).into()),
        }
    }
}

impl Moment {
    fn get(self, field: Field) -> Option<Exact> {
        let whole = |value: i64| Some(Exact { units: value.into(), places: 0 });
        let at = |units: i64, places: u8| Some(Exact { units: units.into(), places });
        match (self, field) {
            (Self::Never(_), _) => None,
            (Self::Clock { local, offset }, Field::Epoch) => {
                at(local.saturating_sub(i64::from(offset) * MICROS_A_SECOND), 6)
            }
            (Self::Clock { offset, .. }, Field::Zone) => whole(offset.into()),
            (Self::Clock { offset, .. }, Field::ZoneHour) => whole(i64::from(offset) / 3600),
            (Self::Clock { offset, .. }, Field::ZoneMinute) => whole(i64::from(offset) / 60 % 60),
            (Self::Clock { local, .. }, Field::Julian) => {
                let unit = 10_i128.pow(JULIAN_PLACES.into());
                let (days, micros) = (local.div_euclid(MICROS_A_DAY) + JULIAN_1970, local.rem_euclid(MICROS_A_DAY));
                let part = (i128::from(micros) * unit * 2 / i128::from(MICROS_A_DAY) + 1) / 2;
                Some(Exact { units: i128::from(days) * unit + part, places: JULIAN_PLACES })
            }
            (Self::Clock { local, .. }, field) if field.is_of_the_clock() => {
                of_clock(local.rem_euclid(MICROS_A_DAY), field)
            }
            (Self::Clock { local, .. }, field) => whole(of_calendar(local.div_euclid(MICROS_A_DAY), field)?),
            (Self::Time(micros), Field::Epoch) => at(micros, 6),
            (Self::Time(micros), field) => of_clock(micros, field),
            (Self::Span(span), Field::Epoch) => {
                let (years, months) = (i64::from(span.months / 12), i64::from(span.months % 12));
                let seconds = years * SECONDS_A_YEAR + months * SECONDS_A_MONTH + i64::from(span.days) * 86_400;
                let micros = i128::from(seconds) * i128::from(MICROS_A_SECOND) + i128::from(span.micros);
                Some(Exact { units: micros, places: 6 })
            }
            (Self::Span(span), field) if field.is_of_the_clock() => of_clock(span.micros, field),
            (Self::Span(span), field) => whole(of_span(span, field)?),
        }
    }

    fn get_float(self, field: Field) -> Option<f64> {
        match (self, field) {
            // What only grows is endless at the end of time; what comes again has no value.
            (Self::Never(end), field) => {
                use Field::*;
                matches!(field, Millennium | Century | Decade | Year | IsoYear | Julian | Epoch).then_some(end)
            }
            (Self::Clock { local, .. }, Field::Julian) => {
                let (days, micros) = (local.div_euclid(MICROS_A_DAY) + JULIAN_1970, local.rem_euclid(MICROS_A_DAY));
                Some(days as f64 + micros as f64 / MICROS_A_DAY as f64)
            }
            (moment, field) => moment.get(field).map(|exact| exact.units as f64 / 10_f64.powi(i32::from(exact.places))),
        }
    }
}

/// A field of the clock, of microseconds: hours are as many as there are.
fn of_clock(micros: i64, field: Field) -> Option<Exact> {
    let seconds = micros / MICROS_A_SECOND;
    let of_minute = i128::from(micros % (60 * MICROS_A_SECOND));
    let whole = |value: i64| Some(Exact { units: value.into(), places: 0 });
    match field {
        Field::Hour => whole(seconds / 3600),
        Field::Minute => whole(seconds / 60 % 60),
        Field::Second => Some(Exact { units: of_minute, places: 6 }),
        Field::Millisecond => Some(Exact { units: of_minute, places: 3 }),
        Field::Microsecond => Some(Exact { units: of_minute, places: 0 }),
        _ => None,
    }
}

/// A field of the calendar, of days since 1970.
fn of_calendar(days: i64, field: Field) -> Option<i64> {
    let civil = Civil::of_days(days);
    // There is no year 0: before it comes 1 BC, which is -1.
    let year = if civil.year > 0 { civil.year } else { civil.year - 1 };
    let from_one = |width: i64| if year > 0 { (year + width - 1) / width } else { -((width - 1 - year) / width) };
    let weekday = (days + 4).rem_euclid(7);
    let first = Civil { month: 1, day: 1, ..civil };
    Some(match field {
        Field::Millennium => from_one(1000),
        Field::Century => from_one(100),
        Field::Decade => civil.year.div_euclid(10),
        Field::Year => year,
        Field::IsoYear => {
            let year = thursday(days).year;
            if year > 0 { year } else { year - 1 }
        }
        Field::Quarter => (i64::from(civil.month) - 1) / 3 + 1,
        Field::Month => civil.month.into(),
        Field::Week => {
            let thursday = thursday(days);
            (thursday.days() - Civil { month: 1, day: 1, ..thursday }.days()) / 7 + 1
        }
        Field::Day => civil.day.into(),
        Field::DayOfWeek => weekday,
        Field::IsoDayOfWeek => (weekday + 6) % 7 + 1,
        Field::DayOfYear => days - first.days() + 1,
        Field::Julian => days + JULIAN_1970,
        _ => return None,
    })
}

/// The Thursday of a day's ISO week, whose year the week belongs to.
fn thursday(days: i64) -> Civil {
    let monday_based = (days + 3).rem_euclid(7);
    Civil::of_days(days - monday_based + 3)
}

fn of_span(span: Span, field: Field) -> Option<i64> {
    let (years, months) = (i64::from(span.months / 12), i64::from(span.months % 12));
    Some(match field {
        Field::Millennium => years / 1000,
        Field::Century => years / 100,
        Field::Decade => years / 10,
        Field::Year => years,
        Field::Quarter => months / 3 + 1,
        Field::Month => months,
        Field::Day => span.days.into(),
        _ => return None,
    })
}

/// The values of a column, each with its fields.
fn moments(column: &ArrayRef, zone: Zone) -> Result<(Source, Vec<Option<Moment>>)> {
    let source = Source::of(column.data_type())?;
    let clock = |local: i64, offset: i32| match local {
        i64::MAX => Moment::Never(f64::INFINITY),
        i64::MIN => Moment::Never(f64::NEG_INFINITY),
        _ => Moment::Clock { local: local.saturating_add(i64::from(offset) * MICROS_A_SECOND), offset },
    };
    let moments = match source {
        Source::Date => {
            let days = cast(column, &DataType::Date32)?;
            let days = days.as_primitive::<Date32Type>();
            let moment = |days: i32| match days {
                i32::MAX => Moment::Never(f64::INFINITY),
                i32::MIN => Moment::Never(f64::NEG_INFINITY),
                days => Moment::Clock { local: i64::from(days) * MICROS_A_DAY, offset: 0 },
            };
            days.iter().map(|days| days.map(moment)).collect()
        }
        Source::Timestamp => {
            let micros = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            micros.iter().map(|micros| micros.map(|micros| clock(micros, 0))).collect()
        }
        Source::Instant => {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            let micros = match column.data_type() {
                text if is_text(text) => {
                    let texts = cast(column, &DataType::Utf8)?;
                    texts::values(texts.as_string::<i32>(), &utc, zone)?
                }
                _ => cast(column, &utc)?,
            };
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            let offsets = zone.offsets_seconds(micros.values().iter().map(|micros| micros.div_euclid(MICROS_A_SECOND)));
            let pairs = micros.iter().zip(offsets);
            pairs.map(|(micros, offset)| micros.map(|micros| clock(micros, offset))).collect()
        }
        Source::Time => {
            let micros = cast(column, &DataType::Time64(TimeUnit::Microsecond))?;
            let micros = micros.as_primitive::<Time64MicrosecondType>();
            micros.iter().map(|micros| micros.map(Moment::Time)).collect()
        }
        Source::Interval => spans(column)?.into_iter().map(|span| span.map(Moment::Span)).collect(),
    };
    Ok((source, moments))
}

/// The intervals of a column; a difference of instants is whole days and a time.
pub fn spans(column: &ArrayRef) -> Result<Vec<Option<Span>>> {
    if let DataType::Duration(_) = column.data_type() {
        let micros = cast(column, &DataType::Duration(TimeUnit::Microsecond))?;
        let micros = micros.as_primitive::<arrow::datatypes::DurationMicrosecondType>();
        return Ok(micros.iter().map(|micros| micros.map(Span::of_micros)).collect());
    }
    let spans = cast(column, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let spans = spans.as_primitive::<IntervalMonthDayNanoType>();
    let span = |value: arrow::datatypes::IntervalMonthDayNano| Span {
        months: value.months,
        days: value.days,
        micros: value.nanoseconds / 1000,
    };
    Ok(spans.iter().map(|value| value.map(span)).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::forms::read::datetime::timestamp;

    // What PostgreSQL 15 gives: SELECT extract(field FROM timestamp text).
    #[test]
    fn fields_of_the_calendar_are_those_of_postgres() {
        for (text, field, expected) in [
            ("2024-01-15", Field::Century, 21),
            ("2000-12-31", Field::Century, 20),
            ("0044-03-15 BC", Field::Century, -1),
            ("0044-03-15 BC", Field::Year, -44),
            ("0044-03-15 BC", Field::Decade, -5),
            ("0101-03-15 BC", Field::Century, -2),
            ("2024-12-30", Field::IsoYear, 2025),
            ("2024-12-30", Field::Week, 1),
            ("2024-12-29", Field::IsoDayOfWeek, 7),
            ("2024-12-29", Field::DayOfWeek, 0),
            ("2024-12-31", Field::DayOfYear, 366),
            ("2024-01-15", Field::Millennium, 3),
        ] {
            let days = timestamp(text).unwrap().div_euclid(MICROS_A_DAY);
            assert_eq!(of_calendar(days, field), Some(expected), "{field:?} of {text}");
        }
    }

    #[test]
    fn a_julian_day_keeps_the_time() {
        let moment = Moment::Clock { local: timestamp("2024-01-15 10:30").unwrap(), offset: 0 };
        assert_eq!(moment.get(Field::Julian).unwrap().units, 246_032_543_750_000_000_000_000_000);
        assert_eq!(moment.get_float(Field::Julian), Some(2_460_325.437_5));
    }
}
