//! Casts to the types that only PostgreSQL has. An oid type becomes the oid itself, and its name only where it is shown.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CharacterLength, DataType, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Query, Select, SelectItem, SetExpr, UnaryOperator, Value,
};

use super::arrays::is_vector;
use super::build::{as_call, call, cast, column, inner, literal, number, object_name, rename, text};
use crate::catalog::spec;

/// The casts to an oid type, as the functions that do them, and the functions that show such an oid.
const OID_TYPES: [(&str, &str, &str); 8] = [
    ("regclass", "regclassin", "regclassout"),
    ("regtype", "regtypein", "regtypeout"),
    ("regnamespace", "regnamespacein", "regnamespaceout"),
    ("regrole", "regrolein", "regroleout"),
    ("regproc", "regprocin", "regprocout"),
    ("regprocedure", "regprocin", "regprocout"),
    ("regoper", "regprocin", "regprocout"),
    ("regoperator", "regprocin", "regprocout"),
];

/// Functions that give such an oid or NULL, and those that show it.
const LOOKED_UP: [(&str, &str); 4] = [
    ("to_regclass", "regclassout"),
    ("to_regnamespace", "regnamespaceout"),
    ("to_regrole", "regroleout"),
    ("to_regtype", "regtypeout"),
];

pub fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::Cast { expr: operand, data_type, .. } => {
            if let Some(replaced) = cast_of(operand, data_type) {
                *expr = replaced;
            }
        }
        Expr::TypedString(typed) => {
            if let Value::SingleQuotedString(word) = &typed.value.value {
                if let Some(moment) = moment_of(word, &typed.data_type) {
                    *expr = moment;
                } else if let DataType::Numeric(digits) | DataType::Decimal(digits) = &mut typed.data_type {
                    *digits = digits_of(word).filter(|_| *digits == ExactNumberInfo::None).unwrap_or(*digits);
                }
            }
        }
        Expr::Case { .. } => type_literals(expr, &DataType::Integer(None)),
        Expr::Array(array) => {
            array.elem.iter_mut().for_each(|item| type_literals(item, &DataType::Integer(None)));
        }
        Expr::Function(function) => type_arguments(function),
        Expr::InSubquery { subquery, .. } => keep_oids(subquery),
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => {
            if let Expr::Subquery(query) = right.as_mut() {
                keep_oids(query);
            }
        }
        // A number in the text that is joined to integers in the text is one.
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            let is_array = |side: &Expr| matches!(inner(side), Expr::Array(_));
            match (is_array(left), is_array(right)) {
                (true, false) => type_literals(right, &DataType::Integer(None)),
                (false, true) => type_literals(left, &DataType::Integer(None)),
                _ => {}
            }
        }
        Expr::BinaryOp { left, op, right } if is_comparison(op) => {
            for side in [left, right] {
                if let Expr::Subquery(query) = side.as_mut() {
                    keep_oids(query);
                }
            }
        }
        _ => {}
    }
}

/// Functions that give what their arguments are: a whole number in the text is an INTEGER there, too.
const OF_ARGUMENTS: [&str; 20] = [
    "array_agg",
    "array_append",
    "array_fill",
    "array_prepend",
    "array_remove",
    "array_remove_all",
    "array_replace",
    "array_replace_all",
    "avg",
    "coalesce",
    "gcd",
    "generate_series",
    "greatest",
    "lcm",
    "least",
    "max",
    "min",
    "nullif",
    "pg_typeof",
    "sum",
];

fn type_arguments(function: &mut Function) {
    let name = super::build::parts(&function.name);
    let [name] = name.as_slice() else { return };
    if !OF_ARGUMENTS.contains(&name.as_str()) {
        return;
    }
    if let FunctionArguments::List(list) = &mut function.args {
        for argument in &mut list.args {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
                type_literals(expr, &DataType::Integer(None));
            }
        }
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// What stands for the cast; `None` where only its type changes, or nothing.
fn cast_of(operand: &mut Box<Expr>, data_type: &mut DataType) -> Option<Expr> {
    if let Some(name) = type_name(data_type)
        && let Some((_, function, _)) = OID_TYPES.iter().find(|(oid_type, ..)| *oid_type == name)
    {
        return Some(call(function, vec![(**operand).clone()]));
    }
    if let Some(element) = array_element(data_type)
        && type_name(element).is_some_and(|name| OID_TYPES.iter().any(|(oid_type, ..)| *oid_type == name))
    {
        return Some((**operand).clone());
    }
    if let Some(moment) = literal(operand).and_then(|word| moment_of(word, data_type)) {
        return Some(moment);
    }
    if let (DataType::Numeric(digits) | DataType::Decimal(digits), Some(text)) = (&mut *data_type, literal(operand)) {
        *digits = digits_of(text).filter(|_| *digits == ExactNumberInfo::None).unwrap_or(*digits);
    }
    let target = plain_type(data_type);
    if let Some(target) = target {
        *data_type = target;
    }
    match data_type {
        DataType::Text | DataType::Varchar(_) if is_vector(operand) => {
            let written = call("array_to_string", vec![(**operand).clone(), text(" ")]);
            Some(cast(written, data_type.clone()))
        }
        DataType::Varchar(Some(CharacterLength::IntegerLength { length, .. }))
        | DataType::Char(Some(CharacterLength::IntegerLength { length, .. })) => {
            let text = shown(operand).unwrap_or_else(|| cast((**operand).clone(), DataType::Text));
            let length = i64::try_from(*length).unwrap_or(i64::MAX);
            Some(cast(call("left", vec![text, number(length)]), data_type.clone()))
        }
        DataType::Text | DataType::Varchar(_) => shown(operand),
        DataType::IntegerUnsigned(_) => function_oid(operand),
        DataType::Uuid => Some(call("uuid_in", vec![(**operand).clone()])),
        DataType::JSON => Some(call("json_in", vec![(**operand).clone()])),
        DataType::JSONB => Some(call("jsonb_in", vec![(**operand).clone()])),
        _ => None,
    }
}

/// The digits of a number as it is written; `None` of what has an exponent or more digits than a numeric holds.
fn digits_of(text: &str) -> Option<ExactNumberInfo> {
    const DIGITS_MAX: usize = 38;
    let text = text.trim();
    let size = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let is_plain = [whole, fraction].iter().all(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let (digits, scale) = (whole.len() + fraction.len(), i64::try_from(fraction.len()).ok()?);
    let fits = is_plain && (1..=DIGITS_MAX).contains(&digits);
    fits.then_some(ExactNumberInfo::PrecisionAndScale(digits as u64, scale))
}

/// `'now'::timestamptz`, `'today'::date`: words for moments that are other ones each time.
fn moment_of(word: &str, data_type: &DataType) -> Option<Expr> {
    let day = |offset: i64| {
        let today = call("current_date", Vec::new());
        let day = |op: BinaryOperator| Expr::BinaryOp {
            left: Box::new(today.clone()),
            op,
            right: Box::new(number(offset.abs())),
        };
        match offset {
            0 => today.clone(),
            1.. => day(BinaryOperator::Plus),
            _ => day(BinaryOperator::Minus),
        }
    };
    let is_timed = matches!(data_type, DataType::Timestamp(..) | DataType::TimestampNtz(_));
    let is_timed = is_timed || type_name(data_type).is_some_and(|name| name == "timestamptz" || name == "timestamp");
    if !is_timed && *data_type != DataType::Date {
        return None;
    }
    let moment = match word.trim().to_lowercase().as_str() {
        "now" => call("now", Vec::new()),
        "today" => day(0),
        "tomorrow" => day(1),
        "yesterday" => day(-1),
        _ => return None,
    };
    Some(cast(Expr::Nested(Box::new(moment)), plain_type(data_type).unwrap_or_else(|| data_type.clone())))
}

/// The text of an oid type's value.
fn shown(operand: &Expr) -> Option<Expr> {
    let mut operand = inner(operand).clone();
    let (name, _) = as_call(&operand)?;
    if let Some((.., out)) = LOOKED_UP.iter().find(|(looked_up, _)| *looked_up == name) {
        return Some(call(out, vec![operand]));
    }
    let (.., out) = OID_TYPES.iter().find(|(_, into, _)| *into == name)?;
    rename(&mut operand, out);
    Some(operand)
}

/// The oid of a function that a column names.
fn function_oid(operand: &Expr) -> Option<Expr> {
    let is_function = column(operand).and_then(|name| spec::column_type(&name)) == Some("regproc");
    is_function.then(|| call("to_regproc", vec![operand.clone()]))
}

fn array_element(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element)) => {
            Some(element)
        }
        _ => None,
    }
}

/// The bare name of a type that the parser does not know by itself.
fn type_name(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Regclass => Some("regclass".to_owned()),
        DataType::Custom(name, _) => match super::build::parts(name).as_slice() {
            [name] => Some(name.clone()),
            [schema, name] if schema == spec::PG_CATALOG => Some(name.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The type that the engine knows for one that it does not; `None` where it stays.
fn plain_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, size)) => {
            let element = plain_type(element)?;
            return Some(DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(element), *size)));
        }
        DataType::CharacterVarying(length) | DataType::CharVarying(length) => return Some(DataType::Varchar(*length)),
        DataType::Character(length) => return Some(DataType::Char(*length)),
        // Without digits it is the wider of the two.
        DataType::Float(ExactNumberInfo::None) => return Some(DataType::DoublePrecision),
        DataType::Float(ExactNumberInfo::Precision(bits)) => {
            return Some(if *bits <= 24 { DataType::Real } else { DataType::DoublePrecision });
        }
        DataType::Dec(info) => return Some(DataType::Decimal(*info)),
        _ => {}
    }
    let name = type_name(data_type)?;
    let qualified = matches!(data_type, DataType::Custom(name, _) if name.0.len() > 1);
    Some(match name.as_str() {
        "oid" | "xid" | "cid" => DataType::IntegerUnsigned(None),
        "name" if qualified => DataType::Custom(object_name(&["name"]), Vec::new()),
        "char" | "bpchar" | "cstring" | "unknown" | "aclitem" | "pg_node_tree" | "refcursor" => DataType::Text,
        "int2vector" => DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(DataType::SmallInt(None)), None)),
        "oidvector" => {
            DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(DataType::IntegerUnsigned(None)), None))
        }
        _ if !qualified => return None,
        "text" => DataType::Text,
        "varchar" => DataType::Varchar(None),
        "bool" => DataType::Boolean,
        "int2" => DataType::SmallInt(None),
        "int4" => DataType::Integer(None),
        "int8" => DataType::BigInt(None),
        "float4" => DataType::Real,
        "float8" => DataType::DoublePrecision,
        "numeric" => DataType::Numeric(ExactNumberInfo::None),
        "date" => DataType::Date,
        "bytea" => DataType::Bytea,
        "timestamp" => DataType::Timestamp(None, datafusion::sql::sqlparser::ast::TimezoneInfo::None),
        "timestamptz" => DataType::Timestamp(None, datafusion::sql::sqlparser::ast::TimezoneInfo::Tz),
        "json" => DataType::JSON,
        "jsonb" => DataType::JSONB,
        "uuid" => DataType::Uuid,
        _ => return None,
    })
}

/// Shows the oids that a SELECT puts out as values of an oid type, and gives literals the type that PostgreSQL gives them.
pub fn show_outputs(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            type_literals(expr, &DataType::Integer(None));
            if let Some(name) = as_call(expr).map(|(name, _)| name)
                && let Some((_, out)) = LOOKED_UP.iter().find(|(looked_up, _)| *looked_up == name)
            {
                *expr = call(out, vec![expr.clone()]);
            }
        }
    }
    turn_outputs(select, |name| OID_TYPES.iter().find(|(_, into, _)| *into == name).map(|(.., out)| *out));
}

/// Takes that back for a sub-query whose values are compared.
fn keep_oids(query: &mut Query) {
    keep_in(&mut query.body);
}

fn keep_in(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            turn_outputs(select, |name| OID_TYPES.iter().find(|(.., out)| *out == name).map(|(_, into, _)| *into))
        }
        SetExpr::Query(query) => keep_oids(query),
        SetExpr::SetOperation { left, right, .. } => {
            keep_in(left);
            keep_in(right);
        }
        _ => {}
    }
}

fn turn_outputs(select: &mut Select, turn: impl Fn(&str) -> Option<&'static str> + Copy) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            turn_output(expr, turn);
        }
    }
}

fn turn_output(expr: &mut Expr, turn: impl Fn(&str) -> Option<&'static str> + Copy) {
    match expr {
        Expr::Nested(nested) => turn_output(nested, turn),
        Expr::Case { conditions, else_result, .. } => {
            for when in conditions {
                turn_output(&mut when.result, turn);
            }
            if let Some(otherwise) = else_result {
                turn_output(otherwise, turn);
            }
        }
        Expr::Function(_) => {
            if let Some((name, _)) = as_call(expr)
                && let Some(other) = turn(&name)
            {
                rename(expr, other);
            }
        }
        _ => {}
    }
}

/// A whole number that is put out as it stands is an INTEGER where it fits, or an oid beside oids in a CASE.
pub fn type_literals(expr: &mut Expr, wanted: &DataType) {
    match expr {
        Expr::Nested(nested) => type_literals(nested, wanted),
        Expr::Value(value) => {
            let fits = matches!(&value.value, Value::Number(digits, _) if digits.parse::<i32>().is_ok());
            if fits {
                *expr = cast(expr.clone(), wanted.clone());
            }
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: operand } if *wanted == DataType::Integer(None) => {
            type_literals(operand, wanted);
        }
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|when| &when.result).chain(else_result.as_deref());
            let is_oid = |result: &Expr| column(result).and_then(|name| spec::column_type(&name)) == Some("oid");
            let wanted = if results.clone().any(is_oid) { DataType::IntegerUnsigned(None) } else { wanted.clone() };
            conditions.iter_mut().for_each(|when| type_literals(&mut when.result, &wanted));
            if let Some(otherwise) = else_result {
                type_literals(otherwise, &wanted);
            }
        }
        _ => {}
    }
}
