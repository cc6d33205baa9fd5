//! `sequence_match`: whether a person's events hold a pattern.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::events::{Event, Events, Question, event_partials};
use super::pattern::Pattern;
use super::sequence::{coerce_sequence, pattern_of};
use crate::definition::AggregateDefinition;
use crate::documents::{BEHAVIOUR, Entry};

const NAME: &str = "sequence_match";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: BEHAVIOUR,
        description: "Whether a person's events hold a pattern anywhere, BOOLEAN: ClickHouse's sequenceMatch; false without a row. \
            The pattern is made of (?N), an event that meets condition N; . for one event of any kind; .* for any number of events; \
            (?t>=60) after an event: time in whole seconds from there to the next event, events between being passed over, with >=, >, <, <= or ==. \
            Only events that meet a condition count: (?1)(?2) holds when nothing that meets another condition lies between. \
            Events of one time are taken in order of their conditions. Rows with a NULL are left out. \
            The state grows by 16 bytes an event that meets a condition; a group on which the pattern takes more than 5 million steps is an error. \
            Source: documentation of ClickHouse's sequenceMatch and sequenceCount; compared with ClickHouse 26.9.",
        syntax: "sequence_match(pattern text, ts timestamptz, VARIADIC conditions boolean) -> boolean",
        arguments: &[
            ("pattern", "Constant text of the pattern."),
            ("ts", "Time of the event: date or timestamp of any unit."),
            ("conditions", "1 to 32 conditions, which the pattern names by their number from 1 on."),
        ],
        example: "SELECT one_id, sequence_match('(?1)(?t<=3600).*(?2)', touched_at, channel = 'ads', channel = 'mail') AS found\nFROM touches GROUP BY one_id",
        related: &["sequence_count", "window_funnel"],
    }
    .build()
});

/// The aggregate `sequence_match(pattern, ts, condition, ...)`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct SequenceMatch;

impl AggregateDefinition for SequenceMatch {
    const NAME: &'static str = NAME;
    type States = Events<Occurs>;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_sequence(NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(event_partials())
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(Events::new(Occurs(pattern_of(NAME, args)?)))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Occurs(Pattern);

impl Question for Occurs {
    const NAME: &'static str = NAME;
    const TS: usize = 1;

    fn needs_idle_events(&self) -> bool {
        false
    }

    fn answers<'a>(&self, groups: impl Iterator<Item = &'a [Event]>) -> Result<ArrayRef> {
        let found: Result<Vec<bool>> = groups.map(|events| Ok(self.0.count(NAME, events, 1)? > 0)).collect();
        Ok(Arc::new(BooleanArray::from(found?)))
    }
}
