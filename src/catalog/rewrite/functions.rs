//! Functions and expressions that the engine has under another name, or puts together from others.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArguments,
    Ident, Interval, TimezoneInfo, UnaryOperator,
};

use super::build::{as_call, bare, call, cast, literal, number, object_name, parts, rename, text};
use crate::forms::read;

pub fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::Function(function) => {
            place_arguments(function);
            if let Some(gathered) = gathered_json(function) {
                *expr = gathered;
            } else if let Some(other) = composed(expr) {
                *expr = other;
            }
        }
        Expr::Extract { field, expr: operand, .. } => {
            let name = field.to_string();
            *expr = call("extract", vec![text(name.trim_matches(['\'', '"'])), (**operand).clone()]);
        }
        Expr::Substring { expr: operand, substring_from: Some(pattern), substring_for: None, .. }
            if literal(pattern).is_some() =>
        {
            *expr = first_match(operand, pattern);
        }
        Expr::Interval(interval) => spell_out(interval),
        Expr::AtTimeZone { timestamp, time_zone } => {
            *expr = call("timezone", vec![(**time_zone).clone(), (**timestamp).clone()]);
        }
        Expr::Identifier(ident) => {
            if let Some(clock) = local_clock(ident) {
                *expr = clock;
            }
        }
        // The engine would turn the sign of the first field alone.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: operand } if matches!(operand.as_ref(), Expr::Interval(_)) => {
            let zero = || Box::new(Expr::Interval(Interval { value: Box::new(text("0 seconds")), ..plain_interval() }));
            *expr = nested(Expr::BinaryOp { left: zero(), op: BinaryOperator::Minus, right: operand.clone() });
        }
        Expr::UnaryOp { op, expr: operand } => {
            let function = match op {
                UnaryOperator::PGSquareRoot => "sqrt",
                UnaryOperator::PGCubeRoot => "cbrt",
                UnaryOperator::PGAbs => "abs",
                UnaryOperator::BitwiseNot => {
                    let (op, all) = (BinaryOperator::PGBitwiseXor, Box::new(number(-1)));
                    *expr = nested(Expr::BinaryOp { left: Box::new(nested((**operand).clone())), op, right: all });
                    return;
                }
                _ => return,
            };
            *expr = call(function, vec![(**operand).clone()]);
        }
        _ => {}
    }
}

/// Names of PostgreSQL for functions that the engine calls otherwise.
const RENAMED: [(&str, &str); 6] = [
    ("every", "bool_and"),
    ("array_to_json", "to_json"),
    ("ceiling", "ceil"),
    ("array_remove", "array_remove_all"),
    ("array_replace", "array_replace_all"),
    ("variance", "var_samp"),
];

/// Functions whose arguments may be named, and the names in their order. What is left out is 0.
const NAMED: [(&str, &[&str]); 5] = [
    ("make_date", &["year", "month", "day"]),
    ("make_interval", &["years", "months", "weeks", "days", "hours", "mins", "secs"]),
    ("make_time", &["hour", "min", "sec"]),
    ("make_timestamp", &["year", "month", "mday", "hour", "min", "sec"]),
    ("make_timestamptz", &["year", "month", "mday", "hour", "min", "sec", "timezone"]),
];

/// Puts named arguments in the place that their names have.
fn place_arguments(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    for argument in &mut list.args {
        // `name := value` is parsed as an operator.
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp {
            left,
            op: BinaryOperator::Assignment,
            right,
        })) = argument
            && let Expr::Identifier(name) = left.as_ref()
        {
            let (name, arg) = (name.clone(), FunctionArgExpr::Expr((**right).clone()));
            *argument = FunctionArg::Named { name, arg, operator: FunctionArgOperator::Assignment };
        }
    }
    let is_named = |argument: &FunctionArg| !matches!(argument, FunctionArg::Unnamed(_));
    if !list.args.iter().any(is_named) {
        return;
    }
    let Ok::<[String; 1], _>([name]) = parts(&function.name).try_into() else { return };
    let Some((_, names)) = NAMED.iter().find(|(known, _)| *known == name) else { return };
    let mut placed: Vec<Option<FunctionArgExpr>> = vec![None; names.len()];
    for (position, argument) in list.args.iter().enumerate() {
        let (place, value) = match argument {
            FunctionArg::Unnamed(value) => (Some(position), value),
            FunctionArg::Named { name, arg, .. } => (names.iter().position(|known| *known == bare(name)), arg),
            FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => {
                (names.iter().position(|known| *known == bare(name)), arg)
            }
            FunctionArg::ExprNamed { .. } => return,
        };
        // A name that is not known or comes twice stays, for the engine to refuse.
        let Some(slot) = place.and_then(|place| placed.get_mut(place)).filter(|slot| slot.is_none()) else { return };
        *slot = Some(value.clone());
    }
    let last = placed.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    if name != "make_interval" && placed.iter().take(last).any(Option::is_none) {
        return;
    }
    let value =
        |slot: Option<FunctionArgExpr>| FunctionArg::Unnamed(slot.unwrap_or_else(|| FunctionArgExpr::Expr(number(0))));
    list.args = placed.into_iter().take(last).map(value).collect();
}

/// The clock, which the engine reads in nanoseconds: these end in 2262, PostgreSQL's microseconds do not.
const CLOCKS: [&str; 5] =
    ["clock_timestamp", "current_timestamp", "now", "statement_timestamp", "transaction_timestamp"];

/// What stands for a call; `None` where it stays.
fn composed(expr: &mut Expr) -> Option<Expr> {
    let (name, arguments) = as_call(expr)?;
    if let Some((_, other)) = RENAMED.iter().find(|(known, _)| *known == name) {
        rename(expr, other);
        return None;
    }
    Some(match (name.as_str(), arguments.as_slice()) {
        (clock, []) if CLOCKS.contains(&clock) => instant_of_now(),
        ("localtimestamp", []) => local_now(),
        ("mod", [dividend, divisor]) => nested(Expr::BinaryOp {
            left: Box::new(nested(dividend.clone())),
            op: BinaryOperator::Modulo,
            right: Box::new(nested(divisor.clone())),
        }),
        // The day of the instant as another zone has it, as an instant again.
        ("date_trunc", [unit, instant, zone]) => {
            let at = |moment: Expr| call("timezone", vec![zone.clone(), moment]);
            at(call("date_trunc", vec![unit.clone(), at(instant.clone())]))
        }
        // Exact for powers of ten.
        ("log", [number]) => call("log10", vec![number.clone()]),
        ("pg_typeof", [value]) if literal(value).is_some() => text("unknown"),
        ("age", [instant]) => call("age", vec![call("current_date", Vec::new()), instant.clone()]),
        ("substring", [operand, pattern]) if literal(pattern).is_some() => first_match(operand, pattern),
        _ => return None,
    })
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// `substring(text from pattern)`: what the first group of the pattern matched, or all of it where there is none.
fn first_match(operand: &Expr, pattern: &Expr) -> Expr {
    call("array_element", vec![call("regexp_match", vec![operand.clone(), pattern.clone()]), number(1)])
}

/// `json_agg(x ORDER BY y)`: each value as JSON, then all of them as one list. `json_object_agg(k, v)` likewise: the names and
/// the values, each as one list in the same order.
fn gathered_json(function: &Function) -> Option<Expr> {
    let [name] = parts(&function.name).try_into().ok()?;
    let name: String = name;
    let (one, all) = match name.as_str() {
        "json_agg" => ("to_json", "json_list"),
        "jsonb_agg" => ("to_jsonb", "jsonb_list"),
        "json_object_agg" => ("to_json", "json_pairs"),
        "jsonb_object_agg" => ("to_jsonb", "jsonb_pairs"),
        _ => return None,
    };
    let FunctionArguments::List(list) = &function.args else { return None };
    let gathered = |value: Expr| {
        let mut gathered = function.clone();
        gathered.name = object_name(&["array_agg"]);
        if let FunctionArguments::List(list) = &mut gathered.args {
            list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))];
        }
        Expr::Function(gathered)
    };
    match (name.ends_with("object_agg"), list.args.as_slice()) {
        (false, [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))]) => {
            Some(call(all, vec![gathered(call(one, vec![value.clone()]))]))
        }
        (
            true,
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(key)), FunctionArg::Unnamed(FunctionArgExpr::Expr(value))],
        ) => Some(call(all, vec![gathered(key.clone()), gathered(call(one, vec![value.clone()]))])),
        _ => None,
    }
}

fn plain_interval() -> Interval {
    Interval {
        value: Box::new(text("")),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }
}

/// An interval in any form of PostgreSQL's, in words that the engine reads.
fn spell_out(interval: &mut Interval) {
    let is_plain = interval.leading_precision.is_none()
        && interval.last_field.is_none()
        && interval.fractional_seconds_precision.is_none();
    let Some(written) = literal(&interval.value).filter(|_| is_plain) else { return };
    let unit = interval.leading_field.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    if let Ok(span) = read::interval::of(&format!("{written}{unit}")) {
        let words = format!("{} months {} days {} nanoseconds", span.months, span.days, span.nanoseconds);
        *interval.value = text(&words);
        interval.leading_field = None;
    }
}

/// The word that stands for the clock of the session.
fn local_clock(ident: &Ident) -> Option<Expr> {
    let is_word = ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("localtimestamp");
    is_word.then(local_now)
}

fn instant_of_now() -> Expr {
    cast(call("now", Vec::new()), DataType::Timestamp(None, TimezoneInfo::Tz))
}

fn local_now() -> Expr {
    call("timezone", vec![call("current_setting", vec![text("timezone")]), instant_of_now()])
}
