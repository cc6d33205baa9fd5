//! The steps by which a source cleans a cell's text. What a step does not understand stays, for the contract to judge.

use std::borrow::Cow;

use crate::dataset::Step;

/// A text without the blanks and invisible characters around it.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| {
        character.is_whitespace() || matches!(character, '\u{feff}' | '\u{200b}' | '\u{202a}' | '\u{202c}')
    })
}

pub fn step(step: Step, text: Cow<'_, str>) -> Cow<'_, str> {
    match step {
        Step::Formula => within(text, |text| text.strip_prefix("=\"")?.strip_suffix('"')),
        Step::Apostrophe => within(text, |text| text.strip_prefix('\'')),
        Step::Id => text,
        Step::Number => match number(&text) {
            Some(digits) if digits != text => Cow::Owned(digits),
            _ => text,
        },
        Step::Percent => match text.strip_suffix(['%', '％']) {
            Some(number) => Cow::Owned(format!("{}e-2", number.trim())),
            None => text,
        },
        Step::MaskPhone => Cow::Owned(masked(&text)),
        Step::List => Cow::Owned(list(&text)),
    }
}

/// Whether a spreadsheet wrote the text for a long number, of which it keeps fifteen digits: `6.92673E+17`.
pub fn is_shortened(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    power.strip_prefix('+').is_some_and(digits) && digits(whole) && digits(fraction)
}

fn within<'a>(text: Cow<'a, str>, part: impl Fn(&str) -> Option<&str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(part(text).map_or(text, trimmed)),
        Cow::Owned(text) => Cow::Owned(part(&text).map_or(text.as_str(), trimmed).to_owned()),
    }
}

/// The digits of an amount, without currency, commas between thousands, unit and note in brackets.
fn number(text: &str) -> Option<String> {
    let noted = text.find(['(', '（']).filter(|at| *at > 0);
    let text = trimmed(&text[..noted.unwrap_or(text.len())]);
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let text = trimmed(text.trim_start_matches(['￥', '¥', '$', '€']));
    let (sign, text) = match text.strip_prefix('-').filter(|_| sign.is_empty()) {
        Some(rest) => ("-", rest),
        None => (sign, text),
    };
    let text = trimmed(text.trim_end_matches('元'));
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut groups = whole.split([',', '，']);
    let first = groups.next()?;
    let mut digits = format!("{sign}{first}");
    for group in groups {
        if group.len() != 3 || first.is_empty() || first.len() > 3 {
            return None;
        }
        digits.push_str(group);
    }
    if let Some(fraction) = fraction {
        digits.push('.');
        digits.push_str(fraction);
    }
    let numeric = digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    numeric.then_some(digits)
}

/// The first three and the last four characters; one that has stars already stays.
fn masked(text: &str) -> String {
    if text.contains('*') {
        return text.to_owned();
    }
    let characters: Vec<char> = text.chars().filter(|character| !character.is_whitespace()).collect();
    let (head, tail) = if characters.len() >= 11 { (3, 4) } else { (0, 2) };
    if characters.len() <= head + tail {
        return "*".repeat(characters.len());
    }
    let stars = characters.len() - head - tail;
    let shown = |part: &[char]| part.iter().collect::<String>();
    format!("{}{}{}", shown(&characters[..head]), "*".repeat(stars), shown(&characters[characters.len() - tail..]))
}

/// In the text form of an array, items in quotes.
fn list(text: &str) -> String {
    let items = text.split([';', '；', ',', '，', '、', '|']).map(trimmed).filter(|item| !item.is_empty());
    let quoted: Vec<String> =
        items.map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn all(with: Step, texts: &[(&str, &str)]) {
        for (text, wanted) in texts {
            assert_eq!(step(with, Cow::Borrowed(text)), *wanted, "{with:?} of {text}");
        }
    }

    #[test]
    fn what_spreadsheets_put_around_ids_goes() {
        all(Step::Formula, &[("=\"0012\"", "0012"), ("=\"\"", ""), ("0012", "0012"), ("=1+1", "=1+1")]);
        all(Step::Apostrophe, &[("'138", "138"), ("O'Brien", "O'Brien")]);
    }

    #[test]
    fn a_number_that_lost_digits_is_known_by_its_form() {
        for text in ["6.92673E+17", "6E+17", "6.9e+17"] {
            assert!(is_shortened(text), "{text}");
        }
        for text in ["692673000000000003", "E2026060000000000000001", "S1E+17", "6.9E17x", "6.E+1", "SKU-E+1"] {
            assert!(!is_shortened(text), "{text}");
        }
    }

    #[test]
    fn an_amount_is_its_digits_and_what_is_none_stays() {
        all(
            Step::Number,
            &[
                ("￥1,234.50", "1234.50"),
                ("499.00（系统计算中，该值仅供参考）", "499.00"),
                ("1,234,567", "1234567"),
                ("-¥12.00", "-12.00"),
                ("¥-12.00", "-12.00"),
                ("0元", "0"),
                ("0.5", "0.5"),
                ("12,50", "12,50"),
                ("1234,567", "1234,567"),
                ("无退款申请", "无退款申请"),
                ("(12.00)", "(12.00)"),
                ("1e5", "1e5"),
            ],
        );
    }

    #[test]
    fn shares_phones_and_lists_have_their_forms() {
        all(Step::Percent, &[("3.5%", "3.5e-2"), ("0.2", "0.2")]);
        all(
            Step::MaskPhone,
            &[("13812345678", "138****5678"), ("138****5678", "138****5678"), ("65529988", "******88"), ("1", "*")],
        );
        all(Step::List, &[("新客；老客,\"vip\"", "{\"新客\",\"老客\",\"\\\"vip\\\"\"}"), (" ", "{}")]);
    }
}
