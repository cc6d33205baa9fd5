//! What stands before every handler.

pub mod connection;
pub mod shield;
