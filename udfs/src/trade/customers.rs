//! Customers as numbers: the id itself, or the number of its text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, plan_err};

use crate::constants::coerce_text;
use crate::names::Names;

/// Whole numbers or texts.
pub(super) fn coerce_customer(function: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        number if number.is_integer() => Ok(DataType::Int64),
        text => coerce_text(function, "customer", text),
    }
}

/// The type of customers in partial states, given that of the argument.
pub(super) fn customer_partial(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(DataType::Int64) => Ok(DataType::Int64),
        Some(_) => Ok(DataType::Utf8View),
        None => plan_err!("customer is missing"),
    }
}

#[derive(Debug)]
pub(super) struct Customers {
    /// Int64 or Utf8View.
    partial: DataType,
    names: Names,
}

impl Customers {
    /// `partial` as `customer_partial` gives it.
    pub fn new(partial: DataType) -> Self {
        Self { partial, names: Names::default() }
    }

    pub fn partial(&self) -> &DataType {
        &self.partial
    }

    /// The number of a row's customer, None for NULL.
    #[inline]
    pub fn number(&mut self, customers: &ArrayRef, row: usize) -> Option<i64> {
        if customers.is_null(row) {
            return None;
        }
        Some(match customers.data_type() {
            DataType::Int64 => customers.as_primitive::<Int64Type>().value(row),
            DataType::Utf8View => i64::from(self.names.number(customers.as_string_view().value(row))),
            _ => i64::from(self.names.number(customers.as_string::<i32>().value(row))),
        })
    }

    /// The number that a customer of `other` has here.
    pub fn renumber(&mut self, other: &Self, customer: i64) -> i64 {
        match self.partial {
            DataType::Int64 => customer,
            _ => i64::from(self.names.number(other.name(customer))),
        }
    }

    /// The customers of partial states.
    pub fn array(&self, customers: impl ExactSizeIterator<Item = i64>) -> ArrayRef {
        if self.partial == DataType::Int64 {
            return Arc::new(Int64Array::from_iter_values(customers));
        }
        // Views share the bytes of a repeated name.
        let mut names = StringViewBuilder::with_capacity(customers.len()).with_deduplicate_strings();
        for customer in customers {
            names.append_value(self.name(customer));
        }
        Arc::new(names.finish())
    }

    pub fn bytes(&self) -> usize {
        self.names.bytes()
    }

    fn name(&self, customer: i64) -> &str {
        self.names.name(u32::try_from(customer).unwrap_or(u32::MAX))
    }
}
