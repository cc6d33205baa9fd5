//! Texts and what is kept as text or bytes: booleans' words, varchar, json, uuid, bytea.

use serde::de::IgnoredAny;

use super::fault::CellFault;
use crate::dataset::SqlType;

/// Any beginning of true, false, yes or no; on, off (also `of`), 1, 0.
pub fn boolean(text: &str) -> Result<bool, CellFault> {
    let lower = text.to_ascii_lowercase();
    let begins = |word: &str| word.starts_with(&lower);
    match lower.as_str() {
        "1" | "on" => Ok(true),
        "0" | "of" | "off" => Ok(false),
        _ if begins("true") || begins("yes") => Ok(true),
        _ if begins("false") || begins("no") => Ok(false),
        _ => Err(CellFault::syntax(SqlType::Boolean, text)),
    }
}

pub fn text(text: &str) -> Result<Option<&str>, CellFault> {
    if text.as_bytes().contains(&0) { Err(CellFault::NulCharacter) } else { Ok(Some(text)) }
}

/// At most `length` characters; blanks beyond them are cut off.
pub fn limited<'a>(value: &'a str, length: u32, sql_type: &SqlType) -> Result<Option<&'a str>, CellFault> {
    let length = length as usize;
    if value.len() <= length {
        return text(value);
    }
    match value.char_indices().nth(length) {
        None => text(value),
        Some((end, _)) if value[end..].bytes().all(|byte| byte == b' ') => text(&value[..end]),
        Some(_) => Err(CellFault::TooLong { sql_type: sql_type.clone() }),
    }
}

/// Kept as it is written. A blank cell is NULL.
pub fn json(value: &str) -> Result<Option<&str>, CellFault> {
    if value.trim_ascii().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<IgnoredAny>(value) {
        Ok(_) => Ok(Some(value)),
        Err(_) => Err(CellFault::syntax(SqlType::Json, value)),
    }
}

/// In lower case with hyphens.
pub fn uuid(text: &str) -> Result<String, CellFault> {
    uuid::Uuid::parse_str(text)
        .map(|uuid| uuid.hyphenated().to_string())
        .map_err(|_| CellFault::syntax(SqlType::Uuid, text))
}

/// `\x` and hexadecimal digits, or the escape form: `\\` and `\ooo`, other characters as they are.
pub fn bytea(text: &str) -> Result<Vec<u8>, CellFault> {
    let bytes = match text.strip_prefix("\\x") {
        Some(digits) => hexadecimal(digits),
        None => escaped(text.as_bytes()),
    };
    bytes.ok_or_else(|| CellFault::syntax(SqlType::Bytea, text))
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    digits.chunks_exact(2).map(|pair| Some(value(pair[0])? * 16 + value(pair[1])?)).collect()
}

fn escaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match after {
            [b'\\', more @ ..] => {
                bytes.push(b'\\');
                rest = more;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', more @ ..] => {
                bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = more;
            }
            _ => return None,
        }
    }
    Some(bytes)
}
