//! Operators by the types that they stand between: JSON and arrays, and the width of whole numbers that stand in the text.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, ScalarValue, plan_datafusion_err};
use datafusion::error::Result;
use datafusion::functions_nested::expr_fn::{array_has_all, array_has_any};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::intervals::{self, Scale};
use super::json::{self, Form};
use super::plain::PlainUdf;
use crate::dataset::contract::TYPE_KEY;

/// Aggregates that show their values one after the other.
const GATHERING: [&str; 2] = ["array_agg", "string_agg"];

#[derive(Debug)]
pub struct PostgresOperators;

impl ExprPlanner for PostgresOperators {
    /// The engine names an aggregate without the casts in it: `sum(n)` and `sum(n::integer)` would be two columns of one name.
    /// Distinct values are gathered in their order, as PostgreSQL sorts them to find those that are equal.
    fn plan_aggregate(&self, mut raw: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        if raw.distinct
            && raw.order_by.is_empty()
            && GATHERING.contains(&raw.func.name())
            && let Some(gathered) = raw.args.first()
        {
            raw.order_by.push(gathered.clone().sort(true, false));
        }
        for argument in &mut raw.args {
            if argument.exists(|part| Ok(matches!(part, Expr::Cast(_) | Expr::TryCast(_))))? {
                let shown = argument.to_string();
                *argument = std::mem::take(argument).alias(shown);
            }
        }
        Ok(PlannerResult::Original(raw))
    }

    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::*;
        let RawBinaryExpr { op, left, right } = raw;
        Ok(match op {
            // Conditions come by the hundred: what they are made of need not be asked.
            And | Or => PlannerResult::Original(RawBinaryExpr { op, left, right }),
            Minus if is_jsonb_text(&left, schema) => PlannerResult::Planned(call("jsonb_delete", left, right)?),
            StringConcat if is_jsonb_text(&left, schema) || is_jsonb_text(&right, schema) => {
                PlannerResult::Planned(call("jsonb_concat", left, right)?)
            }
            Multiply if is_interval(&left, schema) => PlannerResult::Planned(scaled(Scale::Times, left, right)),
            Multiply if is_interval(&right, schema) => PlannerResult::Planned(scaled(Scale::Times, right, left)),
            Divide if is_interval(&left, schema) => PlannerResult::Planned(scaled(Scale::Over, left, right)),
            // A day and a span make a moment: the span may have hours.
            Plus | Minus if is_date(&left, schema) && is_interval(&right, schema) => {
                PlannerResult::Original(RawBinaryExpr { op, left: at_midnight(left), right })
            }
            Plus if is_interval(&left, schema) && is_date(&right, schema) => {
                PlannerResult::Original(RawBinaryExpr { op, left: at_midnight(right), right: left })
            }
            // Days between two days are an integer.
            Minus if is_date(&left, schema) && is_date(&right, schema) => {
                let days = Expr::BinaryExpr(BinaryExpr::new(Box::new(left), Operator::Minus, Box::new(right)));
                PlannerResult::Planned(Expr::Cast(Cast::new(Box::new(days), DataType::Int32)))
            }
            Plus | Minus | Multiply | Divide | Modulo | BitwiseAnd | BitwiseOr | PGBitwiseXor | PGBitwiseShiftLeft
            | PGBitwiseShiftRight => narrowed(op, left, right, schema),
            AtArrow if is_list(&left, schema) || is_list(&right, schema) => {
                PlannerResult::Planned(array_has_all(left, right))
            }
            ArrowAt if is_list(&left, schema) || is_list(&right, schema) => {
                PlannerResult::Planned(array_has_all(right, left))
            }
            PGOverlap if is_list(&left, schema) || is_list(&right, schema) => {
                PlannerResult::Planned(array_has_any(left, right))
            }
            ArrowAt => PlannerResult::Planned(call("jsonb_contains", right, left)?),
            Eq | NotEq | Lt | LtEq | Gt | GtEq if is_date(&left, schema) && by_days(&right, schema).is_some() => {
                let right = by_days(&right, schema).unwrap_or(right);
                PlannerResult::Original(RawBinaryExpr { op, left, right })
            }
            Eq | NotEq | Lt | LtEq | Gt | GtEq if is_date(&right, schema) && by_days(&left, schema).is_some() => {
                let left = by_days(&left, schema).unwrap_or(left);
                PlannerResult::Original(RawBinaryExpr { op, left, right })
            }
            Eq | NotEq if is_jsonb(&left, schema) || is_jsonb(&right, schema) => {
                let normal = |side: Expr| apply("jsonb_in", vec![side]);
                PlannerResult::Original(RawBinaryExpr { op, left: normal(left)?, right: normal(right)? })
            }
            _ if json::operator(&op, Form::Normal).is_none() => {
                PlannerResult::Original(RawBinaryExpr { op, left, right })
            }
            _ => match json::operator(&op, form(&left, schema)) {
                Some(function) => PlannerResult::Planned(call(function, left, right)?),
                None => PlannerResult::Original(RawBinaryExpr { op, left, right }),
            },
        })
    }
}

/// A whole number in the text is an integer beside integers, as in PostgreSQL; the engine takes it for a bigint.
fn narrowed(op: BinaryOperator, left: Expr, right: Expr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    let is_narrow =
        |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Int8 | DataType::Int16 | DataType::Int32));
    let (left, right) = match (small(&left), small(&right)) {
        (Some(a), Some(b)) => (a, b),
        (Some(a), None) if is_narrow(&right) => (a, right),
        (None, Some(b)) if is_narrow(&left) => (left, b),
        _ => (left, right),
    };
    PlannerResult::Original(RawBinaryExpr { op, left, right })
}

/// The literal as an integer, where it is a number that is one.
fn small(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), None) => {
            i32::try_from(*number).ok().map(|number| Expr::Literal(ScalarValue::Int32(Some(number)), None))
        }
        _ => None,
    }
}

fn is_date(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::Date32))
}

fn at_midnight(date: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(date), DataType::Timestamp(TimeUnit::Microsecond, None)))
}

/// A day and a span of whole days, which is a day beside days: files are left out by days, not by moments.
fn by_days(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
    let (Expr::Cast(Cast { expr: day, .. }), Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(span)), _)) =
        (left.as_ref(), right.as_ref())
    else {
        return None;
    };
    let is_whole = span.nanoseconds == 0 && matches!(op, Operator::Plus | Operator::Minus) && is_date(day, schema);
    is_whole.then(|| Expr::BinaryExpr(BinaryExpr { left: day.clone(), op: *op, right: right.clone() }))
}

fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::Interval(_)))
}

fn scaled(scale: Scale, interval: Expr, number: Expr) -> Expr {
    let func = intervals::scaled(scale).into();
    Expr::ScalarFunction(ScalarFunction { func, args: vec![interval, number] })
}

fn is_list(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)))
}

fn type_name(expr: &Expr, schema: &DFSchema) -> Option<String> {
    let (_, field) = expr.to_field(schema).ok()?;
    field.metadata().get(TYPE_KEY).cloned()
}

fn is_jsonb(expr: &Expr, schema: &DFSchema) -> bool {
    type_name(expr, schema).as_deref() == Some("jsonb")
}

/// The same without asking what cannot be jsonb for the name of its type, which takes long of what has many parts.
fn is_jsonb_text(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        Expr::Column(_) | Expr::Cast(_) | Expr::Case(_) | Expr::ScalarSubquery(_) => is_jsonb(expr, schema),
        Expr::ScalarFunction(function) => {
            let plain = function.func.inner().downcast_ref::<PlainUdf>();
            plain.is_some_and(PlainUdf::gives_jsonb)
        }
        _ => false,
    }
}

fn form(expr: &Expr, schema: &DFSchema) -> Form {
    match type_name(expr, schema).as_deref() {
        Some("json") => Form::AsWritten,
        _ => Form::Normal,
    }
}

fn call(function: &'static str, left: Expr, right: Expr) -> Result<Expr> {
    apply(function, vec![left, right])
}

fn apply(name: &'static str, args: Vec<Expr>) -> Result<Expr> {
    let function = json::FUNCTIONS.iter().find(|function| function.name == name);
    let function = function.ok_or_else(|| plan_datafusion_err!("no function {name} is there for its operator"))?;
    let func = ScalarUDF::new_from_impl(PlainUdf::new(*function)).into();
    Ok(Expr::ScalarFunction(ScalarFunction { func, args }))
}
