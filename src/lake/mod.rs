//! The lake: durable Delta tables, read as plain Parquet scans. The only room that knows Delta and object storage.
//!
//! ```text
//! <root>/tables/<schema>/<table>/_delta_log/...   commits; one commit makes a write visible, whole
//! <root>/tables/<schema>/<table>/**/*.parquet     rows; never overwritten
//! <root>/<anything else>                          small blobs of other rooms: Store::put_if_absent, get, list
//! ```
//!
//! **Reading.** [`Store::snapshot`] gives the newest version of a table (a commit of another process shows at the next
//! call); [`Snapshot::provider`] makes of it a DataFusion table whose scan is one `DataSourceExec` over the files that the
//! filters leave. The scan reads through [`STORE_URL`], which [`Store::register`] ties to this lake in a runtime.
//!
//! **Writing.** [`Store::write`] takes a stream of rows in stored types and gives a [`Commit`] once they are durable.
//! A table with a key holds one row per key, the one with the greatest version column; the later load wins a tie.
//! A load id that was committed before writes nothing and says so in [`Commit::repeated`].
//!
//! A crash at any point leaves the version before or the version after; files that no commit names are harmless, and
//! [`Store::check`] lists them.

mod alter;
mod arrange;
mod bucket;
mod check;
mod copy;
mod data_file;
mod decided;
mod durable;
mod error;
mod expire;
#[cfg(test)]
pub mod faults;
mod footers;
mod gather;
mod key_index;
mod keys;
mod lock;
mod parquet_bytes;
mod parts;
mod provider;
mod prune;
mod remap;
mod snapshot;
mod statistics;
mod store;
mod stored;
mod table;
mod take_back;
#[cfg(test)]
mod tests;
mod traces;
mod travel;
mod upkeep;
mod upsert;
mod write;

pub use alter::Altered;
pub use bucket::{BUCKET_SCHEME, Bucket, BucketFile};
pub use check::{Finding, Severity};
pub use copy::Copied;
pub use error::LakeError;
pub use parts::{Judge, Owner, Part, Together};
pub use provider::RawTable;
pub use remap::{Remap, Survivors};
pub use snapshot::{FileEntry, Snapshot};
pub use statistics::ColumnRange;
pub use store::{STORE_URL, Store};
pub use table::{PartitionSpec, StoredColumn, TableName, TableSpec};
pub use travel::Moment;
pub use upkeep::Doomed;
pub use write::{Commit, WriteRequest};
