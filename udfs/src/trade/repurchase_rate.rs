//! `repurchase_rate`: how many come back, by one of three usual definitions.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use super::customers::coerce_customer;
use super::orders::{Order, Rate};
use crate::calendar::coerce_time;
use crate::constants::{aggregate_constant, quoted, text};
use crate::documents::{Entry, TRADE};

const NAME: &str = "repurchase_rate";
const RULE: &str = "'orders', 'days' or 'repeat_orders'";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: TRADE,
        description: "Rate of repurchase, DOUBLE from 0 to 1, by a definition that the call names: 'orders', the share of customers with two orders or more; \
            'days', the share of customers with orders on two local days or more, so that a split order is none; \
            'repeat_orders', the share of orders that are not their customer's first. One row is one order. \
            A row with a NULL is left out; NULL without an order. The state grows by 20 bytes an order. \
            Source: the definitions in use; on Online Retail they give 0.656, 0.643 and 0.766.",
        syntax: "repurchase_rate(customer bigint, ts timestamptz, method text) -> double precision",
        arguments: &[
            ("customer", "Id of the customer, whole number or text."),
            ("ts", "Time of the order; its day is the local one of the type's zone."),
            ("method", "Constant 'orders', 'days' or 'repeat_orders'."),
        ],
        example: "SELECT repurchase_rate(one_id, paid_at, 'days') AS rate FROM orders",
        related: &["repurchase_within", "repurchase_cycle"],
    }
    .build()
});

/// The rate of the aggregate `repurchase_rate(customer, ts, method)`.
#[derive(Debug, Clone, Copy)]
pub enum RepurchaseRate {
    Orders,
    Days,
    RepeatOrders,
}

impl Rate for RepurchaseRate {
    const NAME: &'static str = NAME;

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [customer, ts, _] = take_function_args(NAME, types)?;
        Ok(vec![coerce_customer(NAME, customer)?, coerce_time(NAME, "ts", ts)?, DataType::Utf8])
    }

    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let method = aggregate_constant(args, NAME, 2, "method")?.unwrap_or(ScalarValue::Null);
        match text(&method, NAME, "method", RULE)?.as_str() {
            "orders" => Ok(Self::Orders),
            "days" => Ok(Self::Days),
            "repeat_orders" => Ok(Self::RepeatOrders),
            _ => exec_err!("{NAME}: method must be {RULE}, got {}", quoted(&method)),
        }
    }

    fn share<'a>(&self, customers: impl Iterator<Item = &'a [Order]>) -> Option<f64> {
        let (mut of, mut repeated) = (0, 0);
        for orders in customers {
            let (all, later) = match self {
                Self::Orders => (1, usize::from(orders.len() > 1)),
                Self::Days => {
                    (1, usize::from(orders.first().map(|order| order.day) != orders.last().map(|order| order.day)))
                }
                Self::RepeatOrders => (orders.len(), orders.len() - 1),
            };
            of += all;
            repeated += later;
        }
        (of > 0).then(|| repeated as f64 / of as f64)
    }
}
