//! Behaviour: funnels, sequences, sessions, paths.

mod cohort_periods;
mod events;
mod funnel;
mod funnel_step_times;
mod path_flows;
mod pattern;
mod retention;
mod sequence;
mod sequence_count;
mod sequence_match;
mod sessionize;
mod window_funnel;

use std::sync::Arc;

use datafusion_expr::{AggregateUDF, WindowUDF};

use crate::definition::aggregate;
use events::Asked;

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate::<Asked<window_funnel::WindowFunnel>>(),
        aggregate::<Asked<funnel_step_times::FunnelStepTimes>>(),
        aggregate::<Asked<sequence_match::SequenceMatch>>(),
        aggregate::<Asked<sequence_count::SequenceCount>>(),
        aggregate::<retention::Retention>(),
        aggregate::<cohort_periods::CohortPeriods>(),
        aggregate::<path_flows::PathFlows>(),
    ]
}

pub(crate) fn windows() -> Vec<Arc<WindowUDF>> {
    vec![Arc::new(WindowUDF::from(sessionize::Sessionize::default()))]
}
