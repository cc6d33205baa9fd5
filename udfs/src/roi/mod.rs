//! What a channel gives back for what it costs.

mod cac;
mod ltv_cac;
mod payback_period;
pub(crate) mod quotient;
mod roas;
#[allow(clippy::module_inception)]
mod roi;

pub use cac::Cac;
pub use roas::Roas;
pub use roi::Roi;

use std::sync::Arc;

use datafusion_expr::ScalarUDF;

use crate::definition::scalar;

pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(ScalarUDF::from(Roi::default())),
        Arc::new(ScalarUDF::from(Roas::default())),
        Arc::new(ScalarUDF::from(Cac::default())),
        scalar::<ltv_cac::LtvCac>(),
        scalar::<payback_period::PaybackPeriod>(),
    ]
}
