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
use arms::Tested;

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate::<Tested<ab_ztest::AbZtest>>(),
        aggregate::<Tested<welch_ttest::WelchTtest>>(),
        aggregate::<Tested<cuped_ttest::CupedTtest>>(),
        aggregate::<Tested<msprt::Msprt>>(),
        aggregate::<Tested<srm_test::SrmTest>>(),
    ]
}
