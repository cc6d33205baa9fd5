//! Functions and expressions that the engine has under another name, or puts together from others.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, DateTimeField, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, Interval, TimezoneInfo, UnaryOperator, Value,
};

use super::build::{as_call, call, cast, literal, number, object_name, parts, rename, text};
use crate::forms::read;

pub fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::Function(function) => {
            if let Some(gathered) = gathered_json(function) {
                *expr = gathered;
            } else if let Some(other) = composed(expr) {
                *expr = other;
            }
        }
        Expr::Extract { field, expr: operand, .. } => {
            if let Some(exact) = extracted(field, operand) {
                *expr = exact;
            }
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
        Expr::UnaryOp { op, expr: operand } => {
            let function = match op {
                UnaryOperator::PGSquareRoot => "sqrt",
                UnaryOperator::PGCubeRoot => "cbrt",
                UnaryOperator::PGAbs => "abs",
                _ => return,
            };
            *expr = call(function, vec![(**operand).clone()]);
        }
        _ => {}
    }
}

/// Names of PostgreSQL for functions that the engine calls otherwise.
const RENAMED: [(&str, &str); 1] = [("every", "bool_and")];

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

/// `json_agg(x ORDER BY y)`: each value as JSON, then all of them as one list.
fn gathered_json(function: &Function) -> Option<Expr> {
    let [name] = parts(&function.name).try_into().ok()?;
    let name: String = name;
    let (one, all) = match name.as_str() {
        "json_agg" => ("to_json", "json_list"),
        "jsonb_agg" => ("to_jsonb", "jsonb_list"),
        _ => return None,
    };
    let mut gathered = function.clone();
    gathered.name = object_name(&["array_agg"]);
    let FunctionArguments::List(list) = &mut gathered.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] = list.args.as_mut_slice() else { return None };
    *value = call(one, vec![value.clone()]);
    Some(call(all, vec![Expr::Function(gathered)]))
}

/// `extract` is a numeric: whole, or with the microseconds of a second.
fn extracted(field: &DateTimeField, operand: &Expr) -> Option<Expr> {
    let part = |name: &str| call("date_part", vec![text(name), operand.clone()]);
    let numeric =
        |value: Expr, scale: i64| cast(value, DataType::Numeric(ExactNumberInfo::PrecisionAndScale(20, scale)));
    let over = |value: Expr, divisor: &str| {
        let divisor = cast(Expr::value(Value::Number(divisor.to_owned(), false)), decimal(7, 6));
        Expr::BinaryOp { left: Box::new(value), op: BinaryOperator::Multiply, right: Box::new(divisor) }
    };
    let name = field.to_string().to_lowercase();
    Some(match name.as_str() {
        "epoch" => numeric(part("epoch"), 6),
        "second" | "seconds" => nested(over(cast(part("microsecond"), decimal(12, 0)), "0.000001")),
        "millisecond" | "milliseconds" => {
            let micros = over(cast(part("microsecond"), decimal(12, 0)), "0.001");
            cast(nested(micros), decimal(15, 3))
        }
        "microsecond" | "microseconds" => numeric(part("microsecond"), 0),
        "year" | "month" | "day" | "hour" | "minute" | "week" | "quarter" | "dow" | "doy" | "isodow" | "isoyear" => {
            numeric(part(&name), 0)
        }
        _ => return None,
    })
}

fn decimal(precision: u64, scale: i64) -> DataType {
    DataType::Numeric(ExactNumberInfo::PrecisionAndScale(precision, scale))
}

/// An interval in any form of PostgreSQL's, in words that the engine reads.
fn spell_out(interval: &mut Interval) {
    let is_plain = interval.leading_precision.is_none()
        && interval.last_field.is_none()
        && interval.fractional_seconds_precision.is_none();
    let Some(written) = literal(&interval.value).filter(|_| is_plain) else { return };
    let unit = interval.leading_field.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    if let Ok(span) = read::interval::of(&format!("{written}{unit}").to_lowercase()) {
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
