//! Dates and times in ISO order: `2024-02-29`, `2024/2/29`, `20240229`; a time after a blank or `T`; a zone after the time.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::fault::CellFault;
use super::zone::{DAY_US, ZoneClock};
use crate::dataset::SqlType;

const SECOND_US: i64 = 1_000_000;

/// Days from 1970-01-01. A time of day after the date is left out.
pub fn date(text: &str) -> Result<i32, CellFault> {
    let fault = || CellFault::syntax(SqlType::Date, text);
    let (days, rest) = read_date(text.as_bytes()).ok_or_else(fault)?;
    match rest {
        [] => Ok(days),
        [b' ' | b'T' | b't', time @ ..] if read_time(time).is_some() => Ok(days),
        _ => Err(fault()),
    }
}

/// Microseconds from midnight, up to 24:00.
pub fn time(text: &str) -> Result<i64, CellFault> {
    match read_time(text.as_bytes()) {
        Some((us, [])) => Ok(us),
        _ => Err(CellFault::syntax(SqlType::Time, text)),
    }
}

/// Microseconds of the wall clock. A zone in the text is left out, as PostgreSQL does.
pub fn timestamp(text: &str) -> Result<i64, CellFault> {
    let fault = || CellFault::syntax(SqlType::Timestamp, text);
    let (wall, zone) = read_wall(text).ok_or_else(fault)?;
    read_zone(zone).ok_or_else(fault)?;
    Ok(wall)
}

/// Microseconds of UTC. Without a zone in the text the clock's counts.
pub fn timestamp_tz(text: &str, clock: &mut ZoneClock) -> Result<i64, CellFault> {
    let fault = || CellFault::syntax(SqlType::TimestampTz, text);
    let (wall, zone) = read_wall(text).ok_or_else(fault)?;
    let instant = match read_zone(zone).ok_or_else(fault)? {
        Zone::None => clock.instant(wall),
        Zone::Offset(us) => Some(wall - us),
        Zone::Named(zone) => ZoneClock::new(zone).instant(wall),
    };
    instant.ok_or_else(|| CellFault::range(SqlType::TimestampTz, text))
}

enum Zone {
    None,
    /// East of Greenwich, in microseconds.
    Offset(i64),
    Named(Tz),
}

/// Wall-clock microseconds, and what follows the time.
fn read_wall(text: &str) -> Option<(i64, &str)> {
    let (days, rest) = read_date(text.as_bytes())?;
    let (us, rest) = match rest {
        [] => (0, rest),
        [b' ' | b'T' | b't', time @ ..] => read_time(time.trim_ascii_start())?,
        _ => return None,
    };
    let zone = text.get(text.len() - rest.len()..)?;
    Some((i64::from(days) * DAY_US + us, zone.trim_ascii()))
}

fn read_zone(text: &str) -> Option<Zone> {
    let (sign, digits) = match text.as_bytes() {
        [] => return Some(Zone::None),
        [b'Z' | b'z'] => return Some(Zone::Offset(0)),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return text.parse().ok().map(Zone::Named),
    };
    let (hours, rest) = read_digits(digits, 1, 2)?;
    let (minutes, rest) = match rest {
        [] => (0, rest),
        [b':', more @ ..] => read_digits(more, 2, 2)?,
        _ => read_digits(rest, 2, 2)?,
    };
    (rest.is_empty() && hours <= 15 && minutes < 60)
        .then_some(Zone::Offset(sign * (hours * 60 + minutes) * 60 * SECOND_US))
}

/// Days from 1970-01-01, and what follows the date.
fn read_date(text: &[u8]) -> Option<(i32, &[u8])> {
    let (year, rest) = read_digits(text, 4, 8)?;
    let (year, month, day, rest) = match rest {
        [separator @ (b'-' | b'/' | b'.'), rest @ ..] if year <= 99_999 => {
            let (month, rest) = read_digits(rest, 1, 2)?;
            let rest = rest.strip_prefix(&[*separator])?;
            let (day, rest) = read_digits(rest, 1, 2)?;
            (year, month, day, rest)
        }
        rest if text.len() - rest.len() == 8 => (year / 10_000, year / 100 % 100, year % 100, rest),
        _ => return None,
    };
    let date =
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    Some((date.to_epoch_days(), rest))
}

/// Microseconds from midnight, and what follows the time. The seventh digit of a second rounds.
fn read_time(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hours, rest) = read_digits(text, 1, 2)?;
    let (minutes, rest) = read_digits(rest.strip_prefix(b":")?, 2, 2)?;
    let (seconds, rest) = match rest.strip_prefix(b":") {
        Some(rest) => read_digits(rest, 2, 2)?,
        None => (0, rest),
    };
    let (fraction, rest) = match rest.strip_prefix(b".") {
        Some(rest) => read_fraction(rest)?,
        None => (0, rest),
    };
    let us = ((hours * 60 + minutes) * 60 + seconds) * SECOND_US + fraction;
    (minutes < 60 && seconds < 60 && us <= DAY_US).then_some((us, rest))
}

fn read_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digit = |nth: usize| text[..len].get(nth).map_or(0, |byte| i64::from(byte - b'0'));
    let us = (0..6).fold(0, |us, nth| us * 10 + digit(nth));
    Some((us + i64::from(digit(6) >= 5), &text[len..]))
}

/// A number of `min` to `max` digits, and what follows it.
fn read_digits(text: &[u8], min: usize, max: usize) -> Option<(i64, &[u8])> {
    let len = text.iter().take(max).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..len].iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    (len >= min).then_some((value, &text[len..]))
}
