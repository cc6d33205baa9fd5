//! The texts of a dataset folder, read from disk: `.sql` and `.toml` files, by their paths within it.

use std::fs;
use std::io;
use std::path::Path;

use super::error::DatasetError;

const FILE_BYTES_MAX: u64 = 4 << 20;
/// `sources/NAME/TABLE.sql` is the deepest that is read.
const DEPTH_MAX: usize = 3;

/// A file of a dataset; what `init` copies into the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetFile {
    /// Within the dataset, with `/` between its parts.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl DatasetFile {
    pub(super) fn text(&self) -> Result<&str, DatasetError> {
        let text = std::str::from_utf8(&self.bytes).map_err(|_| DatasetError::NotText { path: self.path.clone() })?;
        Ok(text.trim_start_matches('\u{feff}'))
    }
}

/// Every `.sql` and `.toml` file beneath `folder`, by path. Hidden files and other kinds are left out.
pub fn read_folder(folder: &Path) -> Result<Vec<DatasetFile>, DatasetError> {
    if !folder.is_dir() {
        return Err(DatasetError::Absent { path: folder.to_owned() });
    }
    let mut found = Vec::new();
    descend(folder, "", DEPTH_MAX, &mut found)?;
    found.sort_by(|left: &DatasetFile, right| left.path.cmp(&right.path));
    Ok(found)
}

/// Whether a path within a dataset is one of its texts.
pub(super) fn is_text(path: &str) -> bool {
    path.ends_with(".sql") || path.ends_with(".toml")
}

fn descend(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<DatasetFile>) -> Result<(), DatasetError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| DatasetError::Unreadable { path, source }
    };
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let entry = entry.map_err(unreadable(folder))?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') {
            continue;
        }
        let inner = format!("{prefix}{name}");
        let facts = fs::metadata(&path).map_err(unreadable(&path))?;
        if facts.is_dir() && depth > 1 {
            descend(&path, &format!("{inner}/"), depth - 1, found)?;
        } else if facts.is_file() && is_text(&inner) {
            if facts.len() > FILE_BYTES_MAX {
                return Err(DatasetError::TooLarge { path: inner, max: FILE_BYTES_MAX });
            }
            let bytes = fs::read(&path).map_err(unreadable(&path))?;
            found.push(DatasetFile { path: inner, bytes });
        }
    }
    Ok(())
}
