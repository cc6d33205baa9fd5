//! Patterns of dates and times: `YYYY-MM-DD HH24:MI:SS`, `FMMonth`, `"quoted"`.

use std::fmt::Write;

use crate::error::{Error, Reason, Result};
use crate::forms::datetime::{Civil, MICROS_A_DAY, MICROS_A_SECOND};

/// What a pattern is applied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// Microseconds since 1970 as clocks show them, their seconds east of Greenwich, and the name of their zone.
    Clock {
        local: i64,
        offset: i32,
        zone: String,
    },
    Span {
        months: i32,
        days: i32,
        micros: i64,
    },
}

/// A pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Field { field: Field, style: Style, fill: Fill, ordinal: Option<Letters> },
    Literal(String),
}

/// Whether a field is filled up to its width; FM says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    Wide,
    Narrow,
}

/// The letters of a word, as the pattern writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Upper,
    Capital,
    Lower,
}

type Style = Letters;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    YearWithComma,
    Year3,
    Year2,
    Year1,
    IsoYear,
    IsoYear2,
    Era,
    EraWithPoints,
    Month,
    Mon,
    MonthNumber,
    RomanMonth,
    Day,
    Dy,
    DayOfYear,
    DayOfMonth,
    DayOfWeek,
    IsoDayOfWeek,
    IsoWeek,
    Week,
    WeekOfMonth,
    Quarter,
    Hour24,
    Hour12,
    Minute,
    Second,
    SecondOfDay,
    Millisecond,
    Microsecond,
    Tenths(u8),
    Meridiem,
    MeridiemWithPoints,
    ZoneName,
    ZoneHours,
    ZoneMinutes,
    Offset,
    JulianDay,
    Century,
}

/// The words of patterns, the longer before the shorter that it begins with.
const WORDS: &[(&str, Field)] = &[
    ("Y,YYY", Field::YearWithComma),
    ("YYYY", Field::Year),
    ("YYY", Field::Year3),
    ("YY", Field::Year2),
    ("IYYY", Field::IsoYear),
    ("IY", Field::IsoYear2),
    ("B.C.", Field::EraWithPoints),
    ("A.D.", Field::EraWithPoints),
    ("BC", Field::Era),
    ("AD", Field::Era),
    ("MONTH", Field::Month),
    ("MON", Field::Mon),
    ("MM", Field::MonthNumber),
    ("MI", Field::Minute),
    ("MS", Field::Millisecond),
    ("RM", Field::RomanMonth),
    ("DAY", Field::Day),
    ("DDD", Field::DayOfYear),
    ("DD", Field::DayOfMonth),
    ("DY", Field::Dy),
    ("ID", Field::IsoDayOfWeek),
    ("IW", Field::IsoWeek),
    ("WW", Field::Week),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("HH", Field::Hour12),
    ("SSSSS", Field::SecondOfDay),
    ("SSSS", Field::SecondOfDay),
    ("SS", Field::Second),
    ("US", Field::Microsecond),
    ("FF1", Field::Tenths(1)),
    ("FF2", Field::Tenths(2)),
    ("FF3", Field::Tenths(3)),
    ("FF4", Field::Tenths(4)),
    ("FF5", Field::Tenths(5)),
    ("FF6", Field::Tenths(6)),
    ("A.M.", Field::MeridiemWithPoints),
    ("P.M.", Field::MeridiemWithPoints),
    ("AM", Field::Meridiem),
    ("PM", Field::Meridiem),
    ("TZH", Field::ZoneHours),
    ("TZM", Field::ZoneMinutes),
    ("TZ", Field::ZoneName),
    ("OF", Field::Offset),
    ("CC", Field::Century),
    ("Y", Field::Year1),
    ("D", Field::DayOfWeek),
    ("W", Field::WeekOfMonth),
    ("Q", Field::Quarter),
    ("J", Field::JulianDay),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
/// The longest name of a month and of a day.
const NAME_WIDTH: usize = 9;
const JULIAN_1970: i64 = 2_440_588;

impl Pattern {
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut literal = String::new();
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix('"') {
                let (inside, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                literal.push_str(inside);
                rest = after;
                continue;
            }
            let (fill, after) = match rest.get(..2) {
                Some(mark) if mark.eq_ignore_ascii_case("FM") => (Fill::Narrow, &rest[2..]),
                Some(mark) if mark.eq_ignore_ascii_case("TM") => (Fill::Narrow, &rest[2..]),
                Some(mark) if mark.eq_ignore_ascii_case("FX") => {
                    rest = &rest[2..];
                    continue;
                }
                _ => (Fill::Wide, rest),
            };
            let begins = |word: &str| after.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
            if let Some((word, field)) = WORDS.iter().find(|(word, _)| begins(word)) {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                let style = letters(&after[..word.len()]);
                rest = &after[word.len()..];
                let ordinal = match rest.get(..2) {
                    Some("TH") => Some(Letters::Upper),
                    Some("th") => Some(Letters::Lower),
                    _ => None,
                };
                if ordinal.is_some() {
                    rest = &rest[2..];
                }
                parts.push(Part::Field { field: *field, style, fill, ordinal });
                continue;
            }
            let mut chars = after.chars();
            match chars.next() {
                Some('\\') => literal.extend(chars.next()),
                Some(other) => literal.push(other),
                None => {}
            }
            rest = chars.as_str();
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Self(parts)
    }

    pub fn write(&self, moment: &Moment) -> Result<String> {
        let fields = Fields::of(moment);
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Field { field, style, fill, ordinal } => {
                    let start = out.len();
                    fields.put(*field, *style, *fill, &mut out)?;
                    if let Some(letters) = ordinal {
                        let ending = ordinal_ending(&out[start..]);
                        out.push_str(&if *letters == Letters::Upper {
                            ending.to_uppercase()
                        } else {
                            ending.to_owned()
                        });
                    }
                }
            }
        }
        Ok(out)
    }

    /// Microseconds since 1970 on the clocks of the text, and the text's own offset in seconds if it has one.
    pub fn read(&self, text: &str) -> Result<(i64, Option<i32>)> {
        let mut found = Found::default();
        let mut rest = text.trim_start();
        for (position, part) in self.0.iter().enumerate() {
            match part {
                Part::Literal(literal) => {
                    for c in literal.chars() {
                        if c.is_alphanumeric() {
                            // A letter stands for any character.
                            rest = rest.char_indices().nth(1).map_or("", |(next, _)| &rest[next..]);
                        } else {
                            rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '-' && c != '+');
                            if !next_is_zone(&self.0, position) {
                                rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
                            }
                        }
                    }
                }
                Part::Field { field, .. } => {
                    rest = rest.trim_start();
                    if rest.is_empty() {
                        break;
                    }
                    let is_tight = matches!(self.0.get(position + 1), Some(Part::Field { .. }));
                    rest = found.take(*field, rest, is_tight)?;
                }
            }
        }
        found.settle(text)
    }
}

fn next_is_zone(parts: &[Part], position: usize) -> bool {
    matches!(parts.get(position + 1), Some(Part::Field { field: Field::ZoneHours | Field::Offset, .. }))
}

fn letters(word: &str) -> Letters {
    let mut chars = word.chars().filter(|c| c.is_alphabetic());
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => Letters::Capital,
        (Some(first), _) if first.is_lowercase() => Letters::Lower,
        _ => Letters::Upper,
    }
}

fn ordinal_ending(number: &str) -> &'static str {
    let digits: Vec<u8> = number.bytes().rev().take_while(u8::is_ascii_digit).collect();
    match (digits.first(), digits.get(1)) {
        (_, Some(b'1')) => "th",
        (Some(b'1'), _) => "st",
        (Some(b'2'), _) => "nd",
        (Some(b'3'), _) => "rd",
        _ => "th",
    }
}

/// The fields of a moment.
struct Fields {
    /// A span has no calendar, so no names of days and months.
    is_span: bool,
    civil: Civil,
    days: i64,
    /// Of the day.
    micros: i64,
    offset: i32,
    zone: String,
}

impl Fields {
    fn of(moment: &Moment) -> Self {
        match moment {
            Moment::Clock { local, offset, zone } => {
                let days = local.div_euclid(MICROS_A_DAY);
                let micros = local.rem_euclid(MICROS_A_DAY);
                Self { is_span: false, civil: Civil::of_days(days), days, micros, offset: *offset, zone: zone.clone() }
            }
            Moment::Span { months, days, micros } => {
                let civil = Civil {
                    year: i64::from(months / 12),
                    month: (months % 12).unsigned_abs(),
                    day: days.unsigned_abs(),
                };
                Self { is_span: true, civil, days: i64::from(*days), micros: *micros, offset: 0, zone: String::new() }
            }
        }
    }

    fn year(&self) -> i64 {
        if self.is_span || self.civil.year > 0 { self.civil.year } else { 1 - self.civil.year }
    }

    /// 0 is Sunday.
    fn weekday(&self) -> i64 {
        (self.days + 4).rem_euclid(7)
    }

    fn day_of_year(&self) -> i64 {
        self.days - Civil { month: 1, day: 1, ..self.civil }.days() + 1
    }

    /// The ISO year and week.
    fn iso_week(&self) -> (i64, i64) {
        let monday_based = (self.weekday() + 6).rem_euclid(7);
        let thursday = Civil::of_days(self.days - monday_based + 3);
        let first = Civil { month: 1, day: 1, ..thursday }.days();
        (thursday.year, (thursday.days() - first) / 7 + 1)
    }

    fn put(&self, field: Field, style: Letters, fill: Fill, out: &mut String) -> Result<()> {
        let (second, fraction) = (self.micros / MICROS_A_SECOND, (self.micros % MICROS_A_SECOND).abs());
        let (hour, minute) = (second / 3600, (second / 60 % 60).abs());
        let needs_calendar = matches!(
            field,
            Field::Month
                | Field::Mon
                | Field::Day
                | Field::Dy
                | Field::IsoYear
                | Field::IsoYear2
                | Field::DayOfWeek
                | Field::IsoDayOfWeek
                | Field::IsoWeek
                | Field::RomanMonth
        );
        if self.is_span && needs_calendar {
            let text = "invalid format specification for an interval value";
            return Err(Error::new(Reason::InvalidDatetime, text)
                .with_hint("Intervals are not tied to specific calendar dates."));
        }
        let mut number = |value: i64, width: usize| match fill {
            Fill::Wide => put(out, format_args!("{value:0width$}")),
            Fill::Narrow => put(out, format_args!("{value}")),
        };
        let month = usize::try_from(self.civil.month).unwrap_or(1).clamp(1, 12) - 1;
        let weekday = usize::try_from(self.weekday()).unwrap_or(0);
        match field {
            Field::Year => number(self.year(), 4),
            Field::YearWithComma => {
                let year = self.year();
                put(out, format_args!("{},{:03}", year / 1000, year % 1000));
            }
            Field::Year3 => number(self.year() % 1000, 3),
            Field::Year2 => number(self.year() % 100, 2),
            Field::Year1 => number(self.year() % 10, 1),
            Field::IsoYear => number(self.iso_week().0, 4),
            Field::IsoYear2 => number(self.iso_week().0 % 100, 2),
            Field::MonthNumber => number(self.civil.month.into(), 2),
            Field::DayOfYear => number(if self.is_span { self.days } else { self.day_of_year() }, 3),
            Field::DayOfMonth => number(if self.is_span { self.days } else { self.civil.day.into() }, 2),
            Field::DayOfWeek => number(self.weekday() + 1, 1),
            Field::IsoDayOfWeek => number((self.weekday() + 6).rem_euclid(7) + 1, 1),
            Field::IsoWeek => number(self.iso_week().1, 2),
            Field::Week => number((self.day_of_year() - 1) / 7 + 1, 2),
            Field::WeekOfMonth => number((i64::from(self.civil.day) - 1) / 7 + 1, 1),
            Field::Quarter => number((i64::from(self.civil.month) - 1) / 3 + 1, 1),
            Field::Hour24 => number(hour, 2),
            Field::Hour12 => number(if hour % 12 == 0 { 12 } else { hour % 12 }, 2),
            Field::Minute => number(minute, 2),
            Field::Second => number((second % 60).abs(), 2),
            Field::SecondOfDay => number(second, 1),
            Field::Millisecond => put(out, format_args!("{:03}", fraction / 1000)),
            Field::Microsecond => put(out, format_args!("{fraction:06}")),
            Field::Tenths(digits) => put(
                out,
                format_args!("{:0width$}", fraction / 10_i64.pow(6 - u32::from(digits)), width = usize::from(digits)),
            ),
            Field::JulianDay => number(self.days + JULIAN_1970, 1),
            Field::Century => number((self.year() + 99) / 100, 2),
            Field::Month => put_name(MONTHS[month], style, fill, out),
            Field::Mon => put_name(&MONTHS[month][..3], style, Fill::Narrow, out),
            Field::Day => put_name(DAYS[weekday], style, fill, out),
            Field::Dy => put_name(&DAYS[weekday][..3], style, Fill::Narrow, out),
            Field::RomanMonth => {
                let text = if style == Letters::Lower { ROMAN[month].to_lowercase() } else { ROMAN[month].to_owned() };
                put(out, format_args!("{text:<width$}", width = if fill == Fill::Wide { 4 } else { 0 }));
            }
            Field::Era => put_word(if self.civil.year > 0 { "AD" } else { "BC" }, style, out),
            Field::EraWithPoints => put_word(if self.civil.year > 0 { "A.D." } else { "B.C." }, style, out),
            Field::Meridiem => put_word(if hour % 24 < 12 { "AM" } else { "PM" }, style, out),
            Field::MeridiemWithPoints => put_word(if hour % 24 < 12 { "A.M." } else { "P.M." }, style, out),
            Field::ZoneName => put_word(&self.zone, style, out),
            Field::ZoneHours => put(out, format_args!("{}{:02}", sign(self.offset), self.offset.abs() / 3600)),
            Field::ZoneMinutes => put(out, format_args!("{:02}", self.offset.abs() / 60 % 60)),
            Field::Offset => {
                put(out, format_args!("{}{:02}", sign(self.offset), self.offset.abs() / 3600));
                if self.offset % 3600 != 0 {
                    put(out, format_args!(":{:02}", self.offset.abs() / 60 % 60));
                }
            }
        }
        Ok(())
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = out.write_fmt(text);
}

fn sign(offset: i32) -> char {
    if offset < 0 { '-' } else { '+' }
}

fn put_word(word: &str, style: Letters, out: &mut String) {
    match style {
        Letters::Lower => out.push_str(&word.to_lowercase()),
        _ => out.push_str(word),
    }
}

fn put_name(name: &str, style: Letters, fill: Fill, out: &mut String) {
    let name = match style {
        Letters::Upper => name.to_uppercase(),
        Letters::Capital => name.to_owned(),
        Letters::Lower => name.to_lowercase(),
    };
    match fill {
        Fill::Wide => put(out, format_args!("{name:<NAME_WIDTH$}")),
        Fill::Narrow => out.push_str(&name),
    }
}

/// What a text says of a moment, as far as it was read.
#[derive(Default)]
struct Found {
    year: Option<i64>,
    is_before_christ: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    julian: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_weekday: Option<i64>,
    hour: i64,
    is_afternoon: Option<bool>,
    minute: i64,
    second: i64,
    second_of_day: Option<i64>,
    micros: i64,
    offset_hours: Option<(i32, i32)>,
    offset_minutes: i32,
}

impl Found {
    /// Reads a field at the front of a text; gives the rest of it.
    fn take<'a>(&mut self, field: Field, text: &'a str, is_tight: bool) -> Result<&'a str> {
        let digits = |width: usize| digits(text, width, field);
        Ok(match field {
            Field::Year => {
                let (year, rest) = digits(if is_tight { 4 } else { 9 })?;
                self.year = Some(year);
                rest
            }
            Field::YearWithComma => {
                let (thousands, rest) = digits(9)?;
                let (year, rest) = self::digits(rest.strip_prefix(',').unwrap_or(rest), 3, field)?;
                self.year = Some(thousands * 1000 + year);
                rest
            }
            Field::Year3 | Field::Year2 | Field::Year1 => {
                let (year, rest) = digits(match field {
                    Field::Year3 => 3,
                    Field::Year2 => 2,
                    _ => 1,
                })?;
                // The year nearest to 2020, as PostgreSQL has it.
                self.year = Some(match year {
                    0..70 => 2000 + year,
                    70..100 => 1900 + year,
                    100..520 => 2000 + year,
                    _ => 1000 + year,
                });
                rest
            }
            Field::IsoYear | Field::IsoYear2 => keep(&mut self.iso_year, digits(4)?),
            Field::IsoWeek => keep(&mut self.iso_week, digits(2)?),
            Field::IsoDayOfWeek => keep(&mut self.iso_weekday, digits(1)?),
            Field::Month | Field::Mon => {
                let (month, rest) = name(text, &MONTHS, field)?;
                self.month = Some(month + 1);
                rest
            }
            Field::RomanMonth => {
                let (month, rest) = name_of(text, ROMAN.iter().copied().enumerate().rev(), field)?;
                self.month = Some(month + 1);
                rest
            }
            Field::MonthNumber => keep(&mut self.month, digits(2)?),
            Field::DayOfMonth => keep(&mut self.day, digits(2)?),
            Field::DayOfYear => keep(&mut self.day_of_year, digits(3)?),
            Field::JulianDay => keep(&mut self.julian, digits(9)?),
            // Told, and of no use beside the date.
            Field::Day | Field::Dy => name(text, &DAYS, field)?.1,
            Field::DayOfWeek | Field::WeekOfMonth | Field::Quarter => digits(1)?.1,
            Field::Week | Field::Century => digits(2)?.1,
            Field::Hour24 | Field::Hour12 => {
                let (hour, rest) = digits(2)?;
                self.hour = hour;
                if field == Field::Hour12 && !(1..=12).contains(&hour) {
                    let text = format!("hour \"{hour}\" is invalid for the 12-hour clock");
                    return Err(Error::new(Reason::InvalidDatetime, text));
                }
                rest
            }
            Field::Minute => {
                let (minute, rest) = digits(2)?;
                self.minute = minute;
                rest
            }
            Field::Second => {
                let (second, rest) = digits(2)?;
                self.second = second;
                rest
            }
            Field::SecondOfDay => keep(&mut self.second_of_day, digits(5)?),
            Field::Millisecond => self.fraction(text, 3, field)?,
            Field::Microsecond => self.fraction(text, 6, field)?,
            Field::Tenths(width) => self.fraction(text, usize::from(width), field)?,
            Field::Meridiem | Field::MeridiemWithPoints => {
                let (half, rest) = name_of(text, ["a.m.", "p.m.", "am", "pm"].into_iter().enumerate(), field)?;
                self.is_afternoon = Some(half % 2 == 1);
                rest
            }
            Field::Era | Field::EraWithPoints => {
                let (era, rest) = name_of(text, ["a.d.", "b.c.", "ad", "bc"].into_iter().enumerate(), field)?;
                self.is_before_christ = era % 2 == 1;
                rest
            }
            Field::ZoneHours | Field::Offset => {
                let (sign, unsigned) = match text.strip_prefix('-') {
                    Some(rest) => (-1, rest),
                    None => (1, text.strip_prefix('+').unwrap_or(text)),
                };
                let (hours, rest) = self::digits(unsigned, 2, field)?;
                self.offset_hours = Some((sign, i32::try_from(hours).unwrap_or(0)));
                match (field, rest.strip_prefix(':')) {
                    (Field::Offset, Some(minutes)) => {
                        let (minutes, rest) = self::digits(minutes, 2, field)?;
                        self.offset_minutes = i32::try_from(minutes).unwrap_or(0);
                        rest
                    }
                    _ => rest,
                }
            }
            Field::ZoneMinutes => {
                let (minutes, rest) = digits(2)?;
                self.offset_minutes = i32::try_from(minutes).unwrap_or(0);
                rest
            }
            Field::ZoneName => {
                return Err(Error::new(Reason::Unsupported, "formatting field \"TZ\" is only supported in to_char"));
            }
        })
    }

    /// Digits after a point: `5` of `MS` is half a second.
    fn fraction<'a>(&mut self, text: &'a str, width: usize, field: Field) -> Result<&'a str> {
        let (value, rest) = digits(text, width, field)?;
        let given = text.len() - rest.len();
        self.micros = value * 10_i64.pow(6_u32.saturating_sub(u32::try_from(given).unwrap_or(6)));
        Ok(rest)
    }

    fn settle(self, text: &str) -> Result<(i64, Option<i32>)> {
        let refused = || Error::new(Reason::InvalidDatetime, format!("date/time field value out of range: \"{text}\""));
        let days = self.days().ok_or_else(refused)?;
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        if hour > 24 || self.minute > 59 || self.second > 60 {
            return Err(refused());
        }
        let second = self.second_of_day.unwrap_or(hour * 3600 + self.minute * 60 + self.second);
        let time = second * MICROS_A_SECOND + self.micros;
        let local = days.checked_mul(MICROS_A_DAY).and_then(|day| day.checked_add(time)).ok_or_else(refused)?;
        let offset = self.offset_hours.map(|(sign, hours)| sign * (hours * 3600 + self.offset_minutes * 60));
        Ok((local, offset))
    }

    fn days(&self) -> Option<i64> {
        if let Some(julian) = self.julian {
            return Some(julian - JULIAN_1970);
        }
        if let (Some(year), Some(week)) = (self.iso_year, self.iso_week) {
            let fourth = Civil { year, month: 1, day: 4 }.days();
            let monday = fourth - (fourth + 3).rem_euclid(7);
            return (1..=53).contains(&week).then(|| monday + (week - 1) * 7 + self.iso_weekday.unwrap_or(1) - 1);
        }
        // Without a year it is 1 BC, which is what PostgreSQL makes of it.
        let year = match self.year {
            Some(year) if self.is_before_christ => 1 - year,
            Some(year) => year,
            None => 0,
        };
        if let Some(day) = self.day_of_year {
            let first = Civil { year, month: 1, day: 1 }.days();
            return (1..=366).contains(&day).then(|| first + day - 1);
        }
        let (month, day) = (u32::try_from(self.month.unwrap_or(1)).ok()?, u32::try_from(self.day.unwrap_or(1)).ok()?);
        let civil = Civil { year, month, day };
        // A day that does not exist comes back as another one.
        let exists = (1..=12).contains(&month) && (1..=31).contains(&day) && Civil::of_days(civil.days()) == civil;
        (exists && year.abs() < 300_000).then(|| civil.days())
    }
}

fn keep<'a>(place: &mut Option<i64>, (value, rest): (i64, &'a str)) -> &'a str {
    *place = Some(value);
    rest
}

/// The digits at the front, at most so many.
fn digits(text: &str, width: usize, field: Field) -> Result<(i64, &str)> {
    let end = text.bytes().take(width).position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len().min(width));
    let number = text.get(..end).and_then(|digits| digits.parse().ok());
    number.map(|number| (number, &text[end..])).ok_or_else(|| unreadable(text, field))
}

fn name<'a>(text: &'a str, names: &'static [&'static str], field: Field) -> Result<(i64, &'a str)> {
    let whole = name_of(text, names.iter().copied().enumerate(), field);
    whole.or_else(|_| name_of(text, names.iter().map(|name| &name[..3]).enumerate(), field))
}

fn name_of(text: &str, mut names: impl Iterator<Item = (usize, &'static str)>, field: Field) -> Result<(i64, &str)> {
    let found = names.find(|(_, name)| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
    let (position, name) = found.ok_or_else(|| unreadable(text, field))?;
    Ok((i64::try_from(position).unwrap_or(0), &text[name.len()..]))
}

fn unreadable(text: &str, field: Field) -> Error {
    let word = WORDS.iter().find(|(_, known)| *known == field).map_or("?", |(word, _)| word);
    let value: String = text.chars().take(word.len().max(1)).collect();
    Error::new(Reason::InvalidDatetime, format!("invalid value \"{value}\" for \"{word}\""))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::forms::read::datetime::timestamp;

    fn clock(text: &str) -> Moment {
        Moment::Clock { local: timestamp(text).unwrap(), offset: 28_800, zone: "CST".into() }
    }

    // What to_char of PostgreSQL 15 gives.
    #[test]
    fn moments_are_written_as_postgres_writes_them() {
        let moment = clock("2024-03-05 14:05:06.789");
        for (pattern, expected) in [
            ("YYYY-MM-DD HH24:MI:SS", "2024-03-05 14:05:06"),
            ("yyyy-mm-dd hh24:mi:ss.us", "2024-03-05 14:05:06.789000"),
            ("HH12:MI AM", "02:05 PM"),
            ("hh:mi pm", "02:05 pm"),
            ("Day, DD Month YYYY", "Tuesday  , 05 March     2024"),
            ("FMDay, FMDD FMMonth YYYY", "Tuesday, 5 March 2024"),
            ("DY Dy dy MON Mon mon", "TUE Tue tue MAR Mar mar"),
            ("IYYY-IW-ID WW W Q DDD", "2024-10-2 10 1 1 065"),
            ("YY Y,YYY CC J", "24 2,024 21 2460375"),
            ("DDth FMDDth", "05th 5th"),
            ("\"day\" DD \\\"x", "day 05 \"x"),
            ("MS FF3 SSSS", "789 789 50706"),
            ("TZH:TZM OF TZ", "+08:00 +08 CST"),
            ("AD b.c.", "AD a.d."),
            ("RM rm", "III  iii "),
            ("YYYYMMDD", "20240305"),
            ("D ID", "3 2"),
        ] {
            assert_eq!(Pattern::parse(pattern).write(&moment).unwrap(), expected, "{pattern}");
        }
        let span = Moment::Span { months: 14, days: 3, micros: 100 * 3600 * MICROS_A_SECOND };
        assert_eq!(Pattern::parse("YYYY MM DD HH24:MI").write(&span).unwrap(), "0001 02 03 100:00");
        assert_eq!(Pattern::parse("Month").write(&span).unwrap_err().reason(), Reason::InvalidDatetime);
    }

    // What to_timestamp of PostgreSQL 15 gives.
    #[test]
    fn texts_are_read_as_postgres_reads_them() {
        for (text, pattern, expected) in [
            ("2020-01-01 00:00:00.000000", "YYYY-MM-DD HH24:MI:SS.US", "2020-01-01"),
            ("05 Mar 2024", "DD Mon YYYY", "2024-03-05"),
            ("March 5, 2024 2:30 PM", "Month DD, YYYY HH:MI AM", "2024-03-05 14:30"),
            ("20240305143000", "YYYYMMDDHH24MISS", "2024-03-05 14:30"),
            ("2024/3/5", "YYYY-MM-DD", "2024-03-05"),
            ("24-065", "YY-DDD", "2024-03-05"),
            ("2024-10-2", "IYYY-IW-ID", "2024-03-05"),
            ("2460375", "J", "2024-03-05"),
            ("12:34:56.5", "HH24:MI:SS.MS", "0001-01-01 12:34:56.5 BC"),
        ] {
            let (local, offset) = Pattern::parse(pattern).read(text).unwrap();
            assert_eq!((local, offset), (timestamp(expected).unwrap(), None), "{text} {pattern}");
        }
        let (_, offset) = Pattern::parse("YYYY-MM-DD HH24:MI:SS TZH:TZM").read("2024-03-05 10:00:00 -03:30").unwrap();
        assert_eq!(offset, Some(-12_600));
    }

    #[test]
    fn what_does_not_fit_the_pattern_is_refused() {
        for (text, pattern) in [
            ("x", "YYYY"),
            ("2024-13-01", "YYYY-MM-DD"),
            ("2024-02-30", "YYYY-MM-DD"),
            ("13:00", "HH12:MI"),
            ("25:00", "HH24:MI"),
            ("5 Foo", "DD Mon"),
            ("2024 CST", "YYYY TZ"),
        ] {
            assert!(Pattern::parse(pattern).read(text).is_err(), "{text} {pattern}");
        }
    }
}
