//! `numeric` in PostgreSQL's two forms, from a scaled integer of 128 or 256 bits.

use arrow::datatypes::i256;
use bytes::{BufMut, BytesMut};

/// Ten thousands are the digits of the binary form.
const BASE_DIGITS: usize = 4;

/// Groups of 64 bits with up to three zeros behind.
const SHORT_GROUPS_MAX: usize = 6;

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;

/// The most digits after the point for which a number is handled as one of 64 bits.
const SHORT_SCALE_MAX: u32 = 18;

/// A number whose digits fit into 64 bits, and how many of them stand after the point; None sends it the long way.
fn short(value: i128, scale: i8) -> Option<(u64, u32)> {
    let scale = u32::try_from(scale).ok().filter(|scale| *scale <= SHORT_SCALE_MAX)?;
    u64::try_from(value.unsigned_abs()).ok().map(|size| (size, scale))
}

/// `-12.50`: all digits of the scale.
pub fn put_text(value: i128, scale: i8, out: &mut BytesMut) {
    let Some((size, scale)) = short(value, scale) else { return Digits::of_i128(value, scale).put_text(out) };
    let one = 10_u64.pow(scale);
    let mut whole = itoa::Buffer::new();
    let whole = whole.format(size / one).as_bytes();
    // A sign, twenty digits, a point, eighteen digits.
    let mut text = [b'-'; 40];
    let start = usize::from(value < 0);
    let point = start + whole.len();
    text[start..point].copy_from_slice(whole);
    let mut end = point;
    if scale > 0 {
        text[point] = b'.';
        end += 1 + scale as usize;
        let mut fraction = size % one;
        for digit in text[point + 1..end].iter_mut().rev() {
            *digit = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
    }
    out.extend_from_slice(&text[..end]);
}

/// Number of groups, weight of the first, sign, scale, then the groups: digits of base ten thousand.
pub fn put_binary(value: i128, scale: i8, out: &mut BytesMut) {
    let Some((size, short_scale)) = short(value, scale) else { return Digits::of_i128(value, scale).put_binary(out) };
    let fraction = short_scale.next_multiple_of(BASE_DIGITS as u32);
    let mut rest = u128::from(size) * 10_u128.pow(fraction - short_scale);
    // From the last one on.
    let mut groups = [0_u16; SHORT_GROUPS_MAX];
    let mut count = 0;
    while rest > 0 {
        groups[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    let last = groups[..count].iter().position(|group| *group != 0).unwrap_or(count);
    let weight = if count == 0 { 0 } else { count as i16 - (fraction as usize / BASE_DIGITS) as i16 - 1 };
    out.put_u16((count - last) as u16);
    out.put_i16(weight);
    out.put_u16(if value < 0 { NEGATIVE } else { POSITIVE });
    out.put_u16(short_scale as u16);
    groups[last..count].iter().rev().for_each(|group| out.put_u16(*group));
}

/// A decimal as its sign, its digits and how many of them stand after the point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    negative: bool,
    /// ASCII, without leading zeros; empty for zero.
    digits: Vec<u8>,
    scale: usize,
}

impl Digits {
    pub fn of_i128(value: i128, scale: i8) -> Self {
        Self::of(value < 0, value.unsigned_abs().to_string(), scale)
    }

    pub fn of_i256(value: i256, scale: i8) -> Self {
        match value.to_i128() {
            Some(small) => Self::of_i128(small, scale),
            None => {
                let text = value.to_string();
                let negative = text.starts_with('-');
                Self::of(negative, text.trim_start_matches('-').to_owned(), scale)
            }
        }
    }

    fn of(negative: bool, text: String, scale: i8) -> Self {
        let mut digits = text.into_bytes();
        if digits == b"0" {
            digits.clear();
        } else if scale < 0 {
            // A negative scale counts zeros before the point.
            digits.resize(digits.len() + usize::from(scale.unsigned_abs()), b'0');
        }
        Self { negative: negative && !digits.is_empty(), digits, scale: usize::try_from(scale).unwrap_or(0) }
    }

    /// `-12.50`: all digits of the scale.
    pub fn put_text(&self, out: &mut BytesMut) {
        if self.negative {
            out.put_u8(b'-');
        }
        let whole = self.digits.len().saturating_sub(self.scale);
        if whole == 0 {
            out.put_u8(b'0');
        }
        out.put_slice(&self.digits[..whole]);
        if self.scale > 0 {
            out.put_u8(b'.');
            out.put_bytes(b'0', self.scale - (self.digits.len() - whole));
            out.put_slice(&self.digits[whole..]);
        }
    }

    /// Number of groups, weight of the first, sign, scale, then the groups: digits of base ten thousand.
    pub fn put_binary(&self, out: &mut BytesMut) {
        let (groups, weight) = self.groups();
        out.put_u16(groups.len() as u16);
        out.put_i16(weight);
        out.put_u16(if self.negative { NEGATIVE } else { POSITIVE });
        out.put_u16(self.scale as u16);
        groups.iter().for_each(|group| out.put_u16(*group));
    }

    /// The groups without zeros at either end, and the power of ten thousand of the first one.
    fn groups(&self) -> (Vec<u16>, i16) {
        let fraction = self.scale.next_multiple_of(BASE_DIGITS);
        let mut padded = self.digits.clone();
        padded.resize(padded.len() + fraction - self.scale, b'0');
        let lead = padded.len().next_multiple_of(BASE_DIGITS) - padded.len();
        let mut aligned = vec![b'0'; lead];
        aligned.append(&mut padded);
        let all: Vec<u16> = aligned
            .chunks(BASE_DIGITS)
            .map(|chunk| chunk.iter().fold(0, |group, digit| group * 10 + u16::from(digit - b'0')))
            .collect();
        let Some(first) = all.iter().position(|group| *group != 0) else { return (Vec::new(), 0) };
        let last = all.iter().rposition(|group| *group != 0).unwrap_or(first);
        let weight = all.len() as i16 - (fraction / BASE_DIGITS) as i16 - 1 - first as i16;
        (all[first..=last].to_vec(), weight)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn text(value: i128, scale: i8) -> String {
        let mut out = BytesMut::new();
        put_text(value, scale, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn binary(value: i128, scale: i8) -> Vec<u16> {
        let mut out = BytesMut::new();
        put_binary(value, scale, &mut out);
        out.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn text_has_every_digit_of_the_scale() {
        let cases = [(0, 2, "0.00"), (5, 2, "0.05"), (-5, 2, "-0.05"), (1250, 2, "12.50"), (-1250, 0, "-1250")];
        for (value, scale, expected) in cases.into_iter().chain([(12, -3, "12000"), (0, -3, "0"), (123, 3, "0.123")]) {
            assert_eq!(text(value, scale), expected);
        }
    }

    // Written down from numeric_send of PostgreSQL: ndigits, weight, sign, dscale, digits.
    #[test]
    fn binary_is_in_base_ten_thousand() {
        assert_eq!(binary(0, 2), [0, 0, 0, 2]);
        assert_eq!(binary(15, 1), [2, 0, 0, 1, 1, 5000]);
        assert_eq!(binary(-15, 1), [2, 0, 0x4000, 1, 1, 5000]);
        assert_eq!(binary(123_456_789, 4), [3, 1, 0, 4, 1, 2345, 6789]);
        assert_eq!(binary(1_000_000, 2), [1, 1, 0, 2, 1]);
        assert_eq!(binary(1, 4), [1, 0xffff, 0, 4, 1]);
        assert_eq!(binary(1, 6), [1, 0xfffe, 0, 6, 100]);
        assert_eq!(binary(12, -3), [2, 1, 0, 0, 1, 2000]);
    }

    #[test]
    fn the_short_way_and_the_long_way_write_the_same() {
        let ends = [
            0,
            1,
            9,
            10,
            9999,
            10_000,
            12_340_000,
            i128::from(i64::MAX),
            i128::from(i64::MAX) + 1,
            i128::from(u64::MAX),
        ];
        for size in ends {
            for (value, scale) in (0..=18).flat_map(|scale| [(size, scale), (-size, scale)]) {
                let (mut long_text, mut long_binary) = (BytesMut::new(), BytesMut::new());
                Digits::of_i128(value, scale).put_text(&mut long_text);
                Digits::of_i128(value, scale).put_binary(&mut long_binary);
                let long_binary: Vec<u16> =
                    long_binary.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
                assert_eq!(text(value, scale).as_bytes(), &long_text[..], "{value} at {scale}");
                assert_eq!(binary(value, scale), long_binary, "{value} at {scale}");
            }
        }
    }

    #[test]
    fn numbers_beyond_128_bits_keep_every_digit() {
        let value = i256::from_string("-123456789012345678901234567890123456789012345678901234567890").unwrap();
        let mut out = BytesMut::new();
        Digits::of_i256(value, 10).put_text(&mut out);
        assert_eq!(&out[..], b"-12345678901234567890123456789012345678901234567890.1234567890");
    }
}
