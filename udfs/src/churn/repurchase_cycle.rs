//! `repurchase_cycle`: the gaps between a customer's purchase days.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, Int64Array, Int64Builder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, Signature, Volatility};

use crate::calendar::{Calendar, Instants, coerce_time};
use crate::day_log::DayLog;
use crate::documents::{CHURN, Entry};
use crate::groups::{GroupStates, Grouped, Rows, Single};
use crate::packed::{Packing, unpack};

const NAME: &str = "repurchase_cycle";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: CHURN,
        description: "The rhythm of a customer: gaps between consecutive distinct local days with a purchase. \
            Gives struct{n_gaps BIGINT, mean_days DOUBLE, sd_days DOUBLE, last}: number of gaps; their mean in days, NULL without a gap; \
            their sample standard deviation in days, NULL below two gaps; the last purchase in the type of ts. \
            A NULL ts is left out; NULL for a customer without a purchase. The state grows by 8 bytes a distinct purchase day, by up to four times that between two foldings. \
            Source: definition.",
        syntax: "repurchase_cycle(ts timestamptz) -> json",
        arguments: &[("ts", "Time of the purchase: date or timestamp of any unit; its day is the local one of the type's zone.")],
        example: "SELECT one_id, churn_risk(c['n_gaps'], coalesce(c['n_gaps'] * c['mean_days'], 0), 30)\nFROM (SELECT one_id, repurchase_cycle(paid_at) AS c FROM orders GROUP BY one_id)",
        related: &["churn_risk"],
    }
    .build()
});

/// The aggregate `repurchase_cycle(ts)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RepurchaseCycle {
    signature: Signature,
}

impl Default for RepurchaseCycle {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for RepurchaseCycle {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts] = take_function_args(NAME, types)?;
        Ok(vec![coerce_time(NAME, "ts", ts)?])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [ts] = take_function_args(NAME, types)?;
        Ok(DataType::Struct(fields(ts)))
    }

    fn state_fields(&self, _args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("last", DataType::Int64, true)), Arc::new(Field::new("days", Packing::TYPE, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single::new(States::of(&args)?)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Grouped(States::of(&args)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

fn fields(ts: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("n_gaps", DataType::Int64, true),
        Field::new("mean_days", DataType::Float64, true),
        Field::new("sd_days", DataType::Float64, true),
        Field::new("last", ts.clone(), true),
    ])
}

#[derive(Debug)]
struct States {
    ts: DataType,
    calendar: Calendar,
    /// Raw instant of the last purchase, i64::MIN before the first row.
    last: Vec<i64>,
    days: DayLog<()>,
}

impl States {
    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let [ts] = take_function_args(NAME, args.expr_fields)?;
        let ts = ts.data_type().clone();
        let calendar = Calendar::of(NAME, &ts)?;
        Ok(Self { ts, calendar, last: Vec::new(), days: DayLog::new(NAME) })
    }
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self { ts: self.ts.clone(), calendar: self.calendar.clone(), last: Vec::new(), days: DayLog::new(NAME) }
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.last.len() {
            self.last.resize(groups, i64::MIN);
            self.days.grow(groups);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [ts] = take_function_args(NAME, columns)?;
        let ts = Instants::of(ts)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) && ts.is_valid(row) {
                self.last[group] = self.last[group].max(ts.raw[row]);
                self.days.push(group, self.calendar.day(ts.raw[row]), ())?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [last, days] = take_function_args(NAME, partials)?;
        let (last, days) = (last.as_primitive::<Int64Type>(), days.as_binary::<i64>());
        for (row, &group) in rows.groups.iter().enumerate() {
            if last.is_null(row) || days.is_null(row) {
                continue;
            }
            self.last[group] = self.last[group].max(last.value(row));
            for day in unpack(days.value(row)).map(i32::from_le_bytes) {
                self.days.push(group, day, ())?;
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.last.split_off(groups);
        Ok(Self {
            ts: self.ts.clone(),
            calendar: self.calendar.clone(),
            last: std::mem::replace(&mut self.last, rest),
            days: self.days.take(groups)?,
        })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let mut days = Packing::with_capacity(self.last.len(), self.days.cells() * size_of::<i32>());
        let mut seen = Vec::with_capacity(self.last.len());
        self.days.for_each_group(|cells| {
            for (day, ()) in cells {
                days.push(day.to_le_bytes());
            }
            days.end_group();
            seen.push(!cells.is_empty());
            Ok(())
        })?;
        let last: Int64Array = self.last.iter().zip(&seen).map(|(last, seen)| seen.then_some(*last)).collect();
        Ok(vec![Arc::new(last), days.finish()?])
    }

    fn partials_of_rows(&self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let [ts] = take_function_args(NAME, columns)?;
        let ts = Instants::of(ts)?;
        let mut calendar = self.calendar.clone();
        let mut days = Packing::with_capacity(rows.groups.len(), rows.groups.len() * size_of::<i32>());
        let mut seen = Vec::with_capacity(rows.groups.len());
        for row in 0..rows.groups.len() {
            let is_seen = rows.passes(row) && ts.is_valid(row);
            if is_seen {
                days.push(calendar.day(ts.raw[row]).to_le_bytes());
            }
            days.end_group();
            seen.push(is_seen);
        }
        let last = Int64Array::new(ts.raw, Some(NullBuffer::from(seen)));
        Ok(vec![Arc::new(last), days.finish()?])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let (mut n_gaps, mut means, mut deviations) =
            (Int64Builder::new(), Float64Builder::new(), Float64Builder::new());
        let mut seen = Vec::with_capacity(self.last.len());
        self.days.for_each_group(|cells| {
            let gaps = Gaps::of(cells);
            seen.push(!cells.is_empty());
            // The fields of a NULL struct are NULL too: s['field'] does not look at the struct's own validity.
            n_gaps.append_option((!cells.is_empty()).then_some(gaps.count));
            means.append_option(gaps.mean());
            deviations.append_option(gaps.deviation());
            Ok(())
        })?;
        let last: Int64Array = self.last.iter().zip(&seen).map(|(last, seen)| seen.then_some(*last)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(n_gaps.finish()),
            Arc::new(means.finish()),
            Arc::new(deviations.finish()),
            instants(&last, &self.ts)?,
        ];
        Ok(Arc::new(StructArray::try_new(fields(&self.ts), columns, Some(NullBuffer::from(seen)))?))
    }

    fn bytes(&self) -> usize {
        self.last.capacity() * size_of::<i64>() + self.days.bytes()
    }
}

/// Raw instants as a column of their type.
fn instants(raw: &Int64Array, data_type: &DataType) -> Result<ArrayRef> {
    match data_type {
        DataType::Date32 => Ok(cast(&cast(raw, &DataType::Int32)?, data_type)?),
        _ => Ok(cast(raw, data_type)?),
    }
}

/// Gaps between consecutive days, in days; sums of whole numbers, so exact.
struct Gaps {
    count: i64,
    sum: i64,
    squares: i128,
}

impl Gaps {
    fn of(days: &[(i32, ())]) -> Self {
        let mut gaps = Self { count: 0, sum: 0, squares: 0 };
        for pair in days.windows(2) {
            let gap = i64::from(pair[1].0) - i64::from(pair[0].0);
            gaps.count += 1;
            gaps.sum += gap;
            gaps.squares += i128::from(gap) * i128::from(gap);
        }
        gaps
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// n * sum of squares - square of the sum is exact in integers, unlike in doubles.
    fn deviation(&self) -> Option<f64> {
        let (count, sum) = (i128::from(self.count), i128::from(self.sum));
        (count > 1).then(|| ((count * self.squares - sum * sum) as f64 / (count * (count - 1)) as f64).sqrt())
    }
}
