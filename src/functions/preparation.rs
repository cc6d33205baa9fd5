//! Before types are coerced: what PostgreSQL takes as another type than the engine does.
//!
//! The sum of bigint is numeric, so that it cannot run over; a cast to an instant keeps microseconds, which reach further than
//! the nanoseconds of the engine. A condition that CASE guards stays guarded.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ExprSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, Case, WindowFunctionDefinition};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, lit};
use datafusion::optimizer::AnalyzerRule;

use super::rewriting::change_expressions;

/// The digits of the widest bigint.
const BIGINT: DataType = DataType::Decimal128(19, 0);

#[derive(Debug)]
pub struct Preparation;

impl AnalyzerRule for Preparation {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        change_expressions(plan, prepared)
    }

    fn name(&self) -> &str {
        "postgres_preparation"
    }
}

fn prepared(expr: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::AggregateFunction(AggregateFunction { func, mut params }) if func.name() == "sum" => {
            let changed = widen(&mut params.args, schema);
            let expr = Expr::AggregateFunction(AggregateFunction { func, params });
            if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
        }
        Expr::WindowFunction(mut window) if is_sum(&window.fun) => {
            let changed = widen(&mut window.params.args, schema);
            let expr = Expr::WindowFunction(window);
            if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
        }
        Expr::Cast(Cast { expr, field }) => match field.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
                let data_type = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                let field = field.as_ref().clone().with_data_type(data_type).into();
                Transformed::yes(Expr::Cast(Cast { expr, field }))
            }
            _ => Transformed::no(Expr::Cast(Cast { expr, field })),
        },
        Expr::Case(case) if case.expr.is_none() && guards_a_condition(&case, schema) => {
            Transformed::yes(Expr::Case(Case { expr: Some(Box::new(lit(true))), ..case }))
        }
        other => Transformed::no(other),
    })
}

/// Whether what CASE gives is a condition that may fail. The engine makes `a AND b` of `CASE WHEN a THEN b END`, and would ask
/// b of rows that a leaves out; of `CASE true WHEN a THEN b END` it does not.
fn guards_a_condition(case: &Case, schema: &dyn ExprSchema) -> bool {
    let results = || case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
    let is_condition = results().any(|result| matches!(result.get_type(schema), Ok(DataType::Boolean)));
    is_condition && results().any(|result| result.exists(|part| Ok(may_fail(part))).unwrap_or(true))
}

fn may_fail(part: &Expr) -> bool {
    match part {
        Expr::BinaryExpr(binary) => binary.op.is_numerical_operators(),
        Expr::Column(_) | Expr::Literal(..) | Expr::Alias(_) | Expr::Not(_) | Expr::Between(_) | Expr::InList(_) => {
            false
        }
        Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::IsTrue(_) | Expr::IsFalse(_) | Expr::IsUnknown(_) => false,
        Expr::IsNotTrue(_) | Expr::IsNotFalse(_) | Expr::IsNotUnknown(_) => false,
        _ => true,
    }
}

fn is_sum(function: &WindowFunctionDefinition) -> bool {
    matches!(function, WindowFunctionDefinition::AggregateUDF(function) if function.name() == "sum")
}

/// A bigint argument becomes a numeric. One that the engine made of a narrower integer stays: that sum cannot run over.
fn widen(arguments: &mut [Expr], schema: &dyn ExprSchema) -> bool {
    let [argument] = arguments else { return false };
    let is_bigint = matches!(argument.get_type(schema), Ok(DataType::Int64));
    if !is_bigint || is_coerced(argument, schema) {
        return false;
    }
    *argument = Expr::Cast(Cast::new(Box::new(argument.clone()), BIGINT));
    true
}

fn is_coerced(argument: &Expr, schema: &dyn ExprSchema) -> bool {
    let Expr::Cast(Cast { expr, field }) = argument else { return false };
    let narrower = matches!(expr.get_type(schema), Ok(DataType::Int8 | DataType::Int16 | DataType::Int32));
    narrower && field.metadata().is_empty()
}
