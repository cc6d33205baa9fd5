//! The events of each person with the conditions they meet: what funnels and sequences are asked of.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, ListArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int32Type, Int64Type, TimeUnit};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err, plan_err};

use crate::calendar::{Instants, coerce_time};
use crate::groups::{GroupStates, Rows, list_offsets};

/// One bit a condition.
pub(super) const CONDITIONS_MAX: usize = 32;

/// An event of the person that is group `group`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    group: u32,
    /// Microseconds since 1970.
    pub ts: i64,
    /// Bit i is set where condition i + 1 holds.
    pub conditions: u32,
}

impl Event {
    pub fn meets(self, condition: usize) -> bool {
        self.conditions >> condition & 1 == 1
    }
}

/// What is asked of the events of a group.
pub(crate) trait Question: Clone + Debug + Send + Sync + 'static {
    const NAME: &'static str;
    /// Where ts stands among the arguments; the conditions follow.
    const TS: usize;

    /// False where events that meet no condition do not matter.
    fn needs_idle_events(&self) -> bool;
    /// The answers, one row a group; events are in order of time, of equal time in order of their conditions.
    fn answers<'a>(&self, groups: impl Iterator<Item = &'a [Event]>) -> Result<ArrayRef>;
}

/// The argument types from ts on: an instant of microseconds, then conditions.
pub(super) fn coerce_events(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [ts, conditions @ ..] = types else {
        return plan_err!("{function}: ts and 1 to {CONDITIONS_MAX} conditions are needed");
    };
    if !(1..=CONDITIONS_MAX).contains(&conditions.len()) {
        return plan_err!("{function}: 1 to {CONDITIONS_MAX} conditions are needed, got {}", conditions.len());
    }
    let zone = match coerce_time(function, "ts", ts)? {
        DataType::Timestamp(_, zone) => zone,
        _ => None,
    };
    let mut coerced = vec![DataType::Timestamp(TimeUnit::Microsecond, zone)];
    coerced.extend(coerce_conditions(function, conditions)?);
    Ok(coerced)
}

pub(super) fn coerce_conditions(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    for data_type in types {
        if !matches!(data_type, DataType::Boolean | DataType::Null) {
            return plan_err!("{function}: a condition must be true or false, got {data_type}");
        }
    }
    Ok(vec![DataType::Boolean; types.len()])
}

/// The conditions that each row meets, None where one of them is NULL.
pub(super) fn conditions_of(columns: &[ArrayRef], row: usize) -> Option<u32> {
    let mut conditions = 0;
    for (index, column) in columns.iter().enumerate() {
        let column: &BooleanArray = column.as_boolean();
        if column.is_null(row) {
            return None;
        }
        conditions |= u32::from(column.value(row)) << index;
    }
    Some(conditions)
}

/// The name and type of the partial state: 16 bytes an event.
pub(super) fn event_partials() -> Vec<(&'static str, DataType)> {
    vec![("events", DataType::List(event_field()))]
}

fn event_fields() -> Fields {
    Fields::from(vec![Field::new("ts", DataType::Int64, false), Field::new("conditions", DataType::Int32, false)])
}

fn event_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(event_fields()), false))
}

/// The events of all groups in one flat vector.
#[derive(Debug)]
pub(crate) struct Events<Q> {
    question: Q,
    groups: usize,
    events: Vec<Event>,
}

impl<Q: Question> Events<Q> {
    pub fn new(question: Q) -> Self {
        Self { question, groups: 0, events: Vec::new() }
    }

    fn push(&mut self, group: usize, ts: i64, conditions: u32) -> Result<()> {
        let group = u32::try_from(group)
            .map_err(|_| exec_datafusion_err!("{}: more than 2^32 groups in one partition", Q::NAME))?;
        self.events.push(Event { group, ts, conditions });
        Ok(())
    }

    /// The events of every group, after sorting.
    fn by_group(&self) -> impl Iterator<Item = &[Event]> {
        let mut rest = self.events.as_slice();
        (0..self.groups).map(move |group| {
            let length = rest.iter().take_while(|event| event.group as usize == group).count();
            let (own, others) = rest.split_at(length);
            rest = others;
            own
        })
    }
}

impl<Q: Question> GroupStates for Events<Q> {
    fn fresh(&self) -> Self {
        Self::new(self.question.clone())
    }

    fn grow(&mut self, groups: usize) {
        self.groups = self.groups.max(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let Some((ts, conditions)) = columns.get(Q::TS..).and_then(<[ArrayRef]>::split_first) else {
            return plan_err!("{}: ts is missing", Q::NAME);
        };
        let ts = Instants::of(ts)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if !(rows.passes(row) && ts.is_valid(row)) {
                continue;
            }
            if let Some(met) = conditions_of(conditions, row)
                && (met != 0 || self.question.needs_idle_events())
            {
                self.push(group, ts.raw[row], met)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(Q::NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let each = lists.values().as_struct();
        let (times, conditions) =
            (each.column(0).as_primitive::<Int64Type>(), each.column(1).as_primitive::<Int32Type>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_valid(row) {
                for event in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                    self.push(group, times.value(event), conditions.value(event) as u32)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let mut taken = Self::new(self.question.clone());
        taken.groups = groups;
        self.groups = self.groups.saturating_sub(groups);
        let mut kept = Vec::with_capacity(self.events.len());
        for event in std::mem::take(&mut self.events) {
            match (event.group as usize).checked_sub(groups) {
                Some(group) => kept.push(Event { group: group as u32, ..event }),
                None => taken.events.push(event),
            }
        }
        self.events = kept;
        Ok(taken)
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        self.events.sort_unstable();
        let lengths = list_offsets(Q::NAME, self.by_group().map(<[Event]>::len))?;
        let times = Int64Array::from_iter_values(self.events.iter().map(|event| event.ts));
        let conditions = Int32Array::from_iter_values(self.events.iter().map(|event| event.conditions as i32));
        let events = StructArray::try_new(event_fields(), vec![Arc::new(times), Arc::new(conditions)], None)?;
        Ok(vec![Arc::new(ListArray::try_new(event_field(), lengths, Arc::new(events), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        self.events.sort_unstable();
        self.question.answers(self.by_group())
    }

    fn bytes(&self) -> usize {
        self.events.capacity() * size_of::<Event>()
    }
}
