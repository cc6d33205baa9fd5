//! The arguments of a function as plain values, row by row.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarFunctionArgs;

use super::texts;
use super::value::Value;
use crate::dataset::contract::TYPE_KEY;
use crate::forms::zone::Zone;

/// A column of arguments. Times and floating point numbers are read as PostgreSQL writes them.
pub struct Argument {
    column: ArrayRef,
    kind: Kind,
}

enum Kind {
    Plain,
    Json,
    /// The text of each value, and what the text is.
    Written(StringArray, fn(&str) -> Value),
    List(ListArray, Box<Argument>),
    Row(Vec<(String, Argument)>),
}

impl Argument {
    /// Each argument of a call, as columns of so many rows.
    pub fn all(args: &ScalarFunctionArgs, rows: usize) -> Result<Vec<Self>> {
        let zone = texts::zone(&args.config_options);
        let columns = args.args.iter().zip(&args.arg_fields);
        columns.map(|(argument, field)| Self::new(argument.to_array(rows)?, field, zone)).collect()
    }

    fn new(column: ArrayRef, field: &Field, zone: Zone) -> Result<Self> {
        let kind = match column.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is_json(field) => Kind::Json,
            DataType::Timestamp(..) | DataType::Date32 => Kind::Written(texts::texts(&column, zone)?, moment),
            DataType::Time64(_) | DataType::Interval(_) | DataType::Duration(_) => {
                Kind::Written(texts::texts(&column, zone)?, |text| Value::Text(text.to_owned()))
            }
            DataType::Float32 | DataType::Float64 => Kind::Written(texts::texts(&column, zone)?, number),
            DataType::List(item) => {
                let list = column.as_list::<i32>().clone();
                let items = Self::new(list.values().clone(), item, zone)?;
                Kind::List(list, Box::new(items))
            }
            DataType::Struct(fields) => {
                let parts = fields.iter().zip(column.as_struct().columns());
                let parts =
                    parts.map(|(field, part)| Ok((field.name().clone(), Self::new(part.clone(), field, zone)?)));
                Kind::Row(parts.collect::<Result<Vec<_>>>()?)
            }
            _ => Kind::Plain,
        };
        Ok(Self { column, kind })
    }

    /// The value of a row.
    pub fn value(&self, row: usize) -> Result<Value> {
        if self.column.is_null(row) {
            return Ok(Value::Null);
        }
        Ok(match &self.kind {
            Kind::Plain => Value::read(&self.column, row)?,
            Kind::Json => match Value::read(&self.column, row)? {
                Value::Text(text) => Value::Json(text),
                other => other,
            },
            Kind::Written(texts, made) => made(texts.value(row)),
            Kind::List(list, items) => {
                let offsets = list.value_offsets();
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                Value::List(range.map(|item| items.value(item)).collect::<Result<_>>()?)
            }
            Kind::Row(parts) => {
                let parts = parts.iter().map(|(name, part)| Ok((name.clone(), part.value(row)?)));
                Value::Row(parts.collect::<Result<_>>()?)
            }
        })
    }
}

fn moment(text: &str) -> Value {
    Value::Moment(text.to_owned())
}

/// The digits of a number; infinity and what is no number are texts.
fn number(text: &str) -> Value {
    let is_number = text.ends_with(|last: char| last.is_ascii_digit());
    if is_number { Value::Number(text.to_owned()) } else { Value::Text(text.to_owned()) }
}

fn is_json(field: &Field) -> bool {
    field.metadata().get(TYPE_KEY).is_some_and(|name| matches!(name.as_str(), "json" | "jsonb"))
}
