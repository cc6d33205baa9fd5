//! A cell of a system table, or an argument of a function, as a plain value.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder, Int32Builder,
    Int64Builder, ListArray, StringBuilder, TimestampMicrosecondBuilder, UInt32Builder, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

use crate::forms::array::put_item;

#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    /// Also an oid, and an instant in microseconds since 1970.
    Int(i64),
    Float(f64),
    /// A decimal, by its digits.
    Number(String),
    Text(String),
    /// A text that is JSON by its type.
    Json(String),
    /// A date or an instant, as PostgreSQL writes it.
    Moment(String),
    List(Vec<Value>),
    /// The fields of a composite value, by their names.
    Row(Vec<(String, Value)>),
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Json(text) | Self::Moment(text) => Some(text),
            _ => None,
        }
    }

    /// The number, also of a text that is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Float(number) if number.fract() == 0.0 => Some(*number as i64),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub fn as_oid(&self) -> Option<u32> {
        self.as_int().and_then(|number| u32::try_from(number).ok())
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value as PostgreSQL prints it; NULL prints nothing.
    pub fn display(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => if *value { "t" } else { "f" }.to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) | Self::Number(text) | Self::Json(text) | Self::Moment(text) => text.clone(),
            Self::List(items) => format!("{{{}}}", items.iter().map(Self::item).collect::<Vec<_>>().join(",")),
            Self::Row(fields) => {
                let fields: Vec<String> = fields.iter().map(|(_, value)| value.field()).collect();
                format!("({})", fields.join(","))
            }
        }
    }

    /// The value within an array's text.
    fn item(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::List(_) => self.display(),
            other => {
                let mut out = bytes::BytesMut::new();
                put_item(other.display().as_bytes(), &mut out);
                String::from_utf8_lossy(&out).into_owned()
            }
        }
    }

    /// The value within the text of a composite one.
    fn field(&self) -> String {
        let text = self.display();
        let is_special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',') || c.is_ascii_whitespace();
        if self.is_null() || (!text.is_empty() && !text.contains(is_special)) {
            return text;
        }
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
    }

    /// The value in row `row` of an array of any type; a type without a like is taken as its text.
    pub fn read(array: &dyn Array, row: usize) -> Result<Self> {
        if array.is_null(row) {
            return Ok(Self::Null);
        }
        Self::from_scalar(&ScalarValue::try_from_array(array, row)?)
    }

    fn from_scalar(scalar: &ScalarValue) -> Result<Self> {
        if scalar.is_null() {
            return Ok(Self::Null);
        }
        Ok(match scalar {
            ScalarValue::Boolean(Some(value)) => Self::Bool(*value),
            ScalarValue::Float32(Some(value)) => Self::Float(f64::from(*value)),
            ScalarValue::Float64(Some(value)) => Self::Float(*value),
            ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
                Self::Text(text.clone())
            }
            ScalarValue::List(list) => Self::from_list(list.value(0).as_ref())?,
            ScalarValue::LargeList(list) => Self::from_list(list.value(0).as_ref())?,
            ScalarValue::FixedSizeList(list) => Self::from_list(list.value(0).as_ref())?,
            other if other.data_type().is_integer() => match other.cast_to(&DataType::Int64)? {
                ScalarValue::Int64(Some(number)) => Self::Int(number),
                _ => Self::Null,
            },
            other => match other.cast_to(&DataType::Utf8)? {
                ScalarValue::Utf8(Some(digits)) if other.data_type().is_decimal() => Self::Number(digits),
                ScalarValue::Utf8(Some(text)) => Self::Text(text),
                _ => Self::Null,
            },
        })
    }

    fn from_list(items: &dyn Array) -> Result<Self> {
        (0..items.len()).map(|row| Self::read(items, row)).collect::<Result<Vec<_>>>().map(Self::List)
    }

    /// The values as an array of `data_type`; a value of another kind becomes NULL.
    pub fn array(values: &[Self], data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        Ok(match data_type {
            DataType::Boolean => {
                let mut builder = BooleanBuilder::with_capacity(values.len());
                values.iter().for_each(|value| builder.append_option(value.as_bool()));
                Arc::new(builder.finish())
            }
            DataType::Int16 => {
                let mut builder = Int16Builder::with_capacity(values.len());
                values.iter().for_each(|value| builder.append_option(value.as_int().and_then(|n| n.try_into().ok())));
                Arc::new(builder.finish())
            }
            DataType::Int32 => {
                let mut builder = Int32Builder::with_capacity(values.len());
                values.iter().for_each(|value| builder.append_option(value.as_int().and_then(|n| n.try_into().ok())));
                Arc::new(builder.finish())
            }
            DataType::Int64 => {
                let mut builder = Int64Builder::with_capacity(values.len());
                values.iter().for_each(|value| builder.append_option(value.as_int()));
                Arc::new(builder.finish())
            }
            DataType::UInt32 => {
                let mut builder = UInt32Builder::with_capacity(values.len());
                values.iter().for_each(|value| builder.append_option(value.as_oid()));
                Arc::new(builder.finish())
            }
            DataType::Float32 => {
                let mut builder = Float32Builder::with_capacity(values.len());
                values.iter().for_each(|value| builder.append_option(value.number().map(|n| n as f32)));
                Arc::new(builder.finish())
            }
            DataType::Float64 => {
                let mut builder = Float64Builder::with_capacity(values.len());
                values.iter().for_each(|value| builder.append_option(value.number()));
                Arc::new(builder.finish())
            }
            DataType::Utf8 => {
                let mut builder = StringBuilder::new();
                values.iter().for_each(|value| match value {
                    Self::Null => builder.append_null(),
                    Self::Text(text) => builder.append_value(text),
                    other => builder.append_value(other.display()),
                });
                Arc::new(builder.finish())
            }
            DataType::Binary => {
                let mut builder = BinaryBuilder::new();
                values.iter().for_each(|value| builder.append_option(value.as_text()));
                Arc::new(builder.finish())
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let mut builder = TimestampMicrosecondBuilder::with_capacity(values.len());
                values.iter().for_each(|value| builder.append_option(value.as_int()));
                Arc::new(builder.finish().with_timezone_opt(zone.clone()))
            }
            DataType::List(item) => {
                let items: Vec<Self> = values.iter().flat_map(Self::items).cloned().collect();
                let lengths = values.iter().map(|value| value.items().len());
                let nulls = NullBuffer::from_iter(values.iter().map(|value| matches!(value, Self::List(_))));
                let items = Self::array(&items, item.data_type())?;
                Arc::new(ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lengths), items, Some(nulls))?)
            }
            other if values.iter().all(Self::is_null) => new_null_array(other, values.len()),
            other => cast(&Self::array(values, &DataType::Utf8)?, other)?,
        })
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            Self::Int(number) => Some(*number as f64),
            _ => None,
        }
    }

    fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A `"char"`.
impl From<char> for Value {
    fn from(value: char) -> Self {
        Self::Text(value.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
        let cases = [
            (Value::from(true), DataType::Boolean),
            (Value::from(7u32), DataType::UInt32),
            (Value::from(-3i64), DataType::Int16),
            (Value::from("x"), DataType::Utf8),
            (Value::Float(1.5), DataType::Float32),
            (Value::from(vec!["a", "b"]), list),
        ];
        for (value, data_type) in cases {
            let array = Value::array(&[Value::Null, value.clone()], &data_type).unwrap();
            assert_eq!(array.data_type(), &data_type);
            assert_eq!(Value::read(&array, 0).unwrap(), Value::Null);
            assert_eq!(Value::read(&array, 1).unwrap(), value);
        }
    }

    #[test]
    fn an_empty_list_is_not_null() {
        let list = DataType::List(Arc::new(Field::new("item", DataType::UInt32, true)));
        let array = Value::array(&[Value::List(Vec::new())], &list).unwrap();
        assert_eq!(Value::read(&array, 0).unwrap(), Value::List(Vec::new()));
    }
}
