//! PostgreSQL's way of writing SQL, turned into what the engine plans. It knows constructs, never whole statements.

mod arrays;
mod build;
mod casts;
mod functions;
mod hidden;
mod names;
mod operators;
mod quantified;
mod sets;
mod tables;
mod values;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, LimitClause, Query, Select, Statement, TableFactor, Value, VisitMut, VisitorMut,
};

use hidden::Scopes;
pub use names::shown_name;

/// Rewrites a statement in place. What is unknown to it stays as it was, for the engine to plan or to refuse.
///
/// Output columns without a name get the one that PostgreSQL would give; where a name comes twice the later gets a suffix
/// that [`shown_name`] takes off.
pub fn rewrite(statement: &mut Statement) {
    let _ = statement.visit(&mut Rewriter::default());
}

#[derive(Debug, Default)]
struct Rewriter {
    /// The names of the CTEs in scope, a frame a query.
    tables_named: Vec<Vec<String>>,
    scopes: Scopes,
}

/// FETCH FIRST n ROWS ONLY as LIMIT n, which is the same; WITH TIES and PERCENT stay for the engine to refuse.
fn limit_by_fetch(query: &mut Query) {
    let plain = query.fetch.as_ref().is_some_and(|fetch| !fetch.with_ties && !fetch.percent);
    let offset = match &query.limit_clause {
        None => None,
        Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) if limit_by.is_empty() => offset.clone(),
        Some(_) => return,
    };
    if plain && let Some(fetch) = query.fetch.take() {
        // Without a number it is one row.
        let limit = fetch.quantity.or_else(|| Some(Expr::value(Value::Number("1".to_owned(), false))));
        query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: Vec::new() });
    }
}

impl VisitorMut for Rewriter {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| build::bare(&cte.alias.name));
        self.tables_named.push(names.collect());
        limit_by_fetch(query);
        if self.tables_named.len() == 1 {
            tables::order_columns(query);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.tables_named.pop();
        values::rewrite(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let named = &self.tables_named;
        let is_cte = |name: &str| named.iter().flatten().any(|cte| cte == name);
        self.scopes.enter(&select.from, is_cte);
        names::name_columns(select);
        tables::spread(select);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.scopes.leave();
        casts::show_outputs(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let named = &self.tables_named;
        let is_cte = |name: &str| named.iter().flatten().any(|cte| cte == name);
        tables::qualify(factor, is_cte);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.scopes.resolve(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        operators::rewrite(expr);
        functions::rewrite(expr);
        casts::rewrite(expr);
        sets::rewrite(expr);
        arrays::rewrite(expr);
        quantified::rewrite(expr);
        ControlFlow::Continue(())
    }
}
