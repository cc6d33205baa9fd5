//! Intervals: months, days and microseconds that are never folded into each other.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

use super::datetime::{MICROS_A_DAY, MICROS_A_SECOND, put_fraction};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl Span {
    /// As the difference of two instants prints: whole days apart from the clock.
    pub fn of_micros(micros: i64) -> Self {
        Self { months: 0, days: (micros / MICROS_A_DAY) as i32, micros: micros % MICROS_A_DAY }
    }

    /// PostgreSQL's own style: `1 year 2 mons -3 days +04:05:06.7`.
    pub fn put_text(self, out: &mut BytesMut) {
        let start = out.len();
        let mut after_negative = false;
        let fields = [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")];
        for (value, unit) in fields.into_iter().filter(|(value, _)| *value != 0) {
            let space = if out.len() > start { " " } else { "" };
            // After a negative field a positive one says so.
            let plus = if after_negative && value > 0 { "+" } else { "" };
            let plural = if value == 1 { "" } else { "s" };
            let _ = write!(out, "{space}{plus}{value} {unit}{plural}");
            after_negative = value < 0;
        }
        if self.micros != 0 || out.len() == start {
            if out.len() > start {
                out.put_u8(b' ');
            }
            if self.micros < 0 {
                out.put_u8(b'-');
            } else if after_negative {
                out.put_u8(b'+');
            }
            put_clock(self.micros.unsigned_abs(), out);
        }
    }

    /// Microseconds, days, months.
    pub fn put_binary(self, out: &mut BytesMut) {
        out.put_i64(self.micros);
        out.put_i32(self.days);
        out.put_i32(self.months);
    }
}

fn put_clock(micros: u64, out: &mut BytesMut) {
    let second = MICROS_A_SECOND as u64;
    let seconds = micros / second;
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    put_fraction((micros % second) as i64, out);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn text(months: i32, days: i32, micros: i64) -> String {
        let mut out = BytesMut::new();
        Span { months, days, micros }.put_text(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    // What PostgreSQL 15 prints with IntervalStyle postgres.
    #[test]
    fn intervals_print_in_the_style_of_postgres() {
        assert_eq!(text(0, 0, 0), "00:00:00");
        assert_eq!(text(14, 3, 14_706_789_000), "1 year 2 mons 3 days 04:05:06.789");
        assert_eq!(text(-14, 3, -1_000_000), "-1 years -2 mons +3 days -00:00:01");
        assert_eq!(text(0, -1, 3_600_000_000), "-1 days +01:00:00");
        assert_eq!(text(1, 1, 0), "1 mon 1 day");
        assert_eq!(text(0, 0, 360_000_000_000), "100:00:00");
    }

    #[test]
    fn binary_is_microseconds_days_months() {
        let mut out = BytesMut::new();
        Span { months: 1, days: 2, micros: 3 }.put_binary(&mut out);
        assert_eq!(&out[..], [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1]);
    }
}
