//! `roas`: revenue for each unit of money spent.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::quotient::{Dividend, coerce, quotient, quotient_type};
use crate::documents::{Entry, RETURNS};

const NAME: &str = "roas";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RETURNS,
        description: "Return on advertising spend, revenue / cost: 3 is three units of revenue for one spent. \
            Decimals give a decimal of 38 digits with 6 after the point (more when an argument has more), rounded half away from zero; \
            other numbers give DOUBLE. NULL when an argument is NULL or cost is zero. Source: definition.",
        syntax: "roas(revenue numeric, cost numeric) -> numeric",
        arguments: &[
            ("revenue", "Revenue in money."),
            ("cost", "Cost in the same money."),
        ],
        example: "SELECT channel, roas(sum(revenue), sum(cost)) AS roas FROM channel_days GROUP BY channel",
        related: &["roi", "cac"],
    }
    .build()
});

/// The scalar `roas(revenue, cost)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Roas {
    signature: Signature,
}

impl Default for Roas {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Roas {
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
        quotient(NAME, &args, Dividend::First)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}
