//! Merged identities read as their survivors: a column rewritten through a map above the scan.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

/// So many places a merge is looked up by its place; more, where numbers lie far apart, by a hash.
const PLACES: usize = 64;

/// The number by which each merged one reads.
#[derive(Debug, Default)]
pub struct Survivors {
    merged: HashMap<i64, i64>,
    /// Of the numbers from the first merged to the last, where they lie close: every scan asks it for each of its rows.
    places: Vec<i64>,
    first: i64,
}

impl Survivors {
    /// `merged` leads each merged number to the one that reads in its place.
    pub fn new(merged: HashMap<i64, i64>) -> Self {
        let first = merged.keys().copied().min().unwrap_or_default();
        let last = merged.keys().copied().max().unwrap_or_default();
        let length = last.checked_sub(first).and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        let mut places = Vec::new();
        if length < merged.len().saturating_mul(PLACES) {
            places = (first..=last).collect();
            for (old, survivor) in &merged {
                places[(old - first) as usize] = *survivor;
            }
        }
        Self { merged, places, first }
    }

    pub fn is_empty(&self) -> bool {
        self.merged.is_empty()
    }

    /// The number as which `value` reads.
    pub fn of(&self, value: i64) -> i64 {
        if self.places.is_empty() {
            return self.merged.get(&value).copied().unwrap_or(value);
        }
        // What lies before the first is beyond all places, too.
        let place = value.wrapping_sub(self.first).cast_unsigned();
        usize::try_from(place).ok().and_then(|place| self.places.get(place)).copied().unwrap_or(value)
    }
}

/// Rewrites a `BIGINT` column on read: a merged number reads as its survivor, others stay.
#[derive(Debug, Clone)]
pub struct Remap {
    pub column: String,
    pub survivors: Arc<Survivors>,
}

impl Remap {
    /// All stored values that read as `value`: itself, unless it was merged away, and those merged into it.
    pub fn stored(&self, value: i64) -> Vec<i64> {
        let merged = &self.survivors.merged;
        let itself = (!merged.contains_key(&value)).then_some(value);
        let into_it = merged.iter().filter(|(_, survivor)| **survivor == value).map(|(merged, _)| *merged);
        into_it.chain(itself).collect()
    }
}

/// The rewriting as an expression over the scanned column.
#[derive(Debug, Clone)]
pub struct RemapExpr {
    pub input: Arc<dyn PhysicalExpr>,
    pub remap: Remap,
}

impl PartialEq for RemapExpr {
    fn eq(&self, other: &Self) -> bool {
        self.input.eq(&other.input) && Arc::ptr_eq(&self.remap.survivors, &other.remap.survivors)
    }
}

impl Eq for RemapExpr {}

impl Hash for RemapExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        Arc::as_ptr(&self.remap.survivors).hash(state);
    }
}

impl fmt::Display for RemapExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "survivor({})", self.input)
    }
}

impl PhysicalExpr for RemapExpr {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.input.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let survivor = |value: i64| self.remap.survivors.of(value);
        match self.input.evaluate(batch)? {
            ColumnarValue::Scalar(ScalarValue::Int64(value)) => {
                Ok(ColumnarValue::Scalar(ScalarValue::Int64(value.map(survivor))))
            }
            ColumnarValue::Array(values) => match values.as_primitive_opt::<Int64Type>() {
                Some(values) => {
                    let mapped: Int64Array = values.unary(survivor);
                    Ok(ColumnarValue::Array(Arc::new(mapped)))
                }
                None => exec_err!("survivors are of type Int64, the column of type {}", values.data_type()),
            },
            ColumnarValue::Scalar(value) => exec_err!("survivors are of type Int64, the value is {value}"),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(Self { input, remap: self.remap.clone() })),
            None => Ok(self),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_is_found_under_all_its_stored_values_and_a_merged_one_under_none() {
        let remap =
            Remap { column: "one_id".into(), survivors: Arc::new(Survivors::new(HashMap::from([(2, 1), (3, 1)]))) };
        let mut stored = remap.stored(1);
        stored.sort_unstable();
        assert_eq!(stored, [1, 2, 3]);
        assert_eq!(remap.stored(2), [] as [i64; 0]);
        assert_eq!(remap.stored(9), [9]);
    }

    #[test]
    fn a_number_is_found_by_its_place_and_by_its_hash() {
        let close = [(5, 2), (7, 2), (9, 1)];
        let apart = [(5, 2), (i64::MAX, 2), (i64::MIN, 1)];
        for (pairs, by_place) in [(close, true), (apart, false)] {
            let survivors = Survivors::new(HashMap::from(pairs));
            assert_eq!(survivors.places.is_empty(), !by_place);
            for value in [i64::MIN, -1, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, i64::MAX] {
                let expected = pairs.iter().find(|(old, _)| *old == value).map_or(value, |(_, survivor)| *survivor);
                assert_eq!(survivors.of(value), expected, "{value}");
            }
        }
        assert!(Survivors::new(HashMap::new()).is_empty());
        assert_eq!(Survivors::new(HashMap::new()).of(0), 0);
    }
}
