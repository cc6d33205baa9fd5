//! The one integration test binary: each link of the query engine costs minutes, so all of it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attack;
mod audit;
mod authored;
mod bench;
mod blocks;
mod buckets;
mod chapter;
mod cli;
mod cost;
mod crash;
mod custom_dataset;
mod dataset_change;
mod exports;
mod full_disk;
mod functions;
mod hostile_files;
mod hostile_rows;
mod identity;
mod late;
mod map;
mod online_retail;
mod query_log;
mod race;
mod rejects;
mod slt;
mod stream;
mod support;
mod torture;
mod upkeep;
