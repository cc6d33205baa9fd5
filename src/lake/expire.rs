//! Rows that have been kept for as long as their table says: whole files go unread, those that hold younger rows are written anew.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use deltalake::kernel::Action;

use super::data_file::Layout;
use super::error::LakeError;
use super::store::Store;
use super::stored::{remove, without};
use super::table::TableName;
use super::write::{Commit, sized};
use crate::error::Result;

const DAY_US: i64 = 86_400_000_000;

impl Store {
    /// Removes the rows whose date or time in `column` is before an instant (in microseconds since 1970 UTC), and gives their
    /// number in `rows_removed`. Rows without a value stay. Their bytes stay in the files of earlier versions until
    /// [`Store::vacuum`].
    pub async fn expire_rows(&self, name: &TableName, column: &str, before_us: i64) -> Result<Commit> {
        let _turn = self.locks().hold(name).await?;
        let snapshot = self.newest(name).await?;
        let layout = Layout::new(self.object_store(), name, &snapshot.spec)?;
        let (mut files, mut actions, mut rows_removed) = (Vec::new(), Vec::new(), 0);
        for file in &snapshot.files {
            match age(
                file.range(&snapshot.schema, column).map(|range| (&range.min, &range.max, range.null_count)),
                before_us,
            ) {
                Age::Young => continue,
                Age::Old => rows_removed += file.rows,
                Age::Unknown => {
                    let doomed =
                        |batch: &RecordBatch| -> Result<BooleanArray> { Ok(old_rows(batch, column, before_us)?) };
                    let positions = self.positions(file, &layout, &doomed).await?;
                    if positions.is_empty() {
                        continue;
                    }
                    rows_removed += positions.len() as u64;
                    files.extend(without(&self.object_store(), &layout, file, &positions).await?);
                }
            }
            actions.push(remove(file, &layout.spec, true));
        }
        if actions.is_empty() {
            return Ok(Commit { version: snapshot.version, ..Commit::default() });
        }
        actions.extend(files.iter().map(|file| Action::Add(layout.add(file, true))));
        let version = self.commit_upkeep(&snapshot, actions, "expire").await?;
        Ok(sized(Commit { version, rows_removed, ..Commit::default() }, &files))
    }
}

/// What the log tells of the rows of a file.
#[derive(Debug, PartialEq, Eq)]
enum Age {
    /// None is to go.
    Young,
    /// All are to go.
    Old,
    Unknown,
}

type Bounds<'a> = (&'a Option<ScalarValue>, &'a Option<ScalarValue>, Option<u64>);

fn age(bounds: Option<Bounds<'_>>, before_us: i64) -> Age {
    let Some((min, max, nulls)) = bounds else { return Age::Unknown };
    match (min.as_ref().and_then(micros), max.as_ref().and_then(micros)) {
        (Some(min), _) if min >= before_us => Age::Young,
        (_, Some(max)) if max < before_us && nulls == Some(0) => Age::Old,
        _ => Age::Unknown,
    }
}

fn micros(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Date32(Some(days)) => Some(i64::from(*days) * DAY_US),
        ScalarValue::TimestampMicrosecond(Some(micros), _) => Some(*micros),
        _ => None,
    }
}

fn old_rows(batch: &RecordBatch, column: &str, before_us: i64) -> Result<BooleanArray, LakeError> {
    let array = batch.column(batch.schema_ref().index_of(column)?);
    Ok(match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            days.iter().map(|days| Some(days.is_some_and(|days| i64::from(days) * DAY_US < before_us))).collect()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let instants = array.as_primitive::<TimestampMicrosecondType>();
            instants.iter().map(|instant| Some(instant.is_some_and(|instant| instant < before_us))).collect()
        }
        _ => BooleanArray::from(vec![false; array.len()]),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_old_only_if_each_of_its_rows_is_known_to_be() {
        let day = |days| Some(ScalarValue::Date32(Some(days)));
        let before = 10 * DAY_US;
        let told = |min, max, nulls| age(Some((&min, &max, nulls)), before);
        assert_eq!(told(day(10), day(12), Some(0)), Age::Young);
        assert_eq!(told(day(1), day(9), Some(0)), Age::Old);
        assert_eq!(told(day(1), day(10), Some(0)), Age::Unknown);
        assert_eq!(told(day(1), day(9), Some(1)), Age::Unknown);
        assert_eq!(told(None, None, Some(0)), Age::Unknown);
        assert_eq!(age(None, before), Age::Unknown);
    }
}
