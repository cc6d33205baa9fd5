//! Attribution: which channel earned a conversion.

mod attribute;
pub(crate) mod largest_remainder;
mod model;
mod paths;

pub use attribute::Attribute;
