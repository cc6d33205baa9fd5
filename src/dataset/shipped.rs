//! The datasets that lie within this binary.

use include_dir::{Dir, include_dir};

use super::error::DatasetError;
use super::files::{DatasetFile, is_text};
use super::folder::Dataset;

static DATASETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/datasets");

impl Dataset {
    /// The shipped dataset of this name.
    pub fn shipped(name: &str) -> Result<Self, DatasetError> {
        let folder = DATASETS.dirs().find(|folder| folder.path().to_str() == Some(name));
        let Some(folder) = folder else {
            return Err(DatasetError::Unknown { name: name.to_owned(), shipped: shipped_names().join(", ") });
        };
        let mut files = Vec::new();
        collect(folder, name, &mut files);
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Self::parse(name, files)
    }
}

pub fn shipped_names() -> Vec<String> {
    DATASETS.dirs().map(|folder| folder.path().display().to_string()).collect()
}

fn collect(folder: &Dir<'_>, root: &str, files: &mut Vec<DatasetFile>) {
    for file in folder.files() {
        let path = file.path().strip_prefix(root).unwrap_or(file.path()).to_string_lossy().replace('\\', "/");
        if is_text(&path) {
            files.push(DatasetFile { path, bytes: file.contents().to_vec() });
        }
    }
    for inner in folder.dirs() {
        collect(inner, root, files);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_dataset_reads() {
        for name in shipped_names() {
            let dataset = Dataset::shipped(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!dataset.contracts.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let message = Dataset::shipped("wholesale").unwrap_err().to_string();
        assert!(message.starts_with("there is no dataset 'wholesale'; shipped are: "), "{message}");
    }
}
