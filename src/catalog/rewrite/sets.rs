//! Functions that give many rows, where they stand among the columns.

use datafusion::sql::sqlparser::ast::{AccessExpr, ArrayElemTypeDef, BinaryOperator, DataType, Expr};

use super::arrays::{is_vector, last_position};
use super::build::{as_call, bare, call, cast, inner, number, text};

/// Functions that give an array in the engine and rows in PostgreSQL.
const ARRAY_GIVING: [&str; 5] =
    ["generate_series", "pg_partition_ancestors", "pg_partition_children", "pg_listening_channels", "pg_keywords"];

/// Functions that give rows, and those that give the same as an array.
const ROWS_OF: [(&str, &str); 9] = [
    ("string_to_table", "string_to_array"),
    ("regexp_matches", "regexp_match_rows"),
    ("regexp_split_to_table", "regexp_split_to_array"),
    ("json_array_elements", "json_items"),
    ("jsonb_array_elements", "jsonb_items"),
    ("json_array_elements_text", "json_item_texts"),
    ("jsonb_array_elements_text", "json_item_texts"),
    ("json_object_keys", "json_keys"),
    ("jsonb_object_keys", "json_keys"),
];

pub fn rewrite(expr: &mut Expr) {
    if let Expr::CompoundFieldAccess { root, access_chain } = expr {
        if let Some(part) = expanded_field(root, access_chain).or_else(|| field(root, access_chain)) {
            *expr = part;
        }
        return;
    }
    if let Expr::Cast { expr: counted, .. } = expr
        && matches!(as_call(counted), Some((name, _)) if name == "cardinality")
    {
        return rewrite(counted);
    }
    let Some((name, arguments)) = as_call(expr) else { return };
    match (name.as_str(), arguments.as_slice()) {
        ("unnest", [array]) if is_spreading(array) && matches!(as_call(array), Some((name, _)) if name == "unnest") => {
            *expr = array.clone();
        }
        ("cardinality", [array]) if is_spreading(array) => {
            if let Some((_, mut spread)) = as_call(array)
                && let Some(array) = spread.pop()
            {
                *expr = call("cardinality", vec![array]);
            }
        }
        ("generate_subscripts", [array, dimension, ..]) => *expr = subscripts(array, dimension),
        ("array_lower", [array, _]) if is_vector(array) => *expr = number(0),
        ("array_upper", [array, _]) if is_vector(array) => *expr = last_position(array.clone(), 1),
        ("_pg_expandarray", [array]) => {
            let fields = vec![text("x"), call("unnest", vec![array.clone()]), text("n"), positions(array)];
            *expr = call("named_struct", fields);
        }
        (name, _) if ARRAY_GIVING.contains(&name) => *expr = call("unnest", vec![expr.clone()]),
        (name, arguments) => {
            if let Some((_, giving)) = ROWS_OF.iter().find(|(known, _)| *known == name) {
                *expr = call("unnest", vec![call(giving, arguments.to_vec())]);
            }
        }
    }
}

/// The positions in a dimension of an array, a row each: of a vector from 0, of any other from 1.
fn subscripts(array: &Expr, dimension: &Expr) -> Expr {
    let upper = call("array_upper", vec![array.clone(), dimension.clone()]);
    let first = if is_vector(array) { 0 } else { 1 };
    series(first, upper, first, DataType::Integer(None))
}

/// The positions in an array from 1, a row each.
pub fn positions(array: &Expr) -> Expr {
    series(1, call("cardinality", vec![array.clone()]), 1, DataType::Integer(None))
}

/// The same as WITH ORDINALITY counts.
pub fn ordinality(array: &Expr) -> Expr {
    series(1, call("cardinality", vec![array.clone()]), 1, DataType::BigInt(None))
}

/// The numbers from `first` up to a count, which is the last of them where `first` is 1.
fn series(first: i64, count: Expr, beyond: i64, data_type: DataType) -> Expr {
    let end = Expr::BinaryOp {
        left: Box::new(cast(count, DataType::BigInt(None))),
        op: BinaryOperator::Plus,
        right: Box::new(number(beyond)),
    };
    let integers = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(data_type), None));
    call("unnest", vec![cast(call("range", vec![number(first), end]), integers)])
}

/// `(_pg_expandarray(a)).x` are the items, `.n` their positions.
fn expanded_field(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let [AccessExpr::Dot(Expr::Identifier(field))] = chain else { return None };
    let (name, arguments) = as_call(inner(root))?;
    if name != "named_struct" {
        return None;
    }
    let wanted = bare(field);
    let mut pairs = arguments.chunks_exact(2);
    pairs.find_map(|pair| match pair {
        [key, value] if super::build::literal(key) == Some(&wanted) => Some(value.clone()),
        _ => None,
    })
}

/// `(composite).field`.
fn field(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let (Expr::Nested(composite), [AccessExpr::Dot(Expr::Identifier(name))]) = (root, chain) else { return None };
    Some(call("get_field", vec![composite.as_ref().clone(), text(&bare(name))]))
}

/// Whether the expression gives many rows.
pub fn is_spreading(expr: &Expr) -> bool {
    match inner(expr) {
        Expr::Function(_) => as_call(inner(expr)).is_some_and(|(name, arguments)| {
            name == "unnest" || name == "generate_subscripts" || arguments.iter().any(is_spreading)
        }),
        Expr::Cast { expr, .. } => is_spreading(expr),
        _ => false,
    }
}
