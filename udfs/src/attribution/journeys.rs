//! Customers' paths over channels with what came of them: what the models of many paths are asked of.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, ListArray, StringArray, StringViewArray, StringViewBuilder, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{HashMap, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::path_column::{PathColumn, coerce_path};
use crate::amounts::{coerce_amount, sum_type};
use crate::definition::AggregateDefinition;
use crate::doubles::coerce_double;
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::names::Names;
use crate::sums::{Sum, amount_at, sum_array};

/// What came of all customers with one path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub conversions: f64,
    pub nulls: f64,
    pub value: Sum,
}

/// One path of a group: its channels are numbers in the order of their names.
#[derive(Debug)]
pub(super) struct Journey {
    pub channels: Vec<u32>,
    pub outcome: Outcome,
}

/// What is asked of the paths of a group: an aggregate of `(path, conversions, value, ...)`.
pub(crate) trait Model: Clone + Debug + Send + Sync + 'static {
    const NAME: &'static str;
    /// Where the count of customers who did not convert stands among the arguments, if it does.
    const NULLS: Option<usize>;

    fn documentation() -> &'static Documentation;
    /// As in `AggregateDefinition`.
    fn coerce(types: &[DataType]) -> Result<Vec<DataType>>;
    /// Reads the constant arguments.
    fn of(args: &AccumulatorArgs) -> Result<Self>;
    /// Brings a path into the form in which equal ones are counted together.
    fn shape(&self, channels: &mut Vec<u32>);
    /// The numbers that an answer tells of a channel, beside its value.
    fn measures() -> &'static [&'static str];
    /// Adds what the model says of each channel of a group, in their order.
    fn credit(&self, journeys: &Journeys, value: &DataType, credits: &mut Credits) -> Result<()>;
}

/// What a model says of all channels of all groups.
#[derive(Debug)]
pub(crate) struct Credits {
    /// One column a measure.
    pub(super) measures: Vec<Vec<Option<f64>>>,
    pub(super) values: Vec<Sum>,
}

/// The aggregate of the model M.
pub(super) struct Modelled<M>(PhantomData<M>);

impl<M: Model> AggregateDefinition for Modelled<M> {
    const NAME: &'static str = M::NAME;
    type States = States<M>;

    fn documentation() -> &'static Documentation {
        M::documentation()
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        M::coerce(types)
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(credit_field::<M>(&value_type(types)?)))
    }

    fn partials(types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("journeys", DataType::List(journey_field(&value_type(types)?)))])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(States::new(M::of(args)?, value_type(&types)?))
    }
}

fn credit_fields<M: Model>(value: &DataType) -> Fields {
    let channel = Field::new("channel", DataType::Utf8, true);
    let measures = M::measures().iter().map(|name| Field::new(*name, DataType::Float64, true));
    std::iter::once(channel).chain(measures).chain([Field::new("value", value.clone(), true)]).collect()
}

fn credit_field<M: Model>(value: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(credit_fields::<M>(value)), true))
}

/// The paths of one group in a fixed order, and the names of its channels in their order.
#[derive(Debug)]
pub(crate) struct Journeys {
    pub(super) channels: Vec<String>,
    pub(super) paths: Vec<Journey>,
}

/// The argument types of `(path, conversions, value [, nulls ...])` up to `types.len()` of them.
pub(super) fn coerce_journeys(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [path, conversions, value, nulls @ ..] = types else {
        return plan_err!("{function}: path, conversions and value are needed, got {} arguments", types.len());
    };
    let mut coerced = vec![
        coerce_path(function, path)?,
        coerce_double(function, "conversions", conversions)?,
        coerce_amount(function, "value", value)?,
    ];
    for nulls in nulls {
        coerced.push(coerce_double(function, "nulls", nulls)?);
    }
    Ok(coerced)
}

/// The type of the sum of values, given coerced arguments.
fn value_type(types: &[DataType]) -> Result<DataType> {
    match types.get(2) {
        Some(value) => Ok(sum_type(value)),
        None => plan_err!("path, conversions and value are needed"),
    }
}

fn channel_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Utf8View, false))
}

fn journey_fields(value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("path", DataType::List(channel_field()), false),
        Field::new("conversions", DataType::Float64, false),
        Field::new("nulls", DataType::Float64, false),
        Field::new("value", value.clone(), false),
    ])
}

fn journey_field(value: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(journey_fields(value)), false))
}

/// The rank of a name that a group does not use.
const UNUSED: u32 = u32::MAX;

/// Outcomes by path, of each group.
#[derive(Debug)]
pub(crate) struct States<M> {
    model: M,
    /// Type of the sum of values.
    value: DataType,
    names: Names,
    groups: Vec<HashMap<Box<[u32]>, Outcome>>,
    /// Bytes of all paths and outcomes.
    held: usize,
}

impl<M: Model> States<M> {
    fn new(model: M, value: DataType) -> Self {
        Self { model, value, names: Names::default(), groups: Vec::new(), held: 0 }
    }

    fn add(&mut self, group: usize, channels: &[u32], outcome: Outcome) -> Result<()> {
        match self.groups[group].get_mut(channels) {
            Some(known) => {
                known.conversions += outcome.conversions;
                known.nulls += outcome.nulls;
                known.value = known
                    .value
                    .plus(outcome.value)
                    .ok_or_else(|| exec_datafusion_err!("{}: the sum of value is out of range", M::NAME))?;
            }
            None => {
                let held = self.groups[group].allocation_size();
                self.groups[group].insert(channels.into(), outcome);
                self.held += self.groups[group].allocation_size() - held + size_of_val(channels);
            }
        }
        Ok(())
    }

    /// What each group holds.
    fn journeys(&self) -> Vec<Journeys> {
        let mut ranks = vec![UNUSED; self.names.iter().len()];
        self.groups.iter().map(|outcomes| self.journeys_of(outcomes, &mut ranks)).collect()
    }

    /// Numbers by the order of names, so that nothing depends on how rows were spread. `ranks` has room for each name and is left as it was: unused.
    fn journeys_of(&self, outcomes: &HashMap<Box<[u32]>, Outcome>, ranks: &mut [u32]) -> Journeys {
        let mut used: Vec<u32> = Vec::new();
        for number in outcomes.keys().flatten() {
            let rank = &mut ranks[*number as usize];
            if *rank == UNUSED {
                *rank = 0;
                used.push(*number);
            }
        }
        used.sort_unstable_by_key(|number| self.names.name(*number));
        for (rank, number) in used.iter().enumerate() {
            ranks[*number as usize] = rank as u32;
        }
        let mut paths: Vec<Journey> = outcomes
            .iter()
            .map(|(path, outcome)| {
                let mut channels = path.iter().map(|number| ranks[*number as usize]).collect();
                self.model.shape(&mut channels);
                Journey { channels, outcome: *outcome }
            })
            .collect();
        paths.sort_unstable_by(|one, two| one.channels.cmp(&two.channels));
        for number in &used {
            ranks[*number as usize] = UNUSED;
        }
        Journeys { channels: used.iter().map(|number| self.names.name(*number).to_owned()).collect(), paths }
    }
}

impl<M: Model> GroupStates for States<M> {
    fn fresh(&self) -> Self {
        Self::new(self.model.clone(), self.value.clone())
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, HashMap::new);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [path, conversions, value, ..] = columns else {
            return exec_err!("{}: path, conversions and value are needed", M::NAME);
        };
        let paths = PathColumn::of(path);
        let counts = |column: Option<&ArrayRef>| column.map(|column| column.as_primitive::<Float64Type>().clone());
        let (conversions, nulls) = (counts(Some(conversions)), counts(M::NULLS.and_then(|index| columns.get(index))));
        let mut channels = Vec::new();
        for (row, &group) in rows.groups.iter().enumerate() {
            if !rows.passes(row) {
                continue;
            }
            let (Some(conversions), Some(nulls)) = (count_at(conversions.as_ref(), row), count_at(nulls.as_ref(), row))
            else {
                continue;
            };
            channels.clear();
            paths.each(row, |name| channels.push(self.names.number(name)));
            if channels.is_empty() {
                continue;
            }
            self.model.shape(&mut channels);
            let value = amount_at(value, row).unwrap_or(Sum::zero(&self.value));
            self.add(group, &channels, Outcome { conversions, nulls, value })?;
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(M::NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let each = lists.values().as_struct();
        let paths = each.column(0).as_list::<i32>();
        let names: &StringViewArray = paths.values().as_string_view();
        let (conversions, nulls) =
            (each.column(1).as_primitive::<Float64Type>(), each.column(2).as_primitive::<Float64Type>());
        let values = each.column(3);
        let mut channels = Vec::new();
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for path in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                channels.clear();
                for index in paths.value_offsets()[path] as usize..paths.value_offsets()[path + 1] as usize {
                    channels.push(self.names.number(names.value(index)));
                }
                // A set is sorted by numbers, which are others here.
                self.model.shape(&mut channels);
                let value = amount_at(values, path).unwrap_or(Sum::zero(&self.value));
                let outcome = Outcome { conversions: conversions.value(path), nulls: nulls.value(path), value };
                self.add(group, &channels, outcome)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        let mut taken = self.fresh();
        taken.grow(groups);
        for (group, outcomes) in std::mem::replace(&mut self.groups, rest).into_iter().enumerate() {
            self.held -= outcomes.allocation_size();
            for (path, outcome) in outcomes {
                self.held -= size_of_val(path.as_ref());
                let mut channels: Vec<u32> =
                    path.iter().map(|number| taken.names.number(self.names.name(*number))).collect();
                taken.model.shape(&mut channels);
                taken.add(group, &channels, outcome)?;
            }
        }
        Ok(taken)
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let journeys = || self.groups.iter().flatten();
        // Views share the bytes of a repeated name, so that many touches do not outgrow 32-bit offsets.
        let mut names = StringViewBuilder::new().with_deduplicate_strings();
        for (channels, _) in journeys() {
            for channel in channels {
                names.append_value(self.names.name(*channel));
            }
        }
        let lengths = list_offsets(M::NAME, journeys().map(|(channels, _)| channels.len()))?;
        let column = |number: fn(&Outcome) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(journeys().map(|(_, outcome)| number(outcome))))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ListArray::try_new(channel_field(), lengths, Arc::new(names.finish()), None)?),
            column(|outcome| outcome.conversions),
            column(|outcome| outcome.nulls),
            sum_array(journeys().map(|(_, outcome)| Some(outcome.value)), &self.value),
        ];
        let structs = StructArray::try_new(journey_fields(&self.value), columns, None)?;
        let offsets = list_offsets(M::NAME, self.groups.iter().map(HashMap::len))?;
        Ok(vec![Arc::new(ListArray::try_new(journey_field(&self.value), offsets, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let groups = self.journeys();
        let mut credits = Credits { measures: vec![Vec::new(); M::measures().len()], values: Vec::new() };
        for journeys in &groups {
            self.model.credit(journeys, &self.value, &mut credits)?;
        }
        let channels: Vec<&String> = groups.iter().flat_map(|journeys| &journeys.channels).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(channels))];
        columns.extend(credits.measures.into_iter().map(|numbers| Arc::new(Float64Array::from(numbers)) as ArrayRef));
        columns.push(sum_array(credits.values.into_iter().map(Some), &self.value));
        let structs = StructArray::try_new(credit_fields::<M>(&self.value), columns, None)?;
        let seen: NullBuffer = groups.iter().map(|journeys| !journeys.paths.is_empty()).collect();
        let lengths = list_offsets(M::NAME, groups.iter().map(|journeys| journeys.channels.len()))?;
        Ok(Arc::new(ListArray::try_new(credit_field::<M>(&self.value), lengths, Arc::new(structs), Some(seen))?))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<HashMap<Box<[u32]>, Outcome>>() + self.held + self.names.bytes()
    }
}

/// A count of customers: NULL counts as none, None where it is negative or not finite.
fn count_at(column: Option<&Float64Array>, row: usize) -> Option<f64> {
    let Some(column) = column else { return Some(0.0) };
    let count = if column.is_valid(row) { column.value(row) } else { 0.0 };
    (count >= 0.0 && count.is_finite()).then_some(count)
}

/// The sum of all values of a group, an error beyond 38 digits.
pub(super) fn total_value(function: &str, journeys: &Journeys, value: &DataType) -> Result<Sum> {
    let mut total = Sum::zero(value);
    for journey in &journeys.paths {
        total = total
            .plus(journey.outcome.value)
            .ok_or_else(|| exec_datafusion_err!("{function}: the sum of value is out of range"))?;
    }
    Ok(total)
}
