//! An identifier as it stands in a file -> its normal form, or nothing where it identifies nobody.

use std::borrow::Cow;

/// Cells that stand for no value.
const PLACEHOLDERS: [&str; 24] = [
    "null",
    "nil",
    "none",
    "na",
    "n/a",
    "nan",
    "#n/a",
    "undefined",
    "unknown",
    "anonymous",
    "-",
    "--",
    "—",
    "——",
    "_",
    "/",
    "\\",
    "\\n",
    "无",
    "空",
    "未知",
    "暂无",
    "没有",
    "匿名",
];
/// Platforms star what they do not hand out.
const MASKS: [char; 5] = ['*', '×', '＊', '•', '●'];
const PHONE_TYPES: [&str; 4] = ["phone", "mobile", "tel", "telephone"];
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Of a mobile number of mainland China, without its country code.
const MOBILE_DIGITS: usize = 11;

/// `None` where the text is empty, a placeholder, masked, or, for a phone, no whole number.
pub fn normal<'a>(id_type: &str, text: &'a str) -> Option<Cow<'a, str>> {
    let text = unwrapped(text);
    if text.is_empty() || text.contains(MASKS) || is_placeholder(text) {
        return None;
    }
    if PHONE_TYPES.contains(&id_type) { phone(text) } else { Some(Cow::Borrowed(text)) }
}

/// Without blanks and without what spreadsheets put around ids: `="123"`, a leading `'`.
fn unwrapped(text: &str) -> &str {
    let blank = |character: char| character.is_whitespace() || character == '\u{feff}' || character == '\u{200b}';
    let text = text.trim_matches(blank);
    let text = text.strip_prefix("=\"").and_then(|inner| inner.strip_suffix('"')).unwrap_or(text);
    text.strip_prefix('\'').unwrap_or(text).trim_matches(blank)
}

fn is_placeholder(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0') || PLACEHOLDERS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The digits alone, without the country code 86. A number with an extension is a platform's virtual one: it changes hands.
fn phone(text: &str) -> Option<Cow<'_, str>> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let digits: Cow<'_, str> = if plain { Cow::Borrowed(text) } else { Cow::Owned(dialled(text)?) };
    let digits = match digits {
        Cow::Borrowed(digits) => Cow::Borrowed(national(digits)),
        Cow::Owned(digits) => Cow::Owned(national(&digits).to_owned()),
    };
    let first = digits.bytes().next()?;
    let varied = digits.bytes().any(|digit| digit != first);
    (varied && PHONE_DIGITS.contains(&digits.len())).then_some(digits)
}

fn dialled(text: &str) -> Option<String> {
    let mut digits = String::with_capacity(text.len());
    for character in text.chars() {
        let ends_mobile = national(&digits).len() == MOBILE_DIGITS && national(&digits).starts_with('1');
        match character {
            '0'..='9' => digits.push(character),
            '０'..='９' => digits.push(char::from_digit(character as u32 - '０' as u32, 10)?),
            '-' | '－' | '_' | ',' if ends_mobile => return None,
            '+' if digits.is_empty() => {}
            ' ' | '-' | '(' | ')' | '.' | '（' | '）' | '\u{a0}' => {}
            _ => return None,
        }
    }
    Some(digits)
}

fn national(digits: &str) -> &str {
    let rest = digits.strip_prefix("0086").or_else(|| digits.strip_prefix("86")).unwrap_or(digits);
    if rest.len() == MOBILE_DIGITS && rest.starts_with('1') { rest } else { digits }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_its_digits() {
        for text in [
            "13812345678",
            "+86 138-1234-5678",
            "8613812345678",
            "'13812345678",
            "=\"13812345678\"",
            "008613812345678",
            "１３８12345678",
            " 13812345678\u{3000}",
        ] {
            assert_eq!(normal("phone", text).as_deref(), Some("13812345678"), "{text}");
        }
        assert_eq!(normal("phone", "010-6552 9988").as_deref(), Some("01065529988"));
    }

    #[test]
    fn what_names_nobody_is_no_key() {
        for text in ["", " ", "null", "NULL", "-", "——", "无", "0", "000", "N/A", "'", "=\"\""] {
            assert_eq!(normal("unionid", text), None, "{text}");
            assert_eq!(normal("phone", text), None, "{text}");
        }
        for text in [
            "138****5678",
            "1******6198",
            "186×××5678",
            "138xxxx5678",
            "1.38E+10",
            "12345",
            "11111111111",
            "18466621234-1234",
            "18466621234转1234",
        ] {
            assert_eq!(normal("phone", text), None, "{text}");
        }
        assert_eq!(normal("tmall", "小*红"), None);
    }

    #[test]
    fn another_identifier_stays_as_it_is() {
        assert_eq!(normal("openid", " oX_Ab9-0 ").as_deref(), Some("oX_Ab9-0"));
        assert_eq!(normal("customer", "0017").as_deref(), Some("0017"));
    }
}
