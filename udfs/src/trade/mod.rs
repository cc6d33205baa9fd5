//! Measures of the trade, each with its definition in its name or signature.

mod customers;
mod orders;
mod repurchase_rate;
mod repurchase_within;

use std::sync::Arc;

use datafusion_expr::AggregateUDF;

use crate::definition::aggregate;
use orders::Rated;

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate::<Rated<repurchase_rate::RepurchaseRate>>(),
        aggregate::<Rated<repurchase_within::RepurchaseWithin>>(),
    ]
}
