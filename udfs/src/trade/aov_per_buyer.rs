//! `aov_per_buyer`: what a buyer brings.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::customers::{Customers, coerce_customer, customer_partial};
use super::totals::Totals;
use crate::amounts::{coerce_amount, sum_type};
use crate::definition::AggregateDefinition;
use crate::documents::{Entry, TRADE};
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::roi::quotient::{mean, mean_type};
use crate::row_log::RowLog;
use crate::sums::sum_array;

const NAME: &str = "aov_per_buyer";
/// Customers are made distinct when so many came in since the last time, at the least.
const FOLD_ROWS_MIN: usize = 65_536;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: TRADE,
        description: "Average order value by buyers: the sum of amount for the number of different customers, so a customer with two orders counts once; aov_per_order counts orders. \
            One row is one order. Decimals give a decimal of 38 digits with 6 after the point (more when amount has more), rounded half away from zero; other numbers give DOUBLE. \
            A row with a NULL is left out; NULL without an order. The state grows by 12 to 24 bytes a customer. Source: definition.",
        syntax: "aov_per_buyer(customer bigint, amount numeric) -> numeric",
        arguments: &[
            ("customer", "Id of the customer, whole number or text."),
            ("amount", "Amount of the order in money, decimal or other number; refunds are deducted where the caller deducts them."),
        ],
        example: "SELECT aov_per_buyer(one_id, amount) AS per_buyer, aov_per_order(amount) AS per_order FROM orders",
        related: &["aov_per_order"],
    }
    .build()
});

/// The aggregate `aov_per_buyer(customer, amount)`.
pub struct AovPerBuyer;

impl AggregateDefinition for AovPerBuyer {
    const NAME: &'static str = NAME;
    type States = States;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [customer, amount] = take_function_args(NAME, types)?;
        Ok(vec![coerce_customer(NAME, customer)?, coerce_amount(NAME, "amount", amount)?])
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        let [_, amount] = take_function_args(NAME, types)?;
        Ok(mean_type(amount))
    }

    fn partials(types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        let [_, amount] = take_function_args(NAME, types)?;
        Ok(vec![("total", sum_type(amount)), ("customers", DataType::List(customer_field(&customer_partial(types)?)))])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let [_, amount] = take_function_args(NAME, &types)?;
        Ok(States::new(Totals::new(NAME, amount), Customers::new(customer_partial(&types)?)))
    }
}

fn customer_field(customer: &DataType) -> FieldRef {
    Arc::new(Field::new("item", customer.clone(), false))
}

#[derive(Debug)]
pub(crate) struct States {
    totals: Totals,
    customers: Customers,
    /// Numbers of customers, distinct in each group at the last folding.
    buyers: RowLog<i64>,
    folded: usize,
}

impl States {
    fn new(totals: Totals, customers: Customers) -> Self {
        Self { totals, customers, buyers: RowLog::new(), folded: 0 }
    }

    fn push(&mut self, group: usize, customer: i64) -> Result<()> {
        self.buyers.push(NAME, group, customer)?;
        if self.buyers.rows().len() >= 2 * self.folded + FOLD_ROWS_MIN {
            self.fold()?;
        }
        Ok(())
    }

    fn fold(&mut self) -> Result<()> {
        self.buyers.condense(|own| {
            own.sort_unstable();
            let mut distinct = 0;
            for next in 0..own.len() {
                if distinct == 0 || own[distinct - 1] != own[next] {
                    own[distinct] = own[next];
                    distinct += 1;
                }
            }
            Ok(distinct)
        })?;
        self.folded = self.buyers.rows().len();
        Ok(())
    }
}

impl GroupStates for States {
    fn fresh(&self) -> Self {
        Self::new(self.totals.fresh(), Customers::new(self.customers.partial().clone()))
    }

    fn grow(&mut self, groups: usize) {
        self.totals.grow(groups);
        self.buyers.grow(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [customers, amounts] = take_function_args(NAME, columns)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row)
                && customers.is_valid(row)
                && self.totals.add(group, amounts, row)?
                && let Some(customer) = self.customers.number(customers, row)
            {
                self.push(group, customer)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [totals, lists] = take_function_args(NAME, partials)?;
        let lists = lists.as_list::<i32>();
        for (row, &group) in rows.groups.iter().enumerate() {
            self.totals.add(group, totals, row)?;
            if lists.is_valid(row) {
                for index in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                    if let Some(customer) = self.customers.number(lists.values(), index) {
                        self.push(group, customer)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let mut taken = self.fresh();
        taken.totals = self.totals.take(groups);
        taken.buyers = self.buyers.take(groups);
        for buyer in taken.buyers.rows_mut() {
            *buyer = taken.customers.renumber(&self.customers, *buyer);
        }
        (taken.folded, self.folded) = (0, 0);
        Ok(taken)
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        self.fold()?;
        let customers = self.customers.array(self.buyers.rows().iter().copied());
        let offsets = list_offsets(NAME, self.buyers.lengths())?;
        let field = customer_field(self.customers.partial());
        Ok(vec![self.totals.array(), Arc::new(ListArray::try_new(field, offsets, customers, None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        self.fold()?;
        let amount = self.totals.data_type();
        let buyers = self.buyers.lengths();
        let means = self.totals.iter().zip(buyers).map(|(total, buyers)| mean(total?, buyers as i64, amount));
        Ok(sum_array(means, &mean_type(amount)))
    }

    fn bytes(&self) -> usize {
        self.totals.bytes() + self.customers.bytes() + self.buyers.bytes()
    }
}
