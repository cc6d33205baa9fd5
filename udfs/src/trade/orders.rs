//! The orders of all customers of a group: what rates of repurchase are asked of.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::customers::{Customers, customer_partial};
use crate::calendar::{Calendar, Instants};
use crate::definition::AggregateDefinition;
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::row_log::RowLog;

/// An order of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    customer: i64,
    pub day: i32,
}

/// What is asked of the orders of a group: an aggregate of `(customer, ts, ...)`.
pub(crate) trait Rate: Clone + Debug + Send + Sync + 'static {
    const NAME: &'static str;

    fn documentation() -> &'static Documentation;
    /// As in `AggregateDefinition`.
    fn coerce(types: &[DataType]) -> Result<Vec<DataType>>;
    /// Reads the constant arguments.
    fn of(args: &AccumulatorArgs) -> Result<Self>;
    /// Given the orders of each customer in order of their days: a share, None without a customer.
    fn share<'a>(&self, customers: impl Iterator<Item = &'a [Order]>) -> Option<f64>;
}

/// The aggregate of the rate R.
pub(super) struct Rated<R>(PhantomData<R>);

impl<R: Rate> AggregateDefinition for Rated<R> {
    const NAME: &'static str = R::NAME;
    type States = States<R>;

    fn documentation() -> &'static Documentation {
        R::documentation()
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        R::coerce(types)
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn partials(types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("orders", DataType::List(order_field(&customer_partial(types)?)))])
    }

    fn states(args: &AccumulatorArgs) -> Result<Self::States> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let [_, ts, ..] = types.as_slice() else {
            return exec_err!("{}: customer and ts are needed", R::NAME);
        };
        let calendar = Calendar::of(R::NAME, ts)?;
        Ok(States::new(R::of(args)?, customer_partial(&types)?, calendar))
    }
}

fn order_fields(customer: &DataType) -> Fields {
    Fields::from(vec![Field::new("customer", customer.clone(), false), Field::new("day", DataType::Int64, false)])
}

fn order_field(customer: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(order_fields(customer)), false))
}

/// The orders of all groups: 20 bytes each.
#[derive(Debug)]
pub(crate) struct States<R> {
    rate: R,
    calendar: Calendar,
    customers: Customers,
    log: RowLog<Order>,
}

impl<R: Rate> States<R> {
    fn new(rate: R, customer: DataType, calendar: Calendar) -> Self {
        Self { rate, calendar, customers: Customers::new(customer), log: RowLog::new() }
    }
}

impl<R: Rate> GroupStates for States<R> {
    fn fresh(&self) -> Self {
        Self::new(self.rate.clone(), self.customers.partial().clone(), self.calendar.clone())
    }

    fn grow(&mut self, groups: usize) {
        self.log.grow(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [customers, ts, ..] = columns else {
            return exec_err!("{}: customer and ts are needed", R::NAME);
        };
        let ts = Instants::of(ts)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row)
                && ts.is_valid(row)
                && let Some(customer) = self.customers.number(customers, row)
            {
                self.log.push(R::NAME, group, Order { customer, day: self.calendar.day(ts.raw[row]) })?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [lists] = take_function_args(R::NAME, partials)?;
        let lists = lists.as_list::<i32>();
        let each = lists.values().as_struct();
        let days = each.column(1).as_primitive::<Int64Type>();
        for (row, &group) in rows.groups.iter().enumerate() {
            if lists.is_null(row) {
                continue;
            }
            for order in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                if let Some(customer) = self.customers.number(each.column(0), order) {
                    self.log.push(R::NAME, group, Order { customer, day: days.value(order) as i32 })?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let mut taken = self.fresh();
        taken.log = self.log.take(groups);
        for order in taken.log.rows_mut() {
            order.customer = taken.customers.renumber(&self.customers, order.customer);
        }
        Ok(taken)
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        let lengths: Vec<usize> = self.log.by_group().map(|own| own.len()).collect();
        let orders = self.log.rows();
        let days = Int64Array::from_iter_values(orders.iter().map(|order| i64::from(order.day)));
        let columns = vec![self.customers.array(orders.iter().map(|order| order.customer)), Arc::new(days) as ArrayRef];
        let customer = self.customers.partial();
        let structs = StructArray::try_new(order_fields(customer), columns, None)?;
        let offsets = list_offsets(R::NAME, lengths)?;
        Ok(vec![Arc::new(ListArray::try_new(order_field(customer), offsets, Arc::new(structs), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        let same_customer = |one: &Order, two: &Order| one.customer == two.customer;
        let shares = self.log.by_group().map(|own| {
            own.sort_unstable();
            self.rate.share(own.chunk_by(same_customer))
        });
        Ok(Arc::new(shares.collect::<Float64Array>()))
    }

    fn bytes(&self) -> usize {
        self.log.bytes() + self.customers.bytes()
    }
}
