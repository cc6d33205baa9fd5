//! `cohort_periods`: when a person came first, and in which periods after that again.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int32Array, ListArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int32Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use crate::calendar::{Calendar, Instants, coerce_time, first_day_of_month, month_of_day};
use crate::constants::{aggregate_constant, quoted, text};
use crate::day_log::DayLog;
use crate::definition::AggregateDefinition;
use crate::documents::{BEHAVIOUR, Entry};
use crate::groups::{GroupStates, Rows, list_offsets};

const NAME: &str = "cohort_periods";
const RULE: &str = "'day', 'week' or 'month'";
/// 1970-01-01 was a Thursday: so many days after a Monday.
const MONDAY_DAYS: i32 = 3;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: BEHAVIOUR,
        description: "The cohort of a person and the periods in which the person came: struct{cohort DATE, periods INT[]}; cohort is the first day of the period of the first row, \
            periods how many periods after it there were rows, each number once and rising, so that the first is 0. Counting the unnested rows of all persons by cohort and period \
            gives the table of cohorts without joining persons to themselves. Periods are local days, weeks from Monday, or calendar months. \
            A NULL ts is left out; NULL without a row. The state grows by 8 bytes a period with a row, by up to four times that between two foldings. Source: definition.",
        syntax: "cohort_periods(ts timestamptz, unit text) -> json",
        arguments: &[
            ("ts", "Time of the purchase or event: date or timestamp of any unit; its day is the local one of the type's zone."),
            ("unit", "Constant 'day', 'week' or 'month'."),
        ],
        example: "SELECT c['cohort'], unnest(c['periods']) AS months_since, count(*) FROM (SELECT one_id, cohort_periods(paid_at, 'month') AS c FROM orders GROUP BY one_id) GROUP BY 1, 2",
        related: &["retention", "repurchase_cycle"],
    }
    .build()
});

/// The aggregate `cohort_periods(ts, unit)`.
pub struct CohortPeriods;

impl AggregateDefinition for CohortPeriods {
    const NAME: &'static str = NAME;
    type States = States;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts, _] = take_function_args(NAME, types)?;
        Ok(vec![coerce_time(NAME, "ts", ts)?, DataType::Utf8])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("periods", DataType::List(period_field()))])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let [ts, _] = take_function_args(NAME, args.expr_fields)?;
        let unit = aggregate_constant(args, NAME, 1, "unit")?.unwrap_or(ScalarValue::Null);
        let unit = match text(&unit, NAME, "unit", RULE)?.as_str() {
            "day" => Unit::Day,
            "week" => Unit::Week,
            "month" => Unit::Month,
            _ => return exec_err!("{NAME}: unit must be {RULE}, got {}", quoted(&unit)),
        };
        Ok(States::new(unit, Calendar::of(NAME, ts.data_type())?))
    }
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("cohort", DataType::Date32, true),
        Field::new("periods", DataType::List(period_field()), true),
    ])
}

fn period_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Int32, true))
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Day,
    Week,
    Month,
}

impl Unit {
    /// The number of the period of a day.
    fn period(self, day: i32) -> i32 {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_add(MONDAY_DAYS).div_euclid(7),
            Self::Month => month_of_day(day),
        }
    }

    fn first_day(self, period: i32) -> i32 {
        match self {
            Self::Day => period,
            Self::Week => period.saturating_mul(7).saturating_sub(MONDAY_DAYS),
            Self::Month => first_day_of_month(period),
        }
    }
}

/// The periods of each group.
#[derive(Debug)]
pub(crate) struct States {
    unit: Unit,
    calendar: Calendar,
    periods: DayLog<()>,
}

impl States {
    fn new(unit: Unit, calendar: Calendar) -> Self {
        Self { unit, calendar, periods: DayLog::new(NAME) }
    }
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self::new(self.unit, self.calendar.clone())
    }

    fn grow(&mut self, groups: usize) {
        self.periods.grow(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [ts, _] = take_function_args(NAME, columns)?;
        let ts = Instants::of(ts)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) && ts.is_valid(row) {
                let period = self.unit.period(self.calendar.day(ts.raw[row]));
                self.periods.push(group, period, ())?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let periods = lists.values().as_primitive::<Int32Type>();
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_valid(row) {
                for index in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                    self.periods.push(group, periods.value(index), ())?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        Ok(Self { unit: self.unit, calendar: self.calendar.clone(), periods: self.periods.take(groups)? })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let (mut periods, mut lengths) = (Vec::with_capacity(self.periods.cells()), Vec::new());
        self.periods.for_each_group(|own| {
            periods.extend(own.iter().map(|(period, ())| *period));
            lengths.push(own.len());
            Ok(())
        })?;
        let periods = Arc::new(Int32Array::from(periods));
        Ok(vec![Arc::new(ListArray::try_new(period_field(), list_offsets(NAME, lengths)?, periods, None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let mut cohorts: Vec<Option<i32>> = Vec::new();
        let (mut periods, mut lengths) = (Vec::with_capacity(self.periods.cells()), Vec::new());
        let unit = self.unit;
        self.periods.for_each_group(|own| {
            let first = own.first().map(|(period, ())| *period);
            cohorts.push(first.map(|first| unit.first_day(first)));
            periods.extend(own.iter().map(|(period, ())| period.saturating_sub(first.unwrap_or(0))));
            lengths.push(own.len());
            Ok(())
        })?;
        // The fields of a NULL struct are NULL too: s['field'] does not look at the struct's own validity.
        let came: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
        let offsets = list_offsets(NAME, lengths)?;
        let lists =
            ListArray::try_new(period_field(), offsets, Arc::new(Int32Array::from(periods)), Some(came.clone()))?;
        let columns: Vec<ArrayRef> = vec![Arc::new(cohorts.into_iter().collect::<Date32Array>()), Arc::new(lists)];
        Ok(Arc::new(StructArray::try_new(fields(), columns, Some(came))?))
    }

    fn bytes(&self) -> usize {
        self.periods.bytes()
    }
}
