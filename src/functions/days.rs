//! A day that is compared with a constant, as the span of instants that it is.
//!
//! `CAST(t AS date) = DATE '2026-06-01'` is `t >= '2026-06-01' AND t < '2026-06-02'` by the clocks of t's zone, and so it
//! leaves out files and row groups, which a call of `super::clocks` could not.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{ExprSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, lit};
use datafusion::optimizer::AnalyzerRule;

use super::rewriting::change_expressions;
use crate::forms::zone::Zone;

const SECONDS_A_DAY: i64 = 86_400;

#[derive(Debug)]
pub struct DaySpans;

impl AnalyzerRule for DaySpans {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        change_expressions(plan, spanned)
    }

    fn name(&self) -> &str {
        "day_spans"
    }
}

fn spanned(expr: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
    let span = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => compared(left, *op, right, schema)
            .or_else(|| op.swap().and_then(|swapped| compared(right, swapped, left, schema))),
        Expr::InList(InList { expr, list, negated: false }) if list.len() == 1 => {
            compared(expr, Operator::Eq, &list[0], schema)
        }
        Expr::Between(Between { expr, negated: false, low, high }) => compared(expr, Operator::GtEq, low, schema)
            .zip(compared(expr, Operator::LtEq, high, schema))
            .map(|(from, to)| from.and(to)),
        _ => None,
    };
    Ok(span.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

/// The condition on the instants of a column that its day compares so; None where it is no column or no day.
fn compared(cast: &Expr, op: Operator, day: &Expr, schema: &dyn ExprSchema) -> Option<Expr> {
    let Expr::Cast(Cast { expr: column, field }) = cast else { return None };
    if *field.data_type() != DataType::Date32 || !matches!(column.as_ref(), Expr::Column(_)) {
        return None;
    }
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = column.get_type(schema).ok()? else { return None };
    let day = i64::from(constant(day)?);
    let clock = zone.as_deref().map_or(Some(Zone::UTC), Zone::parse)?;
    let midnight = |day: i64| {
        let local = day.checked_mul(SECONDS_A_DAY)?;
        // Around a midnight that comes twice a day is no span.
        if clock.is_repeated(local) {
            return None;
        }
        let micros = (local - i64::from(clock.offset_of_local(local))).checked_mul(1_000_000)?;
        Some(lit(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone())))
    };
    let column = || column.as_ref().clone();
    Some(match op {
        Operator::Eq => column().gt_eq(midnight(day)?).and(column().lt(midnight(day + 1)?)),
        Operator::Lt => column().lt(midnight(day)?),
        Operator::LtEq => column().lt(midnight(day + 1)?),
        Operator::Gt => column().gt_eq(midnight(day + 1)?),
        Operator::GtEq => column().gt_eq(midnight(day)?),
        _ => return None,
    })
}

/// The day that a literal is, also as a text that is cast.
fn constant(expr: &Expr) -> Option<i32> {
    let value = match expr {
        Expr::Literal(value, _) => value.clone(),
        Expr::Cast(Cast { expr, field }) if *field.data_type() == DataType::Date32 => match expr.as_ref() {
            Expr::Literal(value, _) => value.cast_to(&DataType::Date32).ok()?,
            _ => return None,
        },
        _ => return None,
    };
    match value {
        ScalarValue::Date32(day) => day,
        _ => None,
    }
}
