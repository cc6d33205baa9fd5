//! The whole of a session against an oracle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fuzz;
