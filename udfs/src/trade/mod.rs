//! Measures of the trade, each with its definition in its signature.

mod orders;
mod repurchase_rate;
mod repurchase_within;

use std::sync::Arc;

use datafusion_expr::AggregateUDF;

use crate::definition::aggregate;

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate::<repurchase_rate::RepurchaseRate>(), aggregate::<repurchase_within::RepurchaseWithin>()]
}
