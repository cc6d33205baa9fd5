//! A day that is compared with a constant, as the span of instants that it is.
//!
//! `CAST(t AS date) = DATE '2026-06-01'` is `t >= '2026-06-01' AND t < '2026-06-02'` by the clocks of t's zone, and so it
//! leaves out files and row groups. It must not stay a cast: of a cast that a filter holds constant the engine takes the order
//! for that of what is cast, and `ORDER BY t` came out unsorted.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{ExprSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, lit};
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
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            span(left, right, schema).or_else(|| span(right, left, schema))
        }
        Expr::InList(InList { expr, list, negated: false }) if list.len() == 1 => span(expr, &list[0], schema),
        _ => None,
    };
    Ok(span.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

/// The condition that the instants of a column are within a day; None where it is no column or no day.
fn span(cast: &Expr, day: &Expr, schema: &dyn ExprSchema) -> Option<Expr> {
    let Expr::Cast(Cast { expr: column, field }) = cast else { return None };
    if *field.data_type() != DataType::Date32 || !matches!(column.as_ref(), Expr::Column(_)) {
        return None;
    }
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = column.get_type(schema).ok()? else { return None };
    let day = i64::from(constant(day)?);
    let clock = zone.as_deref().map_or(Some(Zone::UTC), Zone::parse)?;
    let midnight = |day: i64| {
        let local = day.checked_mul(SECONDS_A_DAY)?;
        let micros = (local - i64::from(clock.offset_of_local(local))).checked_mul(1_000_000)?;
        Some(lit(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone())))
    };
    let column = column.as_ref();
    Some(column.clone().gt_eq(midnight(day)?).and(column.clone().lt(midnight(day + 1)?)))
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
