//! Dates and times as people write them: `January 5, 2024`, `5 Jan 2024 3:04 pm`, `01/02/2024`, `20240105T102030`.
//!
//! A month in digits comes before the day, as PostgreSQL's DateStyle MDY has it, unless the year comes first.

use crate::forms::datetime::{Civil, MICROS_A_DAY, MICROS_A_SECOND};
use crate::forms::zone::Zone;

/// Why a text is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Syntax,
    /// A field that no calendar or clock has.
    Range,
}

/// What a text says; without a zone it is of the session's, without a day it is a time alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Days since 1970.
    pub day: Option<i64>,
    /// Microseconds since midnight.
    pub time: Option<i64>,
    pub zone: Option<Zone>,
}

pub fn moment(text: &str) -> Result<Moment, Wrong> {
    let mut found = Found::default();
    for field in fields(text)? {
        found.take(field)?;
    }
    found.settle()
}

/// The time of a text that may have a date, too; digits alone are hours, minutes and seconds.
pub fn time(text: &str) -> Result<Option<i64>, Wrong> {
    let mut found = Found::default();
    for field in fields(text)? {
        match field {
            Field::Digits(digits) if matches!(digits.len(), 4 | 6) && found.time.is_none() && !found.has_day() => {
                let part = |from: usize, to: usize| self::digits(digits.get(from..to).unwrap_or_default());
                let second = if digits.len() == 6 { part(4, 6) } else { Some(0) };
                found.time = Some(checked(part(0, 2), part(2, 4), second, 0)?);
            }
            field => found.take(field)?,
        }
    }
    found.settle().map(|moment| moment.time)
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTHS_IN_FULL: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 19] = [
    "sun",
    "sunday",
    "mon",
    "monday",
    "tue",
    "tues",
    "tuesday",
    "wed",
    "weds",
    "wednesday",
    "thu",
    "thur",
    "thurs",
    "thursday",
    "fri",
    "friday",
    "sat",
    "saturday",
    "on",
];
/// Zones by their short names, in minutes east of Greenwich.
const ZONES: [(&str, i32); 24] = [
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("zulu", 0),
    ("wet", 0),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("akst", -540),
    ("hst", -600),
    ("cet", 60),
    ("cest", 120),
    ("bst", 60),
    ("eet", 120),
    ("eest", 180),
    ("msk", 180),
    ("jst", 540),
    ("kst", 540),
    ("aest", 600),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field<'a> {
    /// Digits and what is between them: `10:20:30.5`, `2024-01-05`, `05-Jan-2024`, `20240105`.
    Digits(&'a str),
    Word(&'a str),
    /// `+08:00` after a time.
    Offset(&'a str),
}

/// The text in pieces: white space and commas stand between them.
fn fields(text: &str) -> Result<Vec<Field<'_>>, Wrong> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_tight = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '/' | '-' | '_');
        let end = match first {
            c if c.is_ascii_digit() => {
                let is_time = rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(':');
                let of_time = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.');
                // A word ends digits, unless it is a month between marks.
                let plain = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let has_mark = rest[plain..].starts_with(['-', '/', '.']);
                match (is_time, has_mark) {
                    (true, _) => rest.find(|c| !of_time(c)).unwrap_or(rest.len()),
                    (false, true) => date_end(rest),
                    (false, false) => plain,
                }
            }
            c if c.is_ascii_alphabetic() => rest.find(|c| !is_tight(c)).unwrap_or(rest.len()),
            '+' | '-' => 1 + rest[1..].find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(rest.len() - 1),
            _ => return Err(Wrong::Syntax),
        };
        let (field, after) = rest.split_at(end);
        fields.push(match first {
            '+' | '-' => Field::Offset(field),
            c if c.is_ascii_digit() => Field::Digits(field),
            _ => Field::Word(field),
        });
        rest = after.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
    }
    if fields.is_empty() { Err(Wrong::Syntax) } else { Ok(fields) }
}

/// Where a date with marks between its parts ends: a `T` before digits begins the time.
fn date_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_part = |at: usize| {
        let byte = bytes[at];
        let before_time = matches!(byte, b'T' | b't') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        let after_digit = at > 0 && bytes[at - 1].is_ascii_digit();
        (byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/' | b'.')) && !(before_time && after_digit)
    };
    (0..bytes.len()).find(|at| !is_part(*at)).unwrap_or(bytes.len())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Morning,
    Afternoon,
}

#[derive(Debug, Default)]
struct Found {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    julian: Option<i64>,
    /// Whether the year has two digits at most.
    is_short_year: bool,
    time: Option<i64>,
    half: Option<Half>,
    is_before_christ: bool,
    zone: Option<Zone>,
}

fn digits(text: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The full year of one that was written with two digits: it lies between 1970 and 2069.
fn full_year(year: i64) -> i64 {
    year + if year < 70 { 2000 } else { 1900 }
}

fn month(word: &str) -> Option<i64> {
    let word = word.to_ascii_lowercase();
    let place = MONTHS.iter().position(|name| *name == word).or(MONTHS_IN_FULL.iter().position(|name| *name == word));
    let place = place.or_else(|| (word == "sept").then_some(8));
    place.and_then(|place| i64::try_from(place + 1).ok())
}

fn set(slot: &mut Option<i64>, value: Option<i64>) -> Result<(), Wrong> {
    match (slot.is_some(), value) {
        (false, Some(value)) => {
            *slot = Some(value);
            Ok(())
        }
        _ => Err(Wrong::Syntax),
    }
}

impl Found {
    fn take(&mut self, field: Field<'_>) -> Result<(), Wrong> {
        match field {
            Field::Digits(text) if text.contains(':') => set(&mut self.time, Some(clock(text)?)),
            Field::Digits(text) if text.contains(['-', '/', '.']) => self.take_date(text),
            Field::Digits(text) => self.take_number(text),
            Field::Word(word) => self.take_word(word),
            Field::Offset(text) if self.time.is_some() || self.has_day() => {
                // After the name of a zone the sign means the other side of Greenwich, which is not read here.
                let zone = Zone::parse(text).filter(|_| self.zone.is_none()).ok_or(Wrong::Syntax)?;
                self.zone = Some(zone);
                Ok(())
            }
            Field::Offset(_) => Err(Wrong::Syntax),
        }
    }

    fn has_day(&self) -> bool {
        self.day.is_some() || self.day_of_year.is_some() || self.julian.is_some()
    }

    /// `2024-01-05`, `01/05/2024`, `05-Jan-2024`, `2024-005`.
    fn take_date(&mut self, text: &str) -> Result<(), Wrong> {
        let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
        let word = parts.iter().position(|part| month(part).is_some());
        match (parts.as_slice(), word) {
            ([a, b], None) if a.len() > 2 && b.len() == 3 => {
                self.set_year(a)?;
                set(&mut self.day_of_year, digits(b))
            }
            ([a, b, c], None) if a.len() > 2 => self.set_day(a, digits(b), digits(c)),
            ([a, b, c], None) => self.set_day(c, digits(a), digits(b)),
            ([a, b, c], Some(0)) => self.set_day(c, month(a), digits(b)),
            ([a, b, c], Some(1)) if a.len() > 2 => self.set_day(a, month(b), digits(c)),
            ([a, b, c], Some(1)) => self.set_day(c, month(b), digits(a)),
            _ => Err(Wrong::Syntax),
        }
    }

    fn set_year(&mut self, year: &str) -> Result<(), Wrong> {
        self.is_short_year = year.len() <= 2;
        set(&mut self.year, digits(year))
    }

    fn set_day(&mut self, year: &str, month: Option<i64>, day: Option<i64>) -> Result<(), Wrong> {
        self.set_year(year)?;
        set(&mut self.month, month)?;
        set(&mut self.day, day)
    }

    /// Digits alone: a day or a year beside the name of a month, else a date or a time without marks.
    fn take_number(&mut self, text: &str) -> Result<(), Wrong> {
        let part = |from: usize, to: usize| digits(text.get(from..to).unwrap_or_default());
        match text.len() {
            8 if !self.has_day() => self.set_day(&text[..4], part(4, 6), part(6, 8)),
            6 if !self.has_day() => self.set_day(&text[..2], part(2, 4), part(4, 6)),
            6 if self.time.is_none() => {
                let (hour, minute, second) = (part(0, 2), part(2, 4), part(4, 6));
                set(&mut self.time, Some(checked(hour, minute, second, 0)?))
            }
            4 if self.year.is_some() && self.time.is_none() => {
                set(&mut self.time, Some(checked(part(0, 2), part(2, 4), Some(0), 0)?))
            }
            1 | 2 if self.day.is_none() && (self.month.is_some() || self.year.is_none()) => {
                set(&mut self.day, digits(text))
            }
            1..=6 if self.year.is_none() => self.set_year(text),
            7.. => Err(Wrong::Range),
            _ => Err(Wrong::Syntax),
        }
    }

    fn take_word(&mut self, word: &str) -> Result<(), Wrong> {
        let lower = word.to_ascii_lowercase();
        if let Some(month) = month(&lower) {
            return set(&mut self.month, Some(month));
        }
        if word.contains(['-', '/']) && month(lower.split(['-', '/', '.']).next().unwrap_or_default()).is_some() {
            return self.take_date(word);
        }
        // A day that is counted from 4714 BC on, and a time after T.
        if let Some(number) = lower.strip_prefix('j').and_then(digits) {
            return set(&mut self.julian, Some(number));
        }
        if let Some(time) = lower.strip_prefix('t').filter(|time| time.starts_with(|c: char| c.is_ascii_digit())) {
            let is_clock = time.contains(':');
            return if is_clock { set(&mut self.time, Some(clock(time)?)) } else { self.take_number(time) };
        }
        match lower.as_str() {
            "am" | "pm" if self.half.is_none() => {
                self.half = Some(if lower == "am" { Half::Morning } else { Half::Afternoon });
            }
            "bc" => self.is_before_christ = true,
            "ad" | "at" => {}
            "allballs" => (self.time, self.zone) = (Some(0), Some(Zone::UTC)),
            known if WEEKDAYS.contains(&known) => {}
            name => {
                let short =
                    ZONES.iter().find(|(known, _)| *known == name).map(|(_, minutes)| Zone::Fixed(minutes * 60));
                let zone = short.or_else(|| Zone::parse(word)).filter(|_| self.zone.is_none());
                self.zone = Some(zone.ok_or(Wrong::Syntax)?);
            }
        }
        Ok(())
    }

    fn settle(self) -> Result<Moment, Wrong> {
        let time = match (self.time, self.half) {
            (None, Some(_)) => return Err(Wrong::Syntax),
            (time, None) => time,
            (Some(time), Some(half)) => {
                let (hour, rest) = (time / HOUR, time % HOUR);
                if !(0..=12).contains(&hour) {
                    return Err(Wrong::Range);
                }
                Some((hour % 12 + if half == Half::Afternoon { 12 } else { 0 }) * HOUR + rest)
            }
        };
        let day = match (self.julian, self.year) {
            (Some(julian), _) => Some(julian - JULIAN_1970),
            (None, None) if self.month.is_none() && self.day.is_none() => None,
            (None, None) => return Err(Wrong::Syntax),
            (None, Some(0)) if !self.is_short_year || self.is_before_christ => return Err(Wrong::Range),
            (None, Some(year)) => {
                let year = match (self.is_before_christ, self.is_short_year) {
                    (true, _) => 1 - year,
                    (false, true) => full_year(year),
                    (false, false) => year,
                };
                match (self.day_of_year, self.month, self.day) {
                    (Some(day), None, None) => {
                        let first = Civil { year, month: 1, day: 1 }.days();
                        let is_there = day >= 1 && Civil::of_days(first + day - 1).year == year;
                        Some(if is_there { first + day - 1 } else { return Err(Wrong::Range) })
                    }
                    (None, Some(month), Some(day)) => Some(civil(year, month, day).ok_or(Wrong::Range)?),
                    _ => return Err(Wrong::Syntax),
                }
            }
        };
        Ok(Moment { day, time, zone: self.zone })
    }
}

const HOUR: i64 = 3600 * MICROS_A_SECOND;
const JULIAN_1970: i64 = 2_440_588;

/// Days since 1970 of a day that exists.
fn civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let civil = Civil { year, month: u32::try_from(month).ok()?, day: u32::try_from(day).ok()? };
    let is_plausible = (1..=12).contains(&civil.month) && (1..=31).contains(&civil.day);
    // A day that does not exist comes back as another one.
    (is_plausible && Civil::of_days(civil.days()) == civil).then(|| civil.days())
}

fn checked(hour: Option<i64>, minute: Option<i64>, second: Option<i64>, micros: i64) -> Result<i64, Wrong> {
    let (Some(hour), Some(minute), Some(second)) = (hour, minute, second) else { return Err(Wrong::Syntax) };
    let total = (hour * 3600 + minute * 60 + second) * MICROS_A_SECOND + micros;
    let is_there = minute < 60 && second <= 60 && total <= MICROS_A_DAY;
    is_there.then_some(total).ok_or(Wrong::Range)
}

/// `3:04`, `10:20:30.5`.
fn clock(text: &str) -> Result<i64, Wrong> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next().and_then(digits), parts.next().unwrap_or_default());
    let (minute, second, micros) = match parts.next() {
        None => (digits(minute), Some(0), 0),
        Some(second) => {
            let (whole, fraction) = second.split_once('.').unwrap_or((second, ""));
            if fraction.contains('.') {
                return Err(Wrong::Syntax);
            }
            let seven = fraction.bytes().chain(std::iter::repeat(b'0')).take(7);
            let tenths = seven.fold(0, |value, digit| value * 10 + i64::from(digit.wrapping_sub(b'0')));
            (digits(minute), digits(whole), (tenths + 5) / 10)
        }
    };
    if parts.next().is_some() {
        return Err(Wrong::Syntax);
    }
    checked(hour, minute, second, micros)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    // The date that PostgreSQL 15 reads, with DateStyle ISO, MDY.
    #[test]
    fn days_are_read_as_postgres_reads_them() {
        let expected = civil(2024, 1, 5);
        for text in [
            "January 5, 2024",
            "5 Jan 2024",
            "01/05/2024",
            "1/5/24",
            "1.5.2024",
            "Jan-05-2024",
            "05-Jan-2024",
            "2024-Jan-05",
            "2024/01/05",
            "2024.005",
            "J2460315",
            "20240105",
            "240105",
            "Fri Jan 05 2024",
            "2024 Jan 5",
            "Jan 5 24",
            "Monday, January 5, 2024",
        ] {
            assert_eq!(moment(text).map(|moment| moment.day), Ok(expected), "{text}");
        }
        assert_eq!(moment("March 15, 44 BC").map(|moment| moment.day), Ok(civil(-43, 3, 15)));
        assert_eq!(moment("1/5/00").map(|moment| moment.day), Ok(civil(2000, 1, 5)));
        assert_eq!(moment("12/31/70").map(|moment| moment.day), Ok(civil(1970, 12, 31)));
        assert_eq!(moment("12/31/69").map(|moment| moment.day), Ok(civil(2069, 12, 31)));
    }

    #[test]
    fn times_are_read_as_postgres_reads_them() {
        for (text, hour, minute, second) in [
            ("2024-01-05 10:20 PM", 22, 20, 0),
            ("Jan 5, 2024 3:04pm", 15, 4, 0),
            ("20240105T102030", 10, 20, 30),
            ("2024-01-05 1020", 10, 20, 0),
            ("2024-01-05, 10:20", 10, 20, 0),
            ("2024-01-05 12:00 AM", 0, 0, 0),
            ("Fri Jan 5 10:20:30 2024", 10, 20, 30),
            ("2024-01-05 at 10:20", 10, 20, 0),
        ] {
            let expected = (hour * 3600 + minute * 60 + second) * MICROS_A_SECOND;
            assert_eq!(moment(text).map(|moment| moment.time), Ok(Some(expected)), "{text}");
            assert_eq!(time(text), Ok(Some(expected)), "{text}");
        }
        let expected = (10 * 3600 + 20 * 60 + 30) * MICROS_A_SECOND;
        assert_eq!((time("102030"), time("10:20:30 PM")), (Ok(Some(expected)), Ok(Some(expected + 12 * HOUR))));
        let zoned = moment("Fri, 05 Jan 2024 10:20:30 GMT").unwrap();
        assert_eq!(zoned.zone, Some(Zone::Fixed(0)));
        assert_eq!(moment("2024-01-05 10:20 EST").unwrap().zone, Some(Zone::Fixed(-18_000)));
    }

    #[test]
    fn what_no_calendar_has_is_told_apart_from_what_is_no_date() {
        for text in
            ["2024-13-01", "Feb 30 2024", "13/13/2024", "2024-01-01 25:00", "0000-01-01", "99-01-05", "20240105102030"]
        {
            assert_eq!(moment(text), Err(Wrong::Range), "{text}");
        }
        for text in [
            "",
            "foo",
            "2024-1",
            "2024",
            "5 Jan",
            "Jan 2024",
            "5th Jan 2024",
            "2024-01-05 10:20:30 am pm",
            "2024-01-05T",
            "é",
        ] {
            assert_eq!(moment(text), Err(Wrong::Syntax), "{text}");
        }
    }
}
