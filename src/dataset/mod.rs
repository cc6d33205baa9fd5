//! A dataset folder as plain values: contracts, views, marts, sources, sample, access statements. Opens no table.

pub mod contract;

pub use contract::{Check, Column, Contract, ForeignKey, Partition, SqlType};
