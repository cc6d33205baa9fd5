//! What every room must know of PostgreSQL's SQL beside its parser.

mod tokens;
mod versions;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, UnaryOperator, Visit, VisitMut,
    Visitor, VisitorMut,
};

use self::tokens::SYMMETRIC;
pub use self::tokens::mend_tokens;
pub use self::versions::{AskedVersion, versioned};

/// A name as it is looked up: an unquoted one in lower case, a quoted one as it is.
pub fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn is_mark(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    matches!(function.name.0.as_slice(), [part] if part.as_ident().is_some_and(|name| name.value == SYMMETRIC))
}

/// Whether a mark stands anywhere in the expression.
fn has_mark(expr: &Expr) -> bool {
    struct Finder;
    impl Visitor for Finder {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if is_mark(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    expr.visit(&mut Finder).is_break()
}

/// `x BETWEEN a AND b OR x BETWEEN b AND a`, where the first bound is marked so. What is within another one stays, to be
/// refused: each level would double what is in it.
fn symmetric(expr: &Expr) -> Option<Expr> {
    let Expr::Between { expr: value, negated, low, high } = expr else { return None };
    let Expr::Function(marked) = low.as_ref() else { return None };
    let has_own = is_mark(low);
    let FunctionArguments::List(list) = &marked.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(low))] = list.args.as_slice() else { return None };
    let between = |low: &Expr, high: &Expr| Expr::Between {
        expr: value.clone(),
        negated: *negated,
        low: Box::new(low.clone()),
        high: Box::new(high.clone()),
    };
    let op = if *negated { BinaryOperator::And } else { BinaryOperator::Or };
    let is_alone = has_own && ![value.as_ref(), low, high.as_ref()].into_iter().any(has_mark);
    is_alone.then(|| nested(joined(between(low, high), op, between(high, low))))
}

/// Gives `IS [NOT] DISTINCT FROM` its place before AND and OR: sqlparser reads `a IS DISTINCT FROM b OR c` as
/// `a IS DISTINCT FROM (b OR c)`. Every statement and every stored expression passes here right after it was parsed.
pub fn mend_precedence<V: VisitMut>(parsed: &mut V) {
    let _ = parsed.visit(&mut Mender);
}

struct Mender;

impl VisitorMut for Mender {
    type Break = ();

    /// From the outside in: the whole chain of ANDs and ORs is rebuilt before its parts are looked at.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if swallows(expr) {
            *expr = rebuilt(expr);
        }
        if let Some(either) = symmetric(expr) {
            *expr = either;
        }
        ControlFlow::Continue(())
    }
}

/// Whether the right side of a comparison holds an AND or OR that no parentheses put there.
fn swallows(expr: &Expr) -> bool {
    match expr {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => is_junction(right),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => swallows(expr),
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            swallows(left) || swallows(right)
        }
        _ => false,
    }
}

fn is_junction(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. })
}

/// The same words, read with the right precedence.
fn rebuilt(expr: &Expr) -> Expr {
    let mut words = Words::of(expr);
    let mut alternatives = vec![words.first];
    for (op, operand) in words.rest.drain(..) {
        match (op, alternatives.pop()) {
            (BinaryOperator::And, Some(left)) => alternatives.push(joined(left, BinaryOperator::And, operand)),
            (_, left) => {
                alternatives.extend(left);
                alternatives.push(operand);
            }
        }
    }
    let mut alternatives = alternatives.into_iter();
    let first = alternatives.next().unwrap_or_else(|| expr.clone());
    alternatives.fold(first, |left, right| joined(left, BinaryOperator::Or, right))
}

fn joined(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// An expression as its operands, in order, and the ANDs and ORs between them.
struct Words {
    first: Expr,
    rest: Vec<(BinaryOperator, Expr)>,
}

impl Words {
    fn of(expr: &Expr) -> Self {
        match expr {
            Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
                let (mut words, right) = (Self::of(left), Self::of(right));
                words.rest.push((op.clone(), right.first));
                words.rest.extend(right.rest);
                words
            }
            Expr::IsDistinctFrom(left, right) => {
                Self::of(right).with_first(|right| nested(Expr::IsDistinctFrom(left.clone(), Box::new(right))))
            }
            Expr::IsNotDistinctFrom(left, right) => {
                Self::of(right).with_first(|right| nested(Expr::IsNotDistinctFrom(left.clone(), Box::new(right))))
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                Self::of(expr).with_first(|first| Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(first) })
            }
            other => Self { first: other.clone(), rest: Vec::new() },
        }
    }

    fn with_first(self, change: impl FnOnce(Expr) -> Expr) -> Self {
        Self { first: change(self.first), rest: self.rest }
    }
}

/// In parentheses, so that the text of it is read the same way again.
fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn mended(sql: &str) -> String {
        let mut expr = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap().parse_expr().unwrap();
        mend_precedence(&mut expr);
        expr.to_string()
    }

    /// Every operand that a lower operator follows ends the comparison, as in PostgreSQL 15 (EXPLAIN of these).
    #[test]
    fn a_comparison_ends_before_and_and_or() {
        for (sql, expected) in [
            ("a IS DISTINCT FROM b OR c", "(a IS DISTINCT FROM b) OR c"),
            ("a IS DISTINCT FROM b AND c OR d", "(a IS DISTINCT FROM b) AND c OR d"),
            ("a IS NOT DISTINCT FROM b OR c AND d", "(a IS NOT DISTINCT FROM b) OR c AND d"),
            ("NOT a IS DISTINCT FROM b OR c", "NOT (a IS DISTINCT FROM b) OR c"),
            (
                "a IS DISTINCT FROM b AND c IS DISTINCT FROM d OR e",
                "(a IS DISTINCT FROM b) AND (c IS DISTINCT FROM d) OR e",
            ),
            ("b AND c IS DISTINCT FROM d OR e", "b AND (c IS DISTINCT FROM d) OR e"),
            ("x OR a IS DISTINCT FROM b AND c", "x OR (a IS DISTINCT FROM b) AND c"),
            ("f(a IS DISTINCT FROM b OR c)", "f((a IS DISTINCT FROM b) OR c)"),
        ] {
            assert_eq!(mended(sql), expected, "{sql}");
            assert_eq!(mended(expected), expected, "once more: {expected}");
        }
    }

    #[test]
    fn a_trim_without_a_character_takes_away_blanks() {
        let mended = |sql: &str| {
            let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap();
            mend_tokens(&mut tokens);
            Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens).parse_expr().unwrap().to_string()
        };
        assert_eq!(mended("trim(trailing from x)"), "TRIM(TRAILING ' ' FROM x)");
        assert_eq!(
            mended("f(trim( leading\nfrom x), trim(both from 'y'))"),
            "f(TRIM(LEADING ' ' FROM x), TRIM(BOTH ' ' FROM 'y'))"
        );
        assert_eq!(mended("trim(leading 'a' from x)"), "TRIM(LEADING 'a' FROM x)");
    }

    #[test]
    fn signs_stand_apart_from_operators() {
        let mended = |sql: &str| {
            let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap();
            mend_tokens(&mut tokens);
            let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens);
            let mut expr = parser.parse_expr().unwrap();
            mend_precedence(&mut expr);
            expr.to_string()
        };
        assert_eq!(mended("a->-1"), "a -> -1");
        assert_eq!(mended("a<-1"), "a < -1");
        assert_eq!(mended("a <>-1"), "a <> -1");
        assert_eq!(mended("a BETWEEN SYMMETRIC 9 AND 1"), "(a BETWEEN 9 AND 1 OR a BETWEEN 1 AND 9)");
        assert_eq!(mended("a NOT BETWEEN SYMMETRIC b AND 1"), "(a NOT BETWEEN b AND 1 AND a NOT BETWEEN 1 AND b)");
        assert_eq!(mended("a BETWEEN ASYMMETRIC 9 AND 1"), "a BETWEEN 9 AND 1");
        assert_eq!(
            mended("a BETWEEN SYMMETRIC (CASE WHEN b AND c THEN 1 END) AND 1 AND d"),
            "(a BETWEEN (CASE WHEN b AND c THEN 1 END) AND 1 OR a BETWEEN 1 AND (CASE WHEN b AND c THEN 1 END)) AND d"
        );
    }

    #[test]
    fn what_parentheses_say_stays() {
        for sql in ["a IS DISTINCT FROM (b OR c)", "(a OR b) AND c", "a OR b AND c", "a IS DISTINCT FROM b + c"] {
            assert_eq!(mended(sql), sql);
        }
    }
}
