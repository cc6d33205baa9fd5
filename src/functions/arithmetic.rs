//! Sums, differences and products of integers that are refused where they do not fit, as in PostgreSQL; the engine's own go
//! round to the other end.

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{ExprSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::rewriting::change_expressions;
use crate::error::{Error, Reason};

#[derive(Debug)]
pub struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        change_expressions(plan, checked)
    }

    fn name(&self) -> &str {
        "checked_arithmetic"
    }
}

fn checked(expr: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return Ok(Transformed::no(expr)) };
    let Some(step) = Step::of(op) else { return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))) };
    let types = (left.get_type(schema), right.get_type(schema));
    let is_exact = matches!(&types, (Ok(left), Ok(right)) if left == right && is_integer(left));
    if !is_exact {
        return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
    }
    let function = Arc::new(ScalarUDF::new_from_impl(Exact::new(step)));
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: function, args: vec![*left, *right] })))
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Plus,
    Minus,
    Times,
}

impl Step {
    fn of(op: Operator) -> Option<Self> {
        Some(match op {
            Operator::Plus => Self::Plus,
            Operator::Minus => Self::Minus,
            Operator::Multiply => Self::Times,
            _ => return None,
        })
    }

    fn kernel(self) -> fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Plus => numeric::add,
            Self::Minus => numeric::sub,
            Self::Times => numeric::mul,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    step: Step,
    signature: Signature,
}

impl Exact {
    fn new(step: Step) -> Self {
        Self { step, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Exact {
    fn name(&self) -> &str {
        match self.step {
            Step::Plus => "exact_plus",
            Step::Minus => "exact_minus",
            Step::Times => "exact_times",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let data_type = args.return_type().clone();
        let [left, right] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(format!("{} takes two arguments", self.name())));
        };
        let kernel = self.step.kernel();
        let outcome = match (left, right) {
            (ColumnarValue::Array(left), ColumnarValue::Array(right)) => kernel(left, right),
            (ColumnarValue::Array(left), ColumnarValue::Scalar(right)) => kernel(left, &right.to_scalar()?),
            (ColumnarValue::Scalar(left), ColumnarValue::Array(right)) => kernel(&left.to_scalar()?, right),
            (ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)) => {
                let value =
                    kernel(&left.to_scalar()?, &right.to_scalar()?).map_err(|error| refused(error, &data_type))?;
                return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&value, 0)?));
            }
        };
        Ok(ColumnarValue::Array(outcome.map_err(|error| refused(error, &data_type))?))
    }
}

fn refused(error: ArrowError, data_type: &DataType) -> DataFusionError {
    let ArrowError::ArithmeticOverflow(_) = error else { return error.into() };
    let name = match data_type {
        DataType::Int64 => "bigint",
        DataType::Int32 => "integer",
        _ => "smallint",
    };
    DataFusionError::External(Box::new(Error::new(Reason::OutOfRange, format!("{name} out of range"))))
}
