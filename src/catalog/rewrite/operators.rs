//! Operators, collations, names of functions: what PostgreSQL lets one qualify and the engine does not.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, FunctionArguments, Ident, Value};

use super::build::{bare, call, column, inner, literal, object_name, parts, text};
use crate::catalog::spec;

pub fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::Collate { expr: collated, .. } => *expr = std::mem::replace(collated, Expr::value(Value::Null)),
        Expr::BinaryOp { left, op, right } => {
            if let BinaryOperator::PGCustomBinaryOperator(name) = op
                && let Some(plain) = name.last().and_then(|symbol| operator(symbol))
            {
                *op = plain;
            }
            if matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
                compare_function_names(left, right);
                compare_function_names(right, left);
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

/// Words that are functions without parentheses.
const SESSION_WORDS: [&str; 6] =
    ["current_catalog", "current_role", "current_schema", "current_user", "session_user", "user"];

fn session_word(ident: &Ident) -> Option<String> {
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

/// A column of type regproc holds a function's name: 0, its way to say none, is `-`, and a cast of a name is the name.
fn compare_function_names(function: &Expr, other: &mut Expr) {
    if column(function).and_then(|name| spec::column_type(&name)) != Some("regproc") {
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
