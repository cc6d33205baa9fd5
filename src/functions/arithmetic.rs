//! Sums, differences and products of integers that are refused where they do not fit, and quotients of floats by zero, as in
//! PostgreSQL; the engine's own go round to the other end, or are infinite.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Float32Array, Float64Array, Scalar};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::eq;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Float64Type};
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
    let types = (type_of(&left, schema), type_of(&right, schema));
    let is_checked =
        |data_type: &DataType| if step == Step::Over { data_type.is_floating() } else { is_integer(data_type) };
    if !matches!(&types, (Ok(left), Ok(right)) if left == right && is_checked(left)) {
        return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
    }
    let (mut steps, mut args) = flat(*left);
    steps.push(step);
    args.push(*right);
    let func = Arc::new(ScalarUDF::new_from_impl(Exact::new(steps)));
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })))
}

/// The steps of a chain and what they stand between: one function for all of it. A function within a function for each step
/// would be asked for its type, and so for the names of all that is in it, once for each step around it.
fn flat(expr: Expr) -> (Vec<Step>, Vec<Expr>) {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return (Vec::new(), vec![expr]) };
    match func.inner().downcast_ref::<Exact>().map(|exact| exact.steps.clone()) {
        Some(steps) => (steps, args),
        None => (Vec::new(), vec![Expr::ScalarFunction(ScalarFunction { func, args })]),
    }
}

/// The type of an expression; that of checked steps is the type of what they begin with.
fn type_of(expr: &Expr, schema: &dyn ExprSchema) -> Result<DataType> {
    let mut expr = expr;
    while let Expr::ScalarFunction(ScalarFunction { func, args }) = expr
        && func.inner().is::<Exact>()
        && let Some(first) = args.first()
    {
        expr = first;
    }
    expr.get_type(schema)
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Plus,
    Minus,
    Times,
    Over,
}

impl Step {
    fn of(op: Operator) -> Option<Self> {
        Some(match op {
            Operator::Plus => Self::Plus,
            Operator::Minus => Self::Minus,
            Operator::Multiply => Self::Times,
            Operator::Divide => Self::Over,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Plus => "plus",
            Self::Minus => "minus",
            Self::Times => "times",
            Self::Over => "over",
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Plus => 'p',
            Self::Minus => 'm',
            Self::Times => 't',
            Self::Over => 'o',
        }
    }

    fn done(self, left: &ColumnarValue, right: &ColumnarValue, data_type: &DataType) -> Result<ColumnarValue> {
        let kernel = self.kernel();
        let outcome = match (left, right) {
            (ColumnarValue::Array(left), ColumnarValue::Array(right)) => kernel(left, right),
            (ColumnarValue::Array(left), ColumnarValue::Scalar(right)) => kernel(left, &right.to_scalar()?),
            (ColumnarValue::Scalar(left), ColumnarValue::Array(right)) => kernel(&left.to_scalar()?, right),
            (ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)) => {
                let value =
                    kernel(&left.to_scalar()?, &right.to_scalar()?).map_err(|error| refused(error, data_type))?;
                return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&value, 0)?));
            }
        };
        Ok(ColumnarValue::Array(outcome.map_err(|error| refused(error, data_type))?))
    }

    fn kernel(self) -> fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Plus => numeric::add,
            Self::Minus => numeric::sub,
            Self::Times => numeric::mul,
            Self::Over => quotient,
        }
    }
}

/// Steps from left to right: the first argument, and one more for each step.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    steps: Vec<Step>,
    /// Functions of other steps have other names, for an expression is known by its name.
    name: String,
    signature: Signature,
}

impl Exact {
    fn new(steps: Vec<Step>) -> Self {
        let name = match steps.as_slice() {
            [step] => format!("exact_{}", step.word()),
            steps => format!("exact_{}", steps.iter().map(|step| step.letter()).collect::<String>()),
        };
        Self { steps, name, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Exact {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let data_type = args.return_type().clone();
        let mut arguments = args.args.into_iter();
        let (Some(first), true) = (arguments.next(), arguments.len() == self.steps.len()) else {
            return Err(DataFusionError::Internal(format!("{} takes one argument more than steps", self.name)));
        };
        self.steps.iter().zip(arguments).try_fold(first, |left, (step, right)| step.done(&left, &right, &data_type))
    }
}

/// The quotient of floats. A null over zero is null, and what is no number stays none.
fn quotient(left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
    let ((dividends, _), (divisors, is_scalar)) = (left.get(), right.get());
    let zeros = eq(right, &zero(divisors.data_type()))?;
    if zeros.true_count() > 0 {
        let numbers = cast(dividends, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let number = |row: usize| numbers.is_valid(row) && !numbers.value(row).is_nan();
        let is_zero = |row: usize| zeros.is_valid(row) && zeros.value(row);
        let rows = if is_scalar { numbers.len() } else { zeros.len() };
        let at = |row: usize, length: usize| if length == 1 { 0 } else { row };
        if (0..rows).any(|row| number(at(row, numbers.len())) && is_zero(at(row, zeros.len()))) {
            return Err(ArrowError::DivideByZero);
        }
    }
    numeric::div(left, right)
}

fn zero(data_type: &DataType) -> Scalar<ArrayRef> {
    match data_type {
        DataType::Float32 => Scalar::new(Arc::new(Float32Array::from(vec![0.0]))),
        _ => Scalar::new(Arc::new(Float64Array::from(vec![0.0]))),
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
