//! How much a statement stands for once each name of WITH is replaced by its query: the engine plans it anew wherever it is
//! named, so that `b AS (SELECT * FROM a x, a y), c AS (SELECT * FROM b x, b y), ...` doubles with every line.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, TableFactor, Visit, Visitor};

use super::too_complex;
use crate::error::{Error, Reason, Result};
use crate::sql::folded;

/// Relations and queries of a statement, each counted as often as it is planned.
const PARTS_MAX: u64 = 10_000;
/// Queries that are named in each other.
const DEPTH_MAX: u64 = 200;
/// Relations of one FROM: they become joins of joins.
const FROM_MAX: usize = 500;

/// Refuses a statement that would become too large, and one of whose parts the engine would pass over in silence.
pub fn require_small(statement: &Statement) -> Result<()> {
    match statement.visit(&mut Measure::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    parts: u64,
    depth: u64,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.parts = self.parts.saturating_add(other.parts);
        self.depth = self.depth.max(other.depth);
    }
}

/// A query that is being visited.
#[derive(Debug, Default)]
struct Frame {
    /// The names of its WITH, the next of which to be visited is the last.
    awaited: Vec<String>,
    named: HashMap<String, Size>,
    own: Size,
}

#[derive(Debug, Default)]
struct Measure {
    frames: Vec<Frame>,
}

impl Measure {
    /// Takes a part into the query that it stands in.
    fn take(&mut self, size: Size) -> ControlFlow<Error> {
        let Some(frame) = self.frames.last_mut() else { return ControlFlow::Continue(()) };
        frame.own.add(size);
        if frame.own.parts <= PARTS_MAX && frame.own.depth <= DEPTH_MAX {
            return ControlFlow::Continue(());
        }
        let text = format!("a statement may come to {PARTS_MAX} relations, and {DEPTH_MAX} queries deep");
        ControlFlow::Break(too_complex(text).with_hint("a query of WITH counts wherever it is named"))
    }
}

impl Visitor for Measure {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| folded(&cte.alias.name));
        let mut awaited: Vec<String> = names.collect();
        awaited.reverse();
        self.frames.push(Frame { awaited, ..Frame::default() });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Error> {
        let Some(Frame { own, .. }) = self.frames.pop() else { return ControlFlow::Continue(()) };
        let size = Size { parts: own.parts.saturating_add(1), depth: own.depth.saturating_add(1) };
        // The queries of WITH come first, in their order.
        if let Some(frame) = self.frames.last_mut()
            && let Some(name) = frame.awaited.pop()
        {
            frame.named.insert(name, size);
            return ControlFlow::Continue(());
        }
        self.take(size)
    }

    fn pre_visit_select(&mut self, select: &datafusion::sql::sqlparser::ast::Select) -> ControlFlow<Error> {
        if select.from.len() > FROM_MAX {
            return ControlFlow::Break(too_complex(format!("a FROM may have {FROM_MAX} relations")));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                let error = Error::new(Reason::Unsupported, "TABLESAMPLE is not supported");
                ControlFlow::Break(error.with_hint("WHERE random() < 0.01 keeps about one row of a hundred"))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Error> {
        let name = match relation.0.as_slice() {
            [part] => part.as_ident().map(folded),
            _ => None,
        };
        let named = name.and_then(|name| self.frames.iter().rev().find_map(|frame| frame.named.get(&name).copied()));
        self.take(named.unwrap_or(Size { parts: 1, depth: 0 }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::query::statement::{StatementKind, parse};

    fn refusal(sql: &str) -> Option<Reason> {
        match parse(sql) {
            Ok(statements) => {
                assert!(matches!(statements[0].kind, StatementKind::Sql(_)));
                None
            }
            Err(error) => Some(error.reason()),
        }
    }

    #[test]
    fn names_that_double_are_refused_and_few_of_them_are_not() {
        let doubled = |lines: usize| {
            let lines: Vec<_> =
                (1..=lines).map(|n| format!("q{n} AS (SELECT x.a FROM q{m} x, q{m} y)", m = n - 1)).collect();
            format!("WITH q0 AS (SELECT 1 AS a), {} SELECT * FROM q{}", lines.join(", "), lines.len())
        };
        assert_eq!(refusal(&doubled(5)), None);
        assert_eq!(refusal(&doubled(30)), Some(Reason::TooComplex));
        assert_eq!(refusal(&format!("SELECT * FROM ({}) AS s", doubled(30))), Some(Reason::TooComplex));
    }

    #[test]
    fn names_that_stand_in_each_other_are_bounded() {
        let nested = |lines: usize| {
            let lines: Vec<_> = (1..=lines).map(|n| format!("q{n} AS (SELECT a FROM q{})", n - 1)).collect();
            format!("WITH q0 AS (SELECT 1 AS a), {} SELECT * FROM q{}", lines.join(", "), lines.len())
        };
        assert_eq!(refusal(&nested(100)), None);
        assert_eq!(refusal(&nested(300)), Some(Reason::TooComplex));
    }

    #[test]
    fn many_relations_in_a_from_are_refused() {
        let from: Vec<_> = (0..=FROM_MAX).map(|n| format!("t t{n}")).collect();
        assert_eq!(refusal(&format!("SELECT 1 FROM {}", from.join(", "))), Some(Reason::TooComplex));
    }

    #[test]
    fn a_sample_is_refused_and_not_passed_over() {
        assert_eq!(refusal("SELECT count(*) FROM t TABLESAMPLE SYSTEM (1)"), Some(Reason::Unsupported));
    }
}
