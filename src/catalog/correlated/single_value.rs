//! The value of a sub-query that may have one row: a second row is an error.

use std::mem::size_of_val;
use std::sync::{Arc, LazyLock};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility};

use crate::error::{Error, Reason};

static SINGLE_VALUE: LazyLock<Arc<AggregateUDF>> =
    LazyLock::new(|| Arc::new(AggregateUDF::new_from_impl(SingleValue::new())));

pub fn single_value(expr: Expr) -> Expr {
    SINGLE_VALUE.call(vec![expr])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl SingleValue {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    /// The argument's own field, so that its metadata is kept.
    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let field = arguments.first().map(|field| field.as_ref().clone());
        let field = field.unwrap_or_else(|| Field::new("single_value", DataType::Null, true));
        Ok(Arc::new(field.with_name("single_value").with_nullable(true)))
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(arguments.return_field.data_type())?;
        Ok(Box::new(SingleValueState { value, seen: false }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let value = arguments.return_field.as_ref().clone().with_name("value");
        Ok(vec![Arc::new(value), Arc::new(Field::new("seen", DataType::Boolean, false))])
    }
}

#[derive(Debug)]
struct SingleValueState {
    value: ScalarValue,
    seen: bool,
}

impl SingleValueState {
    fn take(&mut self, value: ScalarValue) -> Result<()> {
        if self.seen {
            let message = "more than one row returned by a subquery used as an expression";
            return Err(DataFusionError::External(Box::new(Error::new(Reason::Cardinality, message))));
        }
        self.value = value;
        self.seen = true;
        Ok(())
    }
}

impl Accumulator for SingleValueState {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else { return Ok(()) };
        (0..values.len()).try_for_each(|row| self.take(ScalarValue::try_from_array(values, row)?))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, seen] = states else { return Ok(()) };
        for row in 0..values.len() {
            if ScalarValue::try_from_array(seen, row)? == ScalarValue::Boolean(Some(true)) {
                self.take(ScalarValue::try_from_array(values, row)?)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Boolean(Some(self.seen))])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() - size_of_val(&self.value)
    }
}
