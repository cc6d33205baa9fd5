//! `aov_per_order`: what an order brings.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::totals::Totals;
use crate::amounts::{coerce_amount, sum_type};
use crate::definition::AggregateDefinition;
use crate::documents::{Entry, TRADE};
use crate::groups::{GroupStates, Rows};
use crate::roi::quotient::{mean, mean_type};
use crate::sums::sum_array;

const NAME: &str = "aov_per_order";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: TRADE,
        description: "Average order value by orders: the sum of amount for the number of orders. A customer with two orders counts twice; aov_per_buyer counts her once. \
            One row is one order. Decimals give a decimal of 38 digits with 6 after the point (more when amount has more), rounded half away from zero; other numbers give DOUBLE. \
            A NULL amount is left out, also from the number; NULL without an order. The state is 40 bytes a group. Source: definition.",
        syntax: "aov_per_order(amount numeric) -> numeric",
        arguments: &[("amount", "Amount of the order in money, decimal or other number; refunds are deducted where the caller deducts them.")],
        example: "SELECT paid_at, aov_per_order(amount) AS per_order, aov_per_buyer(one_id, amount) AS per_buyer FROM orders GROUP BY paid_at",
        related: &["aov_per_buyer"],
    }
    .build()
});

/// The aggregate `aov_per_order(amount)`.
pub struct AovPerOrder;

impl AggregateDefinition for AovPerOrder {
    const NAME: &'static str = NAME;
    type States = States;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [amount] = take_function_args(NAME, types)?;
        Ok(vec![coerce_amount(NAME, "amount", amount)?])
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        let [amount] = take_function_args(NAME, types)?;
        Ok(mean_type(amount))
    }

    fn partials(types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        let [amount] = take_function_args(NAME, types)?;
        Ok(vec![("total", sum_type(amount)), ("orders", DataType::Int64)])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let [amount] = take_function_args(NAME, args.expr_fields)?;
        Ok(States { totals: Totals::new(NAME, amount.data_type()), orders: Vec::new() })
    }
}

#[derive(Debug)]
pub(crate) struct States {
    totals: Totals,
    orders: Vec<i64>,
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self { totals: self.totals.fresh(), orders: Vec::new() }
    }

    fn grow(&mut self, groups: usize) {
        self.totals.grow(groups);
        if groups > self.orders.len() {
            self.orders.resize(groups, 0);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [amounts] = take_function_args(NAME, columns)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) && self.totals.add(group, amounts, row)? {
                self.orders[group] += 1;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [totals, orders] = take_function_args(NAME, partials)?;
        let orders = orders.as_primitive::<Int64Type>();
        for (row, &group) in rows.groups.iter().enumerate() {
            if self.totals.add(group, totals, row)? && orders.is_valid(row) {
                self.orders[group] += orders.value(row);
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.orders.split_off(groups);
        Ok(Self { totals: self.totals.take(groups), orders: std::mem::replace(&mut self.orders, rest) })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.totals.array(), Arc::new(Int64Array::from(self.orders.clone()))])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let amount = self.totals.data_type();
        let means = self.totals.iter().zip(&self.orders).map(|(total, orders)| mean(total?, *orders, amount));
        Ok(sum_array(means, &mean_type(amount)))
    }

    fn bytes(&self) -> usize {
        self.totals.bytes() + self.orders.capacity() * size_of::<i64>()
    }
}
