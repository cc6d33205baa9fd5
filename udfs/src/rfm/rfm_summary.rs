//! `rfm_summary`: repeat purchases as the customer-lifetime literature counts them.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, Int32Builder, Int64Builder, ListArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Fields};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err, exec_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature, Volatility};

use crate::amounts::{Amount, amount_array, coerce_amount, scale_of, sum_type};
use crate::calendar::{Calendar, Instants, coerce_times};
use crate::constants::{aggregate_constant, text};
use crate::day_log::{DayCell, DayLog};
use crate::documents::{Entry, RFM};
use crate::groups::{GroupStates, Grouped, Rows, Single, list_offsets};

const NAME: &str = "rfm_summary";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RFM,
        description: "Repeat purchases of a customer, the input of the buy-till-you-die models. Purchases collapse to one a local day. \
            Gives struct{frequency BIGINT, recency DOUBLE, t DOUBLE, monetary DOUBLE}: days with a purchase after the first (x); \
            time from the first to the last purchase (t_x) and from the first purchase to as_of (T), both in units; \
            mean amount of a repeat day, NULL without one. Times are whole days, divided by 7 for 'week'. \
            Rows on a later local day than as_of are left out, as are rows where ts or as_of is NULL; a NULL amount makes its day a purchase without money. \
            NULL for a customer without a purchase. The state grows by at most 48 bytes a distinct purchase day, by up to four times that between two foldings. \
            Source: P. Fader, B. Hardie, K. Lee, Counting Your Customers the Easy Way, Marketing Science 24(2), 2005.",
        syntax: "rfm_summary(ts timestamptz, amount numeric, as_of date, unit text) -> json",
        arguments: &[
            ("ts", "Time of the purchase: date or timestamp of any unit; its day is the local one of the type's zone."),
            ("amount", "Amount of the purchase in money: decimal or other number."),
            ("as_of", "End of the observation: date, timestamp or text, the same in all rows of a group; the latest one counts."),
            ("unit", "Constant 'day' or 'week': the unit of recency and t."),
        ],
        example: "SELECT one_id, rfm_summary(paid_at, amount, DATE '1997-09-30', 'week') AS s FROM orders GROUP BY one_id",
        related: &["rfm", "bgnbd_fit"],
    }
    .build()
});

/// The aggregate `rfm_summary(ts, amount, as_of, unit)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RfmSummary {
    signature: Signature,
}

impl Default for RfmSummary {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for RfmSummary {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts, amount, as_of, unit] = take_function_args(NAME, types)?;
        let (ts, as_of) = coerce_times(NAME, "ts", ts, as_of)?;
        Ok(vec![ts, coerce_amount(NAME, "amount", amount)?, as_of, unit.clone()])
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let [_, amount, _, _] = take_function_args(NAME, args.input_fields)?;
        Ok(vec![
            Arc::new(Field::new("as_of_day", DataType::Int32, true)),
            Arc::new(Field::new("days", DataType::List(day_field(amount.data_type())), true)),
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

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("frequency", DataType::Int64, true),
        Field::new("recency", DataType::Float64, true),
        Field::new("t", DataType::Float64, true),
        Field::new("monetary", DataType::Float64, true),
    ])
}

fn day_fields(amount: &DataType) -> Fields {
    Fields::from(vec![Field::new("day", DataType::Date32, false), Field::new("amount", sum_type(amount), true)])
}

fn day_field(amount: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(day_fields(amount)), false))
}

/// How the argument columns are read.
#[derive(Debug, Clone)]
struct Columns {
    ts: Calendar,
    as_of: Calendar,
    amount: DataType,
    days_per_unit: f64,
}

impl Columns {
    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let [ts, amount, as_of, _] = take_function_args(NAME, args.expr_fields)?;
        let unit = aggregate_constant(args, NAME, 3, "unit")?;
        let rule = "'day' or 'week'";
        let days_per_unit = match unit.map(|unit| text(&unit, NAME, "unit", rule)).transpose()?.as_deref() {
            Some("day") => 1.0,
            Some("week") => 7.0,
            other => return exec_err!("{NAME}: unit must be {rule}, got {:?}", other.unwrap_or_default()),
        };
        Ok(Self {
            ts: Calendar::of(NAME, ts.data_type())?,
            as_of: Calendar::of(NAME, as_of.data_type())?,
            amount: amount.data_type().clone(),
            days_per_unit,
        })
    }
}

/// The money of one day, None without any.
#[derive(Debug, Clone, Copy)]
struct DayAmount<A>(Option<A>);

impl<A: Amount> DayCell for DayAmount<A> {
    fn fold(&mut self, other: &Self) -> Result<()> {
        self.0 = match (self.0, other.0) {
            (Some(one), Some(two)) => {
                Some(one.plus(two).ok_or_else(|| exec_datafusion_err!("{NAME}: the sum of amount is out of range"))?)
            }
            (one, two) => one.or(two),
        };
        Ok(())
    }
}

#[derive(Debug)]
struct States<A> {
    columns: Columns,
    /// Latest day of as_of of each group, i32::MIN before the first row.
    as_of: Vec<i32>,
    days: DayLog<DayAmount<A>>,
}

impl<A: Amount> States<A> {
    fn new(columns: Columns) -> Self {
        Self { columns, as_of: Vec::new(), days: DayLog::new(NAME) }
    }
}

impl<A: Amount> GroupStates for States<A> {
    fn fresh(&self) -> Self {
        Self::new(self.columns.clone())
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.as_of.len() {
            self.as_of.resize(groups, i32::MIN);
            self.days.grow(groups);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [ts, amount, as_of, _] = take_function_args(NAME, columns)?;
        let (ts, as_of, amounts) = (Instants::of(ts)?, Instants::of(as_of)?, amount.as_primitive::<A::Arrow>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if !(rows.passes(row) && ts.is_valid(row) && as_of.is_valid(row)) {
                continue;
            }
            let (day, end) = (self.columns.ts.day(ts.raw[row]), self.columns.as_of.day(as_of.raw[row]));
            if day > end {
                continue;
            }
            self.as_of[group] = self.as_of[group].max(end);
            let amount = amounts.is_valid(row).then(|| amounts.value(row)).filter(|amount| amount.is_usable());
            self.days.push(group, day, DayAmount(amount))?;
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [as_of, days] = take_function_args(NAME, partials)?;
        let (as_of, days) = (as_of.as_primitive::<arrow::datatypes::Int32Type>(), days.as_list::<i32>());
        let cells = days.values().as_struct();
        let (cell_days, amounts) =
            (cells.column(0).as_primitive::<Date32Type>(), cells.column(1).as_primitive::<A::Arrow>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if as_of.is_null(row) || days.is_null(row) {
                continue;
            }
            self.as_of[group] = self.as_of[group].max(as_of.value(row));
            for cell in days.value_offsets()[row] as usize..days.value_offsets()[row + 1] as usize {
                let amount = amounts.is_valid(cell).then(|| amounts.value(cell));
                self.days.push(group, cell_days.value(cell), DayAmount(amount))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.as_of.split_off(groups);
        Ok(Self {
            columns: self.columns.clone(),
            as_of: std::mem::replace(&mut self.as_of, rest),
            days: self.days.take(groups)?,
        })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let mut as_of = Int32Builder::with_capacity(self.as_of.len());
        let mut days = Vec::with_capacity(self.days.cells());
        let mut amounts = Vec::with_capacity(self.days.cells());
        let mut lengths = Vec::with_capacity(self.as_of.len());
        let mut ends = self.as_of.iter();
        self.days.for_each_group(|cells| {
            let end = ends.next().copied().filter(|_| !cells.is_empty());
            as_of.append_option(end);
            days.extend(cells.iter().map(|(day, _)| *day));
            amounts.extend(cells.iter().map(|(_, amount)| amount.0));
            lengths.push(cells.len());
            Ok(())
        })?;
        let fields = day_fields(&self.columns.amount);
        let amounts = amount_array(amounts.into_iter(), &sum_type(&self.columns.amount));
        let days = Arc::new(arrow::array::Date32Array::from(days));
        let cells = StructArray::try_new(fields, vec![days, amounts], None)?;
        let lists =
            ListArray::try_new(day_field(&self.columns.amount), list_offsets(NAME, lengths)?, Arc::new(cells), None)?;
        Ok(vec![Arc::new(as_of.finish()), Arc::new(lists)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let scale = scale_of(&self.columns.amount);
        let units = |days: i64| days as f64 / self.columns.days_per_unit;
        let (mut frequency, mut recency) = (Int64Builder::new(), Float64Builder::new());
        let (mut time, mut monetary) = (Float64Builder::new(), Float64Builder::new());
        let mut seen = Vec::with_capacity(self.as_of.len());
        let mut ends = self.as_of.iter();
        self.days.for_each_group(|cells| {
            let end = i64::from(*ends.next().unwrap_or(&0));
            let first = cells.first().map_or(end, |(day, _)| i64::from(*day));
            let last = cells.last().map_or(end, |(day, _)| i64::from(*day));
            let bought = !cells.is_empty();
            seen.push(bought);
            // The fields of a NULL struct are NULL too: s['field'] does not look at the struct's own validity.
            frequency.append_option(bought.then(|| cells.len() as i64 - 1));
            recency.append_option(bought.then(|| units(last - first)));
            time.append_option(bought.then(|| units(end - first)));
            monetary.append_option(mean_amount(cells.get(1..).unwrap_or_default(), scale)?);
            Ok(())
        })?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(frequency.finish()),
            Arc::new(recency.finish()),
            Arc::new(time.finish()),
            Arc::new(monetary.finish()),
        ];
        Ok(Arc::new(StructArray::try_new(fields(), columns, Some(NullBuffer::from(seen)))?))
    }

    fn bytes(&self) -> usize {
        self.as_of.capacity() * size_of::<i32>() + self.days.bytes()
    }
}

/// Mean over the days that have an amount.
fn mean_amount<A: Amount>(cells: &[(i32, DayAmount<A>)], scale: i8) -> Result<Option<f64>> {
    let mut total = DayAmount::<A>(None);
    for (_, amount) in cells {
        total.fold(amount)?;
    }
    let days = cells.iter().filter(|(_, amount)| amount.0.is_some()).count();
    Ok(total.0.map(|total| total.to_double(scale) / days as f64))
}
