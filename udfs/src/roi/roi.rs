//! `roi`: the return on what a channel cost.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::quotient::{Dividend, coerce, quotient, quotient_type};
use crate::documents::{Entry, RETURNS};

const NAME: &str = "roi";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RETURNS,
        description: "Return on investment, (revenue - cost) / cost: 0.5 is fifty per cent gained. \
            Decimals give a decimal of 38 digits with 6 after the point (more when an argument has more), rounded half away from zero; \
            other numbers give DOUBLE. NULL when an argument is NULL or cost is zero. Source: definition.",
        syntax: "roi(revenue numeric, cost numeric) -> numeric",
        arguments: &[
            ("revenue", "Revenue in money."),
            ("cost", "Cost in the same money."),
        ],
        example: "SELECT channel, roi(sum(revenue), sum(cost)) AS roi FROM channel_days GROUP BY channel",
        related: &["roas", "cac"],
    }
    .build()
});

/// The scalar `roi(revenue, cost)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Roi {
    signature: Signature,
}

impl Default for Roi {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Roi {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, ["revenue", "cost"], types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(quotient_type(types))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        quotient(NAME, &args, Dividend::Difference)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}
