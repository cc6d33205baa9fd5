//! Durations as keys of counts, and whether they ended.

use arrow::array::{Array, Float64Array};
use arrow::datatypes::DataType;
use datafusion_common::{HashMap, Result, plan_err};

/// The bits of a duration, which sort as durations do; None for NULL and what is no duration.
pub(super) fn duration_key(durations: &Float64Array, row: usize) -> Option<u64> {
    // Adding 0 turns -0 into 0, so that both are one key.
    let duration = durations.is_valid(row).then(|| durations.value(row) + 0.0)?;
    (duration >= 0.0 && duration.is_finite()).then(|| duration.to_bits())
}

pub(super) fn duration_of(key: u64) -> f64 {
    f64::from_bits(key)
}

pub(super) fn coerce_event(function: &str, event: &DataType) -> Result<DataType> {
    match event {
        DataType::Boolean | DataType::Null => Ok(DataType::Boolean),
        other => plan_err!("{function}: event must be true or false, got {other}"),
    }
}

/// How many ended at a duration, and how many were seen no longer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub events: i64,
    pub censored: i64,
}

impl Count {
    pub fn one(is_event: bool) -> Self {
        Self { events: i64::from(is_event), censored: i64::from(!is_event) }
    }

    pub fn rows(self) -> i64 {
        self.events + self.censored
    }
}

/// Counts by duration.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<u64, Count>);

impl Counts {
    /// The bytes by which the counts have grown.
    pub fn add(&mut self, key: u64, count: Count) -> usize {
        if let Some(known) = self.0.get_mut(&key) {
            known.events += count.events;
            known.censored += count.censored;
            return 0;
        }
        let held = self.bytes();
        self.0.insert(key, count);
        self.bytes() - held
    }

    /// How many durations there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn rows(&self) -> i64 {
        self.0.values().map(|count| count.rows()).sum()
    }

    /// With rising durations.
    pub fn in_order(&self) -> Vec<(u64, Count)> {
        let mut counts: Vec<(u64, Count)> = self.0.iter().map(|(key, count)| (*key, *count)).collect();
        counts.sort_unstable_by_key(|(key, _)| *key);
        counts
    }

    pub fn bytes(&self) -> usize {
        self.0.allocation_size()
    }
}
