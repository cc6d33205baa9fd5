//! The values of a Bind message, text or binary, as scalars of the types that the statement was planned with.

mod array;
mod binary;
mod numeric;
mod text;

use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use pgwire::api::Type;

use super::encode::Style;
use super::protocol::message::{Bind, Format, formats, utf8};
use super::types::{WireType, sql_type_of};
use crate::error::{Error, Reason, Result};

/// A parameter of a prepared statement.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The type that the client is told of, and in which it sends binary values.
    pub oid: u32,
    /// The type that the plan wants.
    data_type: DataType,
}

impl Parameter {
    /// `declared` is the oid that the client sent with Parse, 0 where it left the type open.
    pub fn new(declared: u32, data_type: DataType) -> Self {
        let open = declared == 0 || declared == Type::UNKNOWN.oid();
        let data_type = if data_type.is_null() { DataType::Utf8 } else { data_type };
        let oid = if open { wire(&data_type).oid() } else { declared };
        Self { oid, data_type }
    }

    /// A NULL of the type that the plan wants.
    pub fn null(&self) -> Result<ScalarValue> {
        ScalarValue::try_from(&self.data_type).map_err(|error| Error::of(Reason::Unsupported, error))
    }

    pub fn value(&self, bytes: &[u8], format: Format, style: &Style) -> Result<ScalarValue> {
        let kind = Type::from_oid(self.oid).unwrap_or(Type::TEXT);
        let value = match format {
            Format::Text => text::value(utf8(bytes)?, &kind, &self.data_type, style)?,
            Format::Binary => binary::value(bytes, &kind, &self.data_type, style)?,
        };
        fit(value, &self.data_type)
    }
}

/// One value for each parameter.
pub fn values(parameters: &[Parameter], bind: &Bind, style: &Style) -> Result<Vec<ScalarValue>> {
    let (given, wanted) = (bind.parameters.len(), parameters.len());
    if given != wanted {
        let name = &bind.statement;
        let message =
            format!("bind message supplies {given} parameters, but prepared statement \"{name}\" requires {wanted}");
        return Err(Error::new(Reason::Protocol, message));
    }
    let formats = formats(&bind.parameter_formats, wanted)?;
    let values = parameters.iter().zip(&bind.parameters).zip(formats);
    values
        .map(|((parameter, bytes), format)| match bytes {
            Some(bytes) => parameter.value(bytes, format, style),
            None => parameter.null(),
        })
        .collect()
}

fn wire(data_type: &DataType) -> WireType {
    sql_type_of(&Field::new("", data_type.clone(), true))
}

fn fit(value: ScalarValue, data_type: &DataType) -> Result<ScalarValue> {
    if value.data_type() == *data_type {
        return Ok(value);
    }
    value.cast_to(data_type).map_err(|_| {
        let (given, wanted) = (wire(&value.data_type()), wire(data_type));
        Error::new(Reason::CannotCoerce, format!("cannot cast type {} to {}", given.name(), wanted.name()))
    })
}

/// Text that is no value of its type.
fn invalid(type_name: &str, text: &str) -> Error {
    Error::new(Reason::InvalidText, format!("invalid input syntax for type {type_name}: \"{text}\""))
}

fn out_of_range(type_name: &str, text: &str) -> Error {
    Error::new(Reason::OutOfRange, format!("value \"{text}\" is out of range for type {type_name}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::datatypes::TimeUnit;
    use bytes::Bytes;

    use super::*;

    fn bind(parameters: Vec<Option<Bytes>>, format: Format) -> Bind {
        Bind {
            portal: String::new(),
            statement: "s".into(),
            parameter_formats: vec![format],
            parameters,
            result_formats: Vec::new(),
        }
    }

    fn one(oid: u32, data_type: DataType, format: Format, bytes: &'static [u8]) -> Result<ScalarValue> {
        let bind = bind(vec![Some(Bytes::from_static(bytes))], format);
        let mut values = values(&[Parameter::new(oid, data_type)], &bind, &Style::default())?;
        Ok(values.remove(0))
    }

    #[test]
    fn a_wrong_count_breaks_the_protocol() {
        let error = values(&[], &bind(vec![None], Format::Text), &Style::default()).unwrap_err();
        assert_eq!(error.reason(), Reason::Protocol);
    }

    #[test]
    fn null_is_null_of_the_planned_type() {
        let parameters = [Parameter::new(0, DataType::Int64)];
        let values = values(&parameters, &bind(vec![None], Format::Binary), &Style::default()).unwrap();
        assert_eq!(values, [ScalarValue::Int64(None)]);
    }

    #[test]
    fn a_type_left_open_is_the_planned_one() {
        assert_eq!(Parameter::new(0, DataType::Int64).oid, 20);
        assert_eq!(Parameter::new(705, DataType::Null).oid, 25);
        assert_eq!(Parameter::new(2950, DataType::Utf8).oid, 2950);
    }

    #[test]
    fn binary_of_the_declared_type_becomes_the_planned_one() {
        assert_eq!(one(23, DataType::Int64, Format::Binary, &[0, 0, 0, 41]).unwrap(), ScalarValue::Int64(Some(41)));
        let zone = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let value = one(1114, zone, Format::Binary, &[0, 0, 0, 0, 0, 0x0f, 0x42, 0x40]).unwrap();
        assert_eq!(value, ScalarValue::TimestampNanosecond(Some(946_684_801_000_000_000), None));
    }

    #[test]
    fn a_binary_value_of_a_wrong_length_is_refused() {
        for (oid, data_type) in
            [(16, DataType::Boolean), (20, DataType::Int64), (2950, DataType::Utf8), (1700, DataType::Float64)]
        {
            let error = one(oid, data_type, Format::Binary, &[0, 0, 0]).unwrap_err();
            assert_eq!(error.reason(), Reason::InvalidBinary, "{oid}");
        }
    }

    #[test]
    fn text_that_is_no_value_is_refused() {
        let cases = [
            (DataType::Int32, "x"),
            (DataType::Boolean, "maybe"),
            (DataType::Float64, "1,5"),
            (DataType::Decimal128(10, 2), "1.2.3"),
            (DataType::Date32, "2024-02-30"),
            (DataType::Binary, "\\xabc"),
        ];
        for (data_type, text) in cases {
            let error = one(0, data_type, Format::Text, text.as_bytes()).unwrap_err();
            let is_told =
                matches!(error.reason(), Reason::InvalidText | Reason::InvalidDatetime | Reason::DatetimeOutOfRange);
            assert!(is_told, "{text}: {error}");
        }
        assert_eq!(one(0, DataType::Int16, Format::Text, b"40000").unwrap_err().reason(), Reason::OutOfRange);
    }

    #[test]
    fn a_uuid_is_taken_in_every_spelling() {
        let expected = ScalarValue::Utf8(Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".into()));
        let text = b"{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}";
        assert_eq!(one(2950, DataType::Utf8, Format::Text, text).unwrap(), expected);
        let binary = &[0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11];
        assert_eq!(one(2950, DataType::Utf8, Format::Binary, binary).unwrap(), expected);
    }

    #[test]
    fn jsonb_in_binary_leaves_its_version_behind() {
        let value = one(3802, DataType::Utf8View, Format::Binary, b"\x01{}").unwrap();
        assert_eq!(value, ScalarValue::Utf8View(Some("{}".into())));
        assert_eq!(one(3802, DataType::Utf8, Format::Binary, b"\x02{}").unwrap_err().reason(), Reason::InvalidBinary);
    }
}
