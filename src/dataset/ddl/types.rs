//! The type of a column as PostgreSQL spells it -> the type of the contract.

use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};

use super::super::contract::SqlType;
use super::super::error::SqlFault;

const SERIALS: [&str; 6] = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];
/// `numeric` without a precision.
const NUMERIC_FREE: SqlType = SqlType::Numeric { precision: 38, scale: 10 };
const NUMERIC_PRECISION_MAX: u64 = 38;
/// `float(n)` of so many bits or fewer is real.
const REAL_BITS_MAX: u64 = 24;

pub fn sql_type(column: &str, given: &DataType) -> Result<SqlType, SqlFault> {
    let unsupported = || SqlFault::Type { column: column.to_owned(), found: given.to_string() };
    Ok(match given {
        DataType::Bool | DataType::Boolean => SqlType::Boolean,
        DataType::Int2(None) | DataType::SmallInt(None) => SqlType::SmallInt,
        DataType::Int4(None) | DataType::Int(None) | DataType::Integer(None) => SqlType::Integer,
        DataType::Int8(None) | DataType::BigInt(None) => SqlType::BigInt,
        DataType::Real | DataType::Float4 => SqlType::Real,
        DataType::Float8 | DataType::DoublePrecision | DataType::Float(ExactNumberInfo::None) => SqlType::Double,
        DataType::Float(ExactNumberInfo::Precision(bits)) if *bits <= REAL_BITS_MAX => SqlType::Real,
        DataType::Float(ExactNumberInfo::Precision(_)) => SqlType::Double,
        DataType::Numeric(size) | DataType::Decimal(size) | DataType::Dec(size) => numeric(column, size)?,
        DataType::Text => SqlType::Text,
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            SqlType::Varchar(characters(length).map_err(|()| unsupported())?)
        }
        DataType::Char(length) | DataType::Character(length) => {
            SqlType::Char(characters(length).map_err(|()| unsupported())?.unwrap_or(1))
        }
        DataType::Date => SqlType::Date,
        DataType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => SqlType::Time,
        DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => SqlType::Timestamp,
        DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => SqlType::TimestampTz,
        DataType::Uuid => SqlType::Uuid,
        DataType::Bytea => SqlType::Bytea,
        DataType::JSON => SqlType::Json,
        DataType::JSONB => SqlType::Jsonb,
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => match sql_type(column, item)? {
            SqlType::Array(_) => return Err(unsupported()),
            item => SqlType::Array(Box::new(item)),
        },
        DataType::Custom(name, _) if SERIALS.contains(&name.to_string().to_lowercase().as_str()) => {
            return Err(SqlFault::Serial { column: column.to_owned(), found: name.to_string().to_lowercase() });
        }
        _ => return Err(unsupported()),
    })
}

fn numeric(column: &str, size: &ExactNumberInfo) -> Result<SqlType, SqlFault> {
    let (precision, scale) = match *size {
        ExactNumberInfo::None => return Ok(NUMERIC_FREE),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    let fault = || SqlFault::Precision { column: column.to_owned(), precision, scale };
    let small = u8::try_from(precision).ok().filter(|_| (1..=NUMERIC_PRECISION_MAX).contains(&precision));
    let digits = i8::try_from(scale).ok().filter(|digits| *digits >= 0);
    match (small, digits) {
        (Some(precision), Some(scale)) if i64::from(precision) >= i64::from(scale) => {
            Ok(SqlType::Numeric { precision, scale })
        }
        _ => Err(fault()),
    }
}

fn characters(length: &Option<CharacterLength>) -> Result<Option<u32>, ()> {
    match length {
        None => Ok(None),
        Some(CharacterLength::IntegerLength { length, .. }) => {
            u32::try_from(*length).ok().filter(|length| *length > 0).map(Some).ok_or(())
        }
        Some(CharacterLength::Max) => Err(()),
    }
}
