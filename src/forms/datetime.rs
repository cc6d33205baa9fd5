//! Dates, times of day and instants: PostgreSQL's ISO text, and its count from the year 2000.

use bytes::{BufMut, BytesMut};

use super::number::{put_integer, put_padded};
pub const MICROS_A_SECOND: i64 = 1_000_000;
pub const MICROS_A_DAY: i64 = 86_400 * MICROS_A_SECOND;

/// 2000-01-01, where PostgreSQL begins to count, from 1970-01-01.
pub const POSTGRES_EPOCH_DAYS: i32 = 10_957;
pub const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS as i64 * MICROS_A_DAY;

/// A day of the proleptic Gregorian calendar; year 0 is 1 BC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
}

impl Civil {
    /// Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    pub fn of_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    /// Days since 1970-01-01; the inverse of [`Civil::of_days`].
    pub fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }
}

/// `2024-01-31`, `0044-03-15 BC`, `infinity`.
pub fn put_date(days: i32, out: &mut BytesMut) {
    if !put_infinity(days == i32::MAX, days == i32::MIN, out) {
        let civil = Civil::of_days(i64::from(days));
        put_civil(civil, out);
        put_era(civil, out);
    }
}

/// `08:30:00.25`, of microseconds since midnight.
pub fn put_time(micros: i64, out: &mut BytesMut) {
    let (seconds, fraction) = (micros.div_euclid(MICROS_A_SECOND), micros.rem_euclid(MICROS_A_SECOND));
    out.extend_from_slice(&clock_text(seconds));
    put_fraction(fraction, out);
}

/// `2024-01-31 08:30:00`, of microseconds since 1970 without a zone.
pub fn put_timestamp(micros: i64, out: &mut BytesMut) {
    if !put_infinity(micros == i64::MAX, micros == i64::MIN, out) {
        let civil = put_moment(micros, out);
        put_era(civil, out);
    }
}

/// `2024-01-31 08:30:00+08`: the instant as clocks show it that are `offset` seconds east of Greenwich.
pub fn put_timestamp_at(micros: i64, offset: i32, out: &mut BytesMut) {
    if !put_infinity(micros == i64::MAX, micros == i64::MIN, out) {
        let civil = put_moment(micros.saturating_add(i64::from(offset) * MICROS_A_SECOND), out);
        put_offset(offset, out);
        put_era(civil, out);
    }
}

fn put_moment(micros: i64, out: &mut BytesMut) -> Civil {
    let civil = Civil::of_days(micros.div_euclid(MICROS_A_DAY));
    let micros = micros.rem_euclid(MICROS_A_DAY);
    if !(1..=9999).contains(&civil.year) {
        put_civil(civil, out);
        out.extend_from_slice(b" ");
        put_time(micros, out);
        return civil;
    }
    let mut text = [b' '; 19];
    text[..10].copy_from_slice(&day_text(civil.year, civil));
    text[11..].copy_from_slice(&clock_text(micros / MICROS_A_SECOND));
    out.extend_from_slice(&text);
    put_fraction(micros % MICROS_A_SECOND, out);
    civil
}

fn put_civil(civil: Civil, out: &mut BytesMut) {
    // There is no year 0: it is printed as 1 BC.
    let year = if civil.year > 0 { civil.year } else { 1 - civil.year };
    let text = day_text(year, civil);
    if year > 9999 {
        put_integer(year, out);
        out.extend_from_slice(&text[4..]);
    } else {
        out.extend_from_slice(&text);
    }
}

/// `2024-01-31`; of a longer year the last four digits.
fn day_text(year: i64, civil: Civil) -> [u8; 10] {
    let ([c1, c2], [y1, y2]) = (two(year / 100), two(year));
    let ([m1, m2], [d1, d2]) = (two(i64::from(civil.month)), two(i64::from(civil.day)));
    [c1, c2, y1, y2, b'-', m1, m2, b'-', d1, d2]
}

/// `08:30:00`
fn clock_text(seconds: i64) -> [u8; 8] {
    let ([h1, h2], [m1, m2], [s1, s2]) = (two(seconds / 3600), two(seconds / 60 % 60), two(seconds % 60));
    [h1, h2, b':', m1, m2, b':', s1, s2]
}

/// Two digits of a number below a hundred.
fn two(number: i64) -> [u8; 2] {
    let number = number.rem_euclid(100) as u8;
    [b'0' + number / 10, b'0' + number % 10]
}

fn put_era(civil: Civil, out: &mut BytesMut) {
    if civil.year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// Up to six digits, without zeros at the end.
pub fn put_fraction(micros: i64, out: &mut BytesMut) {
    if micros != 0 {
        out.extend_from_slice(b".");
        put_padded(micros.unsigned_abs(), 6, out);
        while out.last() == Some(&b'0') {
            out.truncate(out.len() - 1);
        }
    }
}

/// `+08`, `-03:30`, `+08:05:43`.
pub fn put_offset(seconds: i32, out: &mut BytesMut) {
    let size = i64::from(seconds.unsigned_abs());
    let [h1, h2] = two(size / 3600);
    out.extend_from_slice(&[if seconds < 0 { b'-' } else { b'+' }, h1, h2]);
    if size % 3600 != 0 {
        out.extend_from_slice(b":");
        out.extend_from_slice(&two(size / 60 % 60));
    }
    if size % 60 != 0 {
        out.extend_from_slice(b":");
        out.extend_from_slice(&two(size % 60));
    }
}

fn put_infinity(positive: bool, negative: bool, out: &mut BytesMut) -> bool {
    if positive {
        out.extend_from_slice(b"infinity");
    } else if negative {
        out.extend_from_slice(b"-infinity");
    }
    positive || negative
}

/// Days since 2000; the two infinities stay what they are.
pub fn put_date_binary(days: i32, out: &mut BytesMut) {
    out.put_i32(match days {
        i32::MAX | i32::MIN => days,
        _ => days.saturating_sub(POSTGRES_EPOCH_DAYS),
    });
}

/// Microseconds since 2000; the two infinities stay what they are.
pub fn put_timestamp_binary(micros: i64, out: &mut BytesMut) {
    out.put_i64(match micros {
        i64::MAX | i64::MIN => micros,
        _ => micros.saturating_sub(POSTGRES_EPOCH_MICROS),
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::zone::Zone;
    use super::*;

    fn put_timestamp_in(micros: i64, zone: Zone, out: &mut BytesMut) {
        put_timestamp_at(micros, zone.offset_seconds(micros.div_euclid(MICROS_A_SECOND)), out);
    }

    fn text(put: impl Fn(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        put(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn days_and_calendar_go_both_ways() {
        for days in [-3_000_000, -719_529, -719_528, -1, 0, 59, 60, 10_957, 19_782, 2_932_896, 100_000_000] {
            assert_eq!(Civil::of_days(days).days(), days);
        }
        assert_eq!(Civil::of_days(19_782), Civil { year: 2024, month: 2, day: 29 });
    }

    // What PostgreSQL 15 prints with DateStyle ISO.
    #[test]
    fn dates_print_as_iso() {
        let cases =
            [(0, "1970-01-01"), (19_782, "2024-02-29"), (-735_160, "0044-03-15 BC"), (2_932_897, "10000-01-01")];
        for (days, expected) in cases.into_iter().chain([(i32::MAX, "infinity"), (i32::MIN, "-infinity")]) {
            assert_eq!(text(|out| put_date(days, out)), expected);
        }
    }

    #[test]
    fn instants_print_in_their_zone() {
        let shanghai = Zone::parse("Asia/Shanghai").unwrap();
        let new_year = 1_704_067_200 * MICROS_A_SECOND + 500_000;
        assert_eq!(text(|out| put_timestamp_in(new_year, shanghai, out)), "2024-01-01 08:00:00.5+08");
        assert_eq!(text(|out| put_timestamp_in(new_year, Zone::UTC, out)), "2024-01-01 00:00:00.5+00");
        let kathmandu = Zone::parse("Asia/Kathmandu").unwrap();
        assert_eq!(text(|out| put_timestamp_in(0, kathmandu, out)), "1970-01-01 05:30:00+05:30");
        // Before 1901 Shanghai kept its own mean time.
        assert_eq!(
            text(|out| put_timestamp_in(-3_000_000_000 * MICROS_A_SECOND, shanghai, out)),
            "1874-12-08 02:45:43+08:05:43"
        );
    }

    #[test]
    fn times_print_without_zeros_at_the_end() {
        assert_eq!(text(|out| put_time(30_600_250_000, out)), "08:30:00.25");
        assert_eq!(text(|out| put_time(MICROS_A_DAY, out)), "24:00:00");
        assert_eq!(text(|out| put_timestamp(-1, out)), "1969-12-31 23:59:59.999999");
    }

    #[test]
    fn the_ends_of_time_neither_wrap_nor_panic() {
        for micros in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            text(|out| put_timestamp(micros, out));
            text(|out| put_timestamp_in(micros, Zone::Fixed(43_200), out));
            let mut out = BytesMut::new();
            put_timestamp_binary(micros, &mut out);
        }
        assert_eq!(text(|out| put_timestamp(i64::MAX, out)), "infinity");
    }

    #[test]
    fn binary_counts_from_the_year_2000() {
        let mut out = BytesMut::new();
        put_date_binary(10_958, &mut out);
        put_timestamp_binary(946_684_801 * MICROS_A_SECOND, &mut out);
        assert_eq!(&out[..], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40]);
    }
}
