//! Files become rows: read, mapped, checked, resolved to persons, committed once.
//!
//! `load` tells the walk. `recognise` finds the source of the files; `reader` opens files of every format, and gives foreign ones
//! their source's columns; `source` maps those by SQL where that is not enough; `trial` does as much and loads nothing; `check` holds rows against the
//! table's contract by means of `cell`, which reads values; `persons` finds the person of each row by means of `identity`;
//! `person` is one identity as an operator sees it; `pass` drives the rows through and `settle` ends them; `reject` and `record`
//! keep what a load refused and did, in the tables of `system`; `correction` brings refused rows out and in again; `stream`
//! commits small loads together.

mod ahead;
mod cell;
mod check;
mod correction;
pub mod error;
mod fill;
mod forget;
pub mod identity;
mod load;
mod pass;
pub mod person;
mod persons;
mod reader;
mod recognise;
mod record;
mod reject;
mod request;
mod row_check;
mod scan;
mod settle;
mod source;
pub mod stream;
pub mod system;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
mod trial;

pub use correction::Exported;
pub use error::IngestError;
pub use fill::fills;
pub use forget::Forgotten;
pub use load::{Loader, PUBLIC};
pub use reader::HeaderChanges;
pub use request::{LoadReport, LoadRequest, OnReject, Phase, Progress, ProgressSink, REJECT_SHARE_MAX};
pub use row_check::{RowCheck, literal};
pub use system::table_spec;
pub use trial::{TableTrial, Trial, trial};
