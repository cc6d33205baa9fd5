//! Arrays of one dimension in text, item by item.

use crate::error::{Error, Reason, Result};

/// The items of an array's text; `None` is NULL.
pub fn split(text: &str) -> Result<Vec<Option<String>>> {
    let refused = || Error::new(Reason::InvalidText, format!("malformed array literal: \"{text}\""));
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(refused)?;
    let mut items = Vec::new();
    let mut characters = inner.chars().peekable();
    if inner.trim().is_empty() {
        return Ok(items);
    }
    loop {
        let (mut item, mut quoted) = (String::new(), false);
        while characters.next_if(|character| character.is_ascii_whitespace()).is_some() {}
        if characters.next_if_eq(&'"').is_some() {
            quoted = true;
            loop {
                match characters.next().ok_or_else(refused)? {
                    '"' => break,
                    '\\' => item.push(characters.next().ok_or_else(refused)?),
                    other => item.push(other),
                }
            }
            while characters.next_if(|character| character.is_ascii_whitespace()).is_some() {}
        } else {
            while let Some(character) = characters.next_if(|character| *character != ',') {
                match character {
                    '{' | '}' | '"' => return Err(refused()),
                    '\\' => item.push(characters.next().ok_or_else(refused)?),
                    other => item.push(other),
                }
            }
            item.truncate(item.trim_end().len());
            if item.is_empty() {
                return Err(refused());
            }
        }
        let is_null = !quoted && item.eq_ignore_ascii_case("null");
        items.push((!is_null).then_some(item));
        match characters.next() {
            None => return Ok(items),
            Some(',') => {}
            Some(_) => return Err(refused()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn text_splits_at_commas_outside_quotes() {
        let items = split(r#"{a, NULL,"","NULL","a b","q\"\\,{}",b\,c }"#).unwrap();
        let expected = [Some("a"), None, Some(""), Some("NULL"), Some("a b"), Some("q\"\\,{}"), Some("b,c")];
        assert_eq!(items, expected.map(|item| item.map(str::to_owned)));
        assert!(split("{}").unwrap().is_empty());
        for text in ["", "a,b", "{a", "{a,}", "{\"a}", "{\"a\"b}", "{{1}}"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
