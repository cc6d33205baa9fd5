//! What sqlparser wants to be written, put into the tokens of a statement: `trim(LEADING FROM x)` takes away blanks, `a->-1` is
//! `a -> -1`, the first bound of BETWEEN SYMMETRIC is marked by a function, which [`super::mend_precedence`] takes off, and the
//! version that a table is asked for becomes part of its name.
//! Each is one pass, for a statement may have a million tokens.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use super::versions::{may_travel, versions_named};

/// The name of the mark around the first bound of BETWEEN SYMMETRIC.
pub const SYMMETRIC: &str = "$symmetric";

/// Further than this the AND of a BETWEEN SYMMETRIC is not looked for.
const FIRST_BOUND_TOKENS_MAX: usize = 1000;

pub fn mend_tokens(tokens: &mut Vec<TokenWithSpan>) {
    let wants = |token: &Token| match token {
        Token::CustomBinaryOperator(_) => true,
        other => matches!(keyword_of(other), Some(Keyword::TRIM | Keyword::SYMMETRIC | Keyword::ASYMMETRIC)),
    };
    if tokens.iter().any(|token| wants(&token.token)) {
        *tokens = symmetric_marked(signs_parted(trims_filled(std::mem::take(tokens))));
    }
    if tokens.iter().any(|token| may_travel(&token.token)) {
        *tokens = versions_named(std::mem::take(tokens));
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

/// A blank before the FROM of each `trim(side FROM`.
fn trims_filled(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut filled = Vec::with_capacity(tokens.len());
    // How much of `trim(side` has been read.
    let mut read = 0;
    for token in tokens {
        if !is_blank(&token) {
            let keyword = keyword_of(&token.token);
            read = match (read, keyword) {
                (_, Some(Keyword::TRIM)) => 1,
                (1, _) if token.token == Token::LParen => 2,
                (2, Some(Keyword::LEADING | Keyword::TRAILING | Keyword::BOTH)) => 3,
                (3, Some(Keyword::FROM)) => {
                    let blank = Token::SingleQuotedString(" ".to_owned());
                    let between = [blank, Token::Whitespace(Whitespace::Space)];
                    filled.extend(between.map(|token_of| TokenWithSpan::new(token_of, token.span)));
                    0
                }
                _ => 0,
            };
        }
        filled.push(token);
    }
    filled
}

/// An operator ends before a sign, unless it has a character that PostgreSQL's own operators of one sign have not.
fn signs_parted(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut parted = Vec::with_capacity(tokens.len());
    for TokenWithSpan { token, span } in tokens {
        let Token::CustomBinaryOperator(symbol) = &token else {
            parted.push(TokenWithSpan { token, span });
            continue;
        };
        let before = symbol.trim_end_matches(['+', '-']);
        match plain_operator(before) {
            Some(operator) => {
                let signs = symbol[before.len()..].chars();
                let signs = signs.map(|sign| if sign == '-' { Token::Minus } else { Token::Plus });
                parted.extend(std::iter::once(operator).chain(signs).map(|part| TokenWithSpan::new(part, span)));
            }
            None => parted.push(TokenWithSpan { token, span }),
        }
    }
    parted
}

fn plain_operator(symbol: &str) -> Option<Token> {
    Some(match symbol {
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "<>" => Token::Neq,
        "=" => Token::Eq,
        "*" => Token::Mul,
        "/" => Token::Div,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        _ => return None,
    })
}

/// `BETWEEN SYMMETRIC a AND b` as `BETWEEN "$symmetric"(a) AND b`; ASYMMETRIC says what is so anyway.
fn symmetric_marked(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut marked = Vec::with_capacity(tokens.len());
    let mut last = None;
    // Where the first bounds that are open end, the innermost last.
    let mut ends: Vec<usize> = Vec::new();
    for (place, found) in tokens.iter().enumerate() {
        let (keyword, span) = (keyword_of(&found.token), found.span);
        while ends.last() == Some(&place) {
            ends.pop();
            marked.push(TokenWithSpan::new(Token::RParen, span));
        }
        let is_bound = last == Some(Keyword::BETWEEN);
        match keyword {
            Some(Keyword::ASYMMETRIC) if is_bound => {}
            Some(Keyword::SYMMETRIC) if is_bound => match and_of(&tokens[place + 1..]) {
                Some(end) => {
                    ends.push(place + 1 + end);
                    marked.push(TokenWithSpan::new(Token::make_word(SYMMETRIC, Some('"')), span));
                    marked.push(TokenWithSpan::new(Token::LParen, span));
                }
                None => marked.push(found.clone()),
            },
            _ => marked.push(found.clone()),
        }
        if !is_blank(found) {
            last = keyword;
        }
    }
    marked
}

/// Where the AND of a BETWEEN stands: outside of parentheses and of CASE, and before another BETWEEN.
fn and_of(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().take(FIRST_BOUND_TOKENS_MAX).enumerate() {
        match (&token.token, keyword_of(&token.token)) {
            (Token::LParen | Token::LBracket, _) | (_, Some(Keyword::CASE)) => depth += 1,
            (Token::RParen | Token::RBracket, _) | (_, Some(Keyword::END)) => depth = depth.checked_sub(1)?,
            (Token::SemiColon, _) => return None,
            (_, Some(Keyword::BETWEEN)) if depth == 0 => return None,
            (_, Some(Keyword::AND)) if depth == 0 => return Some(place),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn mended(sql: &str) -> String {
        let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap();
        mend_tokens(&mut tokens);
        tokens.iter().map(|token| token.token.to_string()).collect()
    }

    #[test]
    fn what_is_missing_is_written_out() {
        assert_eq!(
            mended("trim(LEADING FROM x), TRIM ( both FROM y), trim(z)"),
            "trim(LEADING ' ' FROM x), TRIM ( both ' ' FROM y), trim(z)"
        );
        assert_eq!(mended("trim(LEADING 'a' FROM x)"), "trim(LEADING 'a' FROM x)");
        assert_eq!(mended("a->-1 <>+b"), "a->-1 <>+b");
        assert_eq!(mended("a BETWEEN SYMMETRIC 9 AND 1"), "a BETWEEN \"$symmetric\"( 9 )AND 1");
        assert_eq!(mended("a BETWEEN SYMMETRIC 9"), "a BETWEEN SYMMETRIC 9");
    }

    #[test]
    fn many_of_them_take_time_in_proportion() {
        // Were each an insertion among all, these would move terabytes.
        for (piece, shown) in [
            ("trim(LEADING FROM x) ", "trim(LEADING ' ' FROM x) "),
            ("a<-1 ", "a<-1 "),
            ("x BETWEEN SYMMETRIC 1 AND 2 ", "x BETWEEN \"$symmetric\"( 1 )AND 2 "),
            ("BETWEEN SYMMETRIC ( ", "BETWEEN SYMMETRIC ( "),
        ] {
            assert_eq!(mended(&piece.repeat(40_000)), shown.repeat(40_000));
        }
    }
}
