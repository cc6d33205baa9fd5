//! Calendar days: which local day an instant of any Arrow date or timestamp type falls on.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampSecondType};
use arrow::temporal_conversions::as_datetime_with_timezone;
use datafusion_common::{Result, exec_err, plan_err};

const DAY_SECONDS: i64 = 86_400;
/// Instants further from 1970 than this have no local time in the calendar library; they are read as UTC.
const ZONED_SECONDS_MAX: u64 = 8_000_000_000_000;
/// Slots of the offset cache: more than eleven years of days before two share a slot.
const OFFSET_SLOTS: i64 = 4096;
/// From the first of March of the year 0 to 1970, in days and in months.
/// Source: H. Hinnant, chrono-compatible low-level date algorithms.
const MARCH_0000_DAYS: i64 = 719_468;
const MARCH_0000_MONTHS: i64 = 1_970 * 12 - 2;
/// 400 years.
const ERA_DAYS: i64 = 146_097;

/// Instants of one Arrow column: the raw integers in the unit of its type.
pub(crate) struct Instants {
    pub raw: ScalarBuffer<i64>,
    pub nulls: Option<NullBuffer>,
}

impl Instants {
    /// Reads a Date32, Date64 or Timestamp column.
    pub fn of(array: &ArrayRef) -> Result<Self> {
        let ints = cast(array, &DataType::Int64)?;
        let ints = ints.as_primitive::<Int64Type>();
        Ok(Self { raw: ints.values().clone(), nulls: ints.nulls().cloned() })
    }

    pub fn is_valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }
}

/// Turns raw instants of one type into local days (days since 1970-01-01 in the zone of the type, UTC where it has none).
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    units_per_day: i64,
    zone: Option<Tz>,
    /// (UTC day, seconds east of UTC) for days with one offset all day.
    offsets: Vec<Option<(i64, i64)>>,
}

impl Calendar {
    /// `function` names the SQL function in the error that any other type gets.
    pub fn of(function: &str, data_type: &DataType) -> Result<Self> {
        let (units_per_day, zone) = match data_type {
            DataType::Date32 => (1, None),
            DataType::Date64 => (DAY_SECONDS * 1_000, None),
            DataType::Timestamp(unit, zone) => (DAY_SECONDS * units_per_second(*unit), zone.clone()),
            other => return plan_err!("{function}: a date or timestamp is needed, got {other}"),
        };
        let zone = zone.map(|name| zone_named(function, &name)).transpose()?;
        let slots = if zone.is_some() { OFFSET_SLOTS as usize } else { 0 };
        Ok(Self { units_per_day, zone, offsets: vec![None; slots] })
    }

    /// Local day of a raw instant.
    #[inline]
    pub fn day(&mut self, raw: i64) -> i32 {
        let Some(zone) = self.zone else {
            return clamp_day(raw.div_euclid(self.units_per_day));
        };
        let seconds = raw.div_euclid(self.units_per_day / DAY_SECONDS);
        let utc_day = seconds.div_euclid(DAY_SECONDS);
        let slot = utc_day.rem_euclid(OFFSET_SLOTS) as usize;
        let offset = match self.offsets[slot] {
            Some((day, offset)) if day == utc_day => offset,
            _ => {
                let offset = offset_seconds(zone, seconds);
                let first = offset_seconds(zone, utc_day.saturating_mul(DAY_SECONDS));
                let last = offset_seconds(zone, utc_day.saturating_mul(DAY_SECONDS).saturating_add(DAY_SECONDS - 1));
                if first == last {
                    self.offsets[slot] = Some((utc_day, offset));
                }
                offset
            }
        };
        clamp_day(seconds.saturating_add(offset).div_euclid(DAY_SECONDS))
    }

    /// The first raw instant whose local day is later than `day`; every instant before it belongs to `day` or an earlier one.
    pub fn day_end(&mut self, day: i32) -> i64 {
        let next = i64::from(day) + 1;
        let near = next.saturating_mul(self.units_per_day);
        if self.zone.is_none() {
            return near;
        }
        // Local midnight lies within a day and a half of UTC midnight; halve towards it.
        let (mut low, mut high) =
            (near.saturating_sub(2 * self.units_per_day), near.saturating_add(2 * self.units_per_day));
        while low < high {
            let middle = low + (high - low) / 2;
            if i64::from(self.day(middle)) >= next {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

/// Months since January 1970 of a day since 1970-01-01.
pub(crate) fn month_of_day(day: i32) -> i32 {
    // Days of years that begin in March lie so that a leap day ends them.
    let day = i64::from(day) + MARCH_0000_DAYS;
    let (era, day_of_era) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    ((era * 400 + year) * 12 + month - MARCH_0000_MONTHS) as i32
}

/// The first day, since 1970-01-01, of a month since January 1970.
pub(crate) fn first_day_of_month(month: i32) -> i32 {
    let month = i64::from(month) + MARCH_0000_MONTHS;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5;
    let day = era * ERA_DAYS + 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    clamp_day(day - MARCH_0000_DAYS)
}

/// The types to read a time (that messages call `argument`) and `as_of` in: both zoned timestamps take the zone of the time, text for `as_of`
/// is read as the type of the time.
pub(crate) fn coerce_times(
    function: &str,
    argument: &str,
    ts: &DataType,
    as_of: &DataType,
) -> Result<(DataType, DataType)> {
    let ts = coerce_time(function, argument, ts)?;
    let as_of = match (&ts, as_of) {
        (_, DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => ts.clone(),
        (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(unit, Some(_))) => {
            DataType::Timestamp(*unit, Some(Arc::clone(zone)))
        }
        (_, other) => coerce_time(function, "as_of", other)?,
    };
    Ok((ts, as_of))
}

/// A date or timestamp type is taken as it is, NULL as a date.
pub(crate) fn coerce_time(function: &str, argument: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Null => Ok(DataType::Date32),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) => Ok(data_type.clone()),
        DataType::Dictionary(_, value) => coerce_time(function, argument, value),
        other => plan_err!("{function}: {argument} must be a date or timestamp, got {other}"),
    }
}

fn units_per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn zone_named(function: &str, name: &str) -> Result<Tz> {
    name.parse().or_else(|_| exec_err!("{function}: unknown time zone {name:?}"))
}

fn offset_seconds(zone: Tz, seconds: i64) -> i64 {
    if seconds.unsigned_abs() > ZONED_SECONDS_MAX {
        return 0;
    }
    as_datetime_with_timezone::<TimestampSecondType>(seconds, zone)
        .map_or(0, |local| (local.naive_local() - local.naive_utc()).num_seconds())
}

fn clamp_day(day: i64) -> i32 {
    day.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn zoned(zone: &str) -> Calendar {
        Calendar::of("f", &DataType::Timestamp(TimeUnit::Second, Some(zone.into()))).unwrap()
    }

    #[test]
    fn a_timestamp_belongs_to_the_local_day_of_its_zone() {
        // 2024-06-30 16:00:00 UTC is 2024-07-01 00:00:00 in Shanghai.
        let instant = 1_719_763_200;
        assert_eq!(zoned("UTC").day(instant), 19_904);
        assert_eq!(zoned("Asia/Shanghai").day(instant), 19_905);
        assert_eq!(zoned("Asia/Shanghai").day(instant - 1), 19_904);
        assert_eq!(zoned("+08:00").day(instant), 19_905);
    }

    #[test]
    fn a_day_with_a_clock_change_is_read_with_both_offsets() {
        // New York left daylight time on 2024-11-03 at 06:00 UTC; the local day lasts 25 hours.
        let mut new_york = zoned("America/New_York");
        let midnight_before = 1_730_606_400; // 2024-11-03 04:00 UTC = local midnight
        let midnight_after = midnight_before + 25 * 3_600;
        assert_eq!(new_york.day(midnight_before - 1), 20_029);
        assert_eq!(new_york.day(midnight_before), 20_030);
        assert_eq!(new_york.day(midnight_after - 1), 20_030);
        assert_eq!(new_york.day(midnight_after), 20_031);
        assert_eq!(new_york.day_end(20_030), midnight_after);
    }

    #[test]
    fn every_unit_floors_towards_the_past() {
        for (unit, second) in [
            (TimeUnit::Second, 1),
            (TimeUnit::Millisecond, 1_000),
            (TimeUnit::Microsecond, 1_000_000),
            (TimeUnit::Nanosecond, 1_000_000_000),
        ] {
            let mut calendar = Calendar::of("f", &DataType::Timestamp(unit, None)).unwrap();
            assert_eq!(calendar.day(-1), -1);
            assert_eq!(calendar.day(86_400 * second), 1);
            assert_eq!(calendar.day_end(0), 86_400 * second);
        }
    }

    #[test]
    fn months_begin_on_their_first_day() {
        // 1970-01-01, 1969-12-31, 2024-02-29, 2024-03-01, 1900-03-01.
        let months = [0, -1, 19_782, 19_783, -25_508].map(month_of_day);
        assert_eq!(months, [0, -1, 649, 650, -838]);
        assert_eq!(months.map(first_day_of_month), [0, -31, 19_754, 19_783, -25_508]);
        for month in -30_000..30_000 {
            let first = first_day_of_month(month);
            assert_eq!([month_of_day(first - 1), month_of_day(first)], [month - 1, month]);
        }
        for day in [i32::MIN, i32::MAX] {
            first_day_of_month(month_of_day(day));
            first_day_of_month(day);
        }
    }

    #[test]
    fn the_ends_of_the_range_do_not_panic() {
        for raw in [i64::MIN, i64::MAX] {
            zoned("Asia/Shanghai").day(raw);
            Calendar::of("f", &DataType::Date32).unwrap().day(raw);
        }
        zoned("Asia/Shanghai").day_end(i32::MAX);
    }

    #[test]
    fn a_number_is_no_time() {
        let error = coerce_time("rfm", "ts", &DataType::Int64).unwrap_err().to_string();
        assert!(error.contains("rfm: ts must be a date or timestamp, got Int64"), "{error}");
    }
}
