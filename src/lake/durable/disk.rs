//! The steps that make bytes last, and the disk of this machine.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The steps that make bytes last; a test puts a failing disk in its place.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    fn sync_file(&self, file: &File) -> io::Result<()>;
    /// Fails with `AlreadyExists` where `to` is taken.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Makes a folder and those above it that are absent, each synced into its parent.
pub fn make_lasting(folder: &Path, disk: &dyn Disk) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    make_lasting(above, disk)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    disk.sync_folder(above)
}
