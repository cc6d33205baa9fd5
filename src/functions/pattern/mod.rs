//! `to_char`, `to_date`, `to_timestamp` and `to_number`: values by a pattern of PostgreSQL's.

mod datetime;
mod number;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, FieldRef, Float64Type, IntervalMonthDayNanoType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{ScalarValue, plan_datafusion_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use self::datetime::{Moment, Pattern};
use self::number::NumberPattern;
use super::casts::is_text;
use super::texts::{answer, outward, zone};
use crate::error::{Error, Reason};
use crate::forms::datetime::{MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::zone::Zone;

/// The digits after the point of a number whose pattern does not stand in the statement.
const PLACES: i8 = 10;
const NUMBER: DataType = DataType::Decimal128(38, PLACES);

pub fn functions() -> Vec<ScalarUDF> {
    [Kind::Char, Kind::Date, Kind::Timestamp, Kind::Number].map(|kind| by_pattern(kind, "UTC")).into()
}

fn by_pattern(kind: Kind, zone: &str) -> ScalarUDF {
    let counts = match kind {
        Kind::Timestamp => vec![TypeSignature::Any(1), TypeSignature::Any(2)],
        _ => vec![TypeSignature::Any(2)],
    };
    let signature = Signature::one_of(counts, Volatility::Stable);
    let aliases = match kind {
        Kind::Char => vec!["date_format".to_owned()],
        _ => Vec::new(),
    };
    ScalarUDF::new_from_impl(ByPattern { kind, zone: zone.into(), aliases, signature })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Char,
    Date,
    Timestamp,
    Number,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ByPattern {
    kind: Kind,
    /// That of the session, which instants are told in.
    zone: Arc<str>,
    aliases: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for ByPattern {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Char => "to_char",
            Kind::Date => "to_date",
            Kind::Timestamp => "to_timestamp",
            Kind::Number => "to_number",
        }
    }

    /// The engine's `to_char` is also called so; left under that name, it would come back under its own.
    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let [_, pattern] = types
            && !(is_text(pattern) || pattern.is_null())
        {
            return plan_err!("the pattern of {} is a text, not {pattern}", self.name());
        }
        Ok(match self.kind {
            Kind::Char => DataType::Utf8,
            Kind::Date => DataType::Date32,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone))),
            Kind::Number => NUMBER,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let mut data_type = self.return_type(&types)?;
        if let (Kind::Number, Some(Some(ScalarValue::Utf8(Some(pattern))))) = (self.kind, args.scalar_arguments.get(1))
        {
            data_type = DataType::Decimal128(38, NumberPattern::parse(pattern).places());
        }
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let zone = config.execution.time_zone.as_deref().unwrap_or("UTC");
        Some(by_pattern(self.kind, zone))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let zone = zone(&args.config_options);
        let values = match (self.kind, arrays.as_slice()) {
            (Kind::Timestamp, [value]) => instants(value, args.return_type())?,
            (Kind::Char, [value, pattern]) => written(value, pattern, zone)?,
            (kind, [value, pattern]) => read_by(kind, value, pattern, zone, args.return_type())?,
            _ => return Err(plan_datafusion_err!("{} takes a value and a pattern", self.name())),
        };
        answer(&args.args, values)
    }
}

/// Seconds since 1970, a text, or another instant.
fn instants(value: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match value.data_type() {
        DataType::Timestamp(..) | DataType::Date32 => Ok(cast(value, to)?),
        _ => {
            let seconds = cast(value, &DataType::Float64)?;
            let mut builder = TimestampMicrosecondBuilder::with_capacity(seconds.len());
            for seconds in seconds.as_primitive::<Float64Type>() {
                let micros = seconds.map(|seconds| (seconds * MICROS_A_SECOND as f64).round() as i64);
                builder.append_option(micros);
            }
            Ok(cast(&builder.finish().with_timezone("UTC"), to)?)
        }
    }
}

/// Patterns as they were parsed: a statement has few.
struct Parsed<P> {
    parse: fn(&str) -> P,
    known: HashMap<String, P>,
}

impl<P> Parsed<P> {
    fn new(parse: fn(&str) -> P) -> Self {
        Self { parse, known: HashMap::new() }
    }

    fn get(&mut self, text: &str) -> &P {
        self.known.entry(text.to_owned()).or_insert_with(|| (self.parse)(text))
    }
}

fn written(value: &ArrayRef, pattern: &ArrayRef, zone: Zone) -> Result<ArrayRef> {
    let patterns = cast(pattern, &DataType::Utf8)?;
    let patterns = patterns.as_string::<i32>();
    let mut builder = StringBuilder::with_capacity(value.len(), value.len() * 16);
    let is_number = value.data_type().is_numeric();
    if is_number {
        let mut known = Parsed::new(NumberPattern::parse);
        // Digits that tell a number of the type from others.
        let digits_most = if *value.data_type() == DataType::Float32 { 6 } else { 15 };
        let doubles = match value.data_type() {
            DataType::Float32 | DataType::Float64 => Some(cast(value, &DataType::Float64)?),
            _ => None,
        };
        let texts = digits(value)?;
        for (row, (text, pattern)) in texts.as_string::<i32>().iter().zip(patterns).enumerate() {
            let Some((text, pattern)) = text.zip(pattern) else {
                builder.append_null();
                continue;
            };
            let pattern = known.get(pattern);
            let written = match doubles.as_ref().map(|doubles| doubles.as_primitive::<Float64Type>().value(row)) {
                Some(double) if double.is_finite() => pattern.write(&pattern.digits_of(double, digits_most)),
                _ => pattern.write(text),
            };
            builder.append_value(written.map_err(outward)?);
        }
        return Ok(Arc::new(builder.finish()));
    }
    let mut known = Parsed::new(Pattern::parse);
    for (moment, pattern) in moments(value, zone)?.into_iter().zip(patterns) {
        match moment.zip(pattern) {
            Some((moment, pattern)) => builder.append_value(known.get(pattern).write(&moment).map_err(outward)?),
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Numbers as digits, without an exponent.
fn digits(value: &ArrayRef) -> Result<ArrayRef> {
    match value.data_type() {
        DataType::Float32 | DataType::Float64 => {
            let doubles = cast(value, &DataType::Float64)?;
            let texts = doubles.as_primitive::<Float64Type>().iter().map(|value| value.map(|value| format!("{value}")));
            Ok(Arc::new(texts.collect::<arrow::array::StringArray>()))
        }
        _ => Ok(cast(value, &DataType::Utf8)?),
    }
}

/// Instants as the clocks of the session show them, dates at their midnight, spans as they are.
fn moments(value: &ArrayRef, zone: Zone) -> Result<Vec<Option<Moment>>> {
    Ok(match value.data_type() {
        DataType::Interval(_) => {
            let spans = cast(value, &DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano))?;
            let spans = spans.as_primitive::<IntervalMonthDayNanoType>();
            spans
                .iter()
                .map(|span| {
                    span.map(|span| Moment::Span {
                        months: span.months,
                        days: span.days,
                        micros: span.nanoseconds / 1000,
                    })
                })
                .collect()
        }
        DataType::Time64(_) | DataType::Time32(_) => {
            let times = cast(value, &DataType::Time64(TimeUnit::Microsecond))?;
            let times = cast(&times, &DataType::Int64)?;
            let times = times.as_primitive::<arrow::datatypes::Int64Type>();
            times.iter().map(|micros| micros.map(|micros| Moment::Span { months: 0, days: 0, micros })).collect()
        }
        DataType::Timestamp(_, named) => {
            let is_instant = named.is_some();
            let values = cast(value, &DataType::Timestamp(TimeUnit::Microsecond, named.clone()))?;
            let moment = |micros: i64| {
                let offset = if is_instant { zone.offset_seconds(micros.div_euclid(MICROS_A_SECOND)) } else { 0 };
                let local = micros.saturating_add(i64::from(offset) * MICROS_A_SECOND);
                let seconds = micros.div_euclid(MICROS_A_SECOND);
                let name = if is_instant { zone.abbreviation(seconds) } else { String::new() };
                Moment::Clock { local, offset, zone: name }
            };
            values.as_primitive::<TimestampMicrosecondType>().iter().map(|micros| micros.map(moment)).collect()
        }
        DataType::Null => vec![None; value.len()],
        other => {
            let values = cast(value, &DataType::Date32)
                .and_then(|dates| cast(&dates, &DataType::Timestamp(TimeUnit::Microsecond, None)))
                .map_err(|_| {
                    plan_datafusion_err!("to_char takes a number, a date, an instant or an interval, not {other}")
                })?;
            let moment = |local: i64| Moment::Clock { local, offset: 0, zone: String::new() };
            values.as_primitive::<TimestampMicrosecondType>().iter().map(|micros| micros.map(moment)).collect()
        }
    })
}

fn read_by(kind: Kind, value: &ArrayRef, pattern: &ArrayRef, zone: Zone, to: &DataType) -> Result<ArrayRef> {
    let (texts, patterns) = (cast(value, &DataType::Utf8)?, cast(pattern, &DataType::Utf8)?);
    let pairs = texts.as_string::<i32>().iter().zip(patterns.as_string::<i32>());
    let pairs = pairs.map(|(text, pattern)| text.zip(pattern));
    match kind {
        Kind::Number => {
            let mut known = Parsed::new(NumberPattern::parse);
            let mut builder = StringBuilder::new();
            for pair in pairs {
                match pair {
                    Some((text, pattern)) => builder.append_value(known.get(pattern).read(text).map_err(outward)?),
                    None => builder.append_null(),
                }
            }
            Ok(cast(&builder.finish(), to)?)
        }
        Kind::Date => {
            let mut known = Parsed::new(Pattern::parse);
            let mut builder = Date32Builder::new();
            for pair in pairs {
                let micros = pair.map(|(text, pattern)| known.get(pattern).read(text).map(|(micros, _)| micros));
                let days = micros.transpose().map_err(outward)?.map(|micros| micros.div_euclid(MICROS_A_DAY));
                let days = days.map(|days| i32::try_from(days).map_err(|_| out_of_range("date"))).transpose();
                builder.append_option(days.map_err(outward)?);
            }
            Ok(Arc::new(builder.finish()))
        }
        _ => {
            let mut known = Parsed::new(Pattern::parse);
            let mut builder = TimestampMicrosecondBuilder::new();
            for pair in pairs {
                let read = pair.map(|(text, pattern)| known.get(pattern).read(text)).transpose().map_err(outward)?;
                builder.append_option(read.map(|(local, offset)| {
                    let seconds = local.div_euclid(MICROS_A_SECOND);
                    let offset = offset.unwrap_or_else(|| zone.offset_of_local(seconds));
                    local.saturating_sub(i64::from(offset) * MICROS_A_SECOND)
                }));
            }
            Ok(cast(&builder.finish().with_timezone("UTC"), to)?)
        }
    }
}

fn out_of_range(type_name: &str) -> Error {
    Error::new(Reason::OutOfRange, format!("{type_name} out of range"))
}
