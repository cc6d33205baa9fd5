//! Parameters in text form.

use arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::ScalarValue;
use pgwire::api::Type;

use super::{array, invalid, numeric, out_of_range};
use crate::error::Result;
use crate::forms::read::{datetime, interval};
use crate::forms::zone::Zone;
use crate::wire::encode::Style;

/// The value of `text` as `data_type`, or as the nearest type that a cast takes there.
pub fn value(text: &str, kind: &Type, data_type: &DataType, style: &Style) -> Result<ScalarValue> {
    Ok(match data_type {
        DataType::Boolean => ScalarValue::Boolean(Some(boolean(text)?)),
        DataType::Int8 | DataType::Int16 => ScalarValue::Int16(Some(integer(text, "smallint")?)),
        DataType::Int32 => ScalarValue::Int32(Some(integer(text, "integer")?)),
        DataType::Int64 => ScalarValue::Int64(Some(integer(text, "bigint")?)),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            ScalarValue::UInt64(Some(integer(text, "bigint")?))
        }
        DataType::Float16 | DataType::Float32 => ScalarValue::Float32(Some(float(text, "real")?)),
        DataType::Float64 => ScalarValue::Float64(Some(float(text, "double precision")?)),
        DataType::Decimal128(precision, scale) => numeric::decimal128(text, *precision, *scale)?,
        DataType::Decimal256(precision, scale) => numeric::decimal256(text, *precision, *scale)?,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ScalarValue::Binary(Some(bytea(text)?))
        }
        DataType::Date32 | DataType::Date64 => ScalarValue::Date32(Some(datetime::date(text)?)),
        DataType::Time32(_) | DataType::Time64(_) => ScalarValue::Time64Microsecond(Some(datetime::time(text)?)),
        DataType::Timestamp(_, None) => ScalarValue::TimestampMicrosecond(Some(datetime::timestamp(text)?), None),
        DataType::Timestamp(_, Some(name)) => {
            let zone = style.zone.or_else(|| Zone::parse(name)).unwrap_or(Zone::UTC);
            ScalarValue::TimestampMicrosecond(Some(datetime::instant(text, zone)?), Some(name.clone()))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => ScalarValue::IntervalMonthDayNano(Some(interval::of(text)?)),
        DataType::Duration(_) => ScalarValue::DurationMicrosecond(Some(interval::micros(text)?)),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            array::of_text(text, kind, item.data_type(), style)?
        }
        _ if *kind == Type::UUID => ScalarValue::Utf8(Some(uuid(text)?)),
        _ => ScalarValue::Utf8(Some(text.to_owned())),
    })
}

/// Unique prefixes of the words that PostgreSQL knows.
fn boolean(text: &str) -> Result<bool> {
    let word = text.trim().to_ascii_lowercase();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    if begins("true", 1) || begins("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(invalid("boolean", text))
    }
}

fn integer<N: TryFrom<i128>>(text: &str, type_name: &str) -> Result<N> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let wide: i128 = text.trim().parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow | NegOverflow => out_of_range(type_name, text),
        _ => invalid(type_name, text),
    })?;
    N::try_from(wide).map_err(|_| out_of_range(type_name, text))
}

fn float<N: std::str::FromStr>(text: &str, type_name: &str) -> Result<N> {
    // Rust takes the same words for infinity and not-a-number, in any case.
    text.trim().parse().map_err(|_| invalid(type_name, text))
}

/// `\x68656e6e61`, or the older form in which a backslash begins three octal digits.
fn bytea(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(hex) => hexadecimal(hex).ok_or_else(|| invalid("bytea", text)),
        None => escaped(text.as_bytes()).ok_or_else(|| invalid("bytea", text)),
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn escaped(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        text = match (first, rest) {
            (b'\\', [b'\\', rest @ ..]) => {
                bytes.push(b'\\');
                rest
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest
            }
            (b'\\', _) => return None,
            (other, rest) => {
                bytes.push(*other);
                rest
            }
        };
    }
    Some(bytes)
}

fn uuid(text: &str) -> Result<String> {
    let parsed = uuid::Uuid::parse_str(text.trim()).map_err(|_| invalid("uuid", text))?;
    Ok(parsed.hyphenated().to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_taken_by_their_prefixes() {
        for word in ["t", "TRUE", "y", "yes", "on", "1", " true "] {
            assert!(boolean(word).unwrap(), "{word}");
        }
        for word in ["f", "fal", "n", "no", "of", "off", "0"] {
            assert!(!boolean(word).unwrap(), "{word}");
        }
        for word in ["", "o", "2", "truely"] {
            assert!(boolean(word).is_err(), "{word}");
        }
    }

    #[test]
    fn bytes_are_taken_in_both_forms() {
        assert_eq!(bytea("\\x00ff").unwrap(), [0, 255]);
        assert_eq!(bytea("a\\000\\\\b").unwrap(), b"a\0\\b");
        assert!(bytea("\\x0").is_err() && bytea("\\9").is_err());
    }
}
