//! What a channel gives back for what it costs.

mod cac;
mod quotient;
mod roas;
#[allow(clippy::module_inception)]
mod roi;

pub use cac::Cac;
pub use roas::Roas;
pub use roi::Roi;
