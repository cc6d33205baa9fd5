//! JSON made of values.

use serde_json::{Map, Number};

use super::function::{CatalogFunction, called};
use crate::catalog::snapshot::Snapshot;
use crate::catalog::value::Value;
use crate::error::{Error, Reason};

/// The most arguments, as in PostgreSQL.
const MOST: usize = 100;

pub const FUNCTIONS: &[CatalogFunction] = &[
    called("json_build_object", (0, MOST), "json", build_object),
    called("jsonb_build_object", (0, MOST), "jsonb", build_object),
    called("json_build_array", (0, MOST), "json", build_array),
    called("jsonb_build_array", (0, MOST), "jsonb", build_array),
];

fn build_object(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let mut object = Map::new();
    for pair in arguments.chunks(2) {
        let [key, value] = pair else {
            return Err(Error::new(Reason::InvalidParameter, "argument list must have even number of elements"));
        };
        if key.is_null() {
            return Err(Error::new(Reason::InvalidParameter, "null value not allowed for object key"));
        }
        object.insert(key.display(), json(value));
    }
    Ok(serde_json::Value::Object(object).to_string().into())
}

fn build_array(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    Ok(serde_json::Value::Array(arguments.iter().map(json).collect()).to_string().into())
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) => Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
    }
}
