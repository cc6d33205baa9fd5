//! What exists, and what a principal can see of it.

pub mod model;
