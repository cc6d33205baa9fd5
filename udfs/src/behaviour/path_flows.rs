//! `path_flows`: the steps of a person's path, as the flows of a Sankey chart.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StringArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use crate::calendar::{Instants, coerce_time};
use crate::constants::{aggregate_constant, coerce_text, quoted, text};
use crate::definition::AggregateDefinition;
use crate::documents::{BEHAVIOUR, Entry};
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::named_events::{NamedEvent, NamedEvents};
use crate::names::Names;

const NAME: &str = "path_flows";
const DEPTH_MAX: usize = 100;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: BEHAVIOUR,
        description: "The steps of one person's path from an event on, or back from it: \
            list<struct{step INT, source TEXT, target TEXT}>, step from 1 in order of the walk, source always the earlier event. \
            Forwards the path begins at the first event named start, backwards (reverse) at the last one; with a NULL start it begins at the first or last event of all. \
            Equal events in a row are one. Events of one time are taken in the order of their names. Counting the unnested rows of all persons by step, source and target \
            gives the flows of a Sankey chart. Rows with a NULL ts or event are left out; NULL where no step follows start. \
            The state grows by 20 bytes an event. Source: own definition, after the path explorations of web analytics.",
        syntax: "path_flows(ts timestamptz, event text, start text, depth integer, reverse boolean) -> json",
        arguments: &[
            ("ts", "Time of the event: date or timestamp of any unit."),
            ("event", "Name of the event."),
            ("start", "Constant name of the event at which the path begins, or NULL."),
            ("depth", "Constant number of steps at the most, 1 to 100."),
            ("reverse", "Constant: false for what comes after start, true for what came before."),
        ],
        example: "SELECT f['step'], f['source'], f['target'], count(*) FROM (SELECT unnest(path_flows(touched_at, channel, 'ads', 3, false)) AS f\nFROM (SELECT one_id, touched_at, channel FROM touches UNION ALL SELECT 1, TIMESTAMP '2011-01-02 00:00:00', 'mail') GROUP BY one_id) GROUP BY 1, 2, 3",
        related: &["sessionize", "window_funnel"],
    }
    .build()
});

/// The aggregate `path_flows(ts, event, start, depth, reverse)`.
pub struct PathFlows;

impl AggregateDefinition for PathFlows {
    const NAME: &'static str = NAME;
    type States = Walks;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts, event, start, depth, reverse] = take_function_args(NAME, types)?;
        coerce_time(NAME, "ts", ts)?;
        Ok(vec![
            DataType::Timestamp(TimeUnit::Microsecond, None),
            coerce_text(NAME, "event", event)?,
            coerce_text(NAME, "start", start)?,
            depth.clone(),
            reverse.clone(),
        ])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(flow_field()))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("events", NamedEvents::partial_type())])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(Walks::new(Rules::of(args)?))
    }
}

fn flow_fields() -> Fields {
    Fields::from(vec![
        Field::new("step", DataType::Int32, true),
        Field::new("source", DataType::Utf8, true),
        Field::new("target", DataType::Utf8, true),
    ])
}

fn flow_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(flow_fields()), true))
}

#[derive(Debug, Clone)]
struct Rules {
    start: Option<String>,
    depth: usize,
    direction: Direction,
}

#[derive(Debug, Clone, Copy)]
enum Direction {
    Forwards,
    Backwards,
}

impl Rules {
    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let constant = |index, argument| -> Result<ScalarValue> {
            Ok(aggregate_constant(args, NAME, index, argument)?.unwrap_or(ScalarValue::Null))
        };
        let start = constant(2, "start")?;
        let start = if start.is_null() { None } else { Some(text(&start, NAME, "start", "a text")?) };
        let depth = constant(3, "depth")?;
        let depth_given = match depth.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(given))) if depth.data_type().is_integer() => usize::try_from(given).ok(),
            _ => None,
        };
        let Some(depth) = depth_given.filter(|given| (1..=DEPTH_MAX).contains(given)) else {
            return exec_err!("{NAME}: depth must be 1 to {DEPTH_MAX}, got {}", quoted(&depth));
        };
        let direction = match constant(4, "reverse")? {
            ScalarValue::Boolean(Some(false)) => Direction::Forwards,
            ScalarValue::Boolean(Some(true)) => Direction::Backwards,
            other => return exec_err!("{NAME}: reverse must be true or false, got {}", quoted(&other)),
        };
        Ok(Self { start, depth, direction })
    }
}

/// The events of all groups: 20 bytes each.
#[derive(Debug)]
pub(crate) struct Walks {
    rules: Rules,
    events: NamedEvents,
}

impl Walks {
    fn new(rules: Rules) -> Self {
        Self { rules, events: NamedEvents::new(NAME) }
    }
}

impl Rules {
    /// Source and target of each step from start on.
    fn walk(&self, events: &[NamedEvent], names: &Names) -> Vec<(u32, u32)> {
        let mut path: Vec<u32> = events.iter().map(|event| event.name).collect();
        path.dedup();
        if matches!(self.direction, Direction::Backwards) {
            path.reverse();
        }
        let starts = |name: &u32| self.start.as_ref().is_none_or(|start| names.name(*name) == start);
        let Some(from) = path.iter().position(starts) else { return Vec::new() };
        let steps = path[from..].windows(2).take(self.depth);
        match self.direction {
            Direction::Forwards => steps.map(|step| (step[0], step[1])).collect(),
            Direction::Backwards => steps.map(|step| (step[1], step[0])).collect(),
        }
    }
}

impl GroupStates for Walks {
    fn fresh(&self) -> Self {
        Self::new(self.rules.clone())
    }

    fn grow(&mut self, groups: usize) {
        self.events.grow(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [ts, event, ..] = columns else {
            return exec_err!("{NAME}: 5 arguments are needed, got {}", columns.len());
        };
        let (ts, events) = (Instants::of(ts)?, event.as_string::<i32>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) && ts.is_valid(row) && events.is_valid(row) {
                self.events.push(group, ts.raw[row], events.value(row))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [events] = take_function_args(NAME, partials)?;
        self.events.merge(events, rows)
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        Ok(Self { rules: self.rules.clone(), events: self.events.take(groups) })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.events.partial()?])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let (mut steps, mut flows, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        let (groups, names) = self.events.in_order();
        for events in groups {
            let walked = self.rules.walk(events, names);
            lengths.push(walked.len());
            steps.extend(1..=walked.len() as i32);
            flows.extend(walked);
        }
        let bytes: usize = flows.iter().map(|(from, to)| names.name(*from).len() + names.name(*to).len()).sum();
        if i32::try_from(bytes).is_err() {
            return exec_err!("{NAME}: more than 2^31 bytes of event names in the groups of one partition");
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(steps)),
            Arc::new(StringArray::from_iter_values(flows.iter().map(|(from, _)| names.name(*from)))),
            Arc::new(StringArray::from_iter_values(flows.iter().map(|(_, to)| names.name(*to)))),
        ];
        let walked: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
        let flows = StructArray::try_new(flow_fields(), columns, None)?;
        Ok(Arc::new(ListArray::try_new(flow_field(), list_offsets(NAME, lengths)?, Arc::new(flows), Some(walked))?))
    }

    fn bytes(&self) -> usize {
        self.events.bytes()
    }
}
