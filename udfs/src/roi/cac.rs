//! `cac`: what a new customer cost.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::quotient::{Dividend, coerce, quotient, quotient_type};
use crate::documents::{Entry, RETURNS};

const NAME: &str = "cac";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RETURNS,
        description: "Customer acquisition cost, cost / new_customers, in money a new customer. \
            Decimals give a decimal of 38 digits with 6 after the point (more when an argument has more), rounded half away from zero; \
            other numbers give DOUBLE. NULL when an argument is NULL or new_customers is zero. Source: definition.",
        syntax: "cac(cost numeric, new_customers bigint) -> numeric",
        arguments: &[
            ("cost", "Cost in money."),
            ("new_customers", "Number of customers whose first purchase the cost brought."),
        ],
        example: "SELECT channel, cac(sum(cost), sum(new_customers)) AS cac FROM channel_days GROUP BY channel",
        related: &["roi", "roas"],
    }
    .build()
});

/// The scalar `cac(cost, new_customers)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cac {
    signature: Signature,
}

impl Default for Cac {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Cac {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, ["cost", "new_customers"], types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(quotient_type(types))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        quotient(NAME, &args, Dividend::First)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}
