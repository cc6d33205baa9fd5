//! `retention`: which conditions a person met, if the first one.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, plan_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::events::{CONDITIONS_MAX, Conditions, coerce_conditions};
use crate::definition::AggregateDefinition;
use crate::documents::{BEHAVIOUR, Entry};
use crate::groups::{GroupStates, Rows, list_offsets};

const NAME: &str = "retention";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: BEHAVIOUR,
        description: "Which conditions a person met, given the first: list of INT 1 or 0, one a condition, ClickHouse's retention. \
            Element 1 is 1 where some row meets the first condition; element i is 1 where also some row, the same or another, meets condition i. \
            Sums over persons give a cohort's retention. Rows with a NULL are left out; all 0 without a row. The state is 4 bytes a group. \
            Source: documentation of ClickHouse's retention; compared with ClickHouse 26.9.",
        syntax: "retention(VARIADIC conditions boolean) -> integer[]",
        arguments: &[("conditions", "1 to 32 conditions; the first says who belongs to the cohort.")],
        example: "SELECT sum(r[1]) AS cohort, sum(r[2]) AS came_back FROM (\n    SELECT one_id, retention(touched_at::date = DATE '2010-12-31', touched_at::date = DATE '2011-01-01') AS r FROM touches GROUP BY one_id)",
        related: &["window_funnel"],
    }
    .build()
});

/// The aggregate `retention(condition, ...)`.
pub struct Retention;

impl AggregateDefinition for Retention {
    const NAME: &'static str = NAME;
    type States = Met;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        if !(1..=CONDITIONS_MAX).contains(&types.len()) {
            return plan_err!("{NAME}: 1 to {CONDITIONS_MAX} conditions are needed, got {}", types.len());
        }
        coerce_conditions(NAME, types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(element_field()))
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("met", DataType::Int32)])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(Met { conditions: args.exprs.len(), groups: Vec::new() })
    }
}

fn element_field() -> FieldRef {
    Arc::new(Field::new("item", DataType::Int32, true))
}

/// One bit a condition that some row met.
#[derive(Debug)]
pub(crate) struct Met {
    conditions: usize,
    groups: Vec<u32>,
}

impl GroupStates for Met {
    fn fresh(&self) -> Self {
        Self { conditions: self.conditions, groups: Vec::new() }
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize(groups, 0);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let conditions = Conditions::of(columns, rows.groups.len());
        for (row, &group) in rows.groups.iter().enumerate() {
            // Most rows may meet nothing: to go to their groups for that costs more than to ask.
            let met = conditions.met[row];
            if met != 0 && rows.passes(row) && conditions.is_valid(row) {
                self.groups[group] |= met;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [met] = take_function_args(NAME, partials)?;
        let met = met.as_primitive::<Int32Type>();
        for (row, &group) in rows.groups.iter().enumerate() {
            if met.is_valid(row) && met.value(row) != 0 {
                self.groups[group] |= met.value(row) as u32;
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        Ok(Self { conditions: self.conditions, groups: std::mem::replace(&mut self.groups, rest) })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(Int32Array::from_iter_values(self.groups.iter().map(|met| *met as i32)))])
    }

    fn partials_of_rows(&self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let conditions = Conditions::of(columns, rows.groups.len());
        let counted = |row: usize| rows.passes(row) && conditions.is_valid(row);
        let met = conditions.met.iter().enumerate().map(|(row, met)| if counted(row) { *met as i32 } else { 0 });
        Ok(vec![Arc::new(Int32Array::from_iter_values(met))])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let element = |met: &u32, condition: usize| (met & 1 & (met >> condition)) as i32;
        let elements =
            self.groups.iter().flat_map(|met| (0..self.conditions).map(move |condition| element(met, condition)));
        let elements = Int32Array::from_iter_values(elements);
        let offsets = list_offsets(NAME, self.groups.iter().map(|_| self.conditions))?;
        Ok(Arc::new(ListArray::try_new(element_field(), offsets, Arc::new(elements), None)?))
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<u32>()
    }
}
