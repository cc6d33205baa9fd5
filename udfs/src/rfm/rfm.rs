//! `rfm`: days since the last order, number of orders, total amount.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature, Volatility};

use crate::amounts::{Amount, amount_array, coerce_amount, sum_type};
use crate::calendar::{Calendar, Instants, coerce_times};
use crate::documents::{Entry, RFM};
use crate::groups::{GroupStates, Grouped, Rows, Single};

const NAME: &str = "rfm";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RFM,
        description: "Recency, frequency and monetary value of a customer in the form marketers use: all orders, total amount. \
            Gives struct{recency_days BIGINT, frequency BIGINT, monetary}: days from the local day of the last order to the local day of as_of; \
            number of rows (one row an order); sum of amount, decimal(38, s) for decimals of scale s, else DOUBLE. \
            Rows on a later local day than as_of are left out, as are rows where ts or as_of is NULL; a NULL amount adds an order without money. \
            NULL for a customer without an order. The state is at most 40 bytes a group. \
            Source: A. M. Hughes, Strategic Database Marketing (1994).",
        syntax: "rfm(ts timestamptz, amount numeric, as_of date) -> json",
        arguments: &[
            ("ts", "Time of the order: date or timestamp of any unit; its day is the local one of the type's zone."),
            ("amount", "Amount of the order in money: decimal or other number."),
            ("as_of", "The day the report is for: date, timestamp or text, the same in all rows of a group; the latest one counts."),
        ],
        example: "SELECT one_id, rfm(paid_at, amount, DATE '2011-12-10') AS rfm FROM orders GROUP BY one_id",
        related: &["rfm_score", "rfm_segment", "rfm_summary"],
    }
    .build()
});

/// The aggregate `rfm(ts, amount, as_of)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Rfm {
    signature: Signature,
}

impl Default for Rfm {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Rfm {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts, amount, as_of] = take_function_args(NAME, types)?;
        let (ts, as_of) = coerce_times(NAME, "ts", ts, as_of)?;
        Ok(vec![ts, coerce_amount(NAME, "amount", amount)?, as_of])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [_, amount, _] = take_function_args(NAME, types)?;
        Ok(DataType::Struct(fields(amount)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let [_, amount, _] = take_function_args(NAME, args.input_fields)?;
        Ok(vec![
            Arc::new(Field::new("last", DataType::Int64, true)),
            Arc::new(Field::new("as_of", DataType::Int64, true)),
            Arc::new(Field::new("frequency", DataType::Int64, false)),
            Arc::new(Field::new("monetary", sum_type(amount.data_type()), true)),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let columns = Columns::of(&args)?;
        Ok(match columns.amount {
            DataType::Decimal128(_, _) => Box::new(Single::new(States::<i128>::new(columns))),
            _ => Box::new(Single::new(States::<f64>::new(columns))),
        })
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let columns = Columns::of(&args)?;
        Ok(match columns.amount {
            DataType::Decimal128(_, _) => Box::new(Grouped(States::<i128>::new(columns))),
            _ => Box::new(Grouped(States::<f64>::new(columns))),
        })
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

fn fields(amount: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("recency_days", DataType::Int64, true),
        Field::new("frequency", DataType::Int64, true),
        Field::new("monetary", sum_type(amount), true),
    ])
}

/// How the three argument columns are read.
#[derive(Debug, Clone)]
struct Columns {
    ts: Calendar,
    as_of: Calendar,
    amount: DataType,
}

impl Columns {
    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let [ts, amount, as_of] = take_function_args(NAME, args.expr_fields)?;
        Ok(Self {
            ts: Calendar::of(NAME, ts.data_type())?,
            as_of: Calendar::of(NAME, as_of.data_type())?,
            amount: amount.data_type().clone(),
        })
    }
}

/// What changes with nearly every row, in one line of a cache: groups come in any order, and each is a place far off in memory.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct State<A> {
    last: i64,
    orders: i64,
    /// Absent where no order had an amount.
    total: A,
}

impl<A: Amount> State<A> {
    fn empty() -> Self {
        Self { last: i64::MIN, orders: 0, total: A::ABSENT }
    }

    #[inline]
    fn add(&mut self, last: i64, orders: i64, amount: Option<A>) -> Result<()> {
        self.last = self.last.max(last);
        self.orders += orders;
        if let Some(amount) = amount {
            let before = if self.total.is_absent() { A::default() } else { self.total };
            self.total =
                before.plus(amount).ok_or_else(|| exec_datafusion_err!("{NAME}: the sum of amount is out of range"))?;
        }
        Ok(())
    }
}

/// The latest as_of of each group.
#[derive(Debug, Clone)]
enum AsOf {
    /// One for all, as reports have it: None before the first row.
    One(Option<i64>),
    Each(Vec<i64>),
}

impl AsOf {
    /// Makes room for this many groups at least.
    fn grow(&mut self, groups: usize) {
        if let Self::Each(each) = self
            && groups > each.len()
        {
            each.resize(groups, i64::MIN);
        }
    }

    /// Adds that of a row which `groups` do not hold yet.
    #[inline]
    fn add<A: Amount>(&mut self, group: usize, as_of: i64, groups: &[State<A>]) {
        match self {
            Self::One(None) => *self = Self::One(Some(as_of)),
            Self::One(Some(one)) if *one == as_of => {}
            Self::One(Some(one)) => {
                let mut each: Vec<i64> =
                    groups.iter().map(|state| if state.orders > 0 { *one } else { i64::MIN }).collect();
                each[group] = each[group].max(as_of);
                *self = Self::Each(each);
            }
            Self::Each(each) => each[group] = each[group].max(as_of),
        }
    }

    fn get(&self, group: usize) -> i64 {
        match self {
            Self::One(one) => one.unwrap_or(i64::MIN),
            Self::Each(each) => each[group],
        }
    }

    /// Those of the first `groups` groups; the rest moves down.
    fn take(&mut self, groups: usize) -> Self {
        match self {
            Self::One(one) => Self::One(*one),
            Self::Each(each) => {
                let rest = each.split_off(groups);
                Self::Each(std::mem::replace(each, rest))
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Each(each) => each.capacity() * size_of::<i64>(),
        }
    }
}

#[derive(Debug)]
struct States<A> {
    columns: Columns,
    groups: Vec<State<A>>,
    as_of: AsOf,
}

impl<A: Amount> States<A> {
    fn new(columns: Columns) -> Self {
        Self { columns, groups: Vec::new(), as_of: AsOf::One(None) }
    }

    #[inline]
    fn add(&mut self, group: usize, last: i64, as_of: i64, orders: i64, amount: Option<A>) -> Result<()> {
        self.as_of.add(group, as_of, &self.groups);
        self.groups[group].add(last, orders, amount)
    }
}

impl<A: Amount> GroupStates for States<A> {
    fn fresh(&self) -> Self {
        Self::new(self.columns.clone())
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize(groups, State::empty());
            self.as_of.grow(groups);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [ts, amount, as_of] = take_function_args(NAME, columns)?;
        let (ts, as_of, amounts) = (Instants::of(ts)?, Instants::of(as_of)?, amount.as_primitive::<A::Arrow>());
        // as_of is nearly always one constant: its day's end is looked up when it changes.
        let mut day_end: Option<(i64, i64)> = None;
        for (row, &group) in rows.groups.iter().enumerate() {
            if !(rows.passes(row) && ts.is_valid(row) && as_of.is_valid(row)) {
                continue;
            }
            let (instant, day) = (ts.raw[row], as_of.raw[row]);
            let end = match day_end {
                Some((known, end)) if known == day => end,
                _ => {
                    let end = self.columns.ts.day_end(self.columns.as_of.day(day));
                    day_end = Some((day, end));
                    end
                }
            };
            if instant >= end {
                continue;
            }
            let amount = amounts.is_valid(row).then(|| amounts.value(row)).filter(|amount| amount.is_usable());
            self.add(group, instant, day, 1, amount)?;
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [last, as_of, orders, total] = take_function_args(NAME, partials)?;
        let [last, as_of, orders] = [last, as_of, orders].map(|column| column.as_primitive::<Int64Type>());
        let total = total.as_primitive::<A::Arrow>();
        for (row, &group) in rows.groups.iter().enumerate() {
            if last.is_null(row) {
                continue;
            }
            let total = total.is_valid(row).then(|| total.value(row));
            self.add(group, last.value(row), as_of.value(row), orders.value(row), total)?;
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        Ok(Self {
            columns: self.columns.clone(),
            groups: std::mem::replace(&mut self.groups, rest),
            as_of: self.as_of.take(groups),
        })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let seen = |state: &State<A>| state.orders > 0;
        Ok(vec![
            Arc::new(self.groups.iter().map(|state| seen(state).then_some(state.last)).collect::<Int64Array>()),
            Arc::new(
                self.groups
                    .iter()
                    .enumerate()
                    .map(|(group, state)| seen(state).then(|| self.as_of.get(group)))
                    .collect::<Int64Array>(),
            ),
            Arc::new(Int64Array::from_iter_values(self.groups.iter().map(|state| state.orders))),
            self.totals(),
        ])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let Columns { ts, as_of, amount } = &mut self.columns;
        let fields = fields(amount);
        // The fields of a NULL struct are NULL too: s['field'] does not look at the struct's own validity.
        let seen: NullBuffer = self.groups.iter().map(|state| state.orders > 0).collect();
        let days = self
            .groups
            .iter()
            .enumerate()
            .map(|(group, state)| i64::from(as_of.day(self.as_of.get(group))) - i64::from(ts.day(state.last)));
        let recency = Int64Array::new(days.collect(), Some(seen.clone()));
        let orders = Int64Array::new(self.groups.iter().map(|state| state.orders).collect(), Some(seen.clone()));
        Ok(Arc::new(StructArray::try_new(
            fields,
            vec![Arc::new(recency), Arc::new(orders), self.totals()],
            Some(seen),
        )?))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<State<A>>() + self.as_of.bytes()
    }
}

impl<A: Amount> States<A> {
    fn totals(&self) -> ArrayRef {
        amount_array(
            self.groups.iter().map(|state| Some(state.total).filter(|total| !total.is_absent())),
            &sum_type(&self.columns.amount),
        )
    }
}
