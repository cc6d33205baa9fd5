//! Full names in policy and mask expressions, so that no caller's search path can turn them to another table.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, Query, Visit, Visitor, visit_relations_mut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::super::error::AccessError;
use super::super::statement::RelationName;
use super::objects::Objects;
use crate::error::Result;
use crate::sql::{folded, mend_precedence};

/// One expression, and nothing after it.
pub fn parse_expression(text: &str) -> Result<Expr, AccessError> {
    let invalid = |error: &dyn std::fmt::Display| AccessError::InvalidStatement(error.to_string());
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).map_err(|error| invalid(&error))?;
    let mut expression = parser.parse_expr().map_err(|error| invalid(&error))?;
    mend_precedence(&mut expression);
    match parser.peek_token().token {
        Token::EOF => Ok(expression),
        other => Err(AccessError::InvalidStatement(format!("syntax error at or near \"{other}\""))),
    }
}

/// The expression with every relation named in full, as the author's search path has it now.
pub async fn qualified(text: &str, objects: &dyn Objects) -> Result<String> {
    let mut expression = parse_expression(text)?;
    let local = common_tables(&expression);
    let mut resolved = Vec::new();
    for name in relations(&mut expression) {
        let relation = relation_name(&name)?;
        if relation.schema.is_none() && local.contains(&relation.name) {
            resolved.push(name);
            continue;
        }
        let found = objects.relation(relation.schema.as_deref(), &relation.name).await?;
        let id = found.ok_or_else(|| AccessError::RelationMissing(relation.name.clone()))?.id;
        let quoted = |part: String| Ident::with_quote('"', part);
        resolved.push(ObjectName::from(vec![quoted(id.schema), quoted(id.table)]));
    }
    let mut names = resolved.into_iter();
    let _ = visit_relations_mut(&mut expression, |name| {
        if let Some(full) = names.next() {
            *name = full;
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(expression.to_string())
}

pub(super) fn relations(expression: &mut Expr) -> Vec<ObjectName> {
    let mut names = Vec::new();
    let _ = visit_relations_mut(expression, |name| {
        names.push(name.clone());
        ControlFlow::<()>::Continue(())
    });
    names
}

/// The names that WITH gives inside of the expression.
fn common_tables(expression: &Expr) -> BTreeSet<String> {
    struct Names(BTreeSet<String>);
    impl Visitor for Names {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let tables = query.with.iter().flat_map(|with| &with.cte_tables);
            self.0.extend(tables.map(|table| folded(&table.alias.name)));
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(BTreeSet::new());
    let _ = expression.visit(&mut names);
    names.0
}

pub(super) fn relation_name(name: &ObjectName) -> Result<RelationName, AccessError> {
    let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(folded)).collect();
    let mut parts = parts.unwrap_or_default();
    let last = parts.pop().ok_or_else(|| AccessError::RelationMissing(name.to_string()))?;
    Ok(RelationName { schema: parts.pop(), name: last })
}
