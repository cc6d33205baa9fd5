//! Time zones by the names that PostgreSQL and Arrow use for them.

use std::collections::HashMap;
use std::str::FromStr;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz};

use crate::error::{Error, Reason, Result};

/// Where the clocks stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i32),
    Named(Tz),
}

impl Zone {
    pub const UTC: Self = Self::Fixed(0);

    /// `Asia/Shanghai`, `UTC`, `Z`, `+08`, `+08:00`, `-0330`.
    pub fn parse(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") {
            return Some(Self::UTC);
        }
        match name.as_bytes().first()? {
            b'+' => offset(&name[1..]).map(Self::Fixed),
            b'-' => offset(&name[1..]).map(|seconds| Self::Fixed(-seconds)),
            _ => {
                let any_case =
                    || chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)).copied();
                Tz::from_str(name).ok().or_else(any_case).map(Self::Named)
            }
        }
    }

    /// As [`Zone::parse`], in words where there is no such zone.
    pub fn named(name: &str) -> Result<Self> {
        let unknown = || Error::new(Reason::InvalidParameter, format!("time zone \"{name}\" not recognized"));
        Self::parse(name).ok_or_else(unknown)
    }

    /// Seconds east of Greenwich at an instant, in seconds since 1970.
    pub fn offset_seconds(self, seconds: i64) -> i32 {
        match self {
            Self::Fixed(offset) => offset,
            Self::Named(zone) => {
                // Beyond what the calendar of chrono holds, the first and last rules go on.
                let limits =
                    (DateTime::<chrono::Utc>::MIN_UTC.timestamp(), DateTime::<chrono::Utc>::MAX_UTC.timestamp());
                let seconds = seconds.clamp(limits.0, limits.1);
                DateTime::from_timestamp(seconds, 0)
                    .map_or(0, |instant| zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
            }
        }
    }

    /// What the clocks are called at an instant, in seconds since 1970: `CET`, `EDT`, `+08`.
    pub fn abbreviation(self, seconds: i64) -> String {
        let name = match self {
            Self::Fixed(0) => Some("UTC".to_owned()),
            Self::Fixed(_) => None,
            Self::Named(zone) => DateTime::from_timestamp(seconds, 0).and_then(|instant| {
                zone.offset_from_utc_datetime(&instant.naive_utc()).abbreviation().map(str::to_owned)
            }),
        };
        name.unwrap_or_else(|| {
            let mut out = bytes::BytesMut::new();
            super::datetime::put_offset(self.offset_seconds(seconds), &mut out);
            String::from_utf8_lossy(&out).into_owned()
        })
    }

    /// The offsets at many instants, in seconds since 1970: where a day begins and ends with one offset, it has no other.
    pub fn offsets_seconds(self, instants: impl Iterator<Item = i64>) -> Vec<i32> {
        let mut days: HashMap<i64, Option<i32>> = HashMap::new();
        let whole_day = |day: i64| {
            let (begin, end) = (day.saturating_mul(86_400), day.saturating_mul(86_400).saturating_add(86_399));
            let offset = self.offset_seconds(begin);
            (offset == self.offset_seconds(end)).then_some(offset)
        };
        let offset = |seconds: i64| {
            let day = seconds.div_euclid(86_400);
            days.entry(day).or_insert_with(|| whole_day(day)).unwrap_or_else(|| self.offset_seconds(seconds))
        };
        instants.map(offset).collect()
    }

    /// The offset for a reading of the clocks, in seconds since 1970 as if it were UTC. As in PostgreSQL, a reading that comes
    /// twice is the second, and one that is skipped is read as if the clocks had not been set.
    pub fn offset_of_local(self, local_seconds: i64) -> i32 {
        let (before, after) = self.offsets_around(local_seconds);
        if self.reads(local_seconds, after) { after } else { before }
    }

    /// Whether the clocks read so twice, as they were set back.
    pub fn is_repeated(self, local_seconds: i64) -> bool {
        let (before, after) = self.offsets_around(local_seconds);
        before != after && self.reads(local_seconds, before) && self.reads(local_seconds, after)
    }

    fn offsets_around(self, local_seconds: i64) -> (i32, i32) {
        (self.offset_seconds(local_seconds - 86_400), self.offset_seconds(local_seconds + 86_400))
    }

    /// Whether the clocks read so while they are so far off.
    fn reads(self, local_seconds: i64, offset: i32) -> bool {
        self.offset_seconds(local_seconds - i64::from(offset)) == offset
    }
}

/// `08`, `08:00`, `0800`, `08:05:43`, `8` in seconds.
fn offset(text: &str) -> Option<i32> {
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    let well_formed = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = |range| digits.get(range).and_then(|part: &str| part.parse::<i32>().ok());
    let (hours, minutes, seconds) = match digits.len() {
        1 | 2 => (digits.parse().ok()?, 0, 0),
        3 => (number(0..1)?, number(1..3)?, 0),
        4 => (number(0..2)?, number(2..4)?, 0),
        6 => (number(0..2)?, number(2..4)?, number(4..6)?),
        _ => return None,
    };
    (well_formed && hours < 16 && minutes < 60 && seconds < 60).then_some(hours * 3600 + minutes * 60 + seconds)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_by_name_and_by_offset() {
        assert_eq!(Zone::parse("UTC"), Some(Zone::UTC));
        assert_eq!(Zone::parse("+08:00"), Some(Zone::Fixed(28_800)));
        assert_eq!(Zone::parse("-0330"), Some(Zone::Fixed(-12_600)));
        assert_eq!(Zone::parse("asia/shanghai"), Some(Zone::Named(Tz::Asia__Shanghai)));
        assert_eq!(Zone::parse("Moon/Base"), None);
        assert_eq!(Zone::parse("+é9"), None);
    }

    // What to_char(.., 'TZ') of PostgreSQL 15 gives.
    #[test]
    fn clocks_are_called_by_their_season() {
        for (zone, seconds, expected) in [
            ("America/New_York", 1_705_314_600, "EST"),
            ("America/New_York", 1_720_000_000, "EDT"),
            ("Asia/Shanghai", 1_720_000_000, "CST"),
            ("America/Sao_Paulo", 1_720_000_000, "-03"),
            ("UTC", 0, "UTC"),
        ] {
            assert_eq!(Zone::parse(zone).unwrap().abbreviation(seconds), expected, "{zone}");
        }
    }

    #[test]
    fn clocks_that_are_set_back_read_the_same_twice() {
        let zone = Zone::parse("America/St_Johns").unwrap();
        // In 2010 at 00:01 of 7 November, back to 23:01.
        let midnight = 1_289_088_000;
        assert!(zone.is_repeated(midnight) && zone.is_repeated(midnight - 3540));
        assert!(!zone.is_repeated(midnight + 60) && !zone.is_repeated(midnight - 3541));
        assert!(!Zone::UTC.is_repeated(midnight));
    }

    #[test]
    fn offsets_of_many_instants_are_those_of_each() {
        for name in ["Asia/Shanghai", "Europe/Paris", "Australia/Lord_Howe", "UTC", "-03:30"] {
            let zone = Zone::parse(name).unwrap();
            let instants = || (0..3000).map(|n| 1_700_000_000 + n * 7919).chain([i64::MIN, i64::MAX, 1_711_846_800]);
            let each: Vec<i32> = instants().map(|seconds| zone.offset_seconds(seconds)).collect();
            assert_eq!(zone.offsets_seconds(instants()), each, "{name}");
        }
    }

    #[test]
    fn a_clock_reading_finds_its_offset_on_both_sides_of_a_change() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        // 2024-03-31 01:59:59 and 03:00:00, readings as if they were UTC.
        assert_eq!(paris.offset_of_local(1_711_850_399), 3600);
        assert_eq!(paris.offset_of_local(1_711_854_000), 7200);
        // Skipped at 02:30 of that day; twice at 02:30 on 2024-10-27.
        assert_eq!(paris.offset_of_local(1_711_852_200), 3600);
        assert_eq!(paris.offset_of_local(1_729_996_200), 3600);
    }
}
