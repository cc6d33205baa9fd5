//! `format`: a text with values put in where a percent sign stands.

use super::function::{CatalogFunction, called};
use super::names::literal_or_null;
use crate::catalog::snapshot::{Snapshot, quote_ident};
use crate::error::{Error, Reason};
use crate::functions::value::Value;

/// The most characters that a value is filled up to: PostgreSQL would go on to the end of its memory.
const WIDTH_MAX: usize = 1 << 16;

pub const FUNCTIONS: &[CatalogFunction] = &[called("format", (1, 100), "text", format_text)];

fn refused(text: impl Into<String>) -> Error {
    Error::new(Reason::InvalidParameter, text)
}

fn format_text(_: &Snapshot, arguments: &[Value]) -> Result<Value, Error> {
    let Some(Value::Text(template)) = arguments.first() else { return Ok(Value::Null) };
    let mut values = Values { all: arguments.get(1..).unwrap_or_default(), next: 0 };
    let mut out = String::with_capacity(template.len());
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        rest = match after.strip_prefix('%') {
            Some(after) => {
                out.push('%');
                after
            }
            None => put(after, &mut values, &mut out)?,
        };
    }
    out.push_str(rest);
    Ok(out.into())
}

/// The arguments after the first; each is taken in turn or by its number.
struct Values<'a> {
    all: &'a [Value],
    next: usize,
}

impl<'a> Values<'a> {
    fn take(&mut self, number: Option<usize>) -> Result<&'a Value, Error> {
        let place = match number {
            Some(0) => return Err(refused("format specifies argument 0, but arguments are numbered from 1")),
            Some(number) => number - 1,
            None => self.next,
        };
        self.next = place + 1;
        self.all.get(place).ok_or_else(|| refused("too few arguments for format()"))
    }
}

/// Puts in what stands after a percent sign, `[number$][-][width]letter`, and gives what follows.
fn put<'a>(text: &'a str, values: &mut Values<'_>, out: &mut String) -> Result<&'a str, Error> {
    let (number, mut rest) = match number(text) {
        Some((number, rest)) if rest.starts_with('$') => (Some(number), &rest[1..]),
        _ => (None, text),
    };
    let mut is_left = false;
    while let Some(after) = rest.strip_prefix('-') {
        (is_left, rest) = (true, after);
    }
    let mut width = 0_usize;
    if let Some(after) = rest.strip_prefix('*') {
        let (from, after) = match self::number(after) {
            Some((from, after)) if after.starts_with('$') => (Some(from), &after[1..]),
            _ => (None, after),
        };
        let given = values.take(from)?;
        let given =
            if given.is_null() { 0 } else { given.as_int().ok_or_else(|| refused("width must be an integer"))? };
        is_left |= given < 0;
        (width, rest) = (usize::try_from(given.unsigned_abs()).unwrap_or(usize::MAX), after);
    } else if let Some((given, after)) = self::number(rest) {
        (width, rest) = (given, after);
    }
    if width > WIDTH_MAX {
        return Err(Error::new(Reason::LimitExceeded, format!("format() fills up to {WIDTH_MAX} characters at most")));
    }
    let mut letters = rest.chars();
    let Some(letter) = letters.next() else { return Err(refused("unterminated format() type specifier")) };
    if !matches!(letter, 's' | 'I' | 'L') {
        return Err(refused(format!("unrecognized format() type specifier \"{letter}\"")));
    }
    let value = values.take(number)?;
    let shown = match letter {
        's' => value.display(),
        'L' => literal_or_null(Some(value)),
        _ if value.is_null() => {
            return Err(Error::new(Reason::NullNotAllowed, "null values cannot be formatted as an SQL identifier"));
        }
        _ => quote_ident(&value.display()),
    };
    let blanks = std::iter::repeat_n(' ', width.saturating_sub(shown.chars().count()));
    if is_left {
        out.push_str(&shown);
        out.extend(blanks);
    } else {
        out.extend(blanks);
        out.push_str(&shown);
    }
    Ok(letters.as_str())
}

/// The digits at the front, as a number.
fn number(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text.get(..end)?.parse().ok()?, &text[end..]))
}
