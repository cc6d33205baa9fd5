//! Integers and floats as text.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

/// Digits of the greatest integer of 64 bits.
const INTEGER_BYTES: usize = 20;

pub fn put_integer(value: i64, out: &mut BytesMut) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub fn put_unsigned(value: u64, out: &mut BytesMut) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// `007`: exactly `width` digits of a value that has no more.
pub fn put_padded(value: u64, width: usize, out: &mut BytesMut) {
    let mut digits = [b'0'; INTEGER_BYTES];
    let (mut at, mut rest) = (INTEGER_BYTES, value);
    while rest > 0 && at > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[INTEGER_BYTES - width.min(INTEGER_BYTES)..]);
}

/// Decimal digits at which PostgreSQL changes to an exponent.
const FLOAT4_DIGITS: i32 = 6;
const FLOAT8_DIGITS: i32 = 15;

/// The shortest text that reads back as the same number, laid out as PostgreSQL does.
pub fn put_float8(value: f64, out: &mut BytesMut) {
    if value == 0.0 || (1e-4..1e15).contains(&value.abs()) {
        put_plain(zmij::Buffer::new().format_finite(value), out);
    } else if !put_special(value, out) {
        put_shortest(&format!("{value:e}"), FLOAT8_DIGITS, out);
    }
}

/// As [`put_float8`], for the shorter type.
pub fn put_float4(value: f32, out: &mut BytesMut) {
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        put_plain(zmij::Buffer::new().format_finite(value), out);
    } else if !put_special(f64::from(value), out) {
        put_shortest(&format!("{value:e}"), FLOAT4_DIGITS, out);
    }
}

/// `1.5`, and `100` of `100.0`.
fn put_plain(text: &str, out: &mut BytesMut) {
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

fn put_special(value: f64, out: &mut BytesMut) -> bool {
    let text: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value == f64::INFINITY {
        b"Infinity"
    } else if value == f64::NEG_INFINITY {
        b"-Infinity"
    } else {
        return false;
    };
    out.put_slice(text);
    true
}

/// Lays out `-1.25e-7`, the form in which Rust writes the shortest digits.
fn put_shortest(scientific: &str, digits_max: i32, out: &mut BytesMut) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..digits_max).contains(&exponent) {
        out.put_slice(mantissa.as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to memory cannot fail.
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
        return;
    }
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    if unsigned.len() < mantissa.len() {
        out.put_u8(b'-');
    }
    let digits: Vec<u8> = unsigned.bytes().filter(|byte| *byte != b'.').collect();
    let whole = usize::try_from(exponent + 1).unwrap_or(0);
    if whole == 0 {
        out.put_slice(b"0.");
        out.put_bytes(b'0', usize::try_from(-exponent - 1).unwrap_or(0));
        out.put_slice(&digits);
    } else if digits.len() <= whole {
        out.put_slice(&digits);
        out.put_bytes(b'0', whole - digits.len());
    } else {
        out.put_slice(&digits[..whole]);
        out.put_u8(b'.');
        out.put_slice(&digits[whole..]);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn text(put: impl Fn(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        put(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn integers_reach_both_ends() {
        for value in [0, 7, -7, i64::MAX, i64::MIN] {
            assert_eq!(text(|out| put_integer(value, out)), value.to_string());
        }
    }

    #[test]
    fn padded_numbers_have_their_width() {
        for (value, width, expected) in [(0, 2, "00"), (7, 3, "007"), (1234, 4, "1234"), (0, 0, "")] {
            assert_eq!(text(|out| put_padded(value, width, out)), expected);
        }
    }

    // What `SELECT x::float8` prints in PostgreSQL 15.
    #[test]
    fn doubles_print_as_postgres_prints_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100.0, "100"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (1.234_567_890_123_456_8e17, "1.2345678901234568e+17"),
            (1e300, "1e+300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|out| put_float8(value, out)), expected);
        }
    }

    #[test]
    fn reals_print_as_postgres_prints_them() {
        for (value, expected) in [(1e6, "1e+06"), (123_456.0, "123456"), (0.1, "0.1"), (1.1754944e-38, "1.1754944e-38")]
        {
            assert_eq!(text(|out| put_float4(value, out)), expected);
        }
    }
}
