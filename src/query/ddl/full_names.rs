//! Full names in the text of a view, so that no reader's search path can turn them to another relation.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Query, TableFactor, VisitMut, VisitorMut};

use crate::access::TableId;
use crate::error::{Error, Reason, Result};
use crate::sql::{folded, versioned};

/// What a name means: schema, where it has one, and name.
pub type Locate<'a> = &'a dyn Fn(Option<&str>, &str) -> Option<TableId>;

/// Gives every relation in the query its full name; tells which they are. An error where one is missing or hidden.
pub fn give_full_names(query: &mut Query, locate: Locate<'_>) -> Result<BTreeSet<TableId>> {
    let mut names = FullNames { locate, queries: Vec::new(), read: BTreeSet::new(), is_call: false };
    match query.visit(&mut names) {
        ControlFlow::Continue(()) => Ok(names.read),
        ControlFlow::Break(error) => Err(error),
    }
}

struct FullNames<'a> {
    locate: Locate<'a>,
    /// The queries around the place that is visited, outermost first.
    queries: Vec<Scope>,
    read: BTreeSet<TableId>,
    /// The next name is that of a function in the place of a table.
    is_call: bool,
}

/// The names that WITH gives in one query.
struct Scope {
    names: Vec<String>,
    is_recursive: bool,
    /// How many of the queries directly within were visited: those of WITH come first, in order.
    visited: usize,
}

impl Scope {
    /// A query of WITH sees those before it; RECURSIVE lets it see all.
    fn holds(&self, name: &str) -> bool {
        let seen = if self.is_recursive { self.names.len() } else { self.visited.min(self.names.len()) };
        self.names[..seen].iter().any(|known| known == name)
    }
}

impl VisitorMut for FullNames<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.queries.push(Scope {
            names: tables.map(|table| folded(&table.alias.name)).collect(),
            is_recursive: query.with.as_ref().is_some_and(|with| with.recursive),
            visited: 0,
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.queries.pop();
        if let Some(around) = self.queries.last_mut() {
            around.visited += 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        self.is_call = matches!(factor, TableFactor::Table { args: Some(_), .. });
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<Error> {
        if std::mem::take(&mut self.is_call) {
            return ControlFlow::Continue(());
        }
        let missing = || Error::new(Reason::UndefinedTable, format!("relation \"{name}\" does not exist"));
        let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(folded)).collect();
        let found = match parts.as_deref() {
            Some([bare]) if self.queries.iter().any(|scope| scope.holds(bare)) => return ControlFlow::Continue(()),
            Some([bare]) => (self.locate)(None, bare),
            // The database is not looked at.
            Some([schema, table] | [_, schema, table]) => (self.locate)(Some(schema), table),
            _ => None,
        };
        if let Some(last) = parts.as_deref().and_then(<[String]>::last)
            && let (table, Some(_)) = versioned(last)
        {
            let text = format!("a view cannot read a version of table \"{table}\": its files are not kept for ever");
            return ControlFlow::Break(Error::new(Reason::Unsupported, text));
        }
        let Some(id) = found else { return ControlFlow::Break(missing()) };
        *name = ObjectName::from(vec![ident(&id.schema), ident(&id.table)]);
        self.read.insert(id);
        ControlFlow::Continue(())
    }
}

fn ident(name: &str) -> Ident {
    if crate::catalog::quote_ident(name) == name { Ident::new(name) } else { Ident::with_quote('"', name) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn full(sql: &str) -> Result<String> {
        let mut query = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap().parse_query().unwrap();
        let known =
            |schema: Option<&str>, name: &str| (name != "nothing").then(|| TableId::new(schema.unwrap_or("s"), name));
        give_full_names(&mut query, &known)?;
        Ok(query.to_string())
    }

    #[test]
    fn every_relation_gets_its_full_name_wherever_it_stands() {
        for (sql, wanted) in [
            ("SELECT * FROM t, h.public.\"U\" AS u", "SELECT * FROM s.t, public.\"U\" AS u"),
            ("SELECT (SELECT 1 FROM t) FROM a.t", "SELECT (SELECT 1 FROM s.t) FROM a.t"),
            ("WITH c AS (SELECT 1 FROM t) SELECT * FROM c", "WITH c AS (SELECT 1 FROM s.t) SELECT * FROM c"),
            ("SELECT * FROM generate_series(1, 2) AS g", "SELECT * FROM generate_series(1, 2) AS g"),
            ("SELECT * FROM \"order\"", "SELECT * FROM s.\"order\""),
        ] {
            assert_eq!(full(sql).unwrap(), wanted, "{sql}");
        }
    }

    #[test]
    fn a_name_of_with_hides_a_table_only_where_it_is_in_scope() {
        let own = full("WITH t AS (SELECT * FROM t) SELECT * FROM t").unwrap();
        assert_eq!(own, "WITH t AS (SELECT * FROM s.t) SELECT * FROM t");
        let outside = full("SELECT * FROM (WITH c AS (SELECT 1) SELECT * FROM c) AS q, c").unwrap();
        assert_eq!(outside, "SELECT * FROM (WITH c AS (SELECT 1) SELECT * FROM c) AS q, s.c");
        let recursive = full("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r").unwrap();
        assert_eq!(recursive, "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r");
        let later = full("WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT 1").unwrap();
        assert_eq!(later, "WITH a AS (SELECT * FROM s.b), b AS (SELECT * FROM a) SELECT 1");
    }

    #[test]
    fn a_name_that_means_nothing_is_an_error() {
        assert_eq!(full("SELECT 1 FROM x.nothing").unwrap_err().to_string(), "relation \"x.nothing\" does not exist");
    }
}
