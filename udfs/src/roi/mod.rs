//! What a channel gives back for what it costs.

mod cac;
mod quotient;
#[allow(clippy::module_inception)]
mod roi;
mod roas;

pub use cac::Cac;
pub use roas::Roas;
pub use roi::Roi;
