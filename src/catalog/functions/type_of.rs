//! `pg_typeof`: the type of what is given to it.

use arrow::datatypes::{DataType, Field, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::dataset::contract::TYPE_KEY;

pub fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(TypeOf { signature: Signature::any(1, Volatility::Stable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = args.arg_fields.first().map(|field| name(field));
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(name)))
    }
}

/// A type by its name in SQL, without a modifier.
fn name(field: &Field) -> String {
    match field.metadata().get(TYPE_KEY) {
        Some(told) => told.split('(').next().unwrap_or(told).to_owned(),
        None => plain(field.data_type()).to_owned() + dimensions(field.data_type()),
    }
}

fn dimensions(data_type: &DataType) -> &'static str {
    if matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)) {
        "[]"
    } else {
        ""
    }
}

fn plain(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "unknown",
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::UInt32 => "oid",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time without time zone",
        DataType::Timestamp(_, None) => "timestamp without time zone",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime | IntervalUnit::MonthDayNano)
        | DataType::Duration(_) => "interval",
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => "bytea",
        DataType::Struct(_) => "record",
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => plain(item.data_type()),
        data_type if data_type.is_numeric() => "numeric",
        _ => "text",
    }
}
