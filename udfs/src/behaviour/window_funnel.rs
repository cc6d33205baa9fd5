//! `window_funnel`: how many steps of a funnel a person took within a window of time.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int32Array};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::events::{Event, Question};
use super::funnel::{self, Chains, Funnel, coerce_funnel};
use crate::documents::{BEHAVIOUR, Entry};

const NAME: &str = "window_funnel";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: BEHAVIOUR,
        description: "How many steps of a funnel a person took in their order within a window that begins with the first step, INT from 0 to the number of steps: \
            ClickHouse's windowFunnel. The window's end is included; the latest beginning counts; times are compared at microseconds. \
            Events of one time are taken in the order of the conditions, so they do advance. Modes, any of them joined by commas: \
            'strict_order' (an event that meets no condition, or one that is out of turn, ends the walk); \
            'strict_deduplication' (so does an event of a step that was reached already); \
            'strict_increase' (each step later than the one before); 'strict_once' (no event counts for two steps). \
            Rows with a NULL are left out; 0 without a row. The state grows by 20 bytes an event that meets a condition (with 'strict_order' any event). \
            Source: documentation of ClickHouse's windowFunnel; compared with ClickHouse 26.9.",
        syntax: "window_funnel(window interval, mode text, ts timestamptz, VARIADIC conditions boolean) -> integer",
        arguments: &[
            ("window", "Constant interval, or number of seconds as in ClickHouse, 0 or more."),
            ("mode", "Constant 'default', or names of modes separated by commas."),
            ("ts", "Time of the event: date or timestamp of any unit."),
            ("conditions", "1 to 32 conditions, one a step, true for the events that take it."),
        ],
        example: "SELECT one_id, window_funnel(INTERVAL '1 day', 'default', touched_at, channel = 'ads', channel = 'mail') AS steps\nFROM touches GROUP BY one_id",
        related: &["funnel_step_times", "sequence_match"],
    }
    .build()
});

/// The question of the aggregate `window_funnel(window, mode, ts, condition, ...)`.
#[derive(Debug, Clone)]
pub struct WindowFunnel(Funnel);

impl Question for WindowFunnel {
    const NAME: &'static str = NAME;
    const TS: usize = funnel::TS;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_funnel(NAME, types)
    }

    fn result(_ts: &DataType) -> DataType {
        DataType::Int32
    }

    fn of(args: &AccumulatorArgs) -> Result<Self> {
        Ok(Self(Funnel::of(NAME, args)?))
    }

    fn needs_idle_events(&self) -> bool {
        self.0.needs_idle_events()
    }

    fn answers<'a>(&self, groups: impl Iterator<Item = &'a [Event]>) -> Result<ArrayRef> {
        let mut chains = Chains::default();
        Ok(Arc::new(Int32Array::from_iter_values(groups.map(|events| self.0.level(events, &mut chains) as i32))))
    }
}
