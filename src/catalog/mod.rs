//! What exists, and what a principal can see of it.

mod functions;
mod information;
pub mod model;
mod pg;
pub mod session;
mod snapshot;
mod spec;
mod types;
mod value;

pub use functions::functions;
pub use pg::SystemSchema;
pub use session::{CatalogHandle, CatalogSession, SettingScope};
