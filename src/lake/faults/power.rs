//! A disk whose power may go at any step: what of a folder is there afterwards.
//!
//! Before each step that makes bytes last ([`Disk`]) it notes the folder twice: as programs see it, and as what was synced
//! says. [`Power::cut`] makes of such a moment the folder that a machine finds when it comes up again. What the two notes agree
//! on is there; of the rest any part may be, so a [`Fate`] decides: a name that came or went may have done so or not, and a
//! file that was not synced may be empty, torn or filled with zeros.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::durable::{Disk, OsDisk};

/// What becomes of that which was not synced.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    /// None of it is there.
    Lost,
    /// Names are there, and half of the bytes.
    Torn,
    /// Each piece by itself, by this seed.
    Mixed(u64),
}

/// A sync that a store might do without. Of a disk that forgets it a test must find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncKind {
    File,
    NameOfFile,
    NameOfFolder,
    Deletion,
}

/// A name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder,
    /// By the number that the file system has for it.
    File(u64),
}

type Names = BTreeMap<OsString, Node>;
type Bytes = Arc<Vec<u8>>;

/// A folder just before a step.
#[derive(Debug)]
struct Moment {
    seen: BTreeMap<PathBuf, Names>,
    synced: BTreeMap<PathBuf, Names>,
    synced_files: HashMap<u64, Bytes>,
    other_files: HashMap<u64, Bytes>,
}

#[derive(Debug, Default)]
struct Noted {
    folders: BTreeMap<PathBuf, Names>,
    files: HashMap<u64, Bytes>,
    /// Kept open, so that no other file gets the number of one that is gone.
    open: Vec<File>,
    moments: Vec<Moment>,
}

/// Notes what happens beneath a folder. Nothing is synced in truth.
#[derive(Debug)]
pub struct Power {
    root: PathBuf,
    forgets: Option<SyncKind>,
    noted: Mutex<Noted>,
}

impl Power {
    /// All that is in the folder is there for good.
    pub fn over(root: &Path) -> Arc<Self> {
        Self::forgetting(root, None)
    }

    /// The same, where syncs of one kind do nothing.
    pub fn forgetting(root: &Path, forgets: Option<SyncKind>) -> Arc<Self> {
        let power = Self { root: root.canonicalize().unwrap(), forgets, noted: Mutex::default() };
        power.keep();
        Arc::new(power)
    }

    /// A file whose name is not synced into its folder.
    pub fn forget_name(&self, file: &Path) {
        let mut noted = self.noted.lock().unwrap();
        let names = noted.folders.get_mut(file.parent().unwrap()).unwrap();
        names.remove(file.file_name().unwrap()).unwrap();
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// From here on all that is in the folder is there for good, and no moment is known.
    pub fn keep(&self) {
        let mut noted = self.noted.lock().unwrap();
        noted.folders = self.seen();
        noted.moments.clear();
        let files = paths_of(&noted.folders).filter(|(_, node)| *node != Node::Folder);
        let files: Vec<File> = files.map(|(path, _)| File::open(self.root.join(path)).unwrap()).collect();
        for file in files {
            noted.files.insert(file.metadata().unwrap().ino(), content(&file));
            noted.open.push(file);
        }
    }

    /// How many moments there have been; what is acknowledged now must be there from that moment on.
    pub fn moments(&self) -> usize {
        self.noted.lock().unwrap().moments.len()
    }

    /// One moment more, after the last step.
    pub fn end(&self) {
        let mut noted = self.noted.lock().unwrap();
        self.note(&mut noted);
    }

    /// Makes in `into` what is found after a cut at a moment.
    pub fn cut(&self, moment: usize, fate: Fate, into: &Path) {
        let noted = self.noted.lock().unwrap();
        let seed = if let Fate::Mixed(seed) = fate { seed } else { 0 };
        let mut left = Left { moment: &noted.moments[moment], fate, dice: StdRng::seed_from_u64(seed) };
        left.folder(Path::new(""), into);
    }

    fn note(&self, noted: &mut Noted) {
        let seen = self.seen();
        let is_synced = |number: &u64| noted.files.contains_key(number);
        let other = paths_of(&seen).filter_map(|(path, node)| match node {
            Node::File(number) if !is_synced(&number) => Some((number, path)),
            _ => None,
        });
        let other_files = other.filter_map(|(number, path)| {
            let bytes = fs::read(self.root.join(path)).ok()?;
            Some((number, Arc::new(bytes)))
        });
        let other_files = other_files.collect();
        let (synced, synced_files) = (noted.folders.clone(), noted.files.clone());
        noted.moments.push(Moment { seen, synced, synced_files, other_files });
    }

    fn seen(&self) -> BTreeMap<PathBuf, Names> {
        let mut found = BTreeMap::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let names = names(&self.root.join(&folder));
            let beneath = names.iter().filter(|(_, node)| **node == Node::Folder);
            folders.extend(beneath.map(|(name, _)| folder.join(name)));
            found.insert(folder, names);
        }
        found
    }
}

fn paths_of(folders: &BTreeMap<PathBuf, Names>) -> impl Iterator<Item = (PathBuf, Node)> {
    folders.iter().flat_map(|(folder, names)| names.iter().map(|(name, node)| (folder.join(name), *node)))
}

/// A name that goes while the folder is read is left out.
fn names(folder: &Path) -> Names {
    let entries = fs::read_dir(folder).unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let metadata = entry.metadata().ok()?;
        let node = if metadata.is_dir() { Node::Folder } else { Node::File(metadata.ino()) };
        Some((entry.file_name(), node))
    });
    entries.collect()
}

/// Of a file that may be open for writing alone.
fn content(file: &File) -> Bytes {
    Arc::new(fs::read(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap())
}

impl Disk for Power {
    fn sync_file(&self, file: &File) -> io::Result<()> {
        let mut noted = self.noted.lock().unwrap();
        self.note(&mut noted);
        if self.forgets != Some(SyncKind::File) {
            noted.files.insert(file.metadata()?.ino(), content(file));
            noted.open.push(file.try_clone()?);
        }
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut noted = self.noted.lock().unwrap();
        self.note(&mut noted);
        OsDisk.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut noted = self.noted.lock().unwrap();
        self.note(&mut noted);
        OsDisk.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut noted = self.noted.lock().unwrap();
        self.note(&mut noted);
        let inside = folder.strip_prefix(&self.root).map_err(io::Error::other)?.to_path_buf();
        let (then, now) = (noted.folders.get(&inside).cloned().unwrap_or_default(), names(folder));
        let mut came = now.iter().filter(|(name, node)| then.get(*name) != Some(*node)).map(|(_, node)| *node);
        let sync = match came.next() {
            None => SyncKind::Deletion,
            Some(Node::Folder) => SyncKind::NameOfFolder,
            Some(Node::File(_)) => SyncKind::NameOfFile,
        };
        if self.forgets != Some(sync) {
            noted.folders.insert(inside, now);
        }
        Ok(())
    }
}

/// What is left of a moment.
struct Left<'a> {
    moment: &'a Moment,
    fate: Fate,
    dice: StdRng,
}

impl Left<'_> {
    fn folder(&mut self, inside: &Path, into: &Path) {
        fs::create_dir_all(into).unwrap();
        let none = Names::new();
        let (seen, synced) = (&self.moment.seen, &self.moment.synced);
        let (seen, synced) = (seen.get(inside).unwrap_or(&none), synced.get(inside).unwrap_or(&none));
        let all: BTreeSet<&OsString> = seen.keys().chain(synced.keys()).collect();
        for name in all {
            let (now, then) = (seen.get(name), synced.get(name));
            let is_done = now == then || self.decides(true);
            match if is_done { now } else { then } {
                Some(Node::Folder) => self.folder(&inside.join(name), &into.join(name)),
                Some(Node::File(number)) => fs::write(into.join(name), self.bytes(*number)).unwrap(),
                None => {}
            }
        }
    }

    fn decides(&mut self, torn: bool) -> bool {
        match self.fate {
            Fate::Lost => false,
            Fate::Torn => torn,
            Fate::Mixed(_) => self.dice.random(),
        }
    }

    fn bytes(&mut self, number: u64) -> Vec<u8> {
        if let Some(bytes) = self.moment.synced_files.get(&number) {
            return bytes.to_vec();
        }
        let written = self.moment.other_files.get(&number).map(|bytes| bytes.to_vec()).unwrap_or_default();
        let (is_there, has_zeros) = (self.decides(true), self.decides(false));
        let mut bytes = written[..if is_there { written.len() / 2 } else { 0 }].to_vec();
        if has_zeros {
            bytes.resize(written.len(), 0);
        }
        bytes
    }
}

/// The disk of this machine without its syncs: for what comes after a cut, which is not cut again.
#[derive(Debug)]
pub struct Unsynced;

impl Disk for Unsynced {
    fn sync_file(&self, _: &File) -> io::Result<()> {
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}
