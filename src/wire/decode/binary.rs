//! Parameters in binary form: what each type's receive function of PostgreSQL takes.

use arrow::datatypes::{DataType, IntervalMonthDayNano};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use pgwire::api::Type;

use super::{array, numeric, text};
use crate::error::{Error, Reason, Result};
use crate::forms::datetime::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS};
use crate::wire::encode::Style;
use crate::wire::protocol::message::{Reader, utf8};
use crate::wire::types::item_of;

/// The value of `bytes` as its PostgreSQL type has it; `data_type` is where it is going.
pub fn value(bytes: &[u8], kind: &Type, data_type: &DataType, style: &Style) -> Result<ScalarValue> {
    let wrong = || Error::new(Reason::InvalidBinary, format!("incorrect binary data format for type {}", kind.name()));
    Ok(match *kind {
        Type::BOOL => ScalarValue::Boolean(Some(fixed::<1>(bytes, wrong)? != [0])),
        Type::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(fixed(bytes, wrong)?))),
        Type::INT4 => ScalarValue::Int32(Some(i32::from_be_bytes(fixed(bytes, wrong)?))),
        Type::INT8 | Type::XID8 => ScalarValue::Int64(Some(i64::from_be_bytes(fixed(bytes, wrong)?))),
        Type::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(fixed(bytes, wrong)?))),
        Type::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(fixed(bytes, wrong)?))),
        Type::NUMERIC => {
            let digits = numeric::of_binary(bytes).ok_or_else(wrong)?;
            text::value(&digits, kind, data_type, style)?
        }
        Type::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        Type::UUID => {
            let uuid = uuid::Uuid::from_bytes(fixed(bytes, wrong)?);
            ScalarValue::Utf8(Some(uuid.hyphenated().to_string()))
        }
        Type::JSONB => match bytes.split_first() {
            Some((1, json)) => ScalarValue::Utf8(Some(utf8(json)?.to_owned())),
            _ => return Err(wrong()),
        },
        Type::DATE => ScalarValue::Date32(Some(match i32::from_be_bytes(fixed(bytes, wrong)?) {
            infinity @ (i32::MAX | i32::MIN) => infinity,
            days => days.checked_add(POSTGRES_EPOCH_DAYS).ok_or_else(|| late("date"))?,
        })),
        Type::TIME => ScalarValue::Time64Microsecond(Some(i64::from_be_bytes(fixed(bytes, wrong)?))),
        Type::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(micros(fixed(bytes, wrong)?)?), None),
        Type::TIMESTAMPTZ => {
            let zone = match data_type {
                DataType::Timestamp(_, Some(zone)) => zone.clone(),
                _ => "UTC".into(),
            };
            ScalarValue::TimestampMicrosecond(Some(micros(fixed(bytes, wrong)?)?), Some(zone))
        }
        Type::INTERVAL => interval(bytes).map_err(|_| wrong())??,
        Type::OID | Type::XID | Type::CID => ScalarValue::Int64(Some(u32::from_be_bytes(fixed(bytes, wrong)?).into())),
        _ if kind.name().starts_with("reg") => {
            ScalarValue::Int64(Some(u32::from_be_bytes(fixed(bytes, wrong)?).into()))
        }
        // An array, told by what its type is made of; "_" begins the name of every one.
        _ => match item_of(kind) {
            Some(item) => array::of_binary(Bytes::copy_from_slice(bytes), &item, data_type, style, wrong)?,
            None => text::value(utf8(bytes)?, kind, data_type, style)?,
        },
    })
}

fn fixed<const N: usize>(bytes: &[u8], wrong: impl Fn() -> Error) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| wrong())
}

fn micros(bytes: [u8; 8]) -> Result<i64> {
    match i64::from_be_bytes(bytes) {
        infinity @ (i64::MAX | i64::MIN) => Ok(infinity),
        micros => micros.checked_add(POSTGRES_EPOCH_MICROS).ok_or_else(|| late("timestamp")),
    }
}

fn late(type_name: &str) -> Error {
    Error::new(Reason::OutOfRange, format!("{type_name} out of range"))
}

/// The outer error is one of the form, the inner one of the value.
fn interval(bytes: &[u8]) -> Result<Result<ScalarValue>> {
    let mut reader = Reader(Bytes::copy_from_slice(bytes));
    let (high, low, days, months) = (reader.i32()?, reader.u32()?, reader.i32()?, reader.i32()?);
    reader.end()?;
    let micros = i64::from(high) << 32 | i64::from(low);
    Ok(micros
        .checked_mul(1000)
        .map(|nanos| ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos))))
        .ok_or_else(|| late("interval")))
}
