//! Values to text and text to values, in PostgreSQL's forms.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Date32Builder, IntervalMonthDayNanoBuilder, StringArray, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, FieldRef, Float32Type, Float64Type, IntervalMonthDayNanoType,
    IntervalUnit, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use bytes::BytesMut;
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::casts::is_text;
use crate::error::Error;
use crate::forms::array::put_item;
use crate::forms::interval::Span;
use crate::forms::read;
use crate::forms::zone::Zone;
use crate::forms::{datetime, number};

/// Whether a cast of this type to text is ours.
pub fn is_written(from: &DataType) -> bool {
    matches!(
        from,
        DataType::Timestamp(..)
            | DataType::Interval(IntervalUnit::MonthDayNano)
            | DataType::Duration(_)
            | DataType::Float32
            | DataType::Float64
            | DataType::Date32
            | DataType::Time64(TimeUnit::Microsecond)
            | DataType::List(_)
    )
}

/// Whether a cast of text to this type is ours.
pub fn is_read(to: &DataType) -> bool {
    match to {
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _)
        | DataType::Date32
        | DataType::Time64(TimeUnit::Microsecond)
        | DataType::Binary
        | DataType::Interval(IntervalUnit::MonthDayNano) => true,
        DataType::List(item) => !matches!(item.data_type(), DataType::List(_) | DataType::Struct(_)),
        _ => false,
    }
}

/// The zone of the session.
pub fn zone(config: &ConfigOptions) -> Zone {
    config.execution.time_zone.as_deref().and_then(Zone::parse).unwrap_or(Zone::UTC)
}

/// One value where the arguments are, else one a row.
pub fn answer(arguments: &[ColumnarValue], values: ArrayRef) -> Result<ColumnarValue> {
    if arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
    }
    Ok(ColumnarValue::Array(values))
}

/// One of our errors on its way through the engine.
pub fn outward(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

pub fn to_text() -> ScalarUDF {
    ScalarUDF::new_from_impl(ToText { signature: Signature::any(1, Volatility::Stable) })
}

/// The text of a value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToText {
    signature: Signature,
}

impl ScalarUDFImpl for ToText {
    fn name(&self) -> &str {
        "to_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [array] = arrays.as_slice() else {
            return Err(DataFusionError::Internal("to_text takes one argument".to_owned()));
        };
        let texts = texts(array, zone(&args.config_options))?;
        answer(&args.args, Arc::new(texts))
    }
}

/// Writes the value of a row.
type Put = Box<dyn Fn(usize, &mut BytesMut)>;

/// The text of each value.
pub fn texts(array: &dyn Array, zone: Zone) -> Result<StringArray> {
    let put: Put = match array.data_type() {
        DataType::Timestamp(_, named) => {
            let values = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, named.clone()))?;
            let values = values.as_primitive::<TimestampMicrosecondType>().clone();
            if named.is_some() {
                Box::new(move |row, out| {
                    let micros = values.value(row);
                    let offset = zone.offset_seconds(micros.div_euclid(datetime::MICROS_A_SECOND));
                    datetime::put_timestamp_at(micros, offset, out);
                })
            } else {
                Box::new(move |row, out| datetime::put_timestamp(values.value(row), out))
            }
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>().clone();
            Box::new(move |row, out| {
                let value = values.value(row);
                Span { months: value.months, days: value.days, micros: value.nanoseconds / 1000 }.put_text(out);
            })
        }
        DataType::Duration(_) => {
            let values = cast(array, &DataType::Duration(TimeUnit::Microsecond))?;
            let values = values.as_primitive::<DurationMicrosecondType>().clone();
            Box::new(move |row, out| Span::of_micros(values.value(row)).put_text(out))
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().clone();
            Box::new(move |row, out| datetime::put_date(values.value(row), out))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let values = array.as_primitive::<Time64MicrosecondType>().clone();
            Box::new(move |row, out| datetime::put_time(values.value(row), out))
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().clone();
            Box::new(move |row, out| number::put_float8(values.value(row), out))
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().clone();
            Box::new(move |row, out| number::put_float4(values.value(row), out))
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>().clone();
            let is_nested = matches!(list.values().data_type(), DataType::List(_));
            let items = shown(list.values(), zone)?;
            Box::new(move |row, out| {
                let offsets = list.value_offsets();
                put_list(&items, offsets[row] as usize..offsets[row + 1] as usize, is_nested, out);
            })
        }
        _ => {
            let texts = cast(array, &DataType::Utf8)?;
            return Ok(texts.as_string::<i32>().clone());
        }
    };
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 16);
    let mut out = BytesMut::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        out.clear();
        put(row, &mut out);
        builder.append_value(String::from_utf8_lossy(&out));
    }
    Ok(builder.finish())
}

/// The texts of values as PostgreSQL puts them out, which has a shorter word for true and false than a cast.
pub fn shown(values: &ArrayRef, zone: Zone) -> Result<StringArray> {
    match values.data_type() {
        DataType::Boolean => {
            let values = values.as_boolean();
            Ok(values.iter().map(|value| value.map(|value| if value { "t" } else { "f" })).collect())
        }
        _ => texts(values, zone),
    }
}

fn put_list(items: &StringArray, range: std::ops::Range<usize>, is_nested: bool, out: &mut BytesMut) {
    let first = range.start;
    out.extend_from_slice(b"{");
    for item in range {
        if item > first {
            out.extend_from_slice(b",");
        }
        match items.is_valid(item).then(|| items.value(item)) {
            None => out.extend_from_slice(b"NULL"),
            Some(text) if is_nested => out.extend_from_slice(text.as_bytes()),
            Some(text) => put_item(text.as_bytes(), out),
        }
    }
    out.extend_from_slice(b"}");
}

/// The function that reads text as a value of `field`'s type.
pub fn from_text(field: &FieldRef) -> ScalarUDF {
    let signature = Signature::any(1, Volatility::Stable);
    ScalarUDF::new_from_impl(FromText { field: Arc::clone(field), signature })
}

#[derive(Debug, PartialEq, Eq)]
struct FromText {
    field: FieldRef,
    signature: Signature,
}

impl Hash for FromText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.field.data_type().hash(state);
    }
}

impl ScalarUDFImpl for FromText {
    fn name(&self) -> &str {
        "from_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.field.as_ref().clone().with_name("from_text").with_nullable(true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [array] = arrays.as_slice() else {
            return Err(DataFusionError::Internal("from_text takes one argument".to_owned()));
        };
        if !is_text(array.data_type()) {
            return Err(DataFusionError::Internal(format!("from_text reads text, not {}", array.data_type())));
        }
        let texts = cast(array, &DataType::Utf8)?;
        let values = values(texts.as_string::<i32>(), self.field.data_type(), zone(&args.config_options))?;
        answer(&args.args, values)
    }
}

/// What one text stands for.
pub fn value(text: &ScalarValue, data_type: &DataType, zone: Zone) -> Result<ScalarValue> {
    let texts: StringArray = std::iter::once(text.try_as_str().flatten()).collect();
    ScalarValue::try_from_array(&values(&texts, data_type, zone)?, 0)
}

/// The values that texts stand for.
pub fn values(texts: &StringArray, data_type: &DataType, session: Zone) -> Result<ArrayRef> {
    fn each<T>(texts: &StringArray, mut read: impl FnMut(&str) -> Result<T, Error>) -> Result<Vec<Option<T>>> {
        texts.iter().map(|text| text.map(&mut read).transpose().map_err(outward)).collect()
    }
    Ok(match data_type {
        DataType::Date32 => {
            let mut builder = Date32Builder::with_capacity(texts.len());
            each(texts, read::datetime::date)?.into_iter().for_each(|value| builder.append_option(value));
            Arc::new(builder.finish())
        }
        DataType::Time64(_) => {
            let mut builder = Time64MicrosecondBuilder::with_capacity(texts.len());
            each(texts, read::datetime::time)?.into_iter().for_each(|value| builder.append_option(value));
            Arc::new(builder.finish())
        }
        DataType::Timestamp(_, named) => {
            let read = |text: &str| match named {
                Some(_) => read::datetime::instant(text, session),
                None => read::datetime::timestamp(text),
            };
            let mut builder = TimestampMicrosecondBuilder::with_capacity(texts.len());
            each(texts, read)?.into_iter().for_each(|value| builder.append_option(value));
            cast(&builder.finish().with_timezone_opt(named.clone()), data_type)?
        }
        DataType::Interval(_) => {
            let mut builder = IntervalMonthDayNanoBuilder::with_capacity(texts.len());
            each(texts, read::interval::of)?.into_iter().for_each(|value| builder.append_option(value));
            Arc::new(builder.finish())
        }
        DataType::Binary => {
            let mut builder = BinaryBuilder::new();
            each(texts, read::bytes::of)?.into_iter().for_each(|value| builder.append_option(value));
            Arc::new(builder.finish())
        }
        DataType::List(item) => {
            let lists = each(texts, read::array::split)?;
            let nulls = NullBuffer::from_iter(lists.iter().map(Option::is_some));
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.as_ref().map_or(0, Vec::len)));
            let flat: StringArray = lists.into_iter().flatten().flatten().collect();
            let items = if is_read(item.data_type()) {
                values(&flat, item.data_type(), session)?
            } else {
                strict_cast(&flat, item.data_type())?
            };
            let field = Arc::clone(item);
            Arc::new(arrow::array::ListArray::try_new(field, offsets, items, Some(nulls))?)
        }
        other => strict_cast(texts, other)?,
    })
}

/// A text that is no value is an error, not a NULL.
/// A cast that refuses what does not fit.
pub(super) fn strict_cast(array: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    let options = arrow::compute::CastOptions { safe: false, ..Default::default() };
    Ok(arrow::compute::cast_with_options(array, to, &options)?)
}
