//! Arrays: `= ANY`, literals in braces, `ARRAY(SELECT ...)`, and vectors that are counted from 0.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, DataType, Distinct, Expr, Function, FunctionArgumentClause,
    FunctionArguments, GroupByExpr, Ident, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Subscript,
    Value,
};

use super::build::{aggregate_of, call, cast, column, inner, literal, number, text};
use crate::catalog::spec;

pub fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
            if let Some(found) = any_of(left, right, false) {
                *expr = found;
            }
        }
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
            if let Some(found) = any_of(left, right, true) {
                *expr = found;
            }
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right } => {
            compare_literal(left, right);
            compare_literal(right, left);
        }
        Expr::Function(function) => {
            if let Some(collected) = collect_subquery(function) {
                *expr = collected;
            }
        }
        Expr::CompoundFieldAccess { root, access_chain } => shift_vector(root, access_chain),
        _ => {}
    }
}

/// `= ANY` of items that are written out is IN; `<> ALL` is NOT IN. A parameter gets the type of what it is compared with.
fn any_of(left: &Expr, right: &mut Box<Expr>, negated: bool) -> Option<Expr> {
    let items = match inner(right) {
        Expr::Array(array) => array.elem.clone(),
        other if literal(other).is_some() => {
            let item_type = system_type(left).and_then(engine_type);
            typed(literal_items(literal(other)?)?, item_type.as_ref())
        }
        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
            let item_type = system_type(left).and_then(engine_type).unwrap_or(DataType::Text);
            let array = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(item_type), None));
            **right = cast(inner(right).clone(), array);
            return None;
        }
        _ => return None,
    };
    if items.is_empty() {
        return Some(Expr::value(Value::Boolean(negated)));
    }
    Some(Expr::InList { expr: Box::new(left.clone()), list: items, negated })
}

fn system_type(expr: &Expr) -> Option<&'static str> {
    column(expr).and_then(|name| spec::column_type(&name))
}

/// The type by which the engine holds a system column.
fn engine_type(name: &str) -> Option<DataType> {
    Some(match name {
        "oid" | "xid" => DataType::IntegerUnsigned(None),
        "int2" => DataType::SmallInt(None),
        "int4" => DataType::Integer(None),
        "int8" => DataType::BigInt(None),
        "bool" => DataType::Boolean,
        "name" | "text" | "char" | "regproc" => DataType::Text,
        _ => return None,
    })
}

fn typed(items: Vec<Option<String>>, item_type: Option<&DataType>) -> Vec<Expr> {
    let item = |item: Option<String>| {
        let value = item.map_or_else(|| Expr::value(Value::Null), |item| text(&item));
        match item_type {
            Some(DataType::Text) | None => value,
            Some(item_type) => cast(value, item_type.clone()),
        }
    };
    items.into_iter().map(item).collect()
}

/// The items of `{a,"b c",NULL}`; `None` where the text is no array of one dimension.
fn literal_items(text: &str) -> Option<Vec<Option<String>>> {
    let body = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if body.trim().is_empty() {
        return Some(items);
    }
    let mut chars = body.chars().peekable();
    loop {
        let mut item = String::new();
        let mut quoted = false;
        while let Some(c) = chars.next_if(|c| *c != ',') {
            match c {
                '{' if !quoted => return None,
                '\\' => item.extend(chars.next()),
                '"' => {
                    quoted = true;
                    loop {
                        match chars.next()? {
                            '"' => break,
                            '\\' => item.extend(chars.next()),
                            other => item.push(other),
                        }
                    }
                }
                other => item.push(other),
            }
        }
        let is_null = !quoted && item.trim().eq_ignore_ascii_case("null");
        let item = if quoted { item } else { item.trim().to_owned() };
        items.push((!is_null).then_some(item));
        if chars.next().is_none() {
            return Some(items);
        }
    }
}

/// A system column that is an array, compared with a text in braces: the text becomes an array of its items.
fn compare_literal(array: &Expr, other: &mut Expr) {
    let Some(item_type) = system_type(array).and_then(|name| name.strip_prefix('_')).and_then(engine_type) else {
        return;
    };
    if let Some(items) = literal(other).and_then(literal_items) {
        *other = call("make_array", typed(items, Some(&item_type)));
    }
}

/// `indkey[0]` is the first item of a vector, which is the engine's `indkey[1]`.
fn shift_vector(root: &Expr, chain: &mut [AccessExpr]) {
    let mut is_counted_from_zero = is_vector(root);
    for access in chain {
        match access {
            AccessExpr::Dot(field) => is_counted_from_zero = is_vector(field),
            AccessExpr::Subscript(Subscript::Index { index }) if is_counted_from_zero => {
                *index = Expr::BinaryOp {
                    left: Box::new(Expr::Nested(Box::new(index.clone()))),
                    op: BinaryOperator::Plus,
                    right: Box::new(number(1)),
                };
                return;
            }
            AccessExpr::Subscript(_) => return,
        }
    }
}

/// Whether the expression is a column of a vector type, by its own name or by the name that a derived table gave it.
pub fn is_vector(expr: &Expr) -> bool {
    let Some(name) = column(expr) else { return false };
    let is_known = |name: &str| matches!(spec::column_type(name), Some("int2vector" | "oidvector"));
    is_known(&name) || name.strip_prefix("i_").is_some_and(is_known)
}

/// `ARRAY(SELECT ...)`: what its rows hold, in their order; an empty array where there are none.
fn collect_subquery(function: &Function) -> Option<Expr> {
    let FunctionArguments::Subquery(query) = &function.args else { return None };
    let [name] = super::build::parts(&function.name).try_into().ok()?;
    let name: String = name;
    if name != "array" {
        return None;
    }
    let collected = Expr::Subquery(Box::new(aggregated((**query).clone())));
    Some(call("coalesce", vec![collected, call("make_array", Vec::new())]))
}

/// The query with its one column gathered by array_agg.
fn aggregated(mut query: Query) -> Query {
    let is_simple = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    if let SetExpr::Select(select) = query.body.as_mut()
        && is_simple
        && is_plain(select)
        && let Some(value) = only_output(select)
    {
        let order = query.order_by.take().map(|order| order.kind);
        let order = match order {
            Some(OrderByKind::Expressions(items)) => items.into_iter().map(|item| positioned(item, &value)).collect(),
            _ => Vec::new(),
        };
        select.projection =
            vec![SelectItem::ExprWithAlias { expr: array_agg(value, order), alias: Ident::new("array") }];
        return query;
    }
    aggregate_of(query, |item| array_agg(item, Vec::new()))
}

/// Neither grouped nor made distinct, and without a set-returning function.
fn is_plain(select: &Select) -> bool {
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(items, _) => !items.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let is_distinct = matches!(&select.distinct, Some(Distinct::Distinct | Distinct::On(_)));
    let spreads = only_output(select).is_none_or(|value| super::sets::is_spreading(&value));
    !grouped && !is_distinct && select.having.is_none() && !spreads
}

fn only_output(select: &Select) -> Option<Expr> {
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => Some(expr.clone()),
        _ => None,
    }
}

/// ORDER BY 1 is by the value itself.
fn positioned(mut item: OrderByExpr, value: &Expr) -> OrderByExpr {
    if matches!(&item.expr, Expr::Value(number) if matches!(number.value, Value::Number(..))) {
        item.expr = value.clone();
    }
    item
}

fn array_agg(value: Expr, order: Vec<OrderByExpr>) -> Expr {
    let mut aggregate = call("array_agg", vec![value]);
    if let Expr::Function(function) = &mut aggregate
        && let FunctionArguments::List(list) = &mut function.args
        && !order.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    aggregate
}

/// The number of items less `less`, as a BIGINT.
pub fn last_position(array: Expr, less: i64) -> Expr {
    let length = cast(call("cardinality", vec![array]), DataType::BigInt(None));
    if less == 0 {
        return length;
    }
    Expr::BinaryOp { left: Box::new(length), op: BinaryOperator::Minus, right: Box::new(number(less)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_literals_are_read_item_by_item() {
        let read = |text: &str| {
            let items = literal_items(text)?.into_iter().map(|item| item.unwrap_or_else(|| "<null>".into()));
            Some(items.collect::<Vec<_>>().join("|"))
        };
        assert_eq!(read("{r,p,\"\"}").as_deref(), Some("r|p|"));
        assert_eq!(read("{\"a,b\",\"c\\\"d\",NULL}").as_deref(), Some("a,b|c\"d|<null>"));
        assert_eq!(read("{}").as_deref(), Some(""));
        assert_eq!(read("{{1},{2}}"), None);
        assert_eq!(read("r"), None);
    }
}
