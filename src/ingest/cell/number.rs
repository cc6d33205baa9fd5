//! Numbers: integers, floats and numeric, exact or refused; digits beyond the scale are rounded, half away from zero.

use std::num::IntErrorKind;
use std::str::FromStr;

use super::fault::CellFault;
use crate::dataset::SqlType;

pub fn small_int(text: &str) -> Result<i16, CellFault> {
    whole(text, SqlType::SmallInt)
}

pub fn integer(text: &str) -> Result<i32, CellFault> {
    whole(text, SqlType::Integer)
}

pub fn big_int(text: &str) -> Result<i64, CellFault> {
    whole(text, SqlType::BigInt)
}

fn whole<T: FromStr<Err = std::num::ParseIntError>>(text: &str, sql_type: SqlType) -> Result<T, CellFault> {
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => CellFault::range(sql_type, text),
        _ => CellFault::syntax(sql_type, text),
    })
}

pub fn real(text: &str) -> Result<f32, CellFault> {
    let value: f32 = text.parse().map_err(|_| CellFault::syntax(SqlType::Real, text))?;
    if value.is_infinite() && !names_infinity(text) { Err(CellFault::range(SqlType::Real, text)) } else { Ok(value) }
}

pub fn double(text: &str) -> Result<f64, CellFault> {
    let value: f64 = text.parse().map_err(|_| CellFault::syntax(SqlType::Double, text))?;
    if value.is_infinite() && !names_infinity(text) { Err(CellFault::range(SqlType::Double, text)) } else { Ok(value) }
}

fn names_infinity(text: &str) -> bool {
    text.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'i'))
}

/// The value times ten to the power of `scale`.
pub fn numeric(text: &str, precision: u8, scale: u8) -> Result<i128, CellFault> {
    if let Some(value) = short(text, precision, scale) {
        return Ok(i128::from(value));
    }
    let sql_type = || SqlType::Numeric { precision, scale: scale.cast_signed() };
    let parts = Parts::of(text).ok_or_else(|| CellFault::syntax(sql_type(), text))?;
    parts.scaled(precision, scale).ok_or_else(|| CellFault::range(sql_type(), text))
}

/// What nearly all numbers of files are: digits, perhaps a sign and a point, of which none is lost. `None` says nothing.
fn short(text: &str, precision: u8, scale: u8) -> Option<i64> {
    /// Of an `i64`.
    const DIGITS_MAX: usize = 18;
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = usize::from(scale).checked_sub(fraction.len())?;
    if whole.is_empty() || whole.len() + usize::from(scale) > DIGITS_MAX.min(usize::from(precision)) {
        return None;
    }
    let mut value = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value * 10 + i64::from(char::from(digit).to_digit(10)?);
    }
    value *= 10_i64.pow(zeros as u32);
    Some(if negative { -value } else { value })
}

/// A decimal as it is written.
struct Parts<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i32,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, bytes) = match bytes.first()? {
            b'-' => (true, &bytes[1..]),
            b'+' => (false, &bytes[1..]),
            _ => (false, bytes),
        };
        let (bytes, exponent) = match bytes.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            None => (bytes, 0),
            Some(at) => (&bytes[..at], std::str::from_utf8(&bytes[at + 1..]).ok()?.parse().ok()?),
        };
        let (whole, fraction) = match bytes.iter().position(|byte| *byte == b'.') {
            None => (bytes, &bytes[bytes.len()..]),
            Some(at) => (&bytes[..at], &bytes[at + 1..]),
        };
        let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
        let some = whole.len() + fraction.len() > 0;
        (some && digits(whole) && digits(fraction)).then_some(Self { negative, whole, fraction, exponent })
    }

    /// `None` where it does not fit.
    fn scaled(&self, precision: u8, scale: u8) -> Option<i128> {
        // How many of the digits count, once the point is moved by the exponent and the scale.
        let kept = self.whole.len() as i64 + i64::from(self.exponent) + i64::from(scale);
        let mut value: i128 = 0;
        let mut digits = self.whole.iter().chain(self.fraction).map(|digit| i128::from(digit - b'0'));
        let limit = 10i128.pow(u32::from(precision));
        for _ in 0..kept.max(0) {
            value = match digits.next() {
                Some(digit) => value.checked_mul(10)?.checked_add(digit)?,
                None if value == 0 => break,
                None => value.checked_mul(10)?,
            };
            if value >= limit {
                return None;
            }
        }
        let next = if kept < 0 { None } else { digits.next() };
        if next.is_some_and(|digit| digit >= 5) {
            value += 1;
        }
        (value < limit).then_some(if self.negative { -value } else { value })
    }
}
