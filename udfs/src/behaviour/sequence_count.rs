//! `sequence_count`: how often a person's events hold a pattern.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::events::{Event, Question};
use super::pattern::{Pattern, Walk};
use super::sequence;
use crate::documents::{BEHAVIOUR, Entry};

const NAME: &str = "sequence_count";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: BEHAVIOUR,
        description: "How often a person's events hold a pattern, BIGINT, without overlaps: ClickHouse's sequenceCount; 0 without a row. \
            The pattern is made of (?N), an event that meets condition N; . for one event of any kind; .* for any number of events; \
            (?t>=60) after an event: time in whole seconds from there to the next event, events between being passed over, with >=, >, <, <= or ==. \
            Only events that meet a condition count: (?1)(?2) holds when nothing that meets another condition lies between. \
            Events of one time are taken in order of their conditions. Rows with a NULL are left out. \
            The state grows by 20 bytes an event that meets a condition; a group on which the pattern takes more than 5 million steps is an error. \
            Source: documentation of ClickHouse's sequenceMatch and sequenceCount; compared with ClickHouse 26.9.",
        syntax: "sequence_count(pattern text, ts timestamptz, VARIADIC conditions boolean) -> bigint",
        arguments: &[
            ("pattern", "Constant text of the pattern."),
            ("ts", "Time of the event: date or timestamp of any unit."),
            ("conditions", "1 to 32 conditions, which the pattern names by their number from 1 on."),
        ],
        example: "SELECT one_id, sequence_count('(?1)(?t<=3600).*(?2)', touched_at, channel = 'ads', channel = 'mail') AS found\nFROM touches GROUP BY one_id",
        related: &["sequence_match", "window_funnel"],
    }
    .build()
});

/// The question of the aggregate `sequence_count(pattern, ts, condition, ...)`.
#[derive(Debug, Clone)]
pub struct SequenceCount(Pattern);

impl Question for SequenceCount {
    const NAME: &'static str = NAME;
    const TS: usize = sequence::TS;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        sequence::coerce(NAME, types)
    }

    fn result(_ts: &DataType) -> DataType {
        DataType::Int64
    }

    fn of(args: &AccumulatorArgs) -> Result<Self> {
        Ok(Self(sequence::pattern_of(NAME, args)?))
    }

    fn needs_idle_events(&self) -> bool {
        false
    }

    fn answers<'a>(&self, groups: impl Iterator<Item = &'a [Event]>) -> Result<ArrayRef> {
        let mut walk = Walk::default();
        let counts: Result<Vec<i64>> =
            groups.map(|events| Ok(self.0.count(NAME, events, u64::MAX, &mut walk)? as i64)).collect();
        Ok(Arc::new(Int64Array::from(counts?)))
    }
}
