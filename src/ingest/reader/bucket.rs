//! Files in buckets (`s3://BUCKET/KEY`): each is copied to a spool file first, because a load reads it more than once.

use std::io::Write;
use std::path::Path;

use glob::{MatchOptions, Pattern};
use tempfile::NamedTempFile;
use tokio::runtime::Handle;

use super::super::error::IngestError;
use super::input::{Input, is_known};
use super::paths::FILES_MAX;
use crate::error::Result;
use crate::lake::{Bucket, BucketFile};

/// As for paths: a `*` ends at a slash.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files that a name means, in the order of their keys. Blocks, and must be called on a thread that may.
pub fn inputs(name: &str) -> Result<Vec<Vec<Input>>, IngestError> {
    let runtime = Handle::try_current().map_err(|_| IngestError::ThreadEnded)?;
    let files = runtime.block_on(files(name)).map_err(elsewhere)?;
    if files.is_empty() {
        return Err(IngestError::FilesAbsent { name: name.to_owned() });
    }
    let input = |file: BucketFile| {
        // What cannot be read is not copied.
        if !is_known(Path::new(file.key())) {
            return Err(IngestError::FormatUnknown { file: file.url() });
        }
        let fault = |source| IngestError::SpoolFile { source };
        let mut spool = NamedTempFile::new().map_err(fault)?;
        runtime.block_on(file.copy_to(&mut spool)).map_err(elsewhere)?;
        spool.flush().map_err(fault)?;
        Input::copied(file.key(), spool)
    };
    files.into_iter().map(input).collect()
}

fn elsewhere(error: crate::Error) -> IngestError {
    IngestError::Elsewhere { error: Box::new(error) }
}

async fn files(name: &str) -> Result<Vec<BucketFile>> {
    let (bucket, key) = Bucket::of(name)?;
    if !key.is_empty() && !key.ends_with('/') {
        if let Some(file) = bucket.file(&key).await? {
            return Ok(vec![file]);
        }
        if let Some(at) = key.find(['*', '?', '[']) {
            let fault = |error: glob::PatternError| IngestError::Pattern {
                pattern: name.to_owned(),
                reason: error.msg.to_owned(),
            };
            let pattern = Pattern::new(&key).map_err(fault)?;
            return bucket.files(&key[..at], |key| pattern.matches_with(key, MATCHING), FILES_MAX).await;
        }
    }
    // What stands for a folder means the files of known formats in it.
    let folder = if key.is_empty() || key.ends_with('/') { key } else { key + "/" };
    let is_shown = |key: &str| {
        let own = key.strip_prefix(folder.as_str());
        own.is_some_and(|own| !own.split('/').any(|part| part.starts_with('.'))) && is_known(Path::new(key))
    };
    bucket.files(&folder, is_shown, FILES_MAX).await
}
