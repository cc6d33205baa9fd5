//! Dates, times of day and instants in PostgreSQL's ISO text, and in what is close to it.

use super::calendar::{self, Wrong};
use crate::error::{Error, Reason, Result};
use crate::forms::datetime::{Civil, MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::zone::Zone;

/// Days since 1970.
pub fn date(text: &str) -> Result<i32> {
    match special(text) {
        Some(Special::Infinity) => return Ok(i32::MAX),
        Some(Special::NegativeInfinity) => return Ok(i32::MIN),
        Some(Special::Epoch) => return Ok(0),
        None => {}
    }
    let days = match iso_date(text.trim()) {
        Some(days) => days,
        None => match calendar::moment(text).map_err(|wrong| refused(wrong, "date", text))?.day {
            Some(days) => days,
            None => return Err(invalid("date", text)),
        },
    };
    i32::try_from(days).map_err(|_| out_of_range("date", text))
}

/// A time after the date is cut off, as a cast would, and a zone without one is passed over.
fn iso_date(text: &str) -> Option<i64> {
    let (days, rest) = day(text)?;
    if rest.is_empty() {
        return Some(days);
    }
    let rest = rest.strip_prefix(['T', ' ']).unwrap_or(rest).trim_start();
    let (_, tail) = if rest.starts_with(|c: char| c.is_ascii_digit()) { clock(rest)? } else { (0, rest) };
    offset(tail, Zone::UTC, 0).filter(|_| !rest.is_empty()).map(|_| days)
}

/// Microseconds since midnight.
pub fn time(text: &str) -> Result<i64> {
    match clock(text.trim()) {
        Some((micros, "")) if micros <= MICROS_A_DAY => Ok(micros),
        // Six digits are a time here, and a date elsewhere.
        _ => match calendar::time(text).map_err(|wrong| refused(wrong, "time", text))? {
            Some(micros) => Ok(micros),
            None => Err(invalid("time", text)),
        },
    }
}

/// Microseconds since 1970 of a reading of the clocks; a zone in the text is passed over, as PostgreSQL does.
pub fn timestamp(text: &str) -> Result<i64> {
    moment(text, Zone::UTC, "timestamp").map(|(local, _)| local)
}

/// Microseconds since 1970 of an instant; without a zone in the text it is a reading of the clocks of `zone`.
pub fn instant(text: &str, zone: Zone) -> Result<i64> {
    let (local, offset) = moment(text, zone, "timestamp with time zone")?;
    match local {
        i64::MAX | i64::MIN => Ok(local),
        _ => Ok(local - i64::from(offset) * MICROS_A_SECOND),
    }
}

fn moment(text: &str, zone: Zone, type_name: &str) -> Result<(i64, i32)> {
    match special(text) {
        Some(Special::Infinity) => return Ok((i64::MAX, 0)),
        Some(Special::NegativeInfinity) => return Ok((i64::MIN, 0)),
        Some(Special::Epoch) => return Ok((0, 0)),
        None => {}
    }
    if let Some(found) = iso_moment(text.trim(), zone) {
        return found.ok_or_else(|| out_of_range("timestamp", text));
    }
    let found = calendar::moment(text).map_err(|wrong| refused(wrong, type_name, text))?;
    let days = found.day.ok_or_else(|| invalid(type_name, text))?;
    let local = local_of(days, found.time.unwrap_or(0)).ok_or_else(|| out_of_range("timestamp", text))?;
    Ok((local, found.zone.unwrap_or(zone).offset_of_local(local.div_euclid(MICROS_A_SECOND))))
}

/// The reading and the offset of a text in ISO's form, which all programs write; None of another, and None inside where no
/// timestamp reaches.
fn iso_moment(text: &str, zone: Zone) -> Option<Option<(i64, i32)>> {
    let (days, rest) = day(text)?;
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    // A zone may follow the date at once.
    let (micros, tail) = if rest.starts_with(|c: char| c.is_ascii_digit()) { clock(rest)? } else { (0, rest) };
    let Some(local) = local_of(days, micros) else { return Some(None) };
    let offset = offset(tail, zone, local.div_euclid(MICROS_A_SECOND))?;
    Some(Some((local, offset)))
}

fn local_of(days: i64, micros: i64) -> Option<i64> {
    let local = days.checked_mul(MICROS_A_DAY).and_then(|midnight| midnight.checked_add(micros));
    local.filter(|local| local.unsigned_abs() < i64::MAX as u64 - 2 * MICROS_A_DAY as u64)
}

enum Special {
    Infinity,
    NegativeInfinity,
    Epoch,
}

fn special(text: &str) -> Option<Special> {
    match text.trim().to_ascii_lowercase().as_str() {
        "infinity" => Some(Special::Infinity),
        "-infinity" => Some(Special::NegativeInfinity),
        "epoch" => Some(Special::Epoch),
        _ => None,
    }
}

/// `2024-01-31` at the front, with ` BC` at the very end of the text; what stands between is the rest.
fn day(text: &str) -> Option<(i64, &str)> {
    let (text, before_christ) = match text.strip_suffix("BC").or_else(|| text.strip_suffix("bc")) {
        Some(text) => (text.trim_end(), true),
        None => (text, false),
    };
    let (year, rest) = number(text)?;
    let (month, rest) = number(rest.strip_prefix('-')?)?;
    let (day, rest) = number(rest.strip_prefix('-')?)?;
    let year = if before_christ { 1 - year } else { year };
    let civil = Civil { year, month: u32::try_from(month).ok()?, day: u32::try_from(day).ok()? };
    let plausible = year < 1_000_000 && (1..=12).contains(&civil.month) && (1..=31).contains(&civil.day);
    // A day that does not exist comes back as another one.
    (plausible && Civil::of_days(civil.days()) == civil).then(|| (civil.days(), rest))
}

/// `08:30`, `08:30:00`, `08:30:00.25` at the front.
fn clock(text: &str) -> Option<(i64, &str)> {
    let (hours, rest) = number(text)?;
    let (minutes, rest) = number(rest.strip_prefix(':')?)?;
    let (seconds, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest)?,
        None => (0, rest),
    };
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest),
        None => (0, rest),
    };
    let micros = (hours * 3600 + minutes * 60 + seconds) * MICROS_A_SECOND + fraction;
    (micros <= MICROS_A_DAY && minutes < 60 && seconds <= 60).then_some((micros, rest))
}

/// Microseconds from the digits after the point, rounded.
fn fraction(text: &str) -> (i64, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let digits = &text[..end];
    let seven = digits.bytes().chain(std::iter::repeat(b'0')).take(7);
    let value = seven.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    ((value + 5) / 10, &text[end..])
}

/// What follows the time: nothing, `Z`, `+08`, ` Asia/Shanghai`.
fn offset(tail: &str, zone: Zone, local_seconds: i64) -> Option<i32> {
    let named = match tail.trim() {
        "" => zone,
        name => Zone::parse(name)?,
    };
    Some(named.offset_of_local(local_seconds))
}

/// The digits at the front; nine at most, so that nothing overflows.
fn number(text: &str) -> Option<(i64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let digits = text.get(..end).filter(|digits| (1..=9).contains(&digits.len()))?;
    Some((digits.parse().ok()?, &text[end..]))
}

fn invalid(type_name: &str, text: &str) -> Error {
    Error::new(Reason::InvalidDatetime, format!("invalid input syntax for type {type_name}: \"{text}\""))
}

fn refused(wrong: Wrong, type_name: &str, text: &str) -> Error {
    match wrong {
        Wrong::Syntax => invalid(type_name, text),
        Wrong::Range => {
            Error::new(Reason::DatetimeOutOfRange, format!("date/time field value out of range: \"{text}\""))
        }
    }
}

fn out_of_range(type_name: &str, text: &str) -> Error {
    Error::new(Reason::DatetimeOutOfRange, format!("{type_name} out of range: \"{text}\""))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days() {
        let cases = [("1970-01-01", 0), ("2024-02-29", 19_782), ("0044-03-15 BC", -735_160), ("infinity", i32::MAX)];
        for (text, days) in cases.into_iter().chain([("2024-02-29 10:00:00", 19_782), ("2024-2-9", 19_762)]) {
            assert_eq!(date(text).unwrap(), days, "{text}");
        }
        for text in ["", "2024", "2024-02-29x", "99999999999-01-01", "é"] {
            assert_eq!(date(text).unwrap_err().reason(), Reason::InvalidDatetime, "{text}");
        }
        for text in ["2023-02-29", "2024-13-01", "2024-01-01 25:00"] {
            assert_eq!(date(text).unwrap_err().reason(), Reason::DatetimeOutOfRange, "{text}");
        }
    }

    #[test]
    fn instants_follow_the_zone_in_the_text_or_the_one_of_the_session() {
        let shanghai = Zone::parse("Asia/Shanghai").unwrap();
        let new_year = 1_704_067_200 * MICROS_A_SECOND;
        for text in [
            "2024-01-01 08:00:00",
            "2024-01-01T00:00:00Z",
            "2024-01-01 00:00:00+00",
            "2023-12-31 16:00:00.000000-08:00",
            "2024-01-01 08:00 Asia/Shanghai",
            "2024-01-01 01:00:00 Europe/Paris",
        ] {
            assert_eq!(instant(text, shanghai).unwrap(), new_year, "{text}");
        }
        assert_eq!(timestamp("2024-01-01 00:00:00+08").unwrap(), new_year);
        assert_eq!(instant("2024-01-01 +00", shanghai).unwrap(), new_year);
        assert_eq!(date("2024-01-01 +08").unwrap(), 19_723);
        assert!(date("2024-01-01 25:00").is_err() && instant("2024-01-01 x", shanghai).is_err());
        assert_eq!(timestamp("2024-01-01 00:00:00.1234567").unwrap(), new_year + 123_457);
    }

    #[test]
    fn times_stay_within_the_day() {
        assert_eq!(time("08:30:00.25").unwrap(), 30_600_250_000);
        assert_eq!(time("24:00").unwrap(), MICROS_A_DAY);
        for text in ["24:00:01", "8", "08:60", "x", "13:00 PM"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
