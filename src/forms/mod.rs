//! The text forms of values: as PostgreSQL writes them, and as it reads them.

pub mod array;
pub mod datetime;
pub mod interval;
pub mod number;
pub mod read;
pub mod zone;
