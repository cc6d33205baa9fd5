//! `henna load TABLE --watch DIR`: files are loaded as they come into a folder.
//!
//! A file is loaded once it has stopped growing, then moved to `loaded/` or, with a text that says why, to `failed/` beneath
//! the folder: whoever looks sees what became of each, and no list of names can disagree with the files. A load that was
//! committed before its file was moved adds nothing when it is repeated.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::load::load;
use crate::error::{Error, Kind, Reason, Result};
use crate::ingest::LoadRequest;
use crate::query::Lake;

const POLL: Duration = Duration::from_secs(1);
/// How often a file must be found as it was before it is held to be whole.
const STILL_POLLS: u32 = 2;
const LOADED: &str = "loaded";
const FAILED: &str = "failed";

/// What was seen of a file.
struct Seen {
    bytes: u64,
    modified: Option<SystemTime>,
    still: u32,
}

/// Loads what comes into the folder until Ctrl-C. `request` says how; its files are those of the folder.
pub async fn watch(lake: &Lake, folder: &str, request: &LoadRequest) -> Result<()> {
    if folder.contains("://") {
        let text = format!("'{folder}' is no folder of this machine, and only those can be watched");
        return Err(Error::new(Reason::Unsupported, text).with_hint("load it again and again: repeats add nothing"));
    }
    let folder = PathBuf::from(folder);
    for outcome in [LOADED, FAILED] {
        fs::create_dir_all(folder.join(outcome)).map_err(|error| failed(&folder, &error))?;
    }
    println!("watching {} for {}   (Ctrl-C ends it)", folder.display(), request.table);
    let mut seen: BTreeMap<PathBuf, Seen> = BTreeMap::new();
    loop {
        for path in still(&folder, &mut seen)? {
            settle(lake, &folder, &path, request).await?;
            seen.remove(&path);
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// The files that have stopped growing, in order of name.
fn still(folder: &Path, seen: &mut BTreeMap<PathBuf, Seen>) -> Result<Vec<PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let entry = entry.map_err(|error| failed(folder, &error))?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        // A file that went away in between is none.
        let Ok(facts) = entry.metadata() else { continue };
        if facts.is_file() && !is_hidden {
            let (bytes, modified) = (facts.len(), facts.modified().ok());
            let before = seen.remove(&entry.path()).filter(|seen| (seen.bytes, seen.modified) == (bytes, modified));
            let still = before.map_or(0, |seen| seen.still + 1);
            found.insert(entry.path(), Seen { bytes, modified, still });
        }
    }
    *seen = found;
    Ok(seen.iter().filter(|(_, seen)| seen.still >= STILL_POLLS).map(|(path, _)| path.clone()).collect())
}

/// Loads one file and moves it. A fault that is not the file's ends the watch, and leaves it where it is.
async fn settle(lake: &Lake, folder: &Path, path: &Path, request: &LoadRequest) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let request = LoadRequest { files: vec![path.to_string_lossy().into_owned()], ..request.clone() };
    match load(lake, request).await {
        Ok(report) => {
            let repeated = if report.repeated { ", loaded before" } else { "" };
            println!(
                "{name}: {} read, {} added, {} updated, {} duplicate, {} rejected{repeated}",
                report.rows_read, report.rows_added, report.rows_updated, report.rows_duplicate, report.rows_rejected
            );
            moved(path, &folder.join(LOADED), &name).map(|_| ())
        }
        Err(error) if error.kind() == Kind::Invalid || error.kind() == Kind::Missing => {
            println!("{name}: {error}");
            let path = moved(path, &folder.join(FAILED), &name)?;
            let why = path.with_file_name(format!("{}.why", path.file_name().unwrap_or_default().to_string_lossy()));
            fs::write(&why, format!("{error}\n")).map_err(|error| failed(&why, &error))
        }
        Err(error) => Err(error),
    }
}

/// Moves a file into a folder, under a name that is free there.
fn moved(path: &Path, into: &Path, name: &str) -> Result<PathBuf> {
    let free = |path: &PathBuf| !path.exists();
    let numbered = (2..).map(|number: u32| into.join(format!("{number}-{name}")));
    let target = std::iter::once(into.join(name)).chain(numbered).find(free).unwrap_or_else(|| into.join(name));
    fs::rename(path, &target).map_err(|error| failed(path, &error))?;
    Ok(target)
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Reason::Io, format!("{}: {error}", path.display()))
}
