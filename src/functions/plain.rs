//! A function as a rule over plain values, made a function of the engine.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::arguments::Argument;
use super::texts;
use super::value::Value;
use crate::dataset::contract::TYPE_KEY;
use crate::error::Error;

/// What a function does with its arguments, one row at a time.
pub type Body = fn(&[Value]) -> Result<Value, Error>;

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Text,
    Json,
    Jsonb,
    Uuid,
    Integer,
    Boolean,
    Texts,
    /// An array of arrays of text.
    TextRows,
    Jsons,
    Jsonbs,
}

impl Outcome {
    fn field(self, name: &str) -> Field {
        let list = |item: Field| DataType::List(Arc::new(item));
        let told = |name: &str| [(TYPE_KEY.to_owned(), name.to_owned())].into();
        let item = Field::new_list_field(DataType::Utf8, true);
        match self {
            Self::Text => Field::new(name, DataType::Utf8, true),
            Self::Json => Field::new(name, DataType::Utf8, true).with_metadata(told("json")),
            Self::Jsonb => Field::new(name, DataType::Utf8, true).with_metadata(told("jsonb")),
            Self::Uuid => Field::new(name, DataType::Utf8, true).with_metadata(told("uuid")),
            Self::Integer => Field::new(name, DataType::Int32, true),
            Self::Boolean => Field::new(name, DataType::Boolean, true),
            Self::Texts => Field::new(name, list(item), true),
            Self::TextRows => Field::new(name, list(Field::new_list_field(list(item), true)), true),
            Self::Jsons => Field::new(name, list(item), true).with_metadata(told("json[]")),
            Self::Jsonbs => Field::new(name, list(item), true).with_metadata(told("jsonb[]")),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnNull {
    /// NULL in any argument gives NULL.
    Null,
    /// The body sees NULL.
    Call,
}

#[derive(Debug, Clone, Copy)]
pub struct PlainFunction {
    pub name: &'static str,
    pub outcome: Outcome,
    /// The least and the greatest number of arguments.
    pub arity: (usize, usize),
    pub on_null: OnNull,
    pub volatility: Volatility,
    pub body: Body,
}

/// A function of which NULL gives NULL.
pub const fn strict(name: &'static str, arity: (usize, usize), outcome: Outcome, body: Body) -> PlainFunction {
    PlainFunction { name, outcome, arity, on_null: OnNull::Null, volatility: Volatility::Stable, body }
}

/// A function that takes NULL as a value.
pub const fn called(name: &'static str, arity: (usize, usize), outcome: Outcome, body: Body) -> PlainFunction {
    PlainFunction { name, outcome, arity, on_null: OnNull::Call, volatility: Volatility::Stable, body }
}

/// A function that must run for every row.
pub const fn volatile(name: &'static str, outcome: Outcome, body: Body) -> PlainFunction {
    PlainFunction { name, outcome, arity: (0, 0), on_null: OnNull::Call, volatility: Volatility::Volatile, body }
}

#[derive(Debug)]
pub struct PlainUdf {
    function: PlainFunction,
    aliases: Vec<String>,
    signature: Signature,
}

impl PlainUdf {
    pub fn new(function: PlainFunction) -> Self {
        let (least, greatest) = function.arity;
        let counts = (least..=greatest).map(|count| match count {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(count),
        });
        let aliases = function.name.strip_prefix("array_").map(|name| format!("list_{name}"));
        let aliases = aliases.into_iter().collect();
        Self { function, aliases, signature: Signature::one_of(counts.collect(), function.volatility) }
    }
}

impl PlainUdf {
    pub fn gives_jsonb(&self) -> bool {
        self.function.outcome == Outcome::Jsonb
    }
}

impl PartialEq for PlainUdf {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for PlainUdf {}

impl Hash for PlainUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for PlainUdf {
    fn name(&self) -> &str {
        self.function.name
    }

    /// What the engine calls such a function; left under that name, its own would come back under the first.
    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.outcome.field(self.function.name).data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.function.outcome.field(self.function.name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
            && self.function.volatility != Volatility::Volatile;
        let rows = if is_constant { 1 } else { args.number_rows };
        let columns = Argument::all(&args, rows)?;
        let mut values = Vec::with_capacity(rows);
        for row in 0..rows {
            let arguments = columns.iter().map(|column| column.value(row)).collect::<Result<Vec<_>>>()?;
            let is_null = self.function.on_null == OnNull::Null && arguments.iter().any(Value::is_null);
            values.push(if is_null {
                Value::Null
            } else {
                (self.function.body)(&arguments).map_err(texts::outward)?
            });
        }
        let array = Value::array(&values, args.return_field.data_type())?;
        if is_constant { texts::answer(&args.args, array) } else { Ok(ColumnarValue::Array(array)) }
    }
}
