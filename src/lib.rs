//! Henna: a columnar query server for retailers that sell on many channels.
//!
//! The two walks through the house are told in ARCHITECTURE.md: a query, from the socket to the answer, and a record,
//! from the file to the commit. [`Lake`] and [`Session`] are the public, embeddable door.

pub mod access;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod dataset;
pub mod error;
pub mod forms;
pub mod functions;
pub mod ingest;
pub mod lake;
pub mod plans;
pub mod query;
pub mod sql;
pub mod web;
pub mod wire;

pub use error::{Error, Kind, Reason, Result};
pub use query::{Lake, Session};
