//! Survival: how long customers last, whether some last longer, where one stands.

mod durations;
mod km_survival;
mod lifecycle_stage;
mod logrank_test;

use std::sync::Arc;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::definition::{aggregate, scalar};

pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    vec![scalar::<lifecycle_stage::LifecycleStage>()]
}

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![aggregate::<km_survival::KmSurvival>(), aggregate::<logrank_test::LogrankTest>()]
}
