//! One column: its Arrow array and its PostgreSQL type give the function that writes a value.

use arrow::array::{Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::*;
use bytes::{BufMut, BytesMut};
use pgwire::api::Type;

use super::numeric::Digits;
use super::{Style, array, json, numeric, record};
use crate::error::{Error, Reason, Result};
use crate::forms::datetime::{self, MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::interval::Span;
use crate::forms::number;
use crate::forms::zone::Zone;
use crate::wire::protocol::message::Format;

/// The first byte of `jsonb` in binary.
const JSONB_VERSION: u8 = 1;

/// Writes the value of a row, which is not NULL.
pub type Put = Box<dyn Fn(usize, &mut BytesMut) -> Result<()> + Send + Sync>;

pub fn put(array: &dyn Array, kind: &Type, format: Format, style: &Style) -> Result<Put> {
    use DataType::*;
    Ok(match array.data_type() {
        Null => Box::new(|_, _| Ok(())),
        Boolean => boolean(array, format),
        Int8 => integer(array.as_primitive::<Int8Type>(), kind, format),
        Int16 => integer(array.as_primitive::<Int16Type>(), kind, format),
        Int32 => integer(array.as_primitive::<Int32Type>(), kind, format),
        Int64 => integer(array.as_primitive::<Int64Type>(), kind, format),
        UInt8 => integer(array.as_primitive::<UInt8Type>(), kind, format),
        UInt16 => integer(array.as_primitive::<UInt16Type>(), kind, format),
        UInt32 => integer(array.as_primitive::<UInt32Type>(), kind, format),
        UInt64 => integer(array.as_primitive::<UInt64Type>(), kind, format),
        Float16 => return put(&*widened(array, &Float32)?, kind, format, style),
        Float32 => float4(array, format),
        Float64 => float8(array, format),
        Decimal32(_, scale) | Decimal64(_, scale) => {
            return put(&*widened(array, &Decimal128(DECIMAL128_MAX_PRECISION, *scale))?, kind, format, style);
        }
        Decimal128(_, scale) => {
            let (values, scale) = (array.as_primitive::<Decimal128Type>().clone(), *scale);
            Box::new(move |row, out| {
                match format {
                    Format::Text => numeric::put_text(values.value(row), scale, out),
                    Format::Binary => numeric::put_binary(values.value(row), scale, out),
                }
                Ok(())
            })
        }
        Decimal256(_, scale) => {
            let (values, scale) = (array.as_primitive::<Decimal256Type>().clone(), *scale);
            digits(move |row| Digits::of_i256(values.value(row), scale), format)
        }
        Utf8 => text(array.as_string::<i32>().clone(), kind, format),
        LargeUtf8 => text(array.as_string::<i64>().clone(), kind, format),
        Utf8View => text(array.as_string_view().clone(), kind, format),
        Binary => bytes(array.as_binary::<i32>().clone(), format),
        LargeBinary => bytes(array.as_binary::<i64>().clone(), format),
        BinaryView => bytes(array.as_binary_view().clone(), format),
        FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().clone(), format),
        Date32 => date(array.as_primitive::<Date32Type>(), format),
        Date64 => return put(&*widened(array, &Date32)?, kind, format, style),
        Time32(_) => return put(&*widened(array, &Time64(TimeUnit::Microsecond))?, kind, format, style),
        Time64(TimeUnit::Nanosecond) => {
            let values = array.as_primitive::<Time64NanosecondType>().clone();
            time(move |row| values.value(row) / 1000, format)
        }
        Time64(_) => {
            let values = array.as_primitive::<Time64MicrosecondType>().clone();
            time(move |row| values.value(row), format)
        }
        Timestamp(unit, zone) => {
            let zone = zone.as_ref().map(|name| style.zone.or_else(|| Zone::parse(name)).unwrap_or(Zone::UTC));
            // What does not fit is at the end of time.
            match unit {
                TimeUnit::Second => {
                    timestamp::<TimestampSecondType>(array, |s| s.saturating_mul(1_000_000), zone, format)
                }
                TimeUnit::Millisecond => {
                    timestamp::<TimestampMillisecondType>(array, |ms| ms.saturating_mul(1000), zone, format)
                }
                TimeUnit::Microsecond => timestamp::<TimestampMicrosecondType>(array, |micros| micros, zone, format),
                TimeUnit::Nanosecond => {
                    timestamp::<TimestampNanosecondType>(array, |nanos| nanos.div_euclid(1000), zone, format)
                }
            }
        }
        Interval(IntervalUnit::YearMonth) => {
            let values = array.as_primitive::<IntervalYearMonthType>().clone();
            interval(move |row| Span { months: values.value(row), days: 0, micros: 0 }, format)
        }
        Interval(IntervalUnit::DayTime) => {
            let values = array.as_primitive::<IntervalDayTimeType>().clone();
            interval(
                move |row| {
                    let value = values.value(row);
                    Span { months: 0, days: value.days, micros: i64::from(value.milliseconds) * 1000 }
                },
                format,
            )
        }
        Interval(IntervalUnit::MonthDayNano) => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>().clone();
            interval(
                move |row| {
                    let value = values.value(row);
                    Span { months: value.months, days: value.days, micros: value.nanoseconds / 1000 }
                },
                format,
            )
        }
        Duration(unit) => duration(array, *unit, format),
        Dictionary(_, values) => return put(&*widened(array, values)?, kind, format, style),
        RunEndEncoded(_, values) => return put(&*widened(array, values.data_type())?, kind, format, style),
        Struct(_) if *kind == Type::RECORD => return record::put(array.as_struct(), format, style),
        List(_) | LargeList(_) | FixedSizeList(..) | ListView(_) | LargeListView(_) if !is_json(kind) => {
            return array::put(array, kind, format, style);
        }
        List(_) | LargeList(_) | FixedSizeList(..) | ListView(_) | LargeListView(_) | Struct(_) | Map(..)
        | Union(..) => {
            let write = json::writer(array, style)?;
            let version = (*kind == Type::JSONB && format == Format::Binary).then_some(JSONB_VERSION);
            Box::new(move |row, out| {
                out.extend(version);
                write(row, out)
            })
        }
    })
}

fn is_json(kind: &Type) -> bool {
    matches!(*kind, Type::JSON | Type::JSONB)
}

/// The same values in a type that has an encoder of its own.
pub fn widened(array: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    cast(array, to).map_err(|error| Error::of(Reason::Internal, error))
}

fn boolean(array: &dyn Array, format: Format) -> Put {
    let values = array.as_boolean().clone();
    Box::new(move |row, out| {
        match format {
            Format::Text => out.put_u8(if values.value(row) { b't' } else { b'f' }),
            Format::Binary => out.put_u8(u8::from(values.value(row))),
        }
        Ok(())
    })
}

/// The width in binary is that of the PostgreSQL type, whatever the array's is.
fn integer<T>(array: &PrimitiveArray<T>, kind: &Type, format: Format) -> Put
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128>,
{
    let values = array.clone();
    let wide = move |row: usize| -> i128 { values.value(row).into() };
    if format == Format::Text {
        return Box::new(move |row, out| {
            let value = wide(row);
            match i64::try_from(value) {
                Ok(value) => number::put_integer(value, out),
                Err(_) => Digits::of_i128(value, 0).put_text(out),
            }
            Ok(())
        });
    }
    match *kind {
        Type::INT2 => Box::new(move |row, out| narrow(wide(row)).map(|value| out.put_i16(value))),
        Type::INT4 => Box::new(move |row, out| narrow(wide(row)).map(|value| out.put_i32(value))),
        Type::INT8 => Box::new(move |row, out| narrow(wide(row)).map(|value| out.put_i64(value))),
        Type::CHAR => Box::new(move |row, out| narrow(wide(row)).map(|value| out.put_i8(value))),
        Type::NUMERIC => digits(move |row| Digits::of_i128(wide(row), 0), format),
        _ if is_text(kind) => Box::new(move |row, out| {
            Digits::of_i128(wide(row), 0).put_text(out);
            Ok(())
        }),
        // Object ids and all that are made of one.
        _ => Box::new(move |row, out| narrow(wide(row)).map(|value| out.put_u32(value))),
    }
}

fn narrow<N: TryFrom<i128>>(value: i128) -> Result<N> {
    N::try_from(value)
        .map_err(|_| Error::new(Reason::OutOfRange, format!("value {value} is out of range for its type")))
}

fn float4(array: &dyn Array, format: Format) -> Put {
    let values = array.as_primitive::<Float32Type>().clone();
    Box::new(move |row, out| {
        match format {
            Format::Text => number::put_float4(values.value(row), out),
            Format::Binary => out.put_f32(values.value(row)),
        }
        Ok(())
    })
}

fn float8(array: &dyn Array, format: Format) -> Put {
    let values = array.as_primitive::<Float64Type>().clone();
    Box::new(move |row, out| {
        match format {
            Format::Text => number::put_float8(values.value(row), out),
            Format::Binary => out.put_f64(values.value(row)),
        }
        Ok(())
    })
}

fn digits(digits: impl Fn(usize) -> Digits + Send + Sync + 'static, format: Format) -> Put {
    Box::new(move |row, out| {
        match format {
            Format::Text => digits(row).put_text(out),
            Format::Binary => digits(row).put_binary(out),
        }
        Ok(())
    })
}

/// Types whose binary form is their text.
fn is_text(kind: &Type) -> bool {
    matches!(*kind, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::UNKNOWN | Type::CSTRING)
}

fn text<A>(values: A, kind: &Type, format: Format) -> Put
where
    A: Send + Sync + 'static,
    for<'a> &'a A: ArrayAccessor<Item = &'a str>,
{
    match (format, kind) {
        (Format::Binary, &Type::JSONB) => Box::new(move |row, out| {
            out.extend_from_slice(&[JSONB_VERSION]);
            put_str((&values).value(row), out)
        }),
        (Format::Binary, &Type::UUID) => Box::new(move |row, out| put_uuid((&values).value(row), out)),
        (Format::Binary, kind) if is_object_id(kind) => {
            Box::new(move |row, out| put_object_id((&values).value(row), out))
        }
        (_, _) => Box::new(move |row, out| put_str((&values).value(row), out)),
    }
}

fn put_str(text: &str, out: &mut BytesMut) -> Result<()> {
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn put_uuid(text: &str, out: &mut BytesMut) -> Result<()> {
    let refused = |_| Error::new(Reason::InvalidText, format!("invalid input syntax for type uuid: \"{text}\""));
    out.extend_from_slice(uuid::Uuid::parse_str(text).map_err(refused)?.as_bytes());
    Ok(())
}

fn is_object_id(kind: &Type) -> bool {
    matches!(*kind, Type::OID | Type::XID | Type::CID)
        || (kind.name().starts_with("reg") && *kind != Type::REGPROC_ARRAY)
}

/// A name in place of a number has no binary form here.
fn put_object_id(text: &str, out: &mut BytesMut) -> Result<()> {
    let refused = |_| Error::new(Reason::Unsupported, format!("object name \"{text}\" has no binary form"));
    let number: u32 = if text == "-" { 0 } else { text.parse().map_err(refused)? };
    out.put_u32(number);
    Ok(())
}

fn bytes<A>(values: A, format: Format) -> Put
where
    A: Send + Sync + 'static,
    for<'a> &'a A: ArrayAccessor<Item = &'a [u8]>,
{
    const HEX: &[u8; 16] = b"0123456789abcdef";
    Box::new(move |row, out| {
        let bytes = (&values).value(row);
        match format {
            Format::Text => {
                out.reserve(2 + 2 * bytes.len());
                out.extend_from_slice(b"\\x");
                for byte in bytes {
                    out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
            }
            Format::Binary => out.extend_from_slice(bytes),
        }
        Ok(())
    })
}

fn date(array: &PrimitiveArray<Date32Type>, format: Format) -> Put {
    let values = array.clone();
    Box::new(move |row, out| {
        match format {
            Format::Text => datetime::put_date(values.value(row), out),
            Format::Binary => datetime::put_date_binary(values.value(row), out),
        }
        Ok(())
    })
}

fn time(micros: impl Fn(usize) -> i64 + Send + Sync + 'static, format: Format) -> Put {
    Box::new(move |row, out| {
        match format {
            Format::Text => datetime::put_time(micros(row).clamp(0, MICROS_A_DAY), out),
            Format::Binary => out.put_i64(micros(row)),
        }
        Ok(())
    })
}

/// `micros` turns a value of the unit into microseconds.
fn timestamp<T>(array: &dyn Array, micros: fn(i64) -> i64, zone: Option<Zone>, format: Format) -> Put
where
    T: ArrowPrimitiveType<Native = i64>,
{
    let values = array.as_primitive::<T>().clone();
    let zone = match (format, zone) {
        (Format::Binary, _) => {
            return Box::new(move |row, out| {
                datetime::put_timestamp_binary(micros(values.value(row)), out);
                Ok(())
            });
        }
        (Format::Text, None) => {
            return Box::new(move |row, out| {
                datetime::put_timestamp(micros(values.value(row)), out);
                Ok(())
            });
        }
        (Format::Text, Some(zone)) => zone,
    };
    let second = |row| if values.is_valid(row) { micros(values.value(row)).div_euclid(MICROS_A_SECOND) } else { 0 };
    let offsets = zone.offsets_seconds((0..values.len()).map(second));
    Box::new(move |row, out| {
        datetime::put_timestamp_at(micros(values.value(row)), offsets[row], out);
        Ok(())
    })
}

fn interval(span: impl Fn(usize) -> Span + Send + Sync + 'static, format: Format) -> Put {
    Box::new(move |row, out| {
        match format {
            Format::Text => span(row).put_text(out),
            Format::Binary => span(row).put_binary(out),
        }
        Ok(())
    })
}

fn duration(array: &dyn Array, unit: TimeUnit, format: Format) -> Put {
    let micros: Box<dyn Fn(usize) -> i64 + Send + Sync> = match unit {
        TimeUnit::Second => {
            let values = array.as_primitive::<DurationSecondType>().clone();
            Box::new(move |row| values.value(row).saturating_mul(1_000_000))
        }
        TimeUnit::Millisecond => {
            let values = array.as_primitive::<DurationMillisecondType>().clone();
            Box::new(move |row| values.value(row).saturating_mul(1000))
        }
        TimeUnit::Microsecond => {
            let values = array.as_primitive::<DurationMicrosecondType>().clone();
            Box::new(move |row| values.value(row))
        }
        TimeUnit::Nanosecond => {
            let values = array.as_primitive::<DurationNanosecondType>().clone();
            Box::new(move |row| values.value(row) / 1000)
        }
    };
    interval(move |row| Span::of_micros(micros(row)), format)
}
