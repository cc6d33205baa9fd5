//! A dataset folder as plain values: contracts, views, marts, sources, sample, access statements. Opens no table.
//!
//! `files` finds the folder's texts, on disk or within this binary; `folder` reads them; `settings` and `ddl` and `view`
//! are its parts, as are `source` and `layout` of what lies in `sources/`; `check` proves that they fit together, `difference` tells what
//! another text of the same dataset changes. `sample` runs the queries that make sample files.

mod check;
pub mod contract;
mod ddl;
mod difference;
pub mod error;
mod files;
mod folder;
mod layout;
mod sample;
mod sample_uniform;
mod settings;
mod shipped;
mod source;
mod view;

pub use contract::{Check, Column, Contract, ForeignKey, Partition, Retention, SqlType};
pub use difference::{Change, Difference, Refusal, Turn};
pub use error::DatasetError;
pub use files::{DatasetFile, read_folder};
pub use folder::{Board, Dataset};
pub use layout::{Layout, Origin, SourceColumn, Step};
pub use sample::{SampleFile, SampleQuery, SampleTarget, write_samples};
pub use sample_uniform::sample_uniform;
pub use settings::AsOf;
pub use source::{Feed, Source};
pub use view::ViewFile;

/// The contract that the text of one `CREATE TABLE` file declares. `path` stands in its errors.
pub fn contract(path: &str, table: &str, text: &str) -> Result<Contract, DatasetError> {
    ddl::contract(path, table, text)
}
