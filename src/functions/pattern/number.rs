//! Patterns of numbers: `9,999.99`, `FM000`, `S9999`, `999PR`.

use crate::error::{Error, Reason, Result};

/// A pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberPattern {
    parts: Vec<Part>,
    /// Places before the point, and after it.
    whole: usize,
    fraction: usize,
    /// The first place before the point, from the left, that is a digit even where it is a leading zero.
    zero_from: Option<usize>,
    is_narrow: bool,
    /// EEEE: one digit, the fraction, and an exponent.
    is_scientific: bool,
    sign: Sign,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// A place; one that is `0` is always a digit.
    Digit {
        is_zero: bool,
    },
    Point,
    Group,
    Currency,
    /// Where S, MI, PL or SG puts the sign.
    Sign,
    Ordinal {
        is_upper: bool,
    },
    Literal(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// A minus or a space before the first digit.
    Plain,
    /// S: a plus or a minus at the number.
    Always,
    /// SG, in its place.
    Anywhere,
    /// MI, in its place.
    MinusOnly,
    /// PL, in its place.
    PlusOnly,
    /// PR: `<1>`.
    Brackets,
}

impl NumberPattern {
    pub fn parse(text: &str) -> Self {
        let mut pattern = Self {
            parts: Vec::new(),
            whole: 0,
            fraction: 0,
            zero_from: None,
            is_narrow: false,
            is_scientific: false,
            sign: Sign::Plain,
        };
        let mut rest = text;
        let mut has_point = false;
        while !rest.is_empty() {
            let starts = |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
            let (length, part) = if starts("FM") {
                pattern.is_narrow = true;
                (2, None)
            } else if starts("EEEE") {
                pattern.is_scientific = true;
                (4, None)
            } else if starts("MI") {
                pattern.sign = Sign::MinusOnly;
                (2, Some(Part::Sign))
            } else if starts("PL") {
                pattern.sign = Sign::PlusOnly;
                (2, Some(Part::Sign))
            } else if starts("SG") {
                pattern.sign = Sign::Anywhere;
                (2, Some(Part::Sign))
            } else if starts("PR") {
                pattern.sign = Sign::Brackets;
                (2, None)
            } else if starts("TH") {
                (2, Some(Part::Ordinal { is_upper: rest.starts_with('T') }))
            } else if starts("S") {
                pattern.sign = Sign::Always;
                (1, Some(Part::Sign))
            } else if let Some(quoted) = rest.strip_prefix('"') {
                let inside = quoted.split('"').next().unwrap_or_default();
                ((inside.len() + 2).min(rest.len()), Some(Part::Literal(inside.to_owned())))
            } else if starts("9") || starts("0") {
                let is_zero = rest.starts_with('0');
                if has_point {
                    pattern.fraction += 1;
                } else {
                    if is_zero && pattern.zero_from.is_none() {
                        pattern.zero_from = Some(pattern.whole);
                    }
                    pattern.whole += 1;
                }
                (1, Some(Part::Digit { is_zero }))
            } else if !has_point && (starts(".") || starts("D")) {
                has_point = true;
                (1, Some(Part::Point))
            } else if starts(",") || starts("G") {
                (1, Some(Part::Group))
            } else if starts("L") {
                (1, Some(Part::Currency))
            } else {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                (length, Some(Part::Literal(rest[..length].to_owned())))
            };
            pattern.parts.extend(part);
            rest = &rest[length..];
        }
        pattern
    }

    /// The digits that it has after the point.
    pub fn places(&self) -> i8 {
        i8::try_from(self.fraction).unwrap_or(i8::MAX).min(20)
    }

    /// The digits of a double, rounded to the places of the pattern: of two that are as near, the even one, and with
    /// so many digits at most.
    pub fn digits_of(&self, double: f64, digits_most: usize) -> String {
        if self.is_scientific {
            return format!("{double}");
        }
        let whole = format!("{:.0}", double.abs()).len();
        format!("{double:.places$}", places = self.fraction.min(digits_most.saturating_sub(whole)))
    }

    /// The number of these digits; one that is too long for the pattern is written as `#`.
    pub fn write(&self, digits: &str) -> Result<String> {
        let (is_negative, size) = digits.strip_prefix('-').map_or((false, digits), |size| (true, size));
        if !size.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            // Infinity and what is no number.
            return Ok(self.overflow());
        }
        if self.is_scientific {
            return self.with_exponent(is_negative, size);
        }
        let (whole, fraction) = rounded(size, self.fraction);
        let whole = whole.trim_start_matches('0');
        if whole.len() > self.whole {
            return Ok(self.overflow());
        }
        let is_nothing = whole.is_empty() && fraction.bytes().all(|byte| byte == b'0');
        let is_negative = is_negative && !is_nothing;
        // The place of the first digit; a lone zero is written where there is no fraction to speak for it.
        let blank = self.whole - whole.len();
        let lone_zero = whole.is_empty() && self.fraction == 0 && self.whole > 0;
        let first = self.zero_from.unwrap_or(usize::MAX).min(if lone_zero { self.whole - 1 } else { blank });
        let kept = if self.is_narrow { self.kept_fraction(&fraction) } else { self.fraction };
        let mut body = Body { out: String::new(), sign_at: None };
        let (mut place, mut after, mut has_point) = (0, 0, false);
        for part in &self.parts {
            match part {
                Part::Digit { .. } if !has_point => {
                    if place >= first {
                        body.mark();
                        let digit = if place >= blank { whole.as_bytes()[place - blank] } else { b'0' };
                        body.out.push(char::from(digit));
                    } else if !self.is_narrow {
                        body.out.push(' ');
                    }
                    place += 1;
                }
                Part::Digit { .. } => {
                    if after < kept {
                        body.out.push(char::from(fraction.as_bytes()[after]));
                    }
                    after += 1;
                }
                Part::Point => {
                    body.mark();
                    has_point = true;
                    body.out.push('.');
                }
                Part::Group if place > first || has_point => body.out.push(','),
                Part::Group if !self.is_narrow => body.out.push(' '),
                Part::Group => {}
                Part::Currency => body.out.push('$'),
                Part::Sign => self.put_sign(is_negative, &mut body),
                Part::Ordinal { .. } if is_negative => {}
                Part::Ordinal { is_upper } => {
                    let ending = ordinal(whole);
                    body.out.push_str(&if *is_upper { ending.to_uppercase() } else { ending.to_owned() });
                }
                Part::Literal(text) => body.out.push_str(text),
            }
        }
        Ok(self.signed(body, is_negative))
    }

    /// ` 1.23e+04`
    fn with_exponent(&self, is_negative: bool, size: &str) -> Result<String> {
        if self.is_narrow || self.parts.iter().any(|part| matches!(part, Part::Sign | Part::Ordinal { .. })) {
            return Err(Error::new(Reason::Syntax, "\"EEEE\" is incompatible with other formats"));
        }
        let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
        let digits = format!("{whole}{fraction}");
        let leading = digits.bytes().take_while(|byte| *byte == b'0').count();
        let exponent_of = |leading: usize| whole.len() as i64 - leading as i64 - 1;
        let (first, mut exponent) = if leading == digits.len() {
            ("0".to_owned(), 0)
        } else {
            (digits[leading..].to_owned(), exponent_of(leading))
        };
        let (mut one, mut rest) = rounded(&format!("{}.{}", &first[..1], &first[1..]), self.fraction);
        one = one.trim_start_matches('0').to_owned();
        if one.is_empty() {
            one.push('0');
        }
        if one == "10" {
            // 9.99 that was rounded up.
            (one, exponent) = ("1".to_owned(), exponent + 1);
            rest = "0".repeat(self.fraction);
        }
        let point = if self.fraction > 0 { "." } else { "" };
        let (sign, exponent_sign) = (if is_negative { '-' } else { ' ' }, if exponent < 0 { '-' } else { '+' });
        Ok(format!("{sign}{one}{point}{rest}e{exponent_sign}{:02}", exponent.abs()))
    }

    /// How many places of a fraction FM leaves: those before its last digit that is not nothing, and the zeros asked for.
    fn kept_fraction(&self, fraction: &str) -> usize {
        let places = self.parts.iter().skip_while(|part| **part != Part::Point);
        let places = places.filter_map(|part| match part {
            Part::Digit { is_zero } => Some(*is_zero),
            _ => None,
        });
        let asked = places.enumerate().filter(|(_, is_zero)| *is_zero).map(|(place, _)| place + 1).last().unwrap_or(0);
        fraction.trim_end_matches('0').len().max(asked)
    }

    fn put_sign(&self, is_negative: bool, body: &mut Body) {
        let mark = match (self.sign, is_negative) {
            (Sign::Anywhere, true) | (Sign::MinusOnly, true) => "-",
            (Sign::Anywhere, false) | (Sign::PlusOnly, false) => "+",
            // At the number, which is not known yet where it stands before it.
            (Sign::Always, _) => {
                if body.sign_at.is_some() {
                    body.out.push(if is_negative { '-' } else { '+' });
                }
                return;
            }
            _ if self.is_narrow => "",
            _ => " ",
        };
        body.out.push_str(mark);
    }

    fn signed(&self, body: Body, is_negative: bool) -> String {
        let Body { mut out, sign_at } = body;
        let at = sign_at.unwrap_or(out.len());
        let leads = self.parts.iter().position(|part| *part == Part::Sign)
            < self.parts.iter().position(|part| matches!(part, Part::Digit { .. } | Part::Point));
        match self.sign {
            Sign::Plain | Sign::PlusOnly => {
                let mark = if is_negative {
                    "-"
                } else if self.is_narrow {
                    ""
                } else {
                    " "
                };
                if is_negative { out.insert_str(at, mark) } else { out.insert_str(0, mark) }
            }
            Sign::Always if leads => out.insert(at, if is_negative { '-' } else { '+' }),
            Sign::Brackets if is_negative => {
                out.insert(at, '<');
                out.push('>');
            }
            Sign::Brackets if !self.is_narrow => {
                out.insert(0, ' ');
                out.push(' ');
            }
            _ => {}
        }
        out
    }

    fn overflow(&self) -> String {
        let part = |part: &Part| match part {
            Part::Digit { .. } => "#",
            Part::Point => ".",
            Part::Group => ",",
            _ => "",
        };
        let marks: String = self.parts.iter().map(part).collect();
        if self.sign == Sign::Plain && !self.is_narrow { format!(" {marks}") } else { marks }
    }

    /// The digits of a text that the pattern describes.
    pub fn read(&self, text: &str) -> Result<String> {
        let is_negative = text.contains('-') || text.contains('<');
        let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
        if !digits.bytes().any(|byte| byte.is_ascii_digit()) {
            return Err(Error::new(Reason::InvalidText, format!("invalid input syntax for type numeric: \"{text}\"")));
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let fraction: String = fraction.chars().filter(char::is_ascii_digit).take(self.fraction).collect();
        let whole: String = whole.chars().take(self.whole.max(1)).collect();
        let sign = if is_negative { "-" } else { "" };
        Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
    }
}

/// A number as it is being written, and where its first digit stands.
struct Body {
    out: String,
    sign_at: Option<usize>,
}

impl Body {
    fn mark(&mut self) {
        self.sign_at.get_or_insert(self.out.len());
    }
}

fn ordinal(whole: &str) -> &'static str {
    let mut digits = whole.bytes().rev();
    match (digits.next(), digits.next()) {
        (_, Some(b'1')) => "th",
        (Some(b'1'), _) => "st",
        (Some(b'2'), _) => "nd",
        (Some(b'3'), _) => "rd",
        _ => "th",
    }
}

/// Digits before and after the point, rounded half away from zero to so many places.
fn rounded(size: &str, places: usize) -> (String, String) {
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(places).collect();
    let is_up = fraction.as_bytes().get(places).is_some_and(|digit| *digit >= b'5');
    let mut digits: Vec<u8> = format!("0{whole}{kept}").into_bytes();
    if is_up {
        for digit in digits.iter_mut().rev() {
            if *digit == b'9' {
                *digit = b'0';
            } else {
                *digit += 1;
                break;
            }
        }
    }
    let split = digits.len() - places;
    let text = |digits: &[u8]| digits.iter().map(|digit| char::from(*digit)).collect();
    (text(&digits[..split]), text(&digits[split..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // What to_char of PostgreSQL 15 gives.
    #[test]
    fn numbers_are_written_as_postgres_writes_them() {
        for (number, pattern, expected) in [
            ("1234567.891", "9,999,999.99", " 1,234,567.89"),
            ("12", "9999", "   12"),
            ("-12", "9999", "  -12"),
            ("12.5", "FM99.99", "12.5"),
            ("12", "FM99.99", "12."),
            ("12", "FM99.00", "12.00"),
            ("0.5", "9.9", "  .5"),
            ("0.5", "0.9", " 0.5"),
            ("0", "9", " 0"),
            ("5", "000", " 005"),
            ("5", "FM000", "005"),
            ("-5", "S999", "  -5"),
            ("5", "S999", "  +5"),
            ("5", "999S", "  5+"),
            ("-5", "999MI", "  5-"),
            ("5", "999MI", "  5 "),
            ("-5", "999PR", "  <5>"),
            ("5", "999PR", "   5 "),
            ("12345", "999", " ###"),
            ("485", "FM999th", "485th"),
            ("1234", "9,999", " 1,234"),
            ("123", "9,999", "   123"),
            ("0.125", "0.99", " 0.13"),
            ("999.995", "FM9,999.99", "1,000."),
            ("2.25", "9.99EEEE", " 2.25e+00"),
            ("-0.00125", "9.99EEEE", "-1.25e-03"),
            ("12345", "9EEEE", " 1e+04"),
            ("0", "9.9EEEE", " 0.0e+00"),
        ] {
            assert_eq!(NumberPattern::parse(pattern).write(number).unwrap(), expected, "{number} {pattern}");
        }
    }

    // What to_char of PostgreSQL 15 gives of a double precision.
    #[test]
    fn doubles_are_rounded_to_even() {
        for (double, pattern, expected) in
            [(2.25, "FM999.0", "2.2"), (2.35, "FM999.0", "2.4"), (0.125, "0.99", " 0.12")]
        {
            let pattern = NumberPattern::parse(pattern);
            assert_eq!(pattern.write(&pattern.digits_of(double, 15)).unwrap(), expected, "{double}");
        }
    }

    #[test]
    fn texts_are_read_by_their_digits() {
        for (text, pattern, expected) in [("1,234.5", "9,999.9", "1234.5"), ("-12", "S99", "-12"), ("$7", "L9", "7")] {
            assert_eq!(NumberPattern::parse(pattern).read(text).unwrap(), expected);
        }
        assert_eq!(NumberPattern::parse("99").read("x").unwrap_err().reason(), Reason::InvalidText);
    }
}
