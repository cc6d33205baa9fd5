//! Intervals in text: numbers with units, a clock, or ISO 8601.

use arrow::datatypes::IntervalMonthDayNano;

use super::{invalid, out_of_range};
use crate::error::Result;
use crate::forms::datetime::{MICROS_A_DAY, MICROS_A_SECOND};

/// Months, days and microseconds as they add up.
#[derive(Default)]
struct Sum {
    months: f64,
    days: f64,
    micros: f64,
}

const DAYS_A_MONTH: f64 = 30.0;

pub fn of(text: &str) -> Result<IntervalMonthDayNano> {
    let sum = parse(text.trim()).ok_or_else(|| invalid("interval", text))?;
    let (months, days, micros) = sum.whole();
    let refused = || out_of_range("interval", text);
    let nanos = micros.checked_mul(1000).ok_or_else(refused)?;
    let (months, days) = (i32::try_from(months).map_err(|_| refused())?, i32::try_from(days).map_err(|_| refused())?);
    Ok(IntervalMonthDayNano::new(months, days, nanos))
}

/// An interval as a length: a month counts as thirty days, a day as twenty-four hours.
pub fn micros(text: &str) -> Result<i64> {
    let (months, days, micros) = parse(text.trim()).ok_or_else(|| invalid("interval", text))?.whole();
    let days = months.checked_mul(DAYS_A_MONTH as i64).and_then(|more| more.checked_add(days));
    let total = days.and_then(|days| days.checked_mul(MICROS_A_DAY)).and_then(|days| days.checked_add(micros));
    total.ok_or_else(|| out_of_range("interval", text))
}

impl Sum {
    /// Parts of a month become days, parts of a day become time; whole ones are never folded.
    fn whole(&self) -> (i64, i64, i64) {
        let days = self.days + self.months.fract() * DAYS_A_MONTH;
        let micros = self.micros + days.fract() * MICROS_A_DAY as f64;
        (self.months.trunc() as i64, days.trunc() as i64, micros.round() as i64)
    }

    fn add(&mut self, value: f64, unit: &str) -> Option<()> {
        let second = MICROS_A_SECOND as f64;
        match unit {
            "millennium" | "millennia" => self.months += value * 12_000.0,
            "century" | "centuries" => self.months += value * 1200.0,
            "decade" | "decades" => self.months += value * 120.0,
            "year" | "years" | "yr" | "yrs" | "y" => self.months += value * 12.0,
            "month" | "months" | "mon" | "mons" => self.months += value,
            "week" | "weeks" | "w" => self.days += value * 7.0,
            "day" | "days" | "d" => self.days += value,
            "hour" | "hours" | "hr" | "hrs" | "h" => self.micros += value * 3600.0 * second,
            "minute" | "minutes" | "min" | "mins" | "m" => self.micros += value * 60.0 * second,
            "second" | "seconds" | "sec" | "secs" | "s" | "" => self.micros += value * second,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => self.micros += value * 1000.0,
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => self.micros += value,
            _ => return None,
        }
        Some(())
    }
}

fn parse(text: &str) -> Option<Sum> {
    if let Some(iso) = text.strip_prefix('P') {
        return iso_8601(iso);
    }
    let lower = text.to_ascii_lowercase();
    let (body, ago) = match lower.strip_suffix("ago") {
        Some(body) => (body, true),
        None => (lower.as_str(), false),
    };
    let mut sum = Sum::default();
    let mut rest = body.trim_start_matches('@').trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (sign, unsigned) = match rest.strip_prefix('-') {
            Some(unsigned) => (-1.0, unsigned.trim_start()),
            None => (1.0, rest.strip_prefix('+').unwrap_or(rest).trim_start()),
        };
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ':');
        let (number, after) = unsigned.split_at(unsigned.find(|c| !is_number(c)).unwrap_or(unsigned.len()));
        rest = after;
        if number.contains(':') {
            sum.micros += sign * clock(number)?;
        } else if let Some(months) =
            after.strip_prefix('-').filter(|after| after.starts_with(|c: char| c.is_ascii_digit()))
        {
            // Years and months.
            let (months, after) = months.split_at(months.find(|c| !is_number(c)).unwrap_or(months.len()));
            sum.months += sign * (finite(number)? * 12.0 + finite(months)?);
            rest = after;
        } else {
            let after = after.trim_start();
            let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
            // A number before a clock counts days.
            let is_day =
                unit.is_empty() && after.split_ascii_whitespace().next().is_some_and(|next| next.contains(':'));
            sum.add(sign * finite(number)?, if is_day { "day" } else { unit })?;
            rest = after;
        }
        rest = rest.trim_start();
    }
    if ago {
        sum = Sum { months: -sum.months, days: -sum.days, micros: -sum.micros };
    }
    Some(sum)
}

/// `04:05:06.789`, `00:30`.
fn clock(word: &str) -> Option<f64> {
    let mut parts = word.split(':');
    let (hours, minutes) = (finite(parts.next()?)?, finite(parts.next()?)?);
    let seconds = parts.next().map_or(Some(0.0), finite)?;
    if parts.next().is_some() {
        return None;
    }
    Some((hours * 3600.0 + minutes * 60.0 + seconds) * MICROS_A_SECOND as f64)
}

/// `1Y2M3DT4H5M6.5S`, after its P.
fn iso_8601(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let (mut rest, mut in_time) = (text, false);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            (rest, in_time) = (time, true);
            continue;
        }
        let end = rest.find(|character: char| character.is_ascii_alphabetic())?;
        let value = finite(&rest[..end])?;
        let unit = match (&rest[end..end + 1], in_time) {
            ("Y", false) => "year",
            ("M", false) => "month",
            ("W", false) => "week",
            ("D", false) => "day",
            ("H", true) => "hour",
            ("M", true) => "minute",
            ("S", true) => "second",
            _ => return None,
        };
        sum.add(value, unit)?;
        rest = &rest[end + 1..];
    }
    Some(sum)
}

fn finite(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    plain.then(|| text.parse::<f64>().ok())?.filter(|value| value.is_finite())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // What PostgreSQL 15 makes of the same texts.
    #[test]
    fn intervals_are_taken_in_every_style() {
        let cases = [
            ("1 year 2 mons 3 days 04:05:06.789", (14, 3, 14_706_789_000_000)),
            ("-1 days +01:00:00", (0, -1, 3_600_000_000_000)),
            ("P1Y2M3DT4H5M6.5S", (14, 3, 14_706_500_000_000)),
            ("1.5 days", (0, 1, 43_200_000_000_000)),
            ("0 years 0 mons 1 days 0 hours 0 mins 0.0 secs", (0, 1, 0)),
            ("90 min", (0, 0, 5_400_000_000_000)),
            ("2 weeks ago", (0, -14, 0)),
            ("10", (0, 0, 10_000_000_000)),
            ("1-2", (14, 0, 0)),
            ("-1-2", (-14, 0, 0)),
            ("1 12:59:10", (0, 1, 46_750_000_000_000)),
            ("-1 year 2 mons", (-10, 0, 0)),
            ("1 month - 1 day", (1, -1, 0)),
            ("1-2 3 4:05:06", (14, 3, 14_706_000_000_000)),
            ("1y2mon", (14, 0, 0)),
            ("- 1 day 2 hours", (0, -1, 7_200_000_000_000)),
        ];
        for (text, (months, days, nanos)) in cases {
            assert_eq!(of(text).unwrap(), IntervalMonthDayNano::new(months, days, nanos), "{text}");
        }
        for text in ["", "x", "1 fortnight", "P", "PT1D", "1:2:3:4", "1e400 days", "1 day -", "day"] {
            assert!(of(text).is_err(), "{text}");
        }
        assert_eq!(micros("1 mon 1 day 00:00:01").unwrap(), 31 * MICROS_A_DAY + MICROS_A_SECOND);
    }
}
