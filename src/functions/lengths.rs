//! Intervals by their length: where they are compared, sorted, grouped and told apart, a month is thirty days and a day is
//! twenty-four hours, as in PostgreSQL. The engine compares months first, so that an hour less than a day were more than one.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, InList, ScalarFunction, Sort, WindowFunctionDefinition};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, Aggregate, AggregateUDF, AggregateUDFImpl, Between, BinaryExpr, Case, ColumnarValue, Distinct, Expr,
    ExprSchemable, LogicalPlan, Operator, Projection, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::rewriting::changed_expressions;
use super::texts::answer;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// Nanoseconds: more than sixty-four bits hold.
const LENGTH: DataType = DataType::Decimal128(38, 0);
const NANOS_A_DAY: i128 = 86_400_000_000_000;
const DAYS_A_MONTH: i128 = 30;

fn length(interval: IntervalMonthDayNano) -> i128 {
    let days = i128::from(interval.months) * DAYS_A_MONTH + i128::from(interval.days);
    days * NANOS_A_DAY + i128::from(interval.nanoseconds)
}

#[derive(Debug)]
pub struct IntervalLengths;

impl AnalyzerRule for IntervalLengths {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(by_length)?.data)
    }

    fn name(&self) -> &str {
        "interval_lengths"
    }
}

/// The windows alone, before types are coerced: the engine has no frame of an order by intervals.
#[derive(Debug)]
pub struct IntervalWindows;

impl AnalyzerRule for IntervalWindows {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let changed = plan.transform_up_with_subqueries(|node| match &node {
            LogicalPlan::Window(_) => changed_expressions(node, |expr, schema| {
                Ok(match expr {
                    Expr::WindowFunction(mut window) => {
                        let changed = sorted(&mut window.params.order_by, schema);
                        let expr = Expr::WindowFunction(window);
                        if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
                    }
                    other => Transformed::no(other),
                })
            }),
            _ => Ok(Transformed::no(node)),
        })?;
        Ok(changed.data)
    }

    fn name(&self) -> &str {
        "interval_windows"
    }
}

fn by_length(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut has_comparison = false;
    node.apply_expressions(|expr| {
        has_comparison = has_comparison || expr.exists(|part| Ok(may_compare(part)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    let changed = if has_comparison { changed_expressions(node, compared)? } else { Transformed::no(node) };
    changed.transform_data(arranged)
}

/// Whether a part of an expression may compare intervals, without asking for types: what stands beside a literal has its type.
fn may_compare(part: &Expr) -> bool {
    let is_other = |side: &Expr| match side {
        Expr::Literal(value, _) => !matches!(value, ScalarValue::IntervalMonthDayNano(_)),
        _ => false,
    };
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => is_comparison(*op) && !is_other(left) && !is_other(right),
        Expr::InList(InList { list, .. }) => !list.iter().any(is_other),
        Expr::Between(Between { low, high, .. }) => !is_other(low) && !is_other(high),
        Expr::Case(Case { expr, .. }) => expr.is_some(),
        Expr::ScalarFunction(function) => function.name() == "nullif",
        Expr::AggregateFunction(_) | Expr::WindowFunction(_) => true,
        _ => false,
    }
}

/// Comparisons and what else orders or tells apart inside of an expression.
fn compared(expr: Expr, schema: &dyn ExprSchema) -> Result<Transformed<Expr>> {
    let is_interval = |expr: &Expr| is_interval(expr, schema);
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) && is_interval(&left) => {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: boxed(*left), op, right: boxed(*right) }))
        }
        Expr::InList(InList { expr, list, negated }) if is_interval(&expr) => {
            let list = list.into_iter().map(length_of).collect();
            Transformed::yes(Expr::InList(InList { expr: boxed(*expr), list, negated }))
        }
        Expr::Between(Between { expr, negated, low, high }) if is_interval(&expr) => {
            let (expr, low, high) = (boxed(*expr), boxed(*low), boxed(*high));
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        Expr::Case(Case { expr: Some(expr), when_then_expr, else_expr }) if is_interval(&expr) => {
            let cases = when_then_expr.into_iter().map(|(when, then)| (boxed(*when), then)).collect();
            Transformed::yes(Expr::Case(Case { expr: Some(boxed(*expr)), when_then_expr: cases, else_expr }))
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if func.name() == "nullif" && args.iter().all(is_interval) =>
        {
            let [left, right]: [Expr; 2] = match args.try_into() {
                Ok(both) => both,
                Err(args) => return Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }))),
            };
            let same = length_of(left.clone()).eq(length_of(right));
            let none = Expr::Literal(ScalarValue::IntervalMonthDayNano(None), None);
            let when_then_expr = vec![(Box::new(same), Box::new(none))];
            Transformed::yes(Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(Box::new(left)) }))
        }
        Expr::AggregateFunction(AggregateFunction { func, mut params }) => {
            let mut changed = sorted(&mut params.order_by, schema);
            let mut func = func;
            if let [argument] = params.args.as_mut_slice()
                && is_interval(argument)
            {
                if let Some(extreme) = Extreme::of(func.name()) {
                    (func, changed) = (Arc::new(extreme.function()), true);
                } else if params.distinct && func.name() == "count" {
                    (*argument, changed) = (length_of(std::mem::take(argument)), true);
                }
            }
            let expr = Expr::AggregateFunction(AggregateFunction { func, params });
            if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
        }
        Expr::WindowFunction(mut window) => {
            let mut changed = sorted(&mut window.params.order_by, schema);
            for part in window.params.partition_by.iter_mut().filter(|part| is_interval(part)) {
                (*part, changed) = (length_of(std::mem::take(part)), true);
            }
            if let WindowFunctionDefinition::AggregateUDF(function) = &window.fun
                && let Some(extreme) = Extreme::of(function.name())
                && window.params.args.iter().all(is_interval)
            {
                window.fun = WindowFunctionDefinition::AggregateUDF(Arc::new(extreme.function()));
                changed = true;
            }
            let expr = Expr::WindowFunction(window);
            if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
        }
        other => Transformed::no(other),
    })
}

/// What a plan node sorts, joins or groups by.
fn arranged(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    Ok(match node {
        LogicalPlan::Sort(mut sort) => {
            let changed = sorted(&mut sort.expr, sort.input.schema().as_ref());
            let node = LogicalPlan::Sort(sort);
            if changed { Transformed::yes(node) } else { Transformed::no(node) }
        }
        LogicalPlan::Join(mut join) => {
            let mut changed = false;
            for (left, right) in &mut join.on {
                if is_interval(left, join.left.schema().as_ref()) {
                    (*left, *right, changed) =
                        (length_of(std::mem::take(left)), length_of(std::mem::take(right)), true);
                }
            }
            let node = LogicalPlan::Join(join);
            if changed { Transformed::yes(node) } else { Transformed::no(node) }
        }
        LogicalPlan::Distinct(Distinct::On(mut on)) => {
            let schema = Arc::clone(on.input.schema());
            let schema = schema.as_ref();
            let mut changed = on.sort_expr.as_mut().is_some_and(|order| sorted(order, schema));
            for expr in on.on_expr.iter_mut().filter(|expr| is_interval(expr, schema)) {
                (*expr, changed) = (length_of(std::mem::take(expr)), true);
            }
            let node = LogicalPlan::Distinct(Distinct::On(on));
            if changed { Transformed::yes(node) } else { Transformed::no(node) }
        }
        LogicalPlan::Distinct(Distinct::All(input)) if has_interval(input.schema()) => {
            let columns = input.schema().columns().into_iter().map(Expr::Column).collect();
            Transformed::yes(grouped(Aggregate::try_new(input, columns, Vec::new())?)?)
        }
        LogicalPlan::Aggregate(aggregate) => {
            let schema = aggregate.input.schema().as_ref();
            match aggregate.group_expr.iter().any(|expr| is_interval(expr, schema)) {
                true => Transformed::yes(grouped(aggregate)?),
                false => Transformed::no(LogicalPlan::Aggregate(aggregate)),
            }
        }
        other => Transformed::no(other),
    })
}

/// Groups by lengths; each group shows the interval that came first.
fn grouped(aggregate: Aggregate) -> Result<LogicalPlan> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let groups = group_expr.len();
    let is_interval = |expr: &Expr| is_interval(expr, input.schema().as_ref());
    let shown = |(place, expr): (usize, &Expr)| {
        is_interval(expr).then(|| {
            let first = first_value_udaf().call(vec![expr.clone().unalias()]);
            (place, first.alias(format!("$interval {place}")))
        })
    };
    let shown: Vec<(usize, Expr)> = group_expr.iter().enumerate().filter_map(shown).collect();
    let by: Vec<Expr> = group_expr
        .into_iter()
        .enumerate()
        .map(|(place, expr)| match is_interval(&expr) {
            true => length_of(expr.unalias()).alias(format!("$length {place}")),
            false => expr,
        })
        .collect();
    let all = aggr_expr.into_iter().chain(shown.iter().map(|(_, expr)| expr.clone())).collect();
    let inner = LogicalPlan::Aggregate(Aggregate::try_new(input, by, all)?);
    let made = inner.schema();
    let output = |(place, (qualifier, field)): (usize, (Option<&datafusion::common::TableReference>, &Arc<_>))| {
        let from = shown.iter().position(|(of, _)| *of == place).map(|order| schema.fields().len() + order);
        let column = Column::from(made.qualified_field(from.unwrap_or(place)));
        let field: &Arc<arrow::datatypes::Field> = field;
        match place < groups && from.is_some() {
            true => Expr::Column(column).alias_qualified(qualifier.cloned(), field.name().clone()),
            false => Expr::Column(column),
        }
    };
    let outputs = schema.iter().enumerate().map(output).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(outputs, Arc::new(inner.clone()))?))
}

fn has_interval(schema: &DFSchema) -> bool {
    schema.fields().iter().any(|field| *field.data_type() == INTERVAL)
}

fn is_interval(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    match expr {
        // What is no interval at a glance need not be asked.
        Expr::Literal(value, _) => matches!(value, ScalarValue::IntervalMonthDayNano(_)),
        other => matches!(other.get_type(schema), Ok(INTERVAL)),
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::*;
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Whether any of the keys was an interval, which is sorted by its length.
fn sorted(order: &mut [Sort], schema: &dyn ExprSchema) -> bool {
    let mut changed = false;
    for key in order.iter_mut().filter(|key| is_interval(&key.expr, schema)) {
        (key.expr, changed) = (length_of(std::mem::take(&mut key.expr)), true);
    }
    changed
}

fn boxed(interval: Expr) -> Box<Expr> {
    Box::new(length_of(interval))
}

fn length_of(interval: Expr) -> Expr {
    let func = Arc::new(ScalarUDF::new_from_impl(Length { signature: Signature::any(1, Volatility::Immutable) }));
    Expr::ScalarFunction(ScalarFunction { func, args: vec![interval] })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    signature: Signature,
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(LENGTH)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let lengths = arrays.first().map(lengths).transpose()?.unwrap_or_default();
        let lengths: Decimal128Array = lengths.into_iter().collect();
        answer(&args.args, Arc::new(lengths.with_precision_and_scale(38, 0)?))
    }
}

fn lengths(intervals: &ArrayRef) -> Result<Vec<Option<i128>>> {
    let intervals = cast(intervals, &INTERVAL)?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    Ok(intervals.iter().map(|interval| interval.map(length)).collect())
}

/// `min` and `max` of intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Extreme {
    Least,
    Greatest,
}

impl Extreme {
    fn of(name: &str) -> Option<Self> {
        match name {
            "min" => Some(Self::Least),
            "max" => Some(Self::Greatest),
            _ => None,
        }
    }

    fn function(self) -> AggregateUDF {
        let signature = Signature::any(1, Volatility::Immutable);
        AggregateUDF::new_from_impl(IntervalExtreme { extreme: self, signature })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IntervalExtreme {
    extreme: Extreme,
    signature: Signature,
}

impl AggregateUDFImpl for IntervalExtreme {
    fn name(&self) -> &str {
        match self.extreme {
            Extreme::Least => "min",
            Extreme::Greatest => "max",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<arrow::datatypes::FieldRef>> {
        Ok(vec![Arc::new(arrow::datatypes::Field::new(args.name, INTERVAL, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Found { extreme: self.extreme, interval: None }))
    }

    fn order_sensitivity(&self) -> datafusion::logical_expr::utils::AggregateOrderSensitivity {
        datafusion::logical_expr::utils::AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct Found {
    extreme: Extreme,
    interval: Option<IntervalMonthDayNano>,
}

impl Accumulator for Found {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for values in values {
            for interval in values.as_primitive::<IntervalMonthDayNanoType>().iter().flatten() {
                let is_better = self.interval.is_none_or(|best| match self.extreme {
                    Extreme::Least => length(interval) <= length(best),
                    Extreme::Greatest => length(interval) >= length(best),
                });
                if is_better {
                    self.interval = Some(interval);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::IntervalMonthDayNano(self.interval))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_thirty_days_and_a_day_is_a_day_of_hours() {
        let hour = 3_600_000_000_000;
        let month = length(IntervalMonthDayNano::new(1, 0, 0));
        assert_eq!(month, length(IntervalMonthDayNano::new(0, 30, 0)));
        assert_eq!(month, length(IntervalMonthDayNano::new(0, 29, 24 * hour)));
        assert!(length(IntervalMonthDayNano::new(0, 1, 0)) > length(IntervalMonthDayNano::new(0, 0, 23 * hour)));
        assert!(length(IntervalMonthDayNano::new(i32::MAX, i32::MAX, i64::MAX)) > 0);
    }
}
