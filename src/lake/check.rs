//! Verifies that what the commits promise is there, byte for byte.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::async_reader::AsyncFileReader;

use super::error::LakeError;
use super::parquet_bytes::ParquetBytes;
use super::snapshot::FileEntry;
use super::store::{Store, commit_path};
use super::table::TableName;
use crate::error::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Harmless: a file that no commit names.
    Info,
    /// Rows are lost or wrong.
    Fault,
}

/// Something that [`Store::check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// From the root of the lake.
    pub path: String,
    pub message: String,
}

impl Finding {
    fn fault(path: &str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fault, path: path.to_owned(), message: message.into() }
    }
}

impl Store {
    /// Verifies every table: log readable and without gaps, files there with their size, rows and checksum. Reads every
    /// byte of every table. What it finds is no error; an error is what kept it from looking.
    pub async fn check(&self) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for name in self.tables().await? {
            findings.extend(self.check_table(&name).await?);
        }
        Ok(findings)
    }

    /// As [`Store::check`], for one table.
    pub async fn check_table(&self, name: &TableName) -> Result<Vec<Finding>> {
        Ok(self.verify(name).await?)
    }

    async fn verify(&self, name: &TableName) -> Result<Vec<Finding>, LakeError> {
        let mut findings = self.gaps(name).await?;
        let snapshot = match self.reread(name).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                findings.push(Finding::fault(name.folder().as_ref(), error.to_string()));
                return Ok(findings);
            }
        };
        for file in &snapshot.files {
            findings.extend(self.verify_file(file).await?.map(|found| Finding::fault(&file.path, found)));
        }
        for stray in self.strays(&snapshot).await? {
            let message = format!("{} bytes that the newest version does not name", stray.size);
            findings.push(Finding { severity: Severity::Info, path: stray.location.to_string(), message });
        }
        Ok(findings)
    }

    /// Commits are numbered from 0 without a gap.
    async fn gaps(&self, name: &TableName) -> Result<Vec<Finding>, LakeError> {
        let folder = Path::from(format!("{}/_delta_log", name.folder()));
        let listed: Vec<_> = self.object_store().list(Some(&folder)).try_collect().await?;
        let version = |path: &Path| path.filename()?.strip_suffix(".json")?.parse::<u64>().ok();
        let mut found: Vec<u64> = listed.iter().filter_map(|meta| version(&meta.location)).collect();
        found.sort_unstable();
        let end = found.last().map_or(0, |last| last + 1);
        let missing = (0..end).filter(|version| found.binary_search(version).is_err());
        Ok(missing
            .map(|version| Finding::fault(commit_path(name, version).as_ref(), "the commit is missing"))
            .collect())
    }

    /// What is wrong with a file; `None` where nothing is.
    async fn verify_file(&self, file: &FileEntry) -> Result<Option<String>, LakeError> {
        let objects = self.object_store();
        let read = match objects.get(&Path::from(file.path.as_str())).await {
            Ok(read) => read,
            Err(object_store::Error::NotFound { .. }) => return Ok(Some("the file is missing".to_owned())),
            Err(error) => return Err(error.into()),
        };
        if read.meta.size != file.bytes {
            return Ok(Some(format!("it has {} bytes, the log says {}", read.meta.size, file.bytes)));
        }
        let mut bytes = read.into_stream();
        let mut sum = 0;
        while let Some(chunk) = bytes.next().await {
            sum = crc32c::crc32c_append(sum, &chunk?);
        }
        if let Some(expected) = file.crc32c.filter(|expected| *expected != sum) {
            return Ok(Some(format!("its checksum is {sum:08x}, the log says {expected:08x}")));
        }
        let mut reader = ParquetBytes::new(&objects, &file.path, file.bytes);
        match reader.get_metadata(None).await {
            Err(error) => Ok(Some(format!("its footer is unreadable: {error}"))),
            Ok(footer) => {
                let rows = footer.file_metadata().num_rows();
                Ok((u64::try_from(rows) != Ok(file.rows))
                    .then(|| format!("it has {rows} rows, the log says {}", file.rows)))
            }
        }
    }
}

impl Store {
    /// The newest version read from its log, whatever is remembered.
    async fn reread(&self, name: &TableName) -> Result<Arc<super::snapshot::Snapshot>, LakeError> {
        self.forget(name);
        self.newest(name).await
    }
}
