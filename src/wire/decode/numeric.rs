//! `numeric` parameters: exact digits from either form into a scaled integer.

use arrow::datatypes::i256;
use bytes::Bytes;
use datafusion::common::ScalarValue;

use super::invalid;
use crate::error::{Error, Reason, Result};
use crate::wire::protocol::message::Reader;

const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;
const NEGATIVE: u16 = 0x4000;

/// More digits than any decimal of Arrow holds: what goes beyond is out of range whatever it is.
const EXPONENT_MAX: i64 = 1000;

pub fn decimal128(text: &str, precision: u8, scale: i8) -> Result<ScalarValue> {
    let value = scaled(text, precision, scale)?.to_i128().ok_or_else(overflow)?;
    Ok(ScalarValue::Decimal128(Some(value), precision, scale))
}

pub fn decimal256(text: &str, precision: u8, scale: i8) -> Result<ScalarValue> {
    Ok(ScalarValue::Decimal256(Some(scaled(text, precision, scale)?), precision, scale))
}

/// `-12.345e2` times ten to the scale, rounded half away from zero.
fn scaled(text: &str, precision: u8, scale: i8) -> Result<i256> {
    let refused = || invalid("numeric", text);
    let trimmed = text.trim();
    let (mantissa, exponent) = match trimmed.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| refused())?),
        None => (trimmed, 0),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let special = ["nan", "infinity", "inf"].contains(&unsigned.to_ascii_lowercase().as_str());
        return Err(if special { overflow() } else { refused() });
    }
    // How many digits must be added (or taken away) for the scale.
    let shift = exponent.clamp(-2 * EXPONENT_MAX, 2 * EXPONENT_MAX) + i64::from(scale) - fraction.len() as i64;
    let mut round_up = false;
    if shift >= 0 {
        digits.extend(std::iter::repeat_n('0', usize::try_from(shift.min(EXPONENT_MAX)).unwrap_or(0)));
    } else {
        let kept = digits.len().saturating_sub(usize::try_from(-shift).unwrap_or(usize::MAX));
        let first_lost = if -shift <= digits.len() as i64 { digits.as_bytes().get(kept) } else { None };
        round_up = first_lost.is_some_and(|digit| *digit >= b'5');
        digits.truncate(kept);
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > usize::from(precision) {
        return Err(overflow());
    }
    let size = if digits.is_empty() { i256::ZERO } else { i256::from_string(digits).ok_or_else(overflow)? };
    let size = if round_up { size.wrapping_add(i256::ONE) } else { size };
    if size.to_string().len() > usize::from(precision) {
        return Err(overflow());
    }
    Ok(if mantissa.starts_with('-') { size.wrapping_neg() } else { size })
}

fn overflow() -> Error {
    Error::new(Reason::OutOfRange, "numeric field overflow")
}

/// The decimal text of a binary `numeric`; `None` where it is not one.
pub fn of_binary(bytes: &[u8]) -> Option<String> {
    let mut reader = Reader(Bytes::copy_from_slice(bytes));
    let (count, weight) = (reader.i16().ok()? as u16, reader.i16().ok()?);
    let (sign, scale) = (reader.i16().ok()? as u16, reader.i16().ok()?);
    let mut groups = Vec::new();
    for _ in 0..count {
        groups.push(reader.i16().ok().filter(|group| (0..10_000).contains(group))?);
    }
    reader.end().ok()?;
    let sign = match sign {
        0 => "",
        NEGATIVE => "-",
        NAN => return Some("NaN".to_owned()),
        INFINITY => return Some("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let group = |power: i32| {
        let position = usize::try_from(i32::from(weight) - power).ok();
        position.and_then(|position| groups.get(position)).copied().unwrap_or(0)
    };
    let scale = usize::try_from(scale).ok()?;
    let whole: String = (0..=i32::from(weight)).rev().map(|power| format!("{:04}", group(power))).collect();
    let parts = i32::try_from(scale.div_ceil(4)).ok()?;
    let mut fraction: String = (1..=parts).map(|power| format!("{:04}", group(-power))).collect();
    fraction.truncate(scale);
    let whole = if whole.is_empty() { "0" } else { &whole };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_scaled_and_rounded_half_away_from_zero() {
        let cases = [
            ("12.345", 2, 1235),
            ("-12.345", 2, -1235),
            ("0.004", 2, 0),
            ("0.005", 2, 1),
            (".5", 0, 1),
            ("1e3", 2, 100_000),
            ("12e-3", 2, 1),
            ("1234", -2, 12),
            (" 7 ", 0, 7),
            ("99.5", 0, 100),
        ];
        for (text, scale, expected) in cases {
            assert_eq!(
                decimal128(text, 38, scale).unwrap(),
                ScalarValue::Decimal128(Some(expected), 38, scale),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_out_of_range() {
        for text in ["1000", "999.5", "1e900000000", "NaN"] {
            assert_eq!(decimal128(text, 3, 0).unwrap_err().reason(), Reason::OutOfRange, "{text}");
        }
        for text in ["", "-", ".", "1e", "0x1", "1 2"] {
            assert_eq!(decimal128(text, 3, 0).unwrap_err().reason(), Reason::InvalidText, "{text}");
        }
    }

    // As numeric_send of PostgreSQL writes them.
    #[test]
    fn binary_reads_as_its_decimal_text() {
        let bytes = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        let cases: [(&[u16], &str); 7] = [
            (&[0, 0, 0, 2], "0000.00"),
            (&[2, 0, 0x4000, 1, 1, 5000], "-0001.5"),
            (&[3, 1, 0, 4, 1, 2345, 6789], "00012345.6789"),
            (&[1, 0xfffe, 0, 6, 100], "0.000001"),
            (&[1, 1, 0, 0, 1], "00010000"),
            (&[0, 0, 0xc000, 0], "NaN"),
            (&[1, 0xffff, 0, 0, 5000], "0"),
        ];
        for (words, expected) in cases {
            assert_eq!(of_binary(&bytes(words)).as_deref(), Some(expected));
        }
        for words in [&[1, 0, 0, 0][..], &[1, 0, 0, 0, 10_000], &[0, 0, 7, 0], &[0, 0, 0, 0, 0]] {
            assert_eq!(of_binary(&bytes(words)), None);
        }
    }
}
