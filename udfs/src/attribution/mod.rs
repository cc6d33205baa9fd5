//! Attribution: which channel earned a conversion.

mod attribute;
pub mod chain;
mod customer_journeys;
mod journeys;
pub(crate) mod largest_remainder;
mod markov_attribution;
mod model;
mod path_column;
mod paths;
mod shapley_attribution;
mod touch_path;

use std::sync::Arc;

use datafusion_expr::AggregateUDF;

pub use attribute::Attribute;

use crate::definition::aggregate;
use journeys::Modelled;

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        Arc::new(AggregateUDF::from(Attribute::default())),
        aggregate::<Modelled<markov_attribution::MarkovAttribution>>(),
        aggregate::<Modelled<shapley_attribution::ShapleyAttribution>>(),
        aggregate::<touch_path::TouchPath>(),
        aggregate::<customer_journeys::CustomerJourneys>(),
    ]
}
