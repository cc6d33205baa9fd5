//! What a user names as files: paths, folders, patterns, and the same in buckets.

use std::path::{Path, PathBuf};

use super::super::error::IngestError;
use super::bucket;
use super::input::{Input, is_known};
use crate::lake::BUCKET_SCHEME;

pub const FILES_MAX: usize = 100_000;
const DEPTH_MAX: usize = 16;

/// The files that `names` mean, each as one input or, of a workbook, as those of its sheets. A folder means the files of known formats
/// in it, a pattern (`*`, `?`, `[..]`, `**`) those that match, both in the order of their paths.
pub fn inputs(names: &[String]) -> Result<Vec<Vec<Input>>, IngestError> {
    let mut found = Vec::new();
    for name in names {
        if name == "-" {
            found.push(Input::stdin()?);
            continue;
        }
        if name.starts_with(BUCKET_SCHEME) {
            found.extend(bucket::inputs(name)?);
            continue;
        }
        for path in paths(name)? {
            found.push(Input::find(&path)?);
        }
    }
    Ok(found)
}

fn paths(name: &str) -> Result<Vec<PathBuf>, IngestError> {
    if name.contains("://") {
        return Err(IngestError::FileElsewhere { file: name.to_owned() });
    }
    let path = Path::new(name);
    let mut found = Vec::new();
    if path.is_dir() {
        descend(path, DEPTH_MAX, &mut found)?;
    } else if !path.exists() && name.contains(['*', '?', '[']) {
        let fault =
            |error: glob::PatternError| IngestError::Pattern { pattern: name.to_owned(), reason: error.msg.to_owned() };
        for matched in glob::glob(name).map_err(fault)? {
            let path = matched.map_err(|error| {
                let file = error.path().display().to_string();
                IngestError::FileUnreadable { file, source: error.into() }
            })?;
            if path.is_file() {
                found.push(path);
            }
        }
    } else {
        return Ok(vec![path.to_owned()]);
    }
    if found.is_empty() {
        return Err(IngestError::FilesAbsent { name: name.to_owned() });
    }
    found.sort();
    Ok(found)
}

fn descend(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), IngestError> {
    let unreadable = |source| IngestError::FileUnreadable { file: folder.display().to_string(), source };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden || found.len() >= FILES_MAX {
            continue;
        }
        if path.is_dir() && depth > 1 {
            descend(&path, depth - 1, found)?;
        } else if path.is_file() && is_known(&path) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_patterns_mean_their_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["2.csv", "1.csv", "notes.doc", ".hidden.csv", "b/3.tsv.gz"] {
            std::fs::write(folder.path().join(name), "x\n").unwrap();
        }
        let named = |name: &str| -> Vec<String> {
            let found = paths(&folder.path().join(name).to_string_lossy()).unwrap();
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()).collect()
        };
        assert_eq!(named(""), ["1.csv", "2.csv", "b/3.tsv.gz"]);
        assert_eq!(named("[12].csv"), ["1.csv", "2.csv"]);
        assert_eq!(named("**/*.gz"), ["b/3.tsv.gz"]);
        let none = paths(&folder.path().join("*.parquet").to_string_lossy()).unwrap_err().to_string();
        assert!(none.ends_with("*.parquet' names no file"), "{none}");
        let away = paths("https://host/a.csv").unwrap_err().to_string();
        assert!(away.starts_with("'https://host/a.csv' lies elsewhere"), "{away}");
    }
}
