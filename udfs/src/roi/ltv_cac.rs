//! `ltv_cac`: what a customer is worth for what winning one costs.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs};

use super::quotient::{Dividend, coerce, quotient, quotient_type};
use crate::definition::ScalarDefinition;
use crate::documents::{Entry, RETURNS};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RETURNS,
        description: "Lifetime value for acquisition cost, ltv / cac: 3 is three of value for one of cost. \
            Decimals give a decimal of 38 digits with 6 after the point (more when an argument has more), rounded half away from zero; \
            other numbers give DOUBLE. NULL when an argument is NULL or cac is zero. Source: definition.",
        syntax: "ltv_cac(ltv numeric, cac numeric) -> numeric",
        arguments: &[("ltv", "Lifetime value of a customer in money, as clv gives it."), ("cac", "Cost of a new customer in the same money, as cac gives it.")],
        example: "SELECT channel, ltv_cac(300.00, cac(sum(cost), sum(new_customers))) AS ratio FROM channel_days GROUP BY channel",
        related: &["cac", "clv", "payback_period"],
    }
    .build()
});

/// The scalar `ltv_cac(ltv, cac)`.
pub struct LtvCac;

impl ScalarDefinition for LtvCac {
    const NAME: &'static str = "ltv_cac";

    fn documentation() -> &'static Documentation {
        &DOCUMENTATION
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(Self::NAME, ["ltv", "cac"], types)
    }

    fn result(types: &[DataType]) -> Result<DataType> {
        Ok(quotient_type(types))
    }

    fn invoke(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        quotient(Self::NAME, &args, Dividend::First)
    }
}
