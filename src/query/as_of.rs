//! `as_of()`: the "now" of the marts, one instant for a whole statement.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::calls::calls;

/// The instant in microseconds since 1970 UTC, shared by the function and the session that works it out.
#[derive(Debug, Clone, Default)]
pub struct AsOfCell(Arc<Mutex<Option<i64>>>);

impl AsOfCell {
    pub fn set(&self, instant_us: Option<i64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = instant_us;
    }

    fn get(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The function; made anew when the session's zone changes, because the zone is part of its type.
#[derive(Debug)]
pub struct AsOf {
    cell: AsOfCell,
    zone: Arc<str>,
    signature: Signature,
}

pub const NAME: &str = "as_of";

impl AsOf {
    pub fn new(cell: AsOfCell, zone: &str) -> Self {
        Self { cell, zone: zone.into(), signature: Signature::nullary(Volatility::Stable) }
    }

    fn value(&self) -> ScalarValue {
        ScalarValue::TimestampMicrosecond(self.cell.get(), Some(Arc::clone(&self.zone)))
    }
}

impl PartialEq for AsOf {
    fn eq(&self, other: &Self) -> bool {
        self.zone == other.zone && Arc::ptr_eq(&self.cell.0, &other.cell.0)
    }
}

impl Eq for AsOf {}

impl std::hash::Hash for AsOf {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.zone.hash(state);
    }
}

impl ScalarUDFImpl for AsOf {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone))))
    }

    fn simplify(&self, _: Vec<Expr>, _: &SimplifyContext) -> DfResult<ExprSimplifyResult> {
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(self.value(), None)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value()))
    }
}

/// Whether a plan asks for the instant, in views and sub-queries too.
pub fn is_used(plan: &LogicalPlan) -> DfResult<bool> {
    calls(plan, NAME)
}
