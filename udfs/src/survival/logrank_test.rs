//! `logrank_test`: whether groups of customers last equally long.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringViewBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::durations::{Count, Counts, coerce_event, duration_key, duration_of};
use crate::definition::AggregateDefinition;
use crate::documents::{Entry, SURVIVAL};
use crate::doubles::coerce_double;
use crate::experiments::arms::{arm_fits, coerce_arm};
use crate::groups::{GroupStates, Rows, list_offsets, tree_bytes};
use crate::linear::solve;
use crate::tails::chi_square;

const NAME: &str = "logrank_test";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: SURVIVAL,
        description: "The log-rank test of the hypothesis that all arms last equally long: \
            struct{chi2 DOUBLE, df BIGINT, p_value DOUBLE, n BIGINT}, the statistic (chi-square with df degrees of freedom, arms less one), \
            its upper tail, and the rows used. Every time weighs the same. chi2 and p_value are NULL with fewer than two arms, or where no time tells arms apart. \
            A row with a NULL, or a duration that is negative or not finite, is left out; NULL without a row. An error beyond 100 arms. \
            The state grows by some 40 bytes a distinct duration of an arm. \
            Source: R. Peto, J. Peto, Asymptotically Efficient Rank Invariant Test Procedures, JRSS A 135, 1972; compared with R's survdiff.",
        syntax: "logrank_test(duration double precision, event boolean, arm text) -> json",
        arguments: &[
            ("duration", "How long the customer was seen, 0 or more, in any unit."),
            ("event", "True when the customer was lost then, false when only the observation ended (censored)."),
            ("arm", "Name or number of the group that is compared."),
        ],
        example: "SELECT logrank_test(days, is_lost, channel) FROM (VALUES (5, true, 'ads'), (7, false, 'mail'), (9, true, 'mail')) AS t(days, is_lost, channel)",
        related: &["km_survival"],
    }
    .build()
});

/// The aggregate `logrank_test(duration, event, arm)`.
pub struct LogrankTest;

impl AggregateDefinition for LogrankTest {
    const NAME: &'static str = NAME;
    type States = States;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [duration, event, arm] = take_function_args(NAME, types)?;
        Ok(vec![coerce_double(NAME, "duration", duration)?, coerce_event(NAME, event)?, coerce_arm(NAME, arm)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(test_fields()))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("durations", DataType::List(count_field()))])
    }

    fn states(_args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(States::default())
    }
}

fn test_fields() -> Fields {
    Fields::from(vec![
        Field::new("chi2", DataType::Float64, true),
        Field::new("df", DataType::Int64, true),
        Field::new("p_value", DataType::Float64, true),
        Field::new("n", DataType::Int64, true),
    ])
}

fn count_fields() -> Fields {
    Fields::from(vec![
        Field::new("arm", DataType::Utf8View, false),
        Field::new("duration", DataType::Float64, false),
        Field::new("events", DataType::Int64, false),
        Field::new("censored", DataType::Int64, false),
    ])
}

fn count_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(count_fields()), false))
}

type Arms = BTreeMap<String, Counts>;

/// Counts by duration of each arm, of each group.
#[derive(Debug, Default)]
pub(crate) struct States {
    groups: Vec<Arms>,
    /// Bytes of all arms.
    held: usize,
}

impl States {
    fn add(&mut self, group: usize, arm: &str, key: u64, count: Count) -> Result<()> {
        let arms = &mut self.groups[group];
        if !arms.contains_key(arm) {
            arm_fits(NAME, arms.len())?;
            self.held += tree_bytes::<String, Counts>(arms.len() + 1) - tree_bytes::<String, Counts>(arms.len());
            self.held += arm.len();
            arms.insert(arm.to_owned(), Counts::default());
        }
        if let Some(counts) = arms.get_mut(arm) {
            self.held += counts.add(key, count);
        }
        Ok(())
    }

    fn counts(&self) -> Vec<(&String, u64, Count)> {
        let arms = self.groups.iter().flatten();
        arms.flat_map(|(arm, counts)| counts.in_order().into_iter().map(move |(key, count)| (arm, key, count)))
            .collect()
    }
}

fn arms_bytes(arms: &Arms) -> usize {
    let counts: usize = arms.iter().map(|(arm, counts)| arm.len() + counts.bytes()).sum();
    tree_bytes::<String, Counts>(arms.len()) + counts
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self::default()
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, Arms::new);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [duration, event, arm] = take_function_args(NAME, columns)?;
        let (durations, events, arms) =
            (duration.as_primitive::<Float64Type>(), event.as_boolean(), arm.as_string::<i32>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if !rows.passes(row) || events.is_null(row) || arms.is_null(row) {
                continue;
            }
            if let Some(key) = duration_key(durations, row) {
                self.add(group, arms.value(row), key, Count::one(events.value(row)))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let each = lists.values().as_struct();
        let (arms, durations) = (each.column(0).as_string_view(), each.column(1).as_primitive::<Float64Type>());
        let [events, censored] = [2, 3].map(|column| each.column(column).as_primitive::<Int64Type>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for index in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                if let Some(key) = duration_key(durations, index) {
                    let count = Count { events: events.value(index), censored: censored.value(index) };
                    self.add(group, arms.value(index), key, count)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        let taken = std::mem::replace(&mut self.groups, rest);
        let held = taken.iter().map(arms_bytes).sum();
        self.held -= held;
        Ok(Self { groups: taken, held })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let counts = self.counts();
        let mut arms = StringViewBuilder::new().with_deduplicate_strings();
        for (arm, _, _) in &counts {
            arms.append_value(arm);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(arms.finish()),
            Arc::new(Float64Array::from_iter_values(counts.iter().map(|(_, key, _)| duration_of(*key)))),
            Arc::new(Int64Array::from_iter_values(counts.iter().map(|(_, _, count)| count.events))),
            Arc::new(Int64Array::from_iter_values(counts.iter().map(|(_, _, count)| count.censored))),
        ];
        let lengths = self.groups.iter().map(|arms| arms.values().map(Counts::len).sum());
        let offsets = list_offsets(NAME, lengths)?;
        let structs = StructArray::try_new(count_fields(), columns, None)?;
        Ok(vec![Arc::new(ListArray::try_new(count_field(), offsets, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let seen: NullBuffer = self.groups.iter().map(|arms| !arms.is_empty()).collect();
        let known = |arms: &Arms, number: i64| (!arms.is_empty()).then_some(number);
        let statistics: Vec<Option<f64>> = self.groups.iter().map(statistic).collect();
        let p_values = self
            .groups
            .iter()
            .zip(&statistics)
            .map(|(arms, statistic)| (*statistic).map(|chi2| chi_square(chi2, (arms.len() - 1) as f64)));
        let rows = |arms: &Arms| arms.values().map(Counts::rows).sum();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(statistics.iter().copied().collect::<Float64Array>()),
            Arc::new(self.groups.iter().map(|arms| known(arms, arms.len() as i64 - 1)).collect::<Int64Array>()),
            Arc::new(p_values.collect::<Float64Array>()),
            Arc::new(self.groups.iter().map(|arms| known(arms, rows(arms))).collect::<Int64Array>()),
        ];
        Ok(Arc::new(StructArray::try_new(test_fields(), columns, Some(seen))?))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Arms>() + self.held
    }
}

/// The quadratic form of observed less expected events in the inverse of their covariance, of all arms but the last.
fn statistic(arms: &Arms) -> Option<f64> {
    let others = arms.len().checked_sub(1).filter(|others| *others > 0)?;
    let mut at_risk: Vec<f64> = arms.values().map(|counts| counts.rows() as f64).collect();
    let mut times: BTreeMap<u64, Vec<Count>> = BTreeMap::new();
    for (arm, counts) in arms.values().enumerate() {
        for (key, count) in counts.in_order() {
            times.entry(key).or_insert_with(|| vec![Count::default(); arms.len()])[arm] = count;
        }
    }
    let mut excess = vec![0.0; others];
    let mut covariance = vec![vec![0.0; others]; others];
    for counts in times.values() {
        let (risk, events): (f64, f64) = (at_risk.iter().sum(), counts.iter().map(|count| count.events as f64).sum());
        if events > 0.0 {
            let spread = if risk > 1.0 { events * (risk - events) / (risk - 1.0) } else { 0.0 };
            for arm in 0..others {
                let share = at_risk[arm] / risk;
                excess[arm] += counts[arm].events as f64 - events * share;
                for other in 0..others {
                    let same = if arm == other { 1.0 } else { 0.0 };
                    covariance[arm][other] += spread * share * (same - at_risk[other] / risk);
                }
            }
        }
        for (risk, count) in at_risk.iter_mut().zip(counts) {
            *risk -= count.rows() as f64;
        }
    }
    let solved = solve(covariance, excess.clone())?;
    Some(excess.iter().zip(&solved).map(|(one, two)| one * two).sum::<f64>()).filter(|chi2| chi2.is_finite())
}
