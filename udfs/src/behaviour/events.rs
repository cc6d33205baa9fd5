//! The events of each person with the conditions they meet: what funnels and sequences are asked of.

use std::fmt::Debug;
use std::marker::PhantomData;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use crate::calendar::{Instants, coerce_time};
use crate::definition::AggregateDefinition;
use crate::groups::{GroupStates, Rows};
use crate::packed::{Packing, unpack};
use crate::row_log::RowLog;

/// One bit a condition.
pub(super) const CONDITIONS_MAX: usize = 32;

/// An event in a partial state: the time, then the conditions.
const EVENT_BYTES: usize = 12;

/// An event of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    /// Microseconds since 1970.
    pub ts: i64,
    /// Bit i is set where condition i + 1 holds.
    pub conditions: u32,
}

impl Event {
    pub fn meets(self, condition: usize) -> bool {
        self.conditions >> condition & 1 == 1
    }

    fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let mut bytes = [0; EVENT_BYTES];
        bytes[..8].copy_from_slice(&self.ts.to_le_bytes());
        bytes[8..].copy_from_slice(&self.conditions.to_le_bytes());
        bytes
    }

    fn from_bytes([a, b, c, d, e, f, g, h, conditions @ ..]: [u8; EVENT_BYTES]) -> Self {
        Self { ts: i64::from_le_bytes([a, b, c, d, e, f, g, h]), conditions: u32::from_le_bytes(conditions) }
    }
}

/// What is asked of the events of a group: an aggregate of `(..., ts, condition, ...)`.
pub(crate) trait Question: Clone + Debug + Send + Sync + 'static {
    const NAME: &'static str;
    /// Where ts stands among the arguments; the conditions follow.
    const TS: usize;

    fn documentation() -> &'static Documentation;
    /// As in `AggregateDefinition`.
    fn coerce(types: &[DataType]) -> Result<Vec<DataType>>;
    /// The type of an answer, given that of ts.
    fn result(ts: &DataType) -> DataType;
    /// Reads the constant arguments.
    fn of(args: &AccumulatorArgs) -> Result<Self>;
    /// False where events that meet no condition do not matter.
    fn needs_idle_events(&self) -> bool;
    /// The answers, one row a group; events are in order of time, of equal time in order of their conditions.
    fn answers<'a>(&self, groups: impl Iterator<Item = &'a [Event]>) -> Result<ArrayRef>;
}

/// The aggregate that asks the question Q.
pub(super) struct Asked<Q>(PhantomData<Q>);

impl<Q: Question> AggregateDefinition for Asked<Q> {
    const NAME: &'static str = Q::NAME;
    type States = Events<Q>;

    fn documentation() -> &'static Documentation {
        Q::documentation()
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        Q::coerce(types)
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        match types.get(Q::TS) {
            Some(ts) => Ok(Q::result(ts)),
            None => plan_err!("{}: ts is missing", Q::NAME),
        }
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("events", Packing::TYPE)])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(Events { question: Q::of(args)?, log: RowLog::new() })
    }
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

/// The conditions that rows meet: bit i is set where condition i + 1 holds. Rows where one of them is NULL are invalid.
pub(super) struct Conditions {
    pub met: Vec<u32>,
    nulls: Option<NullBuffer>,
}

impl Conditions {
    pub fn of(columns: &[ArrayRef], rows: usize) -> Self {
        let (mut met, mut nulls) = (vec![0; rows], None);
        for (index, column) in columns.iter().enumerate() {
            let column: &BooleanArray = column.as_boolean();
            nulls = NullBuffer::union(nulls.as_ref(), column.nulls());
            for row in column.values().set_indices() {
                met[row] |= 1 << index;
            }
        }
        Self { met, nulls }
    }

    pub fn is_valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }
}

/// The events that rows tell of.
struct EventColumns {
    ts: Instants,
    conditions: Conditions,
    needs_idle_events: bool,
}

impl EventColumns {
    fn of<Q: Question>(question: &Q, columns: &[ArrayRef], rows: Rows<'_>) -> Result<Self> {
        let Some((ts, conditions)) = columns.get(Q::TS..).and_then(<[ArrayRef]>::split_first) else {
            return plan_err!("{}: ts is missing", Q::NAME);
        };
        Ok(Self {
            ts: Instants::of(ts)?,
            conditions: Conditions::of(conditions, rows.groups.len()),
            needs_idle_events: question.needs_idle_events(),
        })
    }

    /// None for a row that does not count.
    #[inline]
    fn event(&self, rows: Rows<'_>, row: usize) -> Option<Event> {
        let conditions = self.conditions.met[row];
        let counts = (conditions != 0 || self.needs_idle_events)
            && rows.passes(row)
            && self.ts.is_valid(row)
            && self.conditions.is_valid(row);
        counts.then(|| Event { ts: self.ts.raw[row], conditions })
    }
}

/// The events of all groups: 20 bytes each.
#[derive(Debug)]
pub(crate) struct Events<Q> {
    question: Q,
    log: RowLog<Event>,
}

impl<Q: Question> GroupStates for Events<Q> {
    fn fresh(&self) -> Self {
        Self { question: self.question.clone(), log: RowLog::new() }
    }

    fn grow(&mut self, groups: usize) {
        self.log.grow(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let events = EventColumns::of(&self.question, columns, rows)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if let Some(event) = events.event(rows, row) {
                self.log.push(Q::NAME, group, event)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [events] = take_function_args(Q::NAME, partials)?;
        let events = events.as_binary::<i64>();
        for (row, &group) in rows.groups.iter().enumerate() {
            if events.is_valid(row) {
                for event in unpack(events.value(row)).map(Event::from_bytes) {
                    self.log.push(Q::NAME, group, event)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        Ok(Self { question: self.question.clone(), log: self.log.take(groups) })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.log.pack(Event::to_bytes)?])
    }

    fn partials_of_rows(&self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let events = EventColumns::of(&self.question, columns, rows)?;
        let mut packing = Packing::with_capacity(rows.groups.len(), rows.groups.len() * EVENT_BYTES);
        for row in 0..rows.groups.len() {
            if let Some(event) = events.event(rows, row) {
                packing.push(event.to_bytes());
            }
            packing.end_group();
        }
        Ok(vec![packing.finish()?])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let in_order = self.log.by_group().map(|own| {
            own.sort_unstable();
            &*own
        });
        self.question.answers(in_order)
    }

    fn bytes(&self) -> usize {
        self.log.bytes()
    }
}
