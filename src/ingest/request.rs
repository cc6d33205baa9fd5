//! What is asked of a load, and what it reports.

use std::sync::Arc;

use serde::Serialize;

use super::reader::HeaderChanges;

/// What a load does with a row that the contract refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnReject {
    /// Keeps it in `henna.rejects` and goes on.
    #[default]
    Keep,
    /// Keeps it in `henna.rejects` and loads nothing.
    Stop,
}

/// The share of refused rows above which nothing is loaded, where the request does not say.
pub const REJECT_SHARE_MAX: f64 = 0.05;

/// How far a load has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub phase: Phase,
    pub rows: u64,
    /// Read from disk, of `bytes_total`.
    pub bytes: u64,
    pub bytes_total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Identities,
    Rows,
}

/// Told of each batch. It is called from the reading thread and should be quick.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// Files for a table.
#[derive(Clone)]
pub struct LoadRequest {
    pub table: String,
    /// Paths of files or folders, or patterns; `-` is standard input.
    pub files: Vec<String>,
    /// The dataset's source that the files are of. `None` goes by their headers; what no source recognises is in canonical form.
    pub source: Option<String>,
    pub on_reject: OnReject,
    /// 0 to 1.
    pub reject_share_max: f64,
    pub progress: Option<ProgressSink>,
}

impl LoadRequest {
    pub fn new(table: impl Into<String>, files: Vec<String>) -> Self {
        let (on_reject, reject_share_max) = (OnReject::default(), REJECT_SHARE_MAX);
        Self { table: table.into(), files, source: None, on_reject, reject_share_max, progress: None }
    }
}

/// What a load did. As JSON it has the keys that scripts rely on.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoadReport {
    pub table: String,
    pub source: Option<String>,
    pub rows_read: u64,
    /// Rows with a new key.
    pub rows_added: u64,
    /// Rows that took the place of a stored one.
    pub rows_updated: u64,
    /// Rows that changed nothing: equal to, or older than, another of their key.
    pub rows_duplicate: u64,
    pub rows_rejected: u64,
    /// Persons seen for the first time.
    pub identities_new: u64,
    /// Persons that turned out to be another one.
    pub identities_merged: u64,
    /// Files that the commit added, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// The table's version after the load.
    pub version: u64,
    pub seconds: f64,
    /// The same files were loaded before: nothing was written.
    #[serde(skip)]
    pub repeated: bool,
    /// Columns of the files that are kept nowhere.
    #[serde(skip)]
    pub ignored_columns: Vec<String>,
    /// How the files' headers differ from what their source knows.
    #[serde(skip)]
    pub header: HeaderChanges,
    /// Rows that an earlier load refused, and that this one brought again and took.
    #[serde(skip)]
    pub rejects_settled: u64,
    #[serde(skip)]
    pub load_id: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_the_keys_that_scripts_rely_on() {
        let json = serde_json::to_value(LoadReport::default()).unwrap();
        let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = [
            "table",
            "source",
            "rows_read",
            "rows_added",
            "rows_updated",
            "rows_duplicate",
            "rows_rejected",
            "identities_new",
            "identities_merged",
            "files",
            "bytes",
            "version",
            "seconds",
        ];
        keys.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(keys, wanted);
    }
}
