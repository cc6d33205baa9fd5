//! SQL functions for retail analytics on DataFusion: RFM, churn, lifetime models, attribution, channel returns.
//!
//! [`register_all`] adds them to a session; [`scalar_functions`], [`aggregate_functions`] and [`window_functions`] list them with their
//! documentation. All are pure and immutable: no clock, no I/O. [`DenseGroups`] is a rule for plans that group by customer.

mod amounts;
pub mod attribution;
mod behaviour;
mod calendar;
pub mod churn;
mod constants;
mod day_log;
mod definition;
mod dense_groups;
mod documents;
mod doubles;
mod experiments;
mod gamma;
mod groups;
pub mod lifetime;
mod linear;
mod named_events;
mod names;
mod packed;
pub mod rfm;
pub mod roi;
mod row_log;
mod sets;
mod sums;
mod survival;
mod tails;
mod texts;
mod trade;
mod windows;

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::registry::FunctionRegistry;
use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use dense_groups::DenseGroups;

/// Adds every function to a session (a `SessionContext` or `SessionState`), replacing functions of the same name.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in scalar_functions() {
        registry.register_udf(function)?;
    }
    for function in aggregate_functions() {
        registry.register_udaf(function)?;
    }
    for function in window_functions() {
        registry.register_udwf(function)?;
    }
    Ok(())
}

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The functions of one row.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![
        Arc::new(ScalarUDF::from(rfm::RfmSegment::default())),
        Arc::new(ScalarUDF::from(churn::ChurnRisk::default())),
        Arc::new(ScalarUDF::from(churn::ChurnLevel::default())),
    ];
    functions.extend(lifetime::scalars());
    functions.extend(roi::scalars());
    functions.extend(survival::scalars());
    functions.extend(sets::scalars());
    functions.extend(trade::scalars());
    functions
}

/// The functions of a group.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let mut functions = vec![
        Arc::new(AggregateUDF::from(rfm::Rfm::default())),
        Arc::new(AggregateUDF::from(rfm::RfmSummary::default())),
        Arc::new(AggregateUDF::from(churn::RepurchaseCycle::default())),
    ];
    functions.extend(attribution::aggregates());
    functions.extend(lifetime::aggregates());
    functions.extend(behaviour::aggregates());
    functions.extend(survival::aggregates());
    functions.extend(experiments::aggregates());
    functions.extend(sets::aggregates());
    functions.extend(trade::aggregates());
    functions
}

/// The functions of a window.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    let mut functions = vec![Arc::new(WindowUDF::from(rfm::RfmScore::default()))];
    functions.extend(behaviour::windows());
    functions
}
