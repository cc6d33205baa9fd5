//! `customer_journeys`: a customer's touches and conversions, cut into one journey a conversion.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringViewBuilder, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, TimeUnit};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use crate::amounts::coerce_amount;
use crate::calendar::{Instants, coerce_time};
use crate::constants::{aggregate_constant, coerce_text, quoted};
use crate::definition::{AggregateDefinition, expect_arguments};
use crate::documents::{ATTRIBUTION, Entry};
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::names::Names;
use crate::row_log::RowLog;
use crate::sums::{Sum, amount_at, sum_array};
use crate::windows::{coerce_window, window_micros};

const NAME: &str = "customer_journeys";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: ATTRIBUTION,
        description: "A customer's touches and conversions cut into journeys, the rows that markov_attribution and shapley_attribution take; one group is one customer. \
            A row with a NULL value is a touch of its channel, one with a value is a conversion. Gives \
            list<struct{ts, path TEXT[], conversions DOUBLE, value, nulls DOUBLE}> in order of time: each conversion ends a journey of the touches since the conversion before it, \
            with ts its time (microseconds in the zone of ts), conversions 1 and nulls 0; touches after the last conversion are a journey with ts the last touch, conversions 0, nulls 1 and a NULL value. \
            A touch at the time of a conversion comes before it; those of one time are taken in the order of their channel's name. Touches older than lookback before the journey's ts are left out. \
            A conversion without a touch has its own channel as its path; it is left out where that is NULL. Rows with a NULL ts, or with neither channel nor value, are left out; NULL without a journey. \
            No join: a customer's rows are read once and sorted. The state grows by 20 bytes a row, and 32 more a conversion. Source: definition, journeys as in R's ChannelAttribution.",
        syntax: "customer_journeys(ts timestamptz, channel text, value numeric [, lookback interval]) -> json",
        arguments: &[
            ("ts", "Time of the touch or conversion: date or timestamp of any unit."),
            ("channel", "Channel of the touch, or where the conversion was made."),
            ("value", "Value of the conversion in money; NULL says that the row is a touch."),
            ("lookback", "Constant interval or number of days, 0 or more: how old a touch may be. Default and NULL: any age."),
        ],
        example: "SELECT unnest(markov_attribution(j['path'], j['conversions'], j['value'], j['nulls'], 1)) FROM (SELECT unnest(customer_journeys(ts, channel, value, 30)) AS j\nFROM (SELECT one_id, touched_at AS ts, channel, NULL AS value FROM touches UNION ALL SELECT one_id, paid_at, NULL, amount FROM orders) GROUP BY one_id)",
        related: &["touch_path", "attribute", "markov_attribution", "shapley_attribution"],
    }
    .build()
});

/// The aggregate `customer_journeys(ts, channel, value [, lookback])`.
pub struct CustomerJourneys;

impl AggregateDefinition for CustomerJourneys {
    const NAME: &'static str = NAME;
    type States = Customers;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, 3, 4)?;
        let zone = match coerce_time(NAME, "ts", &types[0])? {
            DataType::Timestamp(_, zone) => zone,
            _ => None,
        };
        let mut coerced = vec![
            DataType::Timestamp(TimeUnit::Microsecond, zone),
            coerce_text(NAME, "channel", &types[1])?,
            coerce_amount(NAME, "value", &types[2])?,
        ];
        for window in &types[3..] {
            coerced.push(coerce_window(NAME, "lookback", window)?);
        }
        Ok(coerced)
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        let [ts, _, value, ..] = types else { return plan_err!("{NAME}: 3 or 4 arguments are needed") };
        Ok(DataType::List(journey_field(ts, value)))
    }

    fn partials(types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        let [_, _, value, ..] = types else { return plan_err!("{NAME}: 3 or 4 arguments are needed") };
        Ok(vec![("steps", DataType::List(step_field(value)))])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let [ts, _, value, ..] = args.expr_fields else {
            return exec_err!("{NAME}: 3 or 4 arguments are needed, got {}", args.expr_fields.len());
        };
        let given = aggregate_constant(args, NAME, 3, "lookback")?;
        let lookback = match &given {
            Some(given) => window_micros(NAME, "lookback", given)?,
            None => None,
        };
        if lookback.is_some_and(|lookback| lookback < 0.0) {
            let given = given.as_ref().map_or_else(String::new, quoted);
            return exec_err!("{NAME}: lookback must be 0 or more, got {given}");
        }
        Ok(Customers::new(Rules { ts: ts.data_type().clone(), value: value.data_type().clone(), lookback }))
    }
}

fn journey_fields(ts: &DataType, value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("ts", ts.clone(), true),
        Field::new("path", DataType::List(channel_field()), true),
        Field::new("conversions", DataType::Float64, true),
        Field::new("value", value.clone(), true),
        Field::new("nulls", DataType::Float64, true),
    ])
}

fn journey_field(ts: &DataType, value: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(journey_fields(ts, value)), true))
}

fn channel_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Utf8View, true))
}

fn step_fields(value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("ts", DataType::Int64, false),
        Field::new("channel", DataType::Utf8View, true),
        Field::new("value", value.clone(), true),
    ])
}

fn step_field(value: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(step_fields(value)), false))
}

/// How the arguments are read.
#[derive(Debug, Clone)]
struct Rules {
    ts: DataType,
    value: DataType,
    /// Microseconds; None for any age.
    lookback: Option<f64>,
}

/// A touch or a conversion.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Microseconds since 1970.
    ts: i64,
    /// The number of its name.
    channel: Option<NonZeroU32>,
    /// The place of its value among the values.
    value: Option<NonZeroU32>,
}

/// The steps of all customers, each of which is a group.
#[derive(Debug)]
pub(crate) struct Customers {
    rules: Rules,
    log: RowLog<Step>,
    values: Vec<Sum>,
    names: Names,
}

impl Customers {
    fn new(rules: Rules) -> Self {
        Self { rules, log: RowLog::new(), values: Vec::new(), names: Names::default() }
    }

    fn push(&mut self, group: usize, ts: i64, channel: Option<&str>, value: Option<Sum>) -> Result<()> {
        if channel.is_none() && value.is_none() {
            return Ok(());
        }
        let channel = channel.and_then(|channel| NonZeroU32::new(self.names.number(channel) + 1));
        let value = match value {
            Some(value) => Some(self.place(value)?),
            None => None,
        };
        self.log.push(NAME, group, Step { ts, channel, value })
    }

    fn place(&mut self, value: Sum) -> Result<NonZeroU32> {
        self.values.push(value);
        let place = u32::try_from(self.values.len()).ok().and_then(NonZeroU32::new);
        place.ok_or_else(|| exec_datafusion_err!("{NAME}: more than 2^32 conversions in one partition"))
    }
}

/// What steps refer to.
#[derive(Clone, Copy)]
struct Referred<'a> {
    values: &'a [Sum],
    names: &'a Names,
}

impl<'a> Referred<'a> {
    fn channel(self, step: &Step) -> Option<&'a str> {
        step.channel.map(|channel| self.names.name(channel.get() - 1))
    }

    fn value(self, step: &Step) -> Option<Sum> {
        self.values.get(step.value?.get() as usize - 1).copied()
    }

    /// By time, touches before conversions, then channel and value, so that nothing depends on how rows were spread.
    fn sort(self, steps: &mut [Step]) {
        steps.sort_unstable_by(|one, two| {
            let by_kind = (one.ts, one.value.is_some()).cmp(&(two.ts, two.value.is_some()));
            by_kind
                .then_with(|| self.channel(one).cmp(&self.channel(two)))
                .then_with(|| self.value(one).partial_cmp(&self.value(two)).unwrap_or(Ordering::Equal))
        });
    }
}

/// The columns of journeys.
struct Columns {
    ts: Vec<i64>,
    /// Channels of all paths, and the length of each.
    channels: StringViewBuilder,
    lengths: Vec<usize>,
    /// None for a journey without a conversion.
    values: Vec<Option<Sum>>,
}

impl Columns {
    /// Adds the journeys of sorted steps; how many they are.
    fn add(&mut self, steps: &[Step], referred: Referred<'_>, lookback: Option<f64>) -> usize {
        let known = self.lengths.len();
        for journey in steps.split_inclusive(|step| step.value.is_some()) {
            let Some(last) = journey.last() else { continue };
            let is_recent =
                |touch: &&Step| lookback.is_none_or(|lookback| last.ts.saturating_sub(touch.ts) as f64 <= lookback);
            let touches = journey.iter().filter(|step| step.value.is_none()).filter(is_recent);
            let mut path: Vec<&str> = touches.filter_map(|touch| referred.channel(touch)).collect();
            if path.is_empty() {
                path.extend(referred.channel(last));
            }
            if path.is_empty() {
                continue;
            }
            for channel in &path {
                self.channels.append_value(channel);
            }
            self.ts.push(last.ts);
            self.lengths.push(path.len());
            self.values.push(referred.value(last));
        }
        self.lengths.len() - known
    }

    fn finish(mut self, rules: &Rules) -> Result<StructArray> {
        let converted = |one: f64, none: f64| -> ArrayRef {
            let counts = self.values.iter().map(|value| if value.is_some() { one } else { none });
            Arc::new(Float64Array::from_iter_values(counts))
        };
        let offsets = list_offsets(NAME, self.lengths)?;
        let paths = ListArray::try_new(channel_field(), offsets, Arc::new(self.channels.finish()), None)?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from(self.ts).with_data_type(rules.ts.clone())),
            Arc::new(paths),
            converted(1.0, 0.0),
            sum_array(self.values.iter().copied(), &rules.value),
            converted(0.0, 1.0),
        ];
        Ok(StructArray::try_new(journey_fields(&rules.ts, &rules.value), columns, None)?)
    }
}

impl GroupStates for Customers {
    fn fresh(&self) -> Self {
        Self::new(self.rules.clone())
    }

    fn grow(&mut self, groups: usize) {
        self.log.grow(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [ts, channels, values, ..] = columns else {
            return exec_err!("{NAME}: 3 or 4 arguments are needed, got {}", columns.len());
        };
        let (ts, channels) = (Instants::of(ts)?, channels.as_string::<i32>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) && ts.is_valid(row) {
                let channel = channels.is_valid(row).then(|| channels.value(row));
                self.push(group, ts.raw[row], channel, amount_at(values, row))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let each = lists.values().as_struct();
        let (times, channels) = (each.column(0).as_primitive::<Int64Type>(), each.column(1).as_string_view());
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for step in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                let channel = channels.is_valid(step).then(|| channels.value(step));
                self.push(group, times.value(step), channel, amount_at(each.column(2), step))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let (mut taken, mut kept) = (self.fresh(), self.fresh());
        (taken.log, kept.log) = (self.log.take(groups), std::mem::replace(&mut self.log, RowLog::new()));
        let referred = Referred { values: &self.values, names: &self.names };
        for customers in [&mut taken, &mut kept] {
            let Self { log, values, names, .. } = customers;
            for step in log.rows_mut() {
                step.channel = referred.channel(step).and_then(|name| NonZeroU32::new(names.number(name) + 1));
                if let Some(value) = referred.value(step) {
                    values.push(value);
                    step.value = NonZeroU32::new(values.len() as u32);
                }
            }
        }
        *self = kept;
        Ok(taken)
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let lengths: Vec<usize> = self.log.by_group().map(|own| own.len()).collect();
        let referred = Referred { values: &self.values, names: &self.names };
        let steps = self.log.rows();
        // Views share the bytes of a repeated name, so that many steps do not outgrow 32-bit offsets.
        let mut channels = StringViewBuilder::with_capacity(steps.len()).with_deduplicate_strings();
        for step in steps {
            channels.append_option(referred.channel(step));
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(steps.iter().map(|step| step.ts))),
            Arc::new(channels.finish()),
            sum_array(steps.iter().map(|step| referred.value(step)), &self.rules.value),
        ];
        let structs = StructArray::try_new(step_fields(&self.rules.value), columns, None)?;
        let offsets = list_offsets(NAME, lengths)?;
        Ok(vec![Arc::new(ListArray::try_new(step_field(&self.rules.value), offsets, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let referred = Referred { values: &self.values, names: &self.names };
        // Views share the bytes of a repeated name.
        let channels = StringViewBuilder::new().with_deduplicate_strings();
        let mut columns = Columns { ts: Vec::new(), channels, lengths: Vec::new(), values: Vec::new() };
        let mut journeys = Vec::new();
        for steps in self.log.by_group() {
            referred.sort(steps);
            journeys.push(columns.add(steps, referred, self.rules.lookback));
        }
        let structs = columns.finish(&self.rules)?;
        let seen: NullBuffer = journeys.iter().map(|journeys| *journeys > 0).collect();
        let field = journey_field(&self.rules.ts, &self.rules.value);
        Ok(Arc::new(ListArray::try_new(field, list_offsets(NAME, journeys)?, Arc::new(structs), Some(seen))?))
    }

    fn bytes(&self) -> usize {
        self.log.bytes() + self.values.capacity() * size_of::<Sum>() + self.names.bytes()
    }
}
