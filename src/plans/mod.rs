//! The rules that make physical plans: the engine's, without those that give wrong answers, and what mends others.

mod null_supplied;

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use henna_udfs::DenseGroups;

use self::null_supplied::NullSuppliedInputs;

/// The engine's physical rules without those that push filters. These look a column up by its name, and of two columns with
/// one name, as any join may have, they take the first: `c LEFT JOIN b WHERE b.x IS NULL` would leave out the row groups of c
/// that have no null. The logical plan has pushed what can be pushed; only filters that a join or a top-N learns are lost.
/// What mends comes first, before any rule reads what a plan says of its order; groups by customer are found by an array.
pub fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let engine = PhysicalOptimizer::new().rules.into_iter().filter(|rule| !rule.name().starts_with("FilterPushdown"));
    std::iter::once(Arc::new(NullSuppliedInputs) as Arc<dyn PhysicalOptimizerRule + Send + Sync>)
        .chain(engine)
        .chain(std::iter::once(Arc::new(DenseGroups) as _))
        .collect()
}
