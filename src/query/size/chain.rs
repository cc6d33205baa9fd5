//! How many steps a chain of operators may have.
//!
//! `a + b + c` is parsed in a loop, into a tree that is as deep as the chain is long; to walk it, and to drop it, takes a
//! frame of the stack for each step. So chains are counted where they are still flat: in the tokens.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::too_complex;
use crate::error::Result;

/// Operators between two commas, and those of the deepest brackets among them: `a = 1 OR a = 2 OR ...` has two a step.
const OPERATORS_MAX: usize = 1_000;
/// The same of joins and set operations of one SELECT.
const RELATIONS_MAX: usize = 500;

/// How deep a tree gets of one kind of steps.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    chain: usize,
    /// The deepest of the brackets in the chain.
    inner: usize,
    /// The deepest chain that was before.
    deepest: usize,
}

impl Depth {
    fn now(self) -> usize {
        self.chain + self.inner
    }

    fn end_chain(&mut self) {
        *self = Self { deepest: self.whole(), ..Self::default() };
    }

    fn whole(self) -> usize {
        self.deepest.max(self.now())
    }
}

/// Within one pair of brackets, or between CASE and END.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    is_case: bool,
    operators: Depth,
    /// Commas do not end a chain of these.
    relations: Depth,
}

/// Refuses a text with a chain that is too long to be walked.
pub fn require_short_chains(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut nest = Nest::default();
    for token in tokens {
        match &token.token {
            Token::Whitespace(_) | Token::Period => {}
            Token::LParen | Token::LBrace => nest.enter(false),
            // `a[1][2]` is a chain of its own.
            Token::LBracket => {
                nest.step()?;
                nest.enter(false);
            }
            Token::RParen | Token::RBracket | Token::RBrace => nest.leave(false)?,
            Token::Comma => nest.innermost.operators.end_chain(),
            Token::SemiColon => nest = Nest::default(),
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::CASE => nest.enter(true),
                Keyword::END if nest.innermost.is_case => nest.leave(true)?,
                Keyword::WHEN | Keyword::THEN | Keyword::ELSE if nest.innermost.is_case => {
                    nest.innermost.operators.end_chain();
                }
                Keyword::JOIN | Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT => {
                    nest.innermost.operators.end_chain();
                    nest.innermost.relations.chain += 1;
                    nest.require_walkable()?;
                }
                Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::IS | Keyword::NOTNULL => {
                    nest.step()?;
                }
                Keyword::AT | Keyword::COLLATE | Keyword::IN | Keyword::BETWEEN => nest.step()?,
                Keyword::LIKE | Keyword::ILIKE | Keyword::SIMILAR | Keyword::XOR | Keyword::OVERLAPS => nest.step()?,
                _ => {}
            },
            token if is_value(token) => {}
            _ => nest.step()?,
        }
    }
    Ok(())
}

/// The brackets that are open.
#[derive(Debug, Default)]
struct Nest {
    outer: Vec<Level>,
    innermost: Level,
}

impl Nest {
    fn enter(&mut self, is_case: bool) {
        self.outer.push(std::mem::replace(&mut self.innermost, Level { is_case, ..Level::default() }));
    }

    /// Ends the innermost level, and with a bracket each CASE in it that has no END.
    fn leave(&mut self, of_case: bool) -> Result<()> {
        while let Some(outer) = self.outer.pop() {
            let inner = std::mem::replace(&mut self.innermost, outer);
            for (outer, inner) in
                [(&mut self.innermost.operators, inner.operators), (&mut self.innermost.relations, inner.relations)]
            {
                outer.inner = outer.inner.max(inner.whole());
            }
            if inner.is_case == of_case {
                break;
            }
        }
        self.require_walkable()
    }

    fn step(&mut self) -> Result<()> {
        self.innermost.operators.chain += 1;
        self.require_walkable()
    }

    fn require_walkable(&self) -> Result<()> {
        if self.innermost.operators.now() > OPERATORS_MAX {
            let text = format!("an expression may have {OPERATORS_MAX} operators in a row");
            return Err(too_complex(text).with_hint("use IN with a list, or a join with VALUES"));
        }
        if self.innermost.relations.now() > RELATIONS_MAX {
            let text = format!("a SELECT may have {RELATIONS_MAX} joins and set operations in a row");
            return Err(too_complex(text).with_hint("UNION ALL of constants is a VALUES; keep parts in tables"));
        }
        Ok(())
    }
}

/// Whether the token stands for a value or a name; what is not known is an operator.
fn is_value(token: &Token) -> bool {
    matches!(
        token,
        Token::Word(_)
            | Token::Number(..)
            | Token::Placeholder(_)
            | Token::SingleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::EOF
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn is_taken(sql: &str) -> bool {
        require_short_chains(&Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap()).is_ok()
    }

    #[test]
    fn a_chain_is_refused_whatever_it_is_made_of() {
        for link in [
            "+ 1",
            "|| 'a'",
            "::int",
            "OR true",
            "AND a = 1",
            "AT TIME ZONE 'UTC'",
            "IS NULL",
            "[1]",
            "-> 'a'",
            "~ 'a'",
            "COLLATE x",
            "NOT IN (1, 2)",
            "BETWEEN 1 AND 2",
            "+ CASE WHEN a THEN b END",
            "+ (1, 2)",
            "+ f(1, 2)",
        ] {
            assert!(!is_taken(&format!("SELECT 1 {}", format!("{link} ").repeat(OPERATORS_MAX + 1))), "{link}");
        }
        for link in ["UNION ALL SELECT 1, 2", "JOIN t USING (a, b)", "EXCEPT SELECT 1"] {
            assert!(!is_taken(&format!("SELECT 1, 2 {}", format!("{link} ").repeat(RELATIONS_MAX + 1))), "{link}");
        }
    }

    #[test]
    fn brackets_within_brackets_are_added_up() {
        let nested = |link: &str, rounds: usize| {
            let part = link.repeat(OPERATORS_MAX / 4);
            (0..rounds).fold("1".to_owned(), |inner, _| format!("({inner}){part}"))
        };
        for link in [" + 1", " OR a"] {
            assert!(is_taken(&format!("SELECT {}", nested(link, 3))), "{link}");
            assert!(!is_taken(&format!("SELECT {}", nested(link, 5))), "{link}");
        }
        let unions = |rounds: usize| {
            let part = " UNION SELECT 1, 2".repeat(RELATIONS_MAX / 4);
            (0..rounds).fold("SELECT 1, 2".to_owned(), |inner, _| format!("({inner}){part}"))
        };
        assert!(is_taken(&unions(3)) && !is_taken(&unions(5)));
        // Side by side they are no deeper than one of them.
        assert!(is_taken(&format!("SELECT {}", ["(1 + 1 + 1 + 1 + 1)"; 900].join(" + "))));
    }

    #[test]
    fn long_lists_and_many_statements_are_no_chains() {
        for (before, part, after) in [
            ("SELECT a IN (0", ", -1", ")"),
            ("INSERT INTO t VALUES (0)", ", (1 + 1, 'a'::text)", ""),
            ("SELECT CASE", " WHEN a = 1 OR a = 2 THEN b + 1", " END"),
            ("SELECT 1", "; SELECT 1 + 1", ""),
            ("SELECT 1", ", 1 + 1 AS a", ""),
        ] {
            assert!(is_taken(&format!("{before}{}{after}", part.repeat(20_000))), "{before}");
        }
    }
}
