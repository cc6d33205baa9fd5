//! What exists, and what a principal can see of it.

mod functions;
mod information;
pub mod inventory;
pub mod model;
mod pg;
pub mod session;
mod snapshot;
mod spec;
mod types;
mod value;
pub mod visible;

pub use functions::functions;
pub use pg::SystemSchema;
pub use session::{CatalogHandle, CatalogSession, SettingScope};

/// Stub until the rewriter lands.
pub fn rewrite(_: &mut datafusion::sql::sqlparser::ast::Statement) {}
