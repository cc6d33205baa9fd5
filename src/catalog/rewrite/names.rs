//! The names that PostgreSQL gives to output columns without one.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, DataType, Expr, Ident, Query, Select, SelectItem, SetExpr, TrimWhereField, Value,
};

use super::build::{bare, parts};
use crate::catalog::types;

/// Stands before the number by which equal names are told apart.
const MARK: char = '\u{1f}';

/// The name of an output column as a client shall see it.
pub fn shown_name(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Names the columns of a SELECT that have no name, and tells equal names apart.
pub fn name_columns(select: &mut Select) {
    let mut taken: HashSet<String> = HashSet::new();
    for item in &mut select.projection {
        let (expr, name) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(bare(alias))),
            _ => continue,
        };
        let is_column = name.is_none() && is_column(expr);
        let plain =
            name.clone().or_else(|| figure(expr).map(|(name, _)| name)).unwrap_or_else(|| "?column?".to_owned());
        let key = if is_column { expr.to_string().to_lowercase() } else { plain.clone() };
        let is_hidden = is_column && plain == "tableoid";
        let unique = distinct(&plain, &mut taken, &key);
        if unique != plain || (name.is_none() && (!is_column || is_hidden)) {
            let alias = Ident::with_quote('"', unique);
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(ident) => super::operators::session_word(ident).is_none(),
        Expr::CompoundIdentifier(_) => true,
        _ => false,
    }
}

/// The name itself the first time, then with a mark and a number.
fn distinct(name: &str, taken: &mut HashSet<String>, key: &str) -> String {
    if taken.insert(key.to_owned()) {
        // A column that is named bare and one that is qualified count as two.
        taken.insert(name.to_owned());
        return name.to_owned();
    }
    let numbered = (2..).map(|number: u32| format!("{name}{MARK}{number}")).find(|name| taken.insert(name.clone()));
    numbered.unwrap_or_else(|| name.to_owned())
}

/// A name, and whether it is one that a cast or a CASE around the expression takes over.
type Figure = Option<(String, Strength)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Weak,
    Strong,
}

fn strong(name: &str) -> Figure {
    Some((name.to_owned(), Strength::Strong))
}

fn weak(name: Option<String>) -> Figure {
    name.map(|name| (name, Strength::Weak))
}

/// The name of an expression's column; `None` where it has none of its own.
fn figure(expr: &Expr) -> Figure {
    let is_strong = |figure: &(String, Strength)| figure.1 == Strength::Strong;
    match expr {
        Expr::Identifier(ident) => strong(&bare(ident)),
        Expr::CompoundIdentifier(idents) => idents.last().and_then(|ident| strong(&bare(ident))),
        Expr::Nested(expr) | Expr::Collate { expr, .. } => figure(expr),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Function(function) => parts(&function.name).pop().and_then(|name| strong(&name)),
        Expr::Cast { expr, data_type, .. } => figure(expr).filter(is_strong).or_else(|| weak(type_label(data_type))),
        Expr::TypedString(typed) => weak(type_label(&typed.data_type)),
        Expr::Interval(_) => weak(Some("interval".to_owned())),
        Expr::Case { else_result, .. } => {
            else_result.as_deref().and_then(figure).filter(is_strong).or_else(|| weak(Some("case".to_owned())))
        }
        Expr::Exists { .. } => strong("exists"),
        Expr::Subquery(query) => first_column(query),
        Expr::Array(_) => strong("array"),
        Expr::Extract { .. } => strong("extract"),
        Expr::Substring { shorthand: true, .. } => strong("substr"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Position { .. } => strong("position"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.last() {
            Some(AccessExpr::Dot(Expr::Identifier(field))) => strong(&bare(field)),
            _ => figure(root),
        },
        Expr::Value(value) => match value.value {
            Value::Boolean(_) => weak(Some("bool".to_owned())),
            _ => None,
        },
        _ => None,
    }
}

fn first_column(query: &Query) -> Figure {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    match select.projection.first()? {
        SelectItem::ExprWithAlias { alias, .. } => strong(&bare(alias)),
        SelectItem::UnnamedExpr(expr) => figure(expr),
        _ => None,
    }
}

/// A type as `pg_type` names it, which is what a cast of a nameless value is called.
fn type_label(data_type: &DataType) -> Option<String> {
    let text = data_type.to_string().to_lowercase();
    let text = text.strip_prefix("pg_catalog.").unwrap_or(&text);
    let text = text.split('(').next().unwrap_or(text).trim_end_matches("[]").trim();
    let oid = types::oid_by_sql_name(text);
    let known = oid.and_then(types::by_oid).map(|item| item.name.clone());
    known.or_else(|| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| text.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn names(sql: &str) -> Vec<String> {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap().remove(0);
        super::super::rewrite(&mut statement);
        let datafusion::sql::sqlparser::ast::Statement::Query(query) = statement else { return Vec::new() };
        let SetExpr::Select(select) = *query.body else { return Vec::new() };
        let name = |item: &SelectItem| match item {
            SelectItem::ExprWithAlias { alias, .. } => shown_name(&alias.value).to_owned(),
            SelectItem::UnnamedExpr(expr) => expr.to_string(),
            other => other.to_string(),
        };
        select.projection.iter().map(name).collect()
    }

    // The names are what PostgreSQL 15 gives.
    #[test]
    fn columns_are_named_as_postgres_names_them() {
        let cases = [
            ("SELECT 1, 'x', NULL, true", vec!["?column?", "?column?", "?column?", "bool"]),
            ("SELECT 1::int8, count(*), max(a) + 1 FROM t", vec!["int8", "count", "?column?"]),
            (
                "SELECT pg_catalog.version(), current_user, current_schema",
                vec!["version", "current_user", "current_schema"],
            ),
            ("SELECT 't'::regclass::oid", vec!["oid"]),
            ("SELECT a::text, (SELECT b FROM u), CASE WHEN a THEN 1 END FROM t", vec!["a", "b", "case"]),
            (
                "SELECT CASE WHEN a THEN 1 ELSE b::text END, CASE WHEN a THEN 1 ELSE 'x'::text END FROM t",
                vec!["b", "case"],
            ),
            ("SELECT trim(a), extract(year FROM b), ARRAY[1], a[1] FROM t", vec!["btrim", "extract", "array", "a"]),
            ("SELECT timestamp '2024-01-01', '1'::numeric(10,2)", vec!["timestamp", "numeric"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(names(sql), expected, "{sql}");
        }
    }
}
