//! A write: rows in, one durable commit out.

use std::collections::BTreeMap;

use datafusion::physical_plan::SendableRecordBatchStream;

/// Rows to add, and the identity of the load that brings them.
pub struct WriteRequest {
    /// The same id never writes twice. Stands in the log in plain text.
    pub load_id: String,
    /// Rows in the table's stored schema ([`TableSpec::schema`](super::TableSpec::schema)), in any order, of any number.
    pub rows: SendableRecordBatchStream,
    /// Kept in the commit, in plain text, for whoever reads the log.
    pub notes: BTreeMap<String, String>,
}

/// What a write did. `rows_added + rows_updated + rows_duplicate + rows_stale` is the number of rows that came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The table's version after it.
    pub version: u64,
    /// The load id was committed before: nothing was written, and all counts are zero.
    pub repeated: bool,
    /// Rows whose key is new.
    pub rows_added: u64,
    /// Rows that took the place of a stored row.
    pub rows_updated: u64,
    /// Rows equal to a stored row, or beaten by another row of the same load.
    pub rows_duplicate: u64,
    /// Rows older than the stored row of their key.
    pub rows_stale: u64,
    pub files: u64,
    pub bytes: u64,
}
