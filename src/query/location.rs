//! Where in its text a statement is wrong: the place of the name that an error tells of.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, ObjectName, ObjectNamePart, SelectItem, SelectItemQualifiedWildcardKind, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::error::{Error, Reason};
use crate::sql::folded;

/// Adds the place of the name that `error` tells of, if the statement has that name and the error has no place yet.
pub fn located(error: Error, statement: &ast::Statement, source: &str) -> Error {
    let Some(name) = Wanted::of(&error).filter(|_| error.position().is_none()) else { return error };
    let mut finder = Finder { name, found: None };
    let _ = statement.visit(&mut finder);
    match finder.found {
        Some(place) => at(error, source, place),
        None => error,
    }
}

/// Adds the character position of a line and column.
pub fn at(error: Error, source: &str, place: Location) -> Error {
    if place.line == 0 {
        return error;
    }
    let lines = source.split_inclusive('\n').take(usize::try_from(place.line).unwrap_or(1) - 1);
    let before: usize = lines.map(|line| line.chars().count()).sum();
    error.at(before + usize::try_from(place.column).unwrap_or(0))
}

/// The last part of a name, and what it is the name of.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Column(String),
    Relation(String),
    Function(String),
}

impl Wanted {
    fn of(error: &Error) -> Option<Self> {
        let text = error.to_string();
        let name = |before: &str, after: &str| {
            let rest = text.strip_prefix(before)?;
            let name = rest.split(after).next()?;
            let last = name.rsplit('.').next()?;
            Some(last.trim_matches('"').to_owned())
        };
        match error.reason() {
            Reason::UndefinedColumn => name("column ", " does not exist").map(Self::Column),
            Reason::AmbiguousColumn => name("column reference ", " is ambiguous").map(Self::Column),
            Reason::UndefinedTable => name("relation ", " does not exist").map(Self::Relation),
            Reason::UndefinedFunction => name("function ", " does not exist").map(Self::Function),
            _ => None,
        }
    }
}

struct Finder {
    name: Wanted,
    found: Option<Location>,
}

impl Finder {
    fn column(&mut self, first: &Ident, last: &Ident) -> ControlFlow<()> {
        match &self.name {
            Wanted::Column(name) if folded(last) == *name => self.stop(first),
            _ => ControlFlow::Continue(()),
        }
    }

    fn stop(&mut self, ident: &Ident) -> ControlFlow<()> {
        self.found = Some(ident.span.start);
        ControlFlow::Break(())
    }

    fn named(&mut self, name: &ObjectName, wanted: &str) -> ControlFlow<()> {
        let idents = || name.0.iter().filter_map(ObjectNamePart::as_ident);
        match (idents().next(), idents().next_back()) {
            (Some(first), Some(last)) if folded(last) == wanted => self.stop(&first.clone()),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        match &self.name {
            Wanted::Relation(name) => {
                let name = name.clone();
                self.named(relation, &name)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &ast::Select) -> ControlFlow<()> {
        // `nothing.*` names a relation that FROM does not have.
        for item in &select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
                && let Wanted::Relation(wanted) = &self.name
            {
                let wanted = wanted.clone();
                self.named(name, &wanted)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.column(ident, ident),
            Expr::CompoundIdentifier(idents) => match (idents.first(), idents.last()) {
                (Some(first), Some(last)) => self.column(first, last),
                _ => ControlFlow::Continue(()),
            },
            Expr::Function(function) => match &self.name {
                Wanted::Function(name) => {
                    let name = name.clone();
                    self.named(&function.name, &name)
                }
                _ => ControlFlow::Continue(()),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::query::statement::{StatementKind, parse};

    fn position(sql: &str, reason: Reason, text: &str) -> Option<usize> {
        let statement = parse(sql).unwrap().remove(0);
        let StatementKind::Sql(parsed) = &statement.kind else { panic!("{sql}") };
        located(Error::new(reason, text), parsed, sql).position()
    }

    // The places that PostgreSQL 15 tells.
    #[test]
    fn the_name_that_is_wrong_is_found() {
        use Reason::{UndefinedColumn, UndefinedFunction, UndefinedTable};
        for (sql, reason, text, expected) in [
            ("SELECT nope FROM t", UndefinedColumn, "column \"nope\" does not exist", 8),
            ("SELECT a,\n  t.nope FROM t", UndefinedColumn, "column t.nope does not exist", 13),
            ("SELECT 1 FROM s.nope", UndefinedTable, "relation \"s.nope\" does not exist", 15),
            ("SELECT 'é', nope(1)", UndefinedFunction, "function nope does not exist", 13),
        ] {
            assert_eq!(position(sql, reason, text), Some(expected), "{sql}");
        }
        assert_eq!(position("SELECT 1", UndefinedColumn, "column \"nope\" does not exist"), None);
    }
}
