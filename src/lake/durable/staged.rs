//! Files that are not yet in their place: how they are called, and what becomes of those that a dead writer left.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A writer locks its file right after it has made it.
const LOCKED_BY: Duration = Duration::from_secs(10);

pub fn name_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(format!("#{}", rand::random::<u64>()));
    PathBuf::from(name)
}

fn is_staged(path: &Path) -> bool {
    let number = path.to_str().and_then(|path| path.rsplit_once('#'));
    number.is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Deletes staged files beneath a folder that nobody writes any more.
pub fn sweep(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            swept += sweep(&path)?;
        } else if is_staged(&path) && is_left(&path)? {
            fs::remove_file(&path)?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn is_left(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        // It came into its place meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let is_young = file.metadata()?.modified()?.elapsed().is_ok_and(|age| age < LOCKED_BY);
    Ok(!is_young && file.try_lock().is_ok())
}
