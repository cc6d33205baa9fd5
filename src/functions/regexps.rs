//! Regular expressions where the engine has no function for them, and the patterns of SIMILAR TO as such.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::{Captures, Regex, RegexBuilder};

use super::plain::{Outcome, PlainFunction, strict};
use super::value::Value;
use crate::error::{Error, Reason, Result};

pub const FUNCTIONS: &[PlainFunction] = &[
    strict("similar_to_escape", (1, 2), Outcome::Text, similar),
    strict("regexp_split_to_array", (2, 3), Outcome::Texts, split),
    strict("regexp_match_rows", (2, 3), Outcome::TextRows, matches),
    strict("regexp_substr", (2, 6), Outcome::Text, substring),
];

fn text(arguments: &[Value], position: usize) -> String {
    arguments.get(position).map(Value::display).unwrap_or_default()
}

/// The letters after the pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Flags {
    is_global: bool,
    /// What stands in front of the pattern for the others.
    inline: String,
    is_literal: bool,
}

impl Flags {
    fn parse(letters: &str) -> Result<Self> {
        let (mut insensitive, mut extended, mut multiline, mut dot_all) = (false, false, false, true);
        let mut flags = Self { is_global: false, inline: String::new(), is_literal: false };
        for letter in letters.chars() {
            match letter {
                'g' => flags.is_global = true,
                'i' => insensitive = true,
                'c' => insensitive = false,
                'x' => extended = true,
                't' => extended = false,
                'q' => flags.is_literal = true,
                'n' | 'm' => (multiline, dot_all) = (true, false),
                's' => (multiline, dot_all) = (false, true),
                'p' => (multiline, dot_all) = (false, false),
                'w' => (multiline, dot_all) = (true, true),
                'b' | 'e' => {}
                other => {
                    let text = format!("invalid regular expression option: \"{other}\"");
                    return Err(Error::new(Reason::InvalidParameter, text));
                }
            }
        }
        let letters = [(insensitive, 'i'), (extended, 'x'), (multiline, 'm'), (dot_all, 's')];
        let set: String = letters.into_iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| letter).collect();
        flags.inline = if set.is_empty() { set } else { format!("(?{set})") };
        Ok(flags)
    }
}

/// Patterns that a thread keeps compiled.
const KEPT: usize = 32;

thread_local! {
    static COMPILED: RefCell<HashMap<(String, Flags), Regex>> = RefCell::default();
}

/// The pattern with the marks that PostgreSQL writes otherwise.
fn compiled(pattern: &str, flags: &Flags) -> Result<Regex> {
    let key = (pattern.to_owned(), flags.clone());
    if let Some(known) = COMPILED.with_borrow(|compiled| compiled.get(&key).cloned()) {
        return Ok(known);
    }
    let body = if flags.is_literal { regex::escape(pattern) } else { translated(pattern) };
    let regex = RegexBuilder::new(&format!("{}{body}", flags.inline)).build().map_err(|error| {
        let why = error.to_string();
        let why = why.trim_end().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::new(Reason::InvalidRegex, format!("invalid regular expression: {why}"))
    })?;
    COMPILED.with_borrow_mut(|compiled| {
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        compiled.insert(key, regex.clone());
    });
    Ok(regex)
}

/// `\y` and the like, which other engines call otherwise.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('y') => out.push_str("\\b"),
            Some('Y') => out.push_str("\\B"),
            Some('m') => out.push_str("\\b{start}"),
            Some('M') => out.push_str("\\b{end}"),
            Some('Z') => out.push_str("\\z"),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// The groups of a match, or all of it where there are none.
fn groups(captures: &Captures<'_>) -> Value {
    let from = usize::from(captures.len() > 1);
    let groups = captures.iter().skip(from).map(|group| group.map(|group| group.as_str().to_owned()));
    Value::List(groups.map(Value::from).collect())
}

/// What each match gives; of the first alone without the flag g.
fn matches(arguments: &[Value]) -> Result<Value> {
    let flags = Flags::parse(&text(arguments, 2))?;
    let (subject, regex) = (text(arguments, 0), compiled(&text(arguments, 1), &flags)?);
    let count = if flags.is_global { usize::MAX } else { 1 };
    Ok(Value::List(regex.captures_iter(&subject).take(count).map(|captures| groups(&captures)).collect()))
}

/// What stands between the matches. A match of nothing parts two characters, and is none at the ends.
fn split(arguments: &[Value]) -> Result<Value> {
    let flags = Flags::parse(&text(arguments, 2))?;
    if flags.is_global {
        let text = "regexp_split_to_array() does not support the \"global\" option";
        return Err(Error::new(Reason::InvalidParameter, text));
    }
    let (subject, regex) = (text(arguments, 0), compiled(&text(arguments, 1), &flags)?);
    let mut parts: Vec<Value> = Vec::new();
    let mut from = 0;
    for found in regex.find_iter(&subject) {
        if found.is_empty() && (found.end() == subject.len() || found.start() == from) {
            continue;
        }
        parts.push(subject[from..found.start()].into());
        from = found.end();
    }
    parts.push(subject[from..].into());
    Ok(Value::List(parts))
}

/// `regexp_substr(text, pattern, start, which, flags, group)`.
fn substring(arguments: &[Value]) -> Result<Value> {
    let number = |position: usize, absent: i64, least: i64, name: &str| match arguments.get(position) {
        None => Ok(absent),
        Some(value) => {
            let number = value.as_int().filter(|number| *number >= least);
            let wrong = || format!("invalid value for parameter \"{name}\": {}", value.display());
            number.ok_or_else(|| Error::new(Reason::InvalidParameter, wrong()))
        }
    };
    let (start, which, group) = (number(2, 1, 1, "start")?, number(3, 1, 1, "n")?, number(5, 0, 0, "subexpr")?);
    let flags = Flags::parse(&text(arguments, 4))?;
    let (subject, regex) = (text(arguments, 0), compiled(&text(arguments, 1), &flags)?);
    let place = |number: i64| usize::try_from(number - 1).unwrap_or(usize::MAX);
    let Some((from, _)) = subject.char_indices().nth(place(start)) else { return Ok(Value::Null) };
    let found = regex.captures_iter(&subject[from..]).nth(place(which));
    let found = found.and_then(|captures| {
        captures.get(usize::try_from(group).unwrap_or(usize::MAX)).map(|found| found.as_str().to_owned())
    });
    Ok(found.into())
}

/// The regular expression that matches what a pattern of SIMILAR TO does: all of a text, `%` for any, `_` for one character.
fn similar(arguments: &[Value]) -> Result<Value> {
    let escape = match arguments.get(1) {
        None => Some('\\'),
        Some(escape) => {
            let text = escape.display();
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (first, None) => first,
                _ => {
                    return Err(Error::new(Reason::InvalidEscape, "invalid escape string")
                        .with_hint("Escape string must be empty or one character."));
                }
            }
        }
    };
    Ok(similar_to(&text(arguments, 0), escape).into())
}

fn similar_to(pattern: &str, escape: Option<char>) -> String {
    let mut out = String::from("(?s)^(?:");
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => {
                if let Some(next) = chars.next() {
                    out.push_str(&regex::escape(&next.to_string()));
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // A class of characters by its name.
            '[' if in_class && chars.peek() == Some(&':') => {
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' | '&' | '~' | '\\' if in_class => out.extend(['\\', c]),
            c if in_class => out.push(c),
            '[' => {
                in_class = true;
                out.push('[');
                for mark in ['^', ']'] {
                    if chars.next_if_eq(&mark).is_some() {
                        out.push_str(if mark == ']' { "\\]" } else { "^" });
                    }
                }
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '.' | '^' | '$' | '\\' => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out.push_str(")$");
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // What PostgreSQL 15 says of `text SIMILAR TO pattern`.
    #[test]
    fn sql_patterns_match_what_they_match_in_postgres() {
        for (text, pattern, expected) in [
            ("apple", "(a|b)%", true),
            ("abc", "a_c", true),
            ("abc", "a.c", false),
            ("a.c", "a.c", true),
            ("ab", "[a-c]+", true),
            ("aab", "a{2}b", true),
            ("a|b", "a\\|b", true),
            ("a^b$", "a^b$", true),
            ("a\nb", "a_b", true),
            ("xab", "ab", false),
            ("a&&b", "[&ab]+", true),
            ("]", "[]]", true),
            ("5", "[[:digit:]]", true),
        ] {
            let regex = Regex::new(&similar_to(pattern, Some('\\'))).unwrap();
            assert_eq!(regex.is_match(text), expected, "{text} {pattern}");
        }
        assert!(Regex::new(&similar_to("ab!%", Some('!'))).unwrap().is_match("ab%"));
    }

    #[test]
    fn patterns_in_the_words_of_postgres_are_understood() {
        let flags = Flags::parse("").unwrap();
        for (text, pattern, expected) in [
            ("a cat", "\\ycat\\y", true),
            ("concat", "\\mcat", false),
            ("concat", "cat\\M", true),
            ("a\nb", "a.b", true),
        ] {
            assert_eq!(compiled(pattern, &flags).unwrap().is_match(text), expected, "{text} {pattern}");
        }
        assert!(!compiled("a.b", &Flags::parse("n").unwrap()).unwrap().is_match("a\nb"));
        assert_eq!(compiled("(", &flags).unwrap_err().reason(), Reason::InvalidRegex);
        assert_eq!(Flags::parse("k").unwrap_err().reason(), Reason::InvalidParameter);
    }
}
