//! `funnel_step_times`: when a person took the steps of a funnel.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, ListArray, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, exec_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::events::{Event, Question};
use super::funnel::{self, Chains, Funnel, coerce_funnel};
use crate::documents::{BEHAVIOUR, Entry};
use crate::groups::list_offsets;

const NAME: &str = "funnel_step_times";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: BEHAVIOUR,
        description: "When a person took the steps of a funnel: the times of the chain of events that window_funnel counts, list of timestamps at microseconds in \
            the zone of ts, one a step in their order. Its length is what window_funnel gives. \
            NULL where not even the first step was taken. Arguments, rows with NULLs and state are those of window_funnel. \
            Source: own definition upon ClickHouse's windowFunnel.",
        syntax: "funnel_step_times(window interval, mode text, ts timestamptz, VARIADIC conditions boolean) -> timestamptz[]",
        arguments: &[
            ("window", "Constant interval, or number of seconds as in ClickHouse, 0 or more."),
            ("mode", "Constant 'default', or names of modes separated by commas."),
            ("ts", "Time of the event: date or timestamp of any unit."),
            ("conditions", "1 to 32 conditions, one a step, true for the events that take it."),
        ],
        example: "SELECT one_id, times[2] - times[1] AS to_the_second_step FROM (SELECT one_id,\n    funnel_step_times(INTERVAL '1 day', 'default', touched_at, channel = 'ads', channel = 'mail') AS times FROM touches GROUP BY one_id)",
        related: &["window_funnel"],
    }
    .build()
});

/// The question of the aggregate `funnel_step_times(window, mode, ts, condition, ...)`.
#[derive(Debug, Clone)]
pub struct FunnelStepTimes {
    funnel: Funnel,
    ts: DataType,
}

fn time_field(ts: &DataType) -> FieldRef {
    Arc::new(Field::new("item", ts.clone(), true))
}

impl Question for FunnelStepTimes {
    const NAME: &'static str = NAME;
    const TS: usize = funnel::TS;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_funnel(NAME, types)
    }

    fn result(ts: &DataType) -> DataType {
        DataType::List(time_field(ts))
    }

    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let Some(ts) = args.expr_fields.get(Self::TS) else { return exec_err!("{NAME}: ts is missing") };
        Ok(Self { funnel: Funnel::of(NAME, args)?, ts: ts.data_type().clone() })
    }

    fn needs_idle_events(&self) -> bool {
        self.funnel.needs_idle_events()
    }

    fn answers<'a>(&self, groups: impl Iterator<Item = &'a [Event]>) -> Result<ArrayRef> {
        let (mut times, mut lengths, mut chains) = (Vec::new(), Vec::new(), Chains::default());
        for events in groups {
            let taken = self.funnel.times(events, &mut chains);
            lengths.push(taken.len());
            times.extend(taken);
        }
        let begun: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
        let times = TimestampMicrosecondArray::from(times).with_data_type(self.ts.clone());
        let lists =
            ListArray::try_new(time_field(&self.ts), list_offsets(NAME, lengths)?, Arc::new(times), Some(begun))?;
        Ok(Arc::new(lists))
    }
}
