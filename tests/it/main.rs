//! The one integration test binary: each link of the query engine costs minutes, so all of it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attack;
mod audit;
mod authored;
mod blocks;
mod chapter;
mod cli;
mod cost;
mod crash;
mod custom_dataset;
mod exports;
mod functions;
mod hostile_files;
mod identity;
mod map;
mod online_retail;
mod query_log;
mod slt;
mod stream;
mod support;
mod torture;
mod upkeep;
