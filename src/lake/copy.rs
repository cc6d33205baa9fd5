//! A whole lake copied to another place while it is written to: what a backup is, and what brings one back.
//!
//! ```text
//! marks of logs  -> before their records, so that no mark is ahead of them
//! records        -> until a round finds nothing new: segments of logs are closed meanwhile
//! tables         -> the newest version of each; what rows refer to (identities) after the rows
//! marks of the lake, at last: a copy that was cut off is no lake
//! ```
//! Data files are held against the checksums of the log on their way.

use std::collections::HashSet;
use std::path::Path as FsPath;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

use super::durable::{OsDisk, make_lasting};
use super::error::LakeError;
use super::snapshot::Snapshot;
use super::store::{LOCK, MARKER, Place, Store, commit_path, place};
use super::table::{TABLES, TableName};
use crate::error::Result;

/// The mark of a log's newest record.
const HEAD: &str = "head.json";
/// How often a table is copied anew whose files went away meanwhile.
const ATTEMPTS_MAX: usize = 4;

/// What a copy holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    pub tables: u64,
    pub files: u64,
    pub bytes: u64,
}

impl Store {
    /// Copies the lake to a folder that is absent or empty. `last` are tables that others refer to. Of each table the newest
    /// version goes along, with its log.
    pub async fn copy_to(&self, root: &str, last: &[TableName]) -> Result<Copied> {
        Ok(self.copy_into(&empty_place(root)?, last).await?)
    }

    pub(super) async fn copy_into(&self, copy: &Self, last: &[TableName]) -> Result<Copied, LakeError> {
        let mut done = Copied::default();
        self.copy_blobs(copy, &mut done).await?;
        let mut names = self.named_tables().await?;
        names.sort_by_key(|name| last.contains(name));
        for name in names {
            self.copy_table(copy, &name, &mut done).await?;
            done.tables += 1;
        }
        for mark in self.marks().await? {
            self.copy_file(copy, &mark.location, None, &mut done).await?;
        }
        Ok(done)
    }

    /// All that is neither in a table nor a mark of the lake.
    async fn copy_blobs(&self, copy: &Self, done: &mut Copied) -> Result<(), LakeError> {
        let mut copied: HashSet<Path> = HashSet::new();
        let is_head = |meta: &ObjectMeta| meta.location.filename() == Some(HEAD);
        let (heads, _): (Vec<_>, Vec<_>) = self.blobs().await?.into_iter().partition(is_head);
        for head in heads {
            self.copy_file(copy, &head.location, None, done).await?;
            copied.insert(head.location);
        }
        loop {
            let mut is_whole = true;
            for blob in self.blobs().await? {
                if copied.contains(&blob.location) {
                    continue;
                }
                is_whole = false;
                match self.copy_file(copy, &blob.location, None, done).await {
                    // It was taken into another one, which the next round finds.
                    Err(LakeError::Objects { source: object_store::Error::NotFound { .. } }) => continue,
                    outcome => outcome?,
                }
                copied.insert(blob.location);
            }
            if is_whole {
                return Ok(());
            }
        }
    }

    async fn blobs(&self) -> Result<Vec<ObjectMeta>, LakeError> {
        let listed: Vec<ObjectMeta> = self.object_store().list(None).try_collect().await?;
        let is_blob = |meta: &ObjectMeta| {
            let parts: Vec<_> = meta.location.parts().collect();
            parts.len() > 1 && parts[0].as_ref() != TABLES
        };
        Ok(listed.into_iter().filter(is_blob).collect())
    }

    /// The files at the root, the one that makes the folder a lake at the end.
    async fn marks(&self) -> Result<Vec<ObjectMeta>, LakeError> {
        let mut marks = self.object_store().list_with_delimiter(None).await?.objects;
        marks.retain(|meta| meta.location.as_ref() != LOCK);
        marks.sort_by_key(|meta| meta.location.as_ref() == MARKER);
        Ok(marks)
    }

    async fn copy_table(&self, copy: &Self, name: &TableName, done: &mut Copied) -> Result<(), LakeError> {
        let mut attempt = 1;
        loop {
            let snapshot = match self.newest(name).await {
                // Dropped meanwhile: it is not in the copy.
                Err(LakeError::TableAbsent { .. }) => return Ok(()),
                snapshot => snapshot?,
            };
            match self.copy_version(copy, &snapshot, done).await {
                Err(LakeError::Objects { source: object_store::Error::NotFound { .. } }) if attempt < ATTEMPTS_MAX => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn copy_version(&self, copy: &Self, snapshot: &Snapshot, done: &mut Copied) -> Result<(), LakeError> {
        for file in &snapshot.files {
            self.copy_file(copy, &Path::from(file.path.as_str()), file.crc32c, done).await?;
        }
        let log = Path::from(format!("{}/_delta_log", snapshot.name.folder()));
        let listed: Vec<ObjectMeta> = self.object_store().list(Some(&log)).try_collect().await?;
        let newest = commit_path(&snapshot.name, snapshot.version);
        // Commits and checkpoints up to this version; names begin with it.
        let is_in = |meta: &&ObjectMeta| {
            let version = |path: &Path| path.filename().and_then(|name| name.get(..20)?.parse::<u64>().ok());
            version(&meta.location).is_some_and(|version| version <= snapshot.version)
                && meta.location.filename() != newest.filename()
        };
        for meta in listed.iter().filter(is_in) {
            self.copy_file(copy, &meta.location, None, done).await?;
        }
        self.copy_file(copy, &newest, None, done).await
    }

    async fn copy_file(
        &self,
        copy: &Self,
        path: &Path,
        crc32c: Option<u32>,
        done: &mut Copied,
    ) -> Result<(), LakeError> {
        let mut bytes = self.object_store().get(path).await?.into_stream();
        let mut sink = BufWriter::new(copy.object_store(), path.clone());
        let (mut sum, mut count) = (0, 0);
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk?;
            sum = crc32c::crc32c_append(sum, &chunk);
            count += chunk.len() as u64;
            sink.put(chunk).await?;
        }
        if let Some(expected) = crc32c.filter(|expected| *expected != sum) {
            let found = format!("its checksum is {sum:08x}, the log says {expected:08x}");
            return Err(LakeError::Corrupt { path: path.to_string(), found });
        }
        let failed = |source| LakeError::Io { path: path.to_string(), source };
        sink.shutdown().await.map_err(failed)?;
        done.files += 1;
        done.bytes += count;
        Ok(())
    }
}

/// A store over a folder that is absent or empty, for its owner's eyes alone: keys go along.
fn empty_place(root: &str) -> Result<Store, LakeError> {
    if let Place::Folder(folder) = place(root)? {
        let failed = |source| LakeError::Io { path: root.to_owned(), source };
        make_lasting(&folder, &OsDisk).map_err(failed)?;
        if std::fs::read_dir(&folder).map_err(failed)?.next().is_some() {
            return Err(LakeError::PlaceTaken { root: root.to_owned() });
        }
        own(&folder).map_err(failed)?;
    }
    Store::at(root, Arc::new(OsDisk))
}

#[cfg(unix)]
fn own(folder: &FsPath) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn own(_: &FsPath) -> std::io::Result<()> {
    Ok(())
}
