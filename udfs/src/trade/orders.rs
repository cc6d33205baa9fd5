//! The orders of all customers of a group: what rates of repurchase are asked of.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringViewBuilder, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err, exec_err, plan_err};

use crate::calendar::{Calendar, Instants};
use crate::constants::coerce_text;
use crate::groups::{GroupStates, Rows, list_offsets};
use crate::names::Names;

/// An order of a customer in the group `group`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    group: u32,
    /// The id, or the number of the name.
    customer: i64,
    pub day: i32,
}

/// What is asked of the orders of a group.
pub(crate) trait Rate: Clone + Debug + Send + Sync + 'static {
    const NAME: &'static str;

    /// Given the orders of each customer in order of their days: a share, None without a customer.
    fn share<'a>(&self, customers: impl Iterator<Item = &'a [Order]>) -> Option<f64>;
}

/// Customers are whole numbers or texts.
pub(super) fn coerce_customer(function: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        number if number.is_integer() => Ok(DataType::Int64),
        text => coerce_text(function, "customer", text),
    }
}

/// The name and type of the partial state, given that of customer.
pub(super) fn order_partials(types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
    match types.first() {
        Some(customer) => Ok(vec![("orders", DataType::List(order_field(customer)))]),
        None => plan_err!("customer is missing"),
    }
}

fn order_fields(customer: &DataType) -> Fields {
    let customer = if *customer == DataType::Int64 { DataType::Int64 } else { DataType::Utf8View };
    Fields::from(vec![Field::new("customer", customer, false), Field::new("day", DataType::Int64, false)])
}

fn order_field(customer: &DataType) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(order_fields(customer)), false))
}

/// The orders of all groups in one flat vector.
#[derive(Debug)]
pub(crate) struct States<R> {
    rate: R,
    /// Type of customer.
    customer: DataType,
    calendar: Calendar,
    names: Names,
    groups: usize,
    orders: Vec<Order>,
}

impl<R: Rate> States<R> {
    pub fn new(rate: R, customer: DataType, calendar: Calendar) -> Self {
        Self { rate, customer, calendar, names: Names::default(), groups: 0, orders: Vec::new() }
    }

    fn push(&mut self, group: usize, customer: i64, day: i32) -> Result<()> {
        let group = u32::try_from(group)
            .map_err(|_| exec_datafusion_err!("{}: more than 2^32 groups in one partition", R::NAME))?;
        self.orders.push(Order { group, customer, day });
        Ok(())
    }

    fn by_group(&self) -> impl Iterator<Item = &[Order]> {
        let mut rest = self.orders.as_slice();
        (0..self.groups).map(move |group| {
            let length = rest.partition_point(|order| order.group as usize <= group);
            let (own, others) = rest.split_at(length);
            rest = others;
            own
        })
    }

    /// The customer of a row as a number, None for NULL.
    fn customer_at(&mut self, customers: &ArrayRef, row: usize) -> Option<i64> {
        if customers.is_null(row) {
            return None;
        }
        Some(match customers.data_type() {
            DataType::Int64 => customers.as_primitive::<Int64Type>().value(row),
            DataType::Utf8View => i64::from(self.names.number(customers.as_string_view().value(row))),
            _ => i64::from(self.names.number(customers.as_string::<i32>().value(row))),
        })
    }

    fn name(&self, customer: i64) -> &str {
        self.names.name(u32::try_from(customer).unwrap_or(u32::MAX))
    }
}

impl<R: Rate> GroupStates for States<R> {
    fn fresh(&self) -> Self {
        Self::new(self.rate.clone(), self.customer.clone(), self.calendar.clone())
    }

    fn grow(&mut self, groups: usize) {
        self.groups = self.groups.max(groups);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [customers, ts, ..] = columns else {
            return exec_err!("{}: customer and ts are needed", R::NAME);
        };
        let ts = Instants::of(ts)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row)
                && ts.is_valid(row)
                && let Some(customer) = self.customer_at(customers, row)
            {
                let day = self.calendar.day(ts.raw[row]);
                self.push(group, customer, day)?;
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
                if let Some(customer) = self.customer_at(each.column(0), order) {
                    self.push(group, customer, days.value(order) as i32)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let mut taken = self.fresh();
        taken.groups = groups;
        self.groups = self.groups.saturating_sub(groups);
        let mut kept = Vec::with_capacity(self.orders.len());
        for order in std::mem::take(&mut self.orders) {
            match (order.group as usize).checked_sub(groups) {
                Some(group) => kept.push(Order { group: group as u32, ..order }),
                None if self.customer == DataType::Int64 => taken.orders.push(order),
                None => {
                    let customer = i64::from(taken.names.number(self.name(order.customer)));
                    taken.orders.push(Order { customer, ..order });
                }
            }
        }
        self.orders = kept;
        Ok(taken)
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        self.orders.sort_unstable();
        let customers: ArrayRef = if self.customer == DataType::Int64 {
            Arc::new(Int64Array::from_iter_values(self.orders.iter().map(|order| order.customer)))
        } else {
            // Views share the bytes of a repeated name.
            let mut names = StringViewBuilder::with_capacity(self.orders.len()).with_deduplicate_strings();
            for order in &self.orders {
                names.append_value(self.name(order.customer));
            }
            Arc::new(names.finish())
        };
        let days = Int64Array::from_iter_values(self.orders.iter().map(|order| i64::from(order.day)));
        let offsets = list_offsets(R::NAME, self.by_group().map(<[Order]>::len))?;
        let orders = StructArray::try_new(order_fields(&self.customer), vec![customers, Arc::new(days)], None)?;
        Ok(vec![Arc::new(ListArray::try_new(order_field(&self.customer), offsets, Arc::new(orders), None)?)])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        self.orders.sort_unstable();
        let same_customer = |one: &Order, two: &Order| one.customer == two.customer;
        let shares = self.by_group().map(|orders| self.rate.share(orders.chunk_by(same_customer)));
        Ok(Arc::new(shares.collect::<Float64Array>()))
    }

    fn bytes(&self) -> usize {
        self.orders.capacity() * size_of::<Order>() + self.names.bytes()
    }
}
