//! What is compared with the rows of a sub-query.
//!
//! `x > ALL (SELECT ..)`, `x <= ANY (SELECT ..)`: by the least and the greatest of the values, and whether one of them is NULL. The
//! engine's own way takes a column of the sub-query for one of the query around it where both have one name.
//! `(x, y) IN (SELECT ..)`: whether there is a row of equals.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, SelectItem,
    TableAliasColumnDef, Value,
};

use super::build::{aggregate_of, call, case, chosen_from, compared, inner, number};

pub fn rewrite(expr: &mut Expr) {
    let replaced = match expr {
        Expr::AnyOp { left, compare_op, right, .. } => subquery(right).and_then(|query| any(left, compare_op, query)),
        Expr::AllOp { left, compare_op, right } => subquery(right).and_then(|query| all(left, compare_op, query)),
        Expr::InSubquery { expr, subquery, negated: false } => match inner(expr) {
            Expr::Tuple(values) => Some(row_of_equals(values, subquery)),
            _ => None,
        },
        _ => None,
    };
    if let Some(replaced) = replaced {
        *expr = replaced;
    }
}

fn subquery(expr: &Expr) -> Option<&Query> {
    match inner(expr) {
        Expr::Subquery(query) => Some(query),
        _ => None,
    }
}

/// False of no values; true if one compares so; NULL if one is NULL; else false.
fn any(left: &Expr, op: &BinaryOperator, query: &Query) -> Option<Expr> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let best = |name: &str| compared(left.clone(), op.clone(), aggregate(name, query));
    let found = match op {
        Eq => return Some(membership(left, query, false)),
        NotEq => compared(best("min"), BinaryOperator::Or, best("max")),
        Gt | GtEq => best("min"),
        Lt | LtEq => best("max"),
        _ => return None,
    };
    Some(case(
        vec![
            (is_empty(query), truth(false)),
            (found, truth(true)),
            (is_unknown(left, query), Expr::value(Value::Null)),
        ],
        truth(false),
    ))
}

/// True of no values; false if one does not compare so; NULL if one is NULL; else true.
fn all(left: &Expr, op: &BinaryOperator, query: &Query) -> Option<Expr> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let worst = |op: BinaryOperator, name: &str| compared(left.clone(), op, aggregate(name, query));
    let failed = match op {
        NotEq => return Some(membership(left, query, true)),
        Eq => compared(worst(NotEq, "min"), BinaryOperator::Or, worst(NotEq, "max")),
        Gt => worst(LtEq, "max"),
        GtEq => worst(Lt, "max"),
        Lt => worst(GtEq, "min"),
        LtEq => worst(Gt, "min"),
        _ => return None,
    };
    Some(case(
        vec![
            (is_empty(query), truth(true)),
            (failed, truth(false)),
            (is_unknown(left, query), Expr::value(Value::Null)),
        ],
        truth(true),
    ))
}

fn membership(left: &Expr, query: &Query, negated: bool) -> Expr {
    Expr::InSubquery { expr: Box::new(left.clone()), subquery: Box::new(query.clone()), negated }
}

fn is_empty(query: &Query) -> Expr {
    compared(scalar(query, |_| counted()), BinaryOperator::Eq, number(0))
}

fn is_unknown(left: &Expr, query: &Query) -> Expr {
    let nulls = scalar(query, |item| compared(counted(), BinaryOperator::Gt, call("count", vec![item])));
    compared(Expr::IsNull(Box::new(left.clone())), BinaryOperator::Or, nulls)
}

fn aggregate(name: &str, query: &Query) -> Expr {
    scalar(query, |item| call(name, vec![item]))
}

fn scalar(query: &Query, aggregate: impl FnOnce(Expr) -> Expr) -> Expr {
    Expr::Subquery(Box::new(aggregate_of(query.clone(), aggregate)))
}

/// `count(*)`.
fn counted() -> Expr {
    let mut count = call("count", Vec::new());
    if let Expr::Function(function) = &mut count
        && let FunctionArguments::List(list) = &mut function.args
    {
        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
    }
    count
}

/// A condition that is false where SQL says NULL, which to a condition is the same; NOT IN of rows stays for the engine to refuse.
fn row_of_equals(values: &[Expr], query: &Query) -> Expr {
    let names: Vec<String> = (1..=values.len()).map(|number| format!("henna item {number}")).collect();
    let equals = values.iter().zip(&names).map(|(value, name)| {
        let item = Expr::CompoundIdentifier(vec![Ident::new("items"), Ident::with_quote('"', name)]);
        compared(item, BinaryOperator::Eq, Expr::Nested(Box::new(value.clone())))
    });
    let condition = equals.reduce(|all, one| compared(all, BinaryOperator::And, one));
    let column = |name| TableAliasColumnDef { name: Ident::with_quote('"', name), data_type: None };
    let columns = names.iter().map(column).collect();
    let subquery = chosen_from(query.clone(), columns, vec![SelectItem::UnnamedExpr(number(1))], condition);
    Expr::Exists { subquery: Box::new(subquery), negated: false }
}

fn truth(value: bool) -> Expr {
    Expr::value(Value::Boolean(value))
}
