//! Experiments: whether arms differ, and whether the experiment is sound.

mod ab_ztest;
pub(crate) mod arms;
mod comparison;
mod cuped_ttest;

mod msprt;
mod quantiles;
mod srm_test;
mod welch_ttest;

use std::sync::Arc;

use datafusion_expr::AggregateUDF;

use crate::definition::aggregate;

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate::<ab_ztest::AbZtest>(),
        aggregate::<welch_ttest::WelchTtest>(),
        aggregate::<cuped_ttest::CupedTtest>(),
        aggregate::<msprt::Msprt>(),
        aggregate::<srm_test::SrmTest>(),
    ]
}
