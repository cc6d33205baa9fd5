//! A table at an earlier version: `orders FOR VERSION AS OF 12`, `orders FOR SYSTEM_TIME AS OF '2026-11-01 08:00'`.
//!
//! PostgreSQL has no such clause and the parser none for its dialect, so the tokens of it become part of the relation's name, in
//! quotes, under an alias that is the name itself: `"orders FOR VERSION AS OF 12" AS orders`. [`versioned`] takes the name apart.

use datafusion::sql::sqlparser::keywords::{Keyword, RESERVED_FOR_TABLE_ALIAS};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

const VERSION: &str = " FOR VERSION AS OF ";
const TIME: &str = " FOR SYSTEM_TIME AS OF ";

/// Which version a statement asks for, as it wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedVersion<'a> {
    Number(&'a str),
    /// Without a zone it is in that of the session.
    Time(&'a str),
}

/// The name of a relation, and the version that was asked for.
pub fn versioned(name: &str) -> (&str, Option<AskedVersion<'_>>) {
    if let Some((name, number)) = name.rsplit_once(VERSION) {
        return (name, Some(AskedVersion::Number(number)));
    }
    match name.rsplit_once(TIME) {
        Some((name, time)) => (name, Some(AskedVersion::Time(time))),
        None => (name, None),
    }
}

/// Whether a statement may have such a clause at all.
pub fn may_travel(token: &Token) -> bool {
    matches!(keyword_of(token), Some(Keyword::OF))
}

/// Puts each clause into the name before it.
pub fn versions_named(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut named: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let clause = clause(&tokens[at..]);
        let name = clause.as_ref().and_then(|_| named.iter().rposition(|token| !is_blank(token)));
        let word = name.and_then(|place| match &named[place].token {
            Token::Word(word) => Some((place, word.clone())),
            _ => None,
        });
        let (Some(clause), Some((place, word))) = (clause, word) else {
            named.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let span = named[place].span;
        let folded = if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() };
        named[place].token = Token::make_word(&format!("{folded}{}", clause.suffix), Some('"'));
        at += clause.tokens;
        if !is_alias(&tokens[at..]) {
            named.truncate(place + 1);
            let blank = || Token::make_word("AS", None);
            let space = || Token::Whitespace(datafusion::sql::sqlparser::tokenizer::Whitespace::Space);
            let alias = [space(), blank(), space(), Token::Word(word)];
            named.extend(alias.map(|token| TokenWithSpan::new(token, span)));
        }
    }
    named
}

struct Clause {
    suffix: String,
    /// How many tokens it has.
    tokens: usize,
}

/// The clause that begins with the first of these tokens: `[FOR] VERSION AS OF n`, `FOR SYSTEM_TIME AS OF 'time'`,
/// `[FOR] TIMESTAMP AS OF 'time'`.
fn clause(tokens: &[TokenWithSpan]) -> Option<Clause> {
    let mut words = tokens.iter().enumerate().filter(|(_, token)| !is_blank(token));
    let mut next = || words.next();
    let (_, mut first) = next()?;
    if !matches!(keyword_of(&first.token), Some(Keyword::FOR | Keyword::VERSION | Keyword::TIMESTAMP))
        || is_blank(tokens.first()?)
    {
        return None;
    }
    let has_for = keyword_of(&first.token) == Some(Keyword::FOR);
    if has_for {
        first = next()?.1;
    }
    let is_number = match keyword_of(&first.token)? {
        Keyword::VERSION => true,
        Keyword::TIMESTAMP => false,
        Keyword::SYSTEM_TIME if has_for => false,
        _ => return None,
    };
    for wanted in [Keyword::AS, Keyword::OF] {
        if keyword_of(&next()?.1.token) != Some(wanted) {
            return None;
        }
    }
    let (mut place, mut value) = next()?;
    if matches!(keyword_of(&value.token), Some(Keyword::TIMESTAMP | Keyword::TIMESTAMPTZ)) && !is_number {
        (place, value) = next()?;
    }
    let suffix = match &value.token {
        Token::Number(number, _) if is_number => format!("{VERSION}{number}"),
        Token::SingleQuotedString(time) if !is_number => format!("{TIME}{time}"),
        _ => return None,
    };
    Some(Clause { suffix, tokens: place + 1 })
}

/// Whether an alias comes next.
fn is_alias(tokens: &[TokenWithSpan]) -> bool {
    match tokens.iter().find(|token| !is_blank(token)).map(|token| &token.token) {
        Some(Token::Word(Word { keyword: Keyword::AS, quote_style: None, .. })) => true,
        Some(Token::Word(word)) => word.quote_style.is_some() || !RESERVED_FOR_TABLE_ALIAS.contains(&word.keyword),
        _ => false,
    }
}

fn keyword_of(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::super::mend_tokens;
    use super::*;

    fn mended(sql: &str) -> String {
        let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap();
        mend_tokens(&mut tokens);
        let parsed = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens).parse_statements();
        parsed.map_or_else(|error| error.to_string(), |parsed| parsed[0].to_string())
    }

    #[test]
    fn a_version_becomes_part_of_the_name_and_the_name_an_alias() {
        for (sql, wanted) in [
            ("SELECT * FROM orders FOR VERSION AS OF 12", "SELECT * FROM \"orders FOR VERSION AS OF 12\" AS orders"),
            ("SELECT * FROM s.Orders VERSION AS OF 1", "SELECT * FROM s.\"orders FOR VERSION AS OF 1\" AS Orders"),
            (
                "SELECT * FROM orders FOR SYSTEM_TIME AS OF TIMESTAMP '2026-11-01 08:00' AS o JOIN p ON true",
                "SELECT * FROM \"orders FOR SYSTEM_TIME AS OF 2026-11-01 08:00\" AS o JOIN p ON true",
            ),
            (
                "SELECT * FROM orders TIMESTAMP AS OF '2026-11-01' o WHERE o.a = 1",
                "SELECT * FROM \"orders FOR SYSTEM_TIME AS OF 2026-11-01\" o WHERE o.a = 1",
            ),
            (
                "SELECT * FROM \"A b\" FOR VERSION AS OF 1, orders JOIN orders FOR VERSION AS OF 2 AS was USING(id)",
                "SELECT * FROM \"A b FOR VERSION AS OF 1\" AS \"A b\", orders JOIN \"orders FOR VERSION AS OF 2\" AS was USING(id)",
            ),
        ] {
            assert_eq!(mended(sql), wanted, "{sql}");
        }
    }

    #[test]
    fn what_is_no_clause_stays() {
        for sql in ["SELECT version AS of FROM t", "SELECT a FROM t AS version", "SELECT a AS of, 1 FROM t FOR UPDATE"]
        {
            assert_eq!(mended(sql), sql);
        }
        assert!(mended("SELECT * FROM orders FOR VERSION AS OF 'x'").contains("Expected"));
    }

    #[test]
    fn a_name_is_taken_apart_again() {
        assert_eq!(versioned("orders"), ("orders", None));
        assert_eq!(versioned("orders FOR VERSION AS OF 12"), ("orders", Some(AskedVersion::Number("12"))));
        let time = "orders FOR SYSTEM_TIME AS OF 2026-11-01";
        assert_eq!(versioned(time), ("orders", Some(AskedVersion::Time("2026-11-01"))));
    }
}
