//! Customer lifetime: models of buying until an unseen end.

mod beta_binomial;
mod beta_geometric;
mod bgbb_expected;
mod bgbb_fit;
mod bgbb_palive;
mod bgnbd_expected;
mod bgnbd_fit;
mod bgnbd_palive;
mod clv;
mod fit;
mod gamma_gamma;
mod gg_expected;
mod gg_fit;
mod history;
mod hypergeometric;
mod mbgnbd_expected;
mod mbgnbd_fit;
mod mbgnbd_palive;
mod minimise;
mod model;
mod params;
mod pareto;
mod pnbd_expected;
mod pnbd_fit;
mod pnbd_palive;
mod quadrature;

use std::sync::Arc;

use datafusion_expr::{AggregateUDF, ScalarUDF};

pub use hypergeometric::ln_2f1;

use crate::definition::{aggregate, scalar};
use fit::Fitted;

pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar::<bgnbd_palive::BgnbdPalive>(),
        scalar::<bgnbd_expected::BgnbdExpected>(),
        scalar::<mbgnbd_palive::MbgnbdPalive>(),
        scalar::<mbgnbd_expected::MbgnbdExpected>(),
        scalar::<pnbd_palive::PnbdPalive>(),
        scalar::<pnbd_expected::PnbdExpected>(),
        scalar::<bgbb_palive::BgbbPalive>(),
        scalar::<bgbb_expected::BgbbExpected>(),
        scalar::<gg_expected::GgExpected>(),
        scalar::<clv::Clv>(),
    ]
}

pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        aggregate::<Fitted<bgnbd_fit::BgnbdFit, 3, 4>>(),
        aggregate::<Fitted<mbgnbd_fit::MbgnbdFit, 3, 4>>(),
        aggregate::<Fitted<pnbd_fit::PnbdFit, 3, 4>>(),
        aggregate::<Fitted<gg_fit::GgFit, 2, 3>>(),
        aggregate::<Fitted<bgbb_fit::BgbbFit, 3, 4>>(),
    ]
}
