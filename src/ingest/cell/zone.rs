//! The wall clock of a time zone: local time -> instant, with the offsets of some days kept.

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

pub const DAY_US: i64 = 86_400_000_000;
/// Days whose offset is kept: a file's times are mostly of a few.
const DAYS_KEPT: usize = 64;

/// Reads local times of one zone.
#[derive(Debug, Clone)]
pub struct ZoneClock {
    zone: Tz,
    /// Local days all of whose hours have one offset, and that offset in microseconds; each at its place.
    steady: [Option<(i64, i64)>; DAYS_KEPT],
}

impl ZoneClock {
    pub fn new(zone: Tz) -> Self {
        Self { zone, steady: [None; DAYS_KEPT] }
    }

    /// The instant, in microseconds of UTC, at which the zone's clocks show `wall`. An hour that comes twice is the later
    /// one; an hour that is skipped is read by the offset before it. `None` beyond the calendar.
    pub fn instant(&mut self, wall: i64) -> Option<i64> {
        let day = wall.div_euclid(DAY_US);
        let place = day.rem_euclid(DAYS_KEPT as i64) as usize;
        if let Some((steady, offset)) = self.steady[place]
            && steady == day
        {
            return Some(wall - offset);
        }
        let first = self.offset(day * DAY_US)?;
        if first == self.offset(day * DAY_US + DAY_US - 1)? {
            self.steady[place] = Some((day, first));
            return Some(wall - first);
        }
        Some(wall - self.offset(wall)?)
    }

    /// What the zone's clocks show at an instant, both in microseconds. `None` beyond the calendar.
    pub fn wall(&self, instant: i64) -> Option<i64> {
        let offset = self.zone.offset_from_utc_datetime(&naive(instant)?).fix().local_minus_utc();
        Some(instant + i64::from(offset) * 1_000_000)
    }

    /// East of Greenwich, in microseconds, at a local time.
    fn offset(&self, wall: i64) -> Option<i64> {
        let local = naive(wall)?;
        let seconds = match self.zone.offset_from_local_datetime(&local) {
            LocalResult::Single(offset) => offset.fix().local_minus_utc(),
            LocalResult::Ambiguous(_, later) => later.fix().local_minus_utc(),
            LocalResult::None => {
                let before = naive(wall - DAY_US / 8)?;
                self.zone.offset_from_local_datetime(&before).earliest()?.fix().local_minus_utc()
            }
        };
        Some(i64::from(seconds) * 1_000_000)
    }
}

fn naive(wall: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(wall).map(|instant| instant.naive_utc())
}
