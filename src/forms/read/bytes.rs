//! Bytes in text: `\\x4142`, or letters with what is none of them as `\\101` in octal digits.

use crate::error::{Error, Reason, Result};

pub fn of(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => hexadecimal(digits),
        None => escaped(text).ok_or_else(|| Error::new(Reason::InvalidText, "invalid input syntax for type bytea")),
    }
}

/// Two digits a byte; white space stands between bytes.
fn hexadecimal(text: &str) -> Result<Vec<u8>> {
    let refused = |text: String| Error::new(Reason::InvalidParameter, text);
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut chars = text.chars();
    while let Some(first) = chars.next() {
        if first.is_ascii_whitespace() {
            continue;
        }
        let digit = |c: char| c.to_digit(16).ok_or_else(|| refused(format!("invalid hexadecimal digit: \"{c}\"")));
        let high = digit(first)?;
        let second =
            chars.next().ok_or_else(|| refused("invalid hexadecimal data: odd number of digits".to_owned()))?;
        bytes.push((high * 16 + digit(second)?) as u8);
    }
    Ok(bytes)
}

fn escaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next()? {
            b'\\' => bytes.push(b'\\'),
            first @ b'0'..=b'3' => {
                let mut octal = || rest.next().filter(|digit| (b'0'..=b'7').contains(digit)).map(|digit| digit - b'0');
                bytes.push((first - b'0') * 64 + octal()? * 8 + octal()?);
            }
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // What PostgreSQL 15 makes of the same texts.
    #[test]
    fn bytes_are_read_in_both_forms() {
        for (text, expected) in
            [("\\x4142", &b"AB"[..]), ("\\x", b""), ("\\x41 42", b"AB"), ("abc", b"abc"), ("a\\\\b\\101", b"a\\bA")]
        {
            assert_eq!(of(text).unwrap(), expected, "{text}");
        }
        for (text, reason) in [
            ("\\x4g", Reason::InvalidParameter),
            ("\\x414", Reason::InvalidParameter),
            ("a\\b", Reason::InvalidText),
            ("\\9", Reason::InvalidText),
        ] {
            assert_eq!(of(text).unwrap_err().reason(), reason, "{text}");
        }
    }
}
