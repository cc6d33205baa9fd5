//! The wall against the same questions over a copy without the hidden rows: values and error texts must be equal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod masks;
mod policies;
mod world;
