//! Before types are coerced: what PostgreSQL takes as another type than the engine does.
//!
//! The sum of bigint is numeric, so that it cannot run over; a cast to an instant keeps microseconds, which reach further than
//! the nanoseconds of the engine.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ExprSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunctionDefinition};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan};
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
        other => Transformed::no(other),
    })
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
