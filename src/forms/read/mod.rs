//! Values from what users write.

pub mod array;
pub mod bytes;
mod calendar;
pub mod datetime;
pub mod interval;

use crate::error::{Error, Reason};

/// Text that is no span of time.
fn invalid(type_name: &str, text: &str) -> Error {
    Error::new(Reason::InvalidDatetime, format!("invalid input syntax for type {type_name}: \"{text}\""))
}

fn out_of_range(type_name: &str, text: &str) -> Error {
    Error::new(Reason::OutOfRange, format!("value \"{text}\" is out of range for type {type_name}"))
}
