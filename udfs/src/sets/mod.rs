//! Sets: bitmaps of ids, sketches of their number, and what is bought together.

mod bitmap;
mod bitmap_and;
mod bitmap_andnot;
mod bitmap_build;
mod bitmap_contains;
mod bitmap_count;
mod bitmap_intersect_agg;
mod bitmap_or;
mod bitmap_subset;
mod bitmap_to_array;
mod bitmap_union_agg;
mod bitmap_xor;
mod gathering;
mod hll;
mod hll_build;
mod hll_estimate;
mod hll_merge;
mod intersect_count;
mod itemsets;
mod market_basket;
mod theta;
mod theta_and;
mod theta_andnot;
mod theta_build;
mod theta_estimate;
mod theta_merge;
mod values;

use std::sync::Arc;

use datafusion_expr::{AggregateUDF, ScalarUDF};

use crate::definition::{aggregate, scalar};
use gathering::Gather;

pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar::<bitmap_and::BitmapAnd>(),
        scalar::<bitmap_or::BitmapOr>(),
        scalar::<bitmap_andnot::BitmapAndnot>(),
        scalar::<bitmap_xor::BitmapXor>(),
        scalar::<bitmap_count::BitmapCount>(),
        scalar::<bitmap_contains::BitmapContains>(),
        scalar::<bitmap_subset::BitmapSubset>(),
        scalar::<bitmap_to_array::BitmapToArray>(),
        scalar::<hll_estimate::HllEstimate>(),
        scalar::<theta_estimate::ThetaEstimate>(),
        scalar::<theta_and::ThetaAnd>(),
        scalar::<theta_andnot::ThetaAndnot>(),
        scalar::<intersect_count::IntersectCount>(),
    ]
}

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate::<Gather<bitmap_build::BitmapBuild>>(),
        aggregate::<Gather<bitmap_union_agg::BitmapUnionAgg>>(),
        aggregate::<Gather<bitmap_intersect_agg::BitmapIntersectAgg>>(),
        aggregate::<Gather<hll_build::HllBuild>>(),
        aggregate::<Gather<hll_merge::HllMerge>>(),
        aggregate::<Gather<theta_build::ThetaBuild>>(),
        aggregate::<Gather<theta_merge::ThetaMerge>>(),
        aggregate::<market_basket::MarketBasket>(),
    ]
}
