//! `km_survival`: the share that lasts longer than each duration, by Kaplan and Meier.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Float64Builder, Int64Array, Int64Builder, ListArray, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::durations::{Count, Counts, coerce_event, duration_key, duration_of};
use crate::constants::{aggregate_constant, quoted, text};
use crate::definition::{AggregateDefinition, expect_arguments};
use crate::documents::{Entry, SURVIVAL};
use crate::doubles::coerce_double;
use crate::groups::{GroupStates, Rows, list_offsets};

const NAME: &str = "km_survival";
const RULE: &str = "'log' or 'log-log'";
/// The normal distribution's quantile of 0.975.
const Z: f64 = 1.959_963_984_540_054;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SURVIVAL,
        description: "Kaplan and Meier's estimate of survival: the share of customers who last longer than t. \
            Gives list<struct{t DOUBLE, at_risk BIGINT, events BIGINT, s DOUBLE, lo DOUBLE, hi DOUBLE}>, an element a distinct duration in rising order: \
            who lasted until t at least, how many ended at t, the share that lasts longer, and its bounds of 95 % confidence by Greenwood's variance \
            of the logarithm ('log', R's default) or of the log of the negative logarithm ('log-log'), NULL once nobody is left. \
            The median is the first t with s <= 0.5. A row with a NULL, or a duration that is negative or not finite, is left out; NULL without a row. \
            The state grows by some 40 bytes a distinct duration. \
            Source: E. Kaplan, P. Meier, Nonparametric Estimation from Incomplete Observations, JASA 53, 1958; compared with R's survfit.",
        syntax: "km_survival(duration double precision, event boolean [, ci text]) -> json",
        arguments: &[
            ("duration", "How long the customer was seen, 0 or more, in any unit."),
            ("event", "True when the customer was lost then, false when only the observation ended (censored)."),
            ("ci", "Constant 'log' or 'log-log': the scale of the confidence bounds. Default 'log'."),
        ],
        example: "SELECT k['t'], k['s'] FROM (SELECT unnest(km_survival(days, is_lost)) AS k FROM (VALUES (5, true), (7, false), (9, true)) AS t(days, is_lost))",
        related: &["logrank_test", "lifecycle_stage"],
    }
    .build()
});

/// The aggregate `km_survival(duration, event [, ci])`.
pub struct KmSurvival;

impl AggregateDefinition for KmSurvival {
    const NAME: &'static str = NAME;
    type States = States;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        expect_arguments(NAME, types, 2, 3)?;
        let mut coerced = vec![coerce_double(NAME, "duration", &types[0])?, coerce_event(NAME, &types[1])?];
        coerced.extend(types.get(2).map(|_| DataType::Utf8));
        Ok(coerced)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(point_field()))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("durations", DataType::List(count_field()))])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let scale = match aggregate_constant(args, NAME, 2, "ci")? {
            None => Scale::Log,
            Some(ci) => match text(&ci, NAME, "ci", RULE)?.as_str() {
                "log" => Scale::Log,
                "log-log" => Scale::LogLog,
                _ => return exec_err!("{NAME}: ci must be {RULE}, got {}", quoted(&ci)),
            },
        };
        Ok(States { scale, groups: Vec::new(), held: 0 })
    }
}

fn point_fields() -> Fields {
    Fields::from(vec![
        Field::new("t", DataType::Float64, true),
        Field::new("at_risk", DataType::Int64, true),
        Field::new("events", DataType::Int64, true),
        Field::new("s", DataType::Float64, true),
        Field::new("lo", DataType::Float64, true),
        Field::new("hi", DataType::Float64, true),
    ])
}

fn point_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(point_fields()), true))
}

fn count_fields() -> Fields {
    Fields::from(vec![
        Field::new("duration", DataType::Float64, false),
        Field::new("events", DataType::Int64, false),
        Field::new("censored", DataType::Int64, false),
    ])
}

fn count_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(count_fields()), false))
}

/// What the confidence bounds are symmetric in.
#[derive(Debug, Clone, Copy)]
enum Scale {
    Log,
    LogLog,
}

/// Counts by duration, of each group.
#[derive(Debug)]
pub(crate) struct States {
    scale: Scale,
    groups: Vec<Counts>,
    /// Bytes of all counts.
    held: usize,
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self { scale: self.scale, groups: Vec::new(), held: 0 }
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, Counts::default);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [duration, event, ..] = columns else {
            return exec_err!("{NAME}: duration and event are needed");
        };
        let (durations, events) = (duration.as_primitive::<Float64Type>(), event.as_boolean());
        for (row, &group) in rows.groups.iter().enumerate() {
            if !rows.passes(row) || events.is_null(row) {
                continue;
            }
            if let Some(key) = duration_key(durations, row) {
                self.held += self.groups[group].add(key, Count::one(events.value(row)));
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let each = lists.values().as_struct();
        let durations = each.column(0).as_primitive::<Float64Type>();
        let [events, censored] = [1, 2].map(|column| each.column(column).as_primitive::<Int64Type>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for index in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                if let Some(key) = duration_key(durations, index) {
                    let count = Count { events: events.value(index), censored: censored.value(index) };
                    self.held += self.groups[group].add(key, count);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        let taken = std::mem::replace(&mut self.groups, rest);
        let held = taken.iter().map(Counts::bytes).sum();
        self.held -= held;
        Ok(Self { scale: self.scale, groups: taken, held })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let counts: Vec<(u64, Count)> = self.groups.iter().flat_map(Counts::in_order).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Float64Array::from_iter_values(counts.iter().map(|(key, _)| duration_of(*key)))),
            Arc::new(Int64Array::from_iter_values(counts.iter().map(|(_, count)| count.events))),
            Arc::new(Int64Array::from_iter_values(counts.iter().map(|(_, count)| count.censored))),
        ];
        let offsets = list_offsets(NAME, self.groups.iter().map(Counts::len))?;
        let structs = StructArray::try_new(count_fields(), columns, None)?;
        Ok(vec![Arc::new(ListArray::try_new(count_field(), offsets, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let mut points = Points::default();
        for counts in &self.groups {
            points.estimate(counts, self.scale);
        }
        let seen: NullBuffer = self.groups.iter().map(|counts| !counts.is_empty()).collect();
        let offsets = list_offsets(NAME, self.groups.iter().map(Counts::len))?;
        let structs = StructArray::try_new(point_fields(), points.finish(), None)?;
        Ok(Arc::new(ListArray::try_new(point_field(), offsets, Arc::new(structs), Some(seen))?))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Counts>() + self.held
    }
}

/// The columns of the result.
#[derive(Debug, Default)]
struct Points {
    t: Float64Builder,
    at_risk: Int64Builder,
    events: Int64Builder,
    s: Float64Builder,
    lo: Float64Builder,
    hi: Float64Builder,
}

impl Points {
    fn estimate(&mut self, counts: &Counts, scale: Scale) {
        let mut at_risk = counts.rows();
        let (mut survival, mut variance) = (1.0, 0.0);
        for (key, count) in counts.in_order() {
            let (risk, events) = (at_risk as f64, count.events as f64);
            survival *= 1.0 - events / risk;
            // Greenwood's variance of the logarithm.
            variance += events / (risk * (risk - events));
            let bounds = (survival > 0.0).then(|| scale.bounds(survival, variance.sqrt()));
            self.t.append_value(duration_of(key));
            self.at_risk.append_value(at_risk);
            self.events.append_value(count.events);
            self.s.append_value(survival);
            self.lo.append_option(bounds.map(|(lo, _)| lo));
            self.hi.append_option(bounds.map(|(_, hi)| hi));
            at_risk -= count.rows();
        }
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.t.finish()),
            Arc::new(self.at_risk.finish()),
            Arc::new(self.events.finish()),
            Arc::new(self.s.finish()),
            Arc::new(self.lo.finish()),
            Arc::new(self.hi.finish()),
        ]
    }
}

impl Scale {
    fn bounds(self, survival: f64, deviation: f64) -> (f64, f64) {
        match self {
            Self::Log => {
                let half = (Z * deviation).exp();
                (survival / half, (survival * half).min(1.0))
            }
            Self::LogLog if survival == 1.0 => (1.0, 1.0),
            Self::LogLog => {
                let half = (Z * deviation / survival.ln()).exp();
                (survival.powf(1.0 / half), survival.powf(half))
            }
        }
    }
}
