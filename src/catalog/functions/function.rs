//! A catalog function: a rule over plain values, made a function of the engine.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use crate::catalog::session::CatalogHandle;
use crate::catalog::snapshot::Snapshot;
use crate::catalog::types;
use crate::error::Error;
use crate::functions::arguments::Argument;
use crate::functions::value::Value;

/// What a function does with its arguments, one row at a time.
pub type Body = fn(&Snapshot, &[Value]) -> Result<Value, Error>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnNull {
    /// NULL in any argument gives NULL.
    Null,
    /// The body sees NULL.
    Call,
}

#[derive(Clone, Copy)]
pub struct CatalogFunction {
    pub name: &'static str,
    /// As `pg_type` names it.
    pub result: &'static str,
    /// The least and the greatest number of arguments.
    pub arity: (usize, usize),
    pub on_null: OnNull,
    pub volatility: Volatility,
    pub body: Body,
}

/// A function of which NULL gives NULL and that changes nothing.
pub const fn strict(name: &'static str, arity: (usize, usize), result: &'static str, body: Body) -> CatalogFunction {
    CatalogFunction { name, result, arity, on_null: OnNull::Null, volatility: Volatility::Stable, body }
}

/// A function that takes NULL as a value.
pub const fn called(name: &'static str, arity: (usize, usize), result: &'static str, body: Body) -> CatalogFunction {
    CatalogFunction { name, result, arity, on_null: OnNull::Call, volatility: Volatility::Stable, body }
}

/// A function that must run at every call.
pub const fn volatile(name: &'static str, arity: (usize, usize), result: &'static str, body: Body) -> CatalogFunction {
    CatalogFunction { name, result, arity, on_null: OnNull::Call, volatility: Volatility::Volatile, body }
}

pub struct CatalogUdf {
    function: CatalogFunction,
    signature: Signature,
    session: CatalogHandle,
}

impl CatalogUdf {
    pub fn new(function: CatalogFunction, session: CatalogHandle) -> Self {
        let (least, greatest) = function.arity;
        let counts = (least..=greatest).map(|count| match count {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(count),
        });
        let signature = Signature::one_of(counts.collect(), function.volatility);
        Self { function, signature, session }
    }

    /// The value of one row.
    fn call(&self, snapshot: &Snapshot, arguments: &[Value]) -> Result<Value> {
        if self.function.on_null == OnNull::Null && arguments.iter().any(Value::is_null) {
            return Ok(Value::Null);
        }
        (self.function.body)(snapshot, arguments).map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

impl fmt::Debug for CatalogUdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogUdf").field("name", &self.function.name).finish_non_exhaustive()
    }
}

impl PartialEq for CatalogUdf {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name && Arc::ptr_eq(&self.session, &other.session)
    }
}

impl Eq for CatalogUdf {}

impl Hash for CatalogUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for CatalogUdf {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(types::field("", self.function.result, true, "UTC").data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(types::field(self.function.name, self.function.result, true, "UTC")))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let snapshot = Snapshot::take(&self.session);
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
            && self.function.volatility != Volatility::Volatile;
        let rows = if is_constant { 1 } else { args.number_rows };
        let columns = Argument::all(&args, rows)?;
        let mut values = Vec::with_capacity(rows);
        for row in 0..rows {
            let arguments = columns.iter().map(|column| column.value(row)).collect::<Result<Vec<_>>>()?;
            values.push(self.call(&snapshot, &arguments)?);
        }
        let array = Value::array(&values, args.return_field.data_type())?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}
