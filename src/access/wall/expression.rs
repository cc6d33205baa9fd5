//! Policy and mask expressions for one caller: who asks is written in as constants, and what that decides is decided.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query,
    SelectItem, SetExpr, TableAlias, TableFactor, UnaryOperator, Value, Visit, Visitor, visit_expressions,
    visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::super::error::AccessError;
use super::super::model::snapshot::SecuritySnapshot;
use super::super::principal::Principal;
use super::super::store::qualify::parse_expression;
use super::environment::{BASE_SCHEMA, BASE_TABLE};
use crate::sql::folded;

/// Parses an expression and writes the caller into it.
pub fn for_caller(text: &str, snapshot: &SecuritySnapshot, principal: &Principal) -> Result<Expr, AccessError> {
    let mut expression = parse_expression(text)?;
    let caller = Caller { snapshot, principal };
    let _ = visit_expressions_mut(&mut expression, |expr| {
        if let Some(constant) = caller.constant(expr) {
            *expr = constant;
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(expression)
}

struct Caller<'a> {
    snapshot: &'a SecuritySnapshot,
    principal: &'a Principal,
}

impl Caller<'_> {
    /// The value of a question about the caller; None for other expressions.
    fn constant(&self, expr: &Expr) -> Option<Expr> {
        match expr {
            Expr::Identifier(ident) if ident.quote_style.is_none() => match ident.value.to_lowercase().as_str() {
                "current_role" => Some(text(Some(self.principal.current_user_name(self.snapshot)))),
                _ => None,
            },
            Expr::Function(function) => self.call(&plain_name(&function.name)?, &arguments(&function.args)?),
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: &[&Expr]) -> Option<Expr> {
        match (name, arguments) {
            ("current_user" | "current_role" | "user", []) => {
                Some(text(Some(self.principal.current_user_name(self.snapshot))))
            }
            ("session_user", []) => Some(text(Some(self.principal.session_user_name(self.snapshot)))),
            ("role_attribute", [name]) => {
                Some(text(self.principal.attribute(self.snapshot, literal(name)?).map(str::to_string)))
            }
            ("pg_has_role", [role, privilege]) => {
                Some(boolean(self.has_role(self.principal.checked_role(), literal(role)?, literal(privilege)?)))
            }
            _ => None,
        }
    }

    /// None, which is NULL, for a role that does not exist.
    fn has_role(&self, member: super::super::RoleId, role: &str, privilege: &str) -> Option<bool> {
        self.snapshot.pg_has_role(member, self.snapshot.role_named(role)?.id, privilege)
    }
}

fn plain_name(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(|ident| ident.value.to_lowercase()),
        _ => None,
    }
}

fn arguments(arguments: &FunctionArguments) -> Option<Vec<&Expr>> {
    match arguments {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => list.args.iter().map(plain_argument).collect(),
    }
}

fn plain_argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn text(value: Option<String>) -> Expr {
    let value = value.map_or(Value::Null, Value::SingleQuotedString);
    Expr::Cast {
        kind: ast::CastKind::Cast,
        expr: Box::new(Expr::value(value)),
        data_type: DataType::Text,
        array: false,
        format: None,
    }
}

fn boolean(value: Option<bool>) -> Expr {
    Expr::value(value.map_or(Value::Null, Value::Boolean))
}

/// What a condition is for every row, where its constants alone decide it.
pub fn truth(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Nested(inner) => truth(inner),
        Expr::Value(value) => match &value.value {
            Value::Boolean(value) => Some(*value),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => truth(expr).map(|value| !value),
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => match (truth(left), truth(right)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => match (truth(left), truth(right)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a mask shows this caller the column as it is.
pub fn shows_column(mask: &Expr, column: &str) -> bool {
    match mask {
        Expr::Nested(inner) => shows_column(inner, column),
        Expr::Identifier(ident) => folded(ident) == column,
        Expr::Case { operand: None, conditions, else_result, .. } => {
            for branch in conditions {
                match truth(&branch.condition) {
                    Some(true) => return shows_column(&branch.result, column),
                    Some(false) => {}
                    None => return false,
                }
            }
            else_result.as_ref().is_some_and(|other| shows_column(other, column))
        }
        _ => false,
    }
}

/// The columns that an expression may read: every name in it, wherever it stands.
pub fn names(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _ = visit_expressions(expr, |expr| {
        match expr {
            Expr::Identifier(ident) => {
                names.insert(folded(ident));
            }
            Expr::CompoundIdentifier(parts) => names.extend(parts.iter().map(folded)),
            Expr::CompoundFieldAccess { root, .. } => {
                if let Expr::Identifier(ident) = root.as_ref() {
                    names.insert(folded(ident));
                }
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    names
}

/// Whether an expression reads another table, or could.
pub fn has_query(expr: &Expr) -> bool {
    struct Finder;
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    expr.visit(&mut Finder).is_break()
}

/// `SELECT items FROM <base> AS table WHERE condition`; items are a name and what stands for it.
pub fn query(table: &str, items: Vec<(String, Expr)>, condition: Option<Expr>) -> Result<ast::Statement, AccessError> {
    let skeleton = format!("SELECT 1 FROM \"{BASE_SCHEMA}\".\"{BASE_TABLE}\"");
    let failed = || AccessError::PolicyFailed(table.to_string());
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&skeleton).map_err(|_| failed())?;
    let mut query: Box<Query> = parser.parse_query().map_err(|_| failed())?;
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(failed()) };
    if !items.is_empty() {
        let item = |(name, expr): (String, Expr)| SelectItem::ExprWithAlias { expr, alias: quoted(&name) };
        select.projection = items.into_iter().map(item).collect();
    }
    select.selection = condition;
    for from in &mut select.from {
        if let TableFactor::Table { alias, .. } = &mut from.relation {
            *alias = Some(TableAlias { explicit: true, name: quoted(table), columns: Vec::new(), at: None });
        }
    }
    Ok(ast::Statement::Query(query))
}

pub fn column(name: &str) -> Expr {
    Expr::Identifier(quoted(name))
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_query_within_an_expression_is_seen_wherever_it_stands() {
        for text in [
            "a IN (SELECT 1)",
            "EXISTS (SELECT 1)",
            "a = (SELECT 1)",
            "a = ANY (SELECT 1)",
            "NOT (b OR coalesce(a, (SELECT max(x) FROM t)) > 1)",
            "CASE WHEN b THEN (SELECT 1) END = 1",
        ] {
            assert!(has_query(&parse_expression(text).unwrap()), "{text}");
        }
        for text in ["a = 1", "a IN (1, 2)", "lower(a) LIKE 'select%' AND b IS NULL", "CASE WHEN b THEN a END"] {
            assert!(!has_query(&parse_expression(text).unwrap()), "{text}");
        }
    }
}
