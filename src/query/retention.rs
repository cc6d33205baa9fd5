//! Rows that the dataset keeps for so many days: what is older is taken away. Nothing is without the dataset saying so.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};

use super::engine::Lake;
use crate::access::{AuditEvent, AuditKind};
use crate::catalog::inventory::PUBLIC;
use crate::dataset::{Contract, SqlType};
use crate::error::Result;
use crate::lake::TableName;

impl Lake {
    /// Takes away the rows that their tables keep no longer, of one table or of all; tells how many of each, where there were
    /// some. Files of earlier versions hold them until they are vacuumed.
    pub async fn expire(&self, only: Option<&TableName>) -> Result<Vec<(String, u64)>> {
        let (dataset, mut expired) = (self.dataset(), Vec::new());
        for contract in &dataset.contracts {
            let name = TableName::new(PUBLIC, &contract.name);
            if only.is_some_and(|only| *only != name) {
                continue;
            }
            let Some((column, before_us)) = bound(contract, &dataset.time_zone, Utc::now()) else { continue };
            let rows = self.store().expire_rows(&name, &column, before_us).await?.rows_removed;
            if rows == 0 {
                continue;
            }
            let shown = name.to_string();
            self.audit().record(AuditEvent {
                command: "EXPIRE".to_owned(),
                tables: vec![shown.clone()],
                rows: Some(rows),
                sqlstate: Some("00000".to_owned()),
                ..AuditEvent::now(AuditKind::Statement)
            });
            expired.push((shown, rows));
        }
        Ok(expired)
    }
}

/// The column that tells the age of rows, and the instant before which they are too old: a midnight of the dataset, so that a
/// table is written anew once a day at most.
fn bound(contract: &Contract, zone: &str, now: DateTime<Utc>) -> Option<(String, i64)> {
    let retention = contract.retention.as_ref()?;
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    let first = now.with_timezone(&zone).date_naive().checked_sub_days(Days::new(u64::from(retention.days)))?;
    let midnight = match contract.column(&retention.column)?.sql_type {
        SqlType::TimestampTz => begin_of(first, zone),
        _ => first.and_time(NaiveTime::MIN).and_utc(),
    };
    Some((retention.column.clone(), midnight.timestamp_micros()))
}

/// The first instant of a day; a clock may have none at midnight.
fn begin_of(day: NaiveDate, zone: chrono_tz::Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let begin = zone.from_local_datetime(&midnight).earliest();
    begin.map_or_else(|| midnight.and_utc(), |begin| begin.to_utc())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::dataset::Retention;

    #[test]
    fn rows_stay_until_the_day_in_the_zone_of_the_dataset_is_over() {
        let mut contract = crate::dataset::contract("t", "t", "CREATE TABLE t (at timestamptz, day date)").unwrap();
        let now = DateTime::parse_from_rfc3339("2026-11-26T17:00:00Z").unwrap().to_utc();
        let mut before = |column: &str| {
            contract.retention = Some(Retention { days: 30, column: column.to_owned() });
            let (_, micros) = bound(&contract, "Asia/Shanghai", now).unwrap();
            DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339()
        };
        // In Shanghai it is the 27th by then.
        assert_eq!(before("at"), "2026-10-27T16:00:00+00:00");
        assert_eq!(before("day"), "2026-10-28T00:00:00+00:00");
        contract.retention = None;
        assert_eq!(bound(&contract, "UTC", now), None);
    }
}
