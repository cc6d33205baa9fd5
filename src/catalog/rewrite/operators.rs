//! Operators, collations, names of functions: what PostgreSQL lets one qualify and the engine does not.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, FunctionArguments, Ident, Value, ValueWithSpan};

use super::build::{bare, call, cast, column, inner, literal, object_name, parts, text};
use crate::catalog::spec;

pub fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::Collate { expr: collated, .. } => *expr = std::mem::replace(collated, Expr::value(Value::Null)),
        Expr::BinaryOp { left, op: BinaryOperator::PGStartsWith, right } => {
            *expr = call("starts_with", vec![(**left).clone(), (**right).clone()]);
        }
        Expr::BinaryOp { left, op: BinaryOperator::PGExp, right } => {
            *expr = call("power", vec![(**left).clone(), (**right).clone()]);
        }
        Expr::BinaryOp { left, op, right } => {
            if let BinaryOperator::PGCustomBinaryOperator(name) = op
                && let Some(plain) = name.last().and_then(|symbol| operator(symbol))
            {
                *op = plain;
            }
            if matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
                compare_function_names(left, right);
                compare_function_names(right, left);
                compare_truth(left, right);
                compare_truth(right, left);
            }
        }
        Expr::Function(function) => {
            let name = parts(&function.name);
            if let [schema, name] = name.as_slice()
                && [spec::PG_CATALOG, spec::INFORMATION_SCHEMA].contains(&schema.as_str())
            {
                function.name = object_name(&[name]);
            }
            if matches!(function.args, FunctionArguments::None)
                && let [name] = parts(&function.name).as_slice()
                && SESSION_WORDS.contains(&name.as_str())
            {
                *expr = call(&name.clone(), Vec::new());
            } else if let [name] = parts(&function.name).as_slice()
                && let Some((_, data_type)) = COUNTING.iter().find(|(counting, _)| counting == name)
            {
                *expr = cast(expr.clone(), data_type.clone());
            }
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            unescape(pattern, escape_char);
        }
        Expr::SimilarTo { negated, expr: subject, pattern, escape_char } => {
            let escape = escape_char.take().map(Expr::Value);
            let pattern = call("similar_to_escape", std::iter::once((**pattern).clone()).chain(escape).collect());
            let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
            *expr = Expr::BinaryOp { left: subject.clone(), op, right: Box::new(pattern) };
        }
        Expr::Value(value) => {
            if let Value::Number(digits, _) = &value.value
                && is_beyond_decimals(digits)
            {
                *expr = cast(text(digits), DataType::DoublePrecision);
            }
        }
        Expr::Identifier(ident) => {
            if let Some(word) = session_word(ident) {
                *expr = call(&word, Vec::new());
            }
        }
        _ => {}
    }
}

/// Whether a number is written with an exponent for which no decimal has places.
fn is_beyond_decimals(digits: &str) -> bool {
    let Some((_, exponent)) = digits.split_once(['e', 'E']) else { return false };
    exponent.parse::<i64>().map_or(true, |exponent| exponent.abs() > DECIMAL_EXPONENT_MAX)
}

/// Decimals have 38 digits; some are left to those before the exponent.
const DECIMAL_EXPONENT_MAX: i64 = 20;

/// Functions that count, which the engine gives an unsigned type.
const COUNTING: [(&str, DataType); 11] = [
    ("regexp_count", DataType::Integer(None)),
    ("regexp_instr", DataType::Integer(None)),
    ("regr_count", DataType::BigInt(None)),
    ("row_number", DataType::BigInt(None)),
    ("rank", DataType::BigInt(None)),
    ("dense_rank", DataType::BigInt(None)),
    ("ntile", DataType::Integer(None)),
    ("cardinality", DataType::Integer(None)),
    ("array_length", DataType::Integer(None)),
    ("array_ndims", DataType::Integer(None)),
    ("array_position", DataType::Integer(None)),
];

/// Words that are functions without parentheses.
const SESSION_WORDS: [&str; 6] =
    ["current_catalog", "current_role", "current_schema", "current_user", "session_user", "user"];

pub fn session_word(ident: &Ident) -> Option<String> {
    let word = bare(ident);
    (ident.quote_style.is_none() && SESSION_WORDS.contains(&word.as_str())).then_some(word)
}

fn operator(symbol: &str) -> Option<BinaryOperator> {
    Some(match symbol {
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "||" => BinaryOperator::StringConcat,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        "@>" => BinaryOperator::AtArrow,
        "<@" => BinaryOperator::ArrowAt,
        _ => return None,
    })
}

/// A pattern with an escape of its own is written with the backslash, which is the engine's.
fn unescape(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) {
    let Some(Value::SingleQuotedString(chosen)) = escape.as_ref().map(|value| &value.value) else { return };
    let mut chosen = chosen.chars();
    let (Some(mark), None) = (chosen.next(), chosen.next()) else { return };
    if mark != '\\' {
        unescape_part(pattern, mark);
        *escape = None;
    }
}

fn unescape_part(pattern: &mut Expr, mark: char) {
    match pattern {
        Expr::Nested(inner) => unescape_part(inner, mark),
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            unescape_part(left, mark);
            unescape_part(right, mark);
        }
        other => match literal(other) {
            Some(plain) => *other = text(&with_backslash(plain, mark)),
            None => {
                let doubled = call("replace", vec![other.clone(), text("\\"), text("\\\\")]);
                *other = call("replace", vec![doubled, text(&mark.to_string()), text("\\")]);
            }
        },
    }
}

fn with_backslash(plain: &str, mark: char) -> String {
    let mut written = String::with_capacity(plain.len());
    let mut chars = plain.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c == mark => {
                written.push('\\');
                written.extend(chars.next());
            }
            '\\' => written.push_str("\\\\"),
            other => written.push(other),
        }
    }
    written
}

/// A truth value compared with a text such as 't' is compared with what the text means.
fn compare_truth(truth: &Expr, other: &mut Expr) {
    if column(truth).and_then(|name| spec::column_type(&name)) != Some("bool") {
        return;
    }
    let meant = match literal(other).map(str::to_lowercase).as_deref() {
        Some("t" | "true" | "y" | "yes" | "on" | "1") => true,
        Some("f" | "false" | "n" | "no" | "off" | "0") => false,
        _ => return,
    };
    *other = Expr::value(Value::Boolean(meant));
}

/// A column of type regproc holds a function's name: 0, its way to say none, is `-`, and a cast of a name is the name.
fn compare_function_names(function: &mut Expr, other: &mut Expr) {
    let type_of = |expr: &Expr| column(expr).and_then(|name| spec::column_type(&name));
    if type_of(function) != Some("regproc") {
        return;
    }
    if type_of(other) == Some("oid") {
        *function = call("to_regproc", vec![function.clone()]);
        return;
    }
    let plain = match inner(other) {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) if number == "0" => Some("-".to_owned()),
            Value::Number(number, _) => Some(number.clone()),
            _ => None,
        },
        _ => match super::build::as_call(inner(other)) {
            Some((name, arguments)) if name == "regprocin" => {
                arguments.first().and_then(literal).map(|name| name.trim_start_matches("pg_catalog.").to_owned())
            }
            _ => None,
        },
    };
    if let Some(plain) = plain {
        *other = text(&plain);
    }
}
