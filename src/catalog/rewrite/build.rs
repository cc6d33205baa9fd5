//! Pieces of a syntax tree, made and taken apart.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, TableAlias, TableAliasColumnDef,
    TableFactor, TableWithJoins, Value,
};

/// An identifier as it is looked up.
pub use crate::sql::folded as bare;

/// The parts of a dotted name, as they are looked up.
pub fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(ObjectNamePart::as_ident).map(bare).collect()
}

pub fn object_name(parts: &[&str]) -> ObjectName {
    ObjectName(parts.iter().map(|part| ObjectNamePart::Identifier(Ident::new(*part))).collect())
}

pub fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
    Expr::Function(Function {
        name: object_name(&[name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The one name and the plain arguments of a call; `None` of any other expression, and of calls with named arguments.
pub fn as_call(expr: &Expr) -> Option<(String, Vec<Expr>)> {
    let Expr::Function(function) = expr else { return None };
    let [name] = parts(&function.name).try_into().ok()?;
    let list: &[FunctionArg] = match &function.args {
        FunctionArguments::List(list) => &list.args,
        FunctionArguments::None => &[],
        FunctionArguments::Subquery(_) => return None,
    };
    let plain = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    Some((name, list.iter().map(plain).collect::<Option<_>>()?))
}

/// Gives a call another name.
pub fn rename(expr: &mut Expr, name: &str) {
    if let Expr::Function(function) = expr {
        function.name = object_name(&[name]);
    }
}

pub fn text(value: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(value.to_owned()))
}

pub fn number(value: i64) -> Expr {
    Expr::value(Value::Number(value.to_string(), false))
}

pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

pub fn compared(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// `CASE WHEN .. THEN .. ELSE .. END`.
pub fn case(whens: Vec<(Expr, Expr)>, otherwise: Expr) -> Expr {
    let conditions = whens.into_iter().map(|(condition, result)| CaseWhen { condition, result }).collect();
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions,
        else_result: Some(Box::new(otherwise)),
    }
}

/// `SELECT aggregate(item) FROM (query) AS items(item)`.
pub fn aggregate_of(query: Query, aggregate: impl FnOnce(Expr) -> Expr) -> Query {
    let item = Expr::CompoundIdentifier(vec![Ident::new("items"), Ident::new("item")]);
    let output = SelectItem::ExprWithAlias { expr: aggregate(item), alias: Ident::new("aggregate") };
    chosen_from(query, vec![TableAliasColumnDef::from_name("item")], vec![output], None)
}

/// `SELECT outputs FROM (query) AS items(columns) WHERE condition`.
pub fn chosen_from(
    query: Query,
    columns: Vec<TableAliasColumnDef>,
    outputs: Vec<SelectItem>,
    condition: Option<Expr>,
) -> Query {
    let alias = TableAlias { explicit: true, name: Ident::new("items"), columns, at: None };
    let factor = TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias), sample: None };
    let mut chosen = super::tables::select(outputs, vec![TableWithJoins { relation: factor, joins: Vec::new() }]);
    if let SetExpr::Select(select) = chosen.body.as_mut() {
        select.selection = condition;
    }
    chosen
}

/// A number of type oid.
pub fn oid(value: u32) -> Expr {
    cast(number(i64::from(value)), DataType::IntegerUnsigned(None))
}

/// The expression without parentheses around it.
pub fn inner(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner_expr) => inner(inner_expr),
        other => other,
    }
}

/// The text of a string literal.
pub fn literal(expr: &Expr) -> Option<&str> {
    match inner(expr) {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The last part of a column's name.
pub fn column(expr: &Expr) -> Option<String> {
    match inner(expr) {
        Expr::Identifier(ident) => Some(bare(ident)),
        Expr::CompoundIdentifier(idents) => idents.last().map(bare),
        _ => None,
    }
}
