//! What exists, and what a principal can see of it.

mod correlated;
pub mod definition;
mod functions;
mod information;
pub mod inventory;
pub mod model;
mod outputs;
mod parameters;
mod pg;
mod rewrite;
pub mod session;
mod snapshot;
mod spec;
mod types;
pub mod visible;

pub use correlated::{analyzer_rule, one_row_rule};
pub use functions::{acts_as_its_caller, functions, speaks_for_its_caller};
pub use outputs::typed;
pub use parameters::infer_parameters;
pub use pg::SystemSchema;
pub use rewrite::{rewrite, shown_name};
pub use session::{CatalogHandle, CatalogSession, SettingScope};
pub use snapshot::quote_ident;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
