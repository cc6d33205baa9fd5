//! Which keys a file holds, as sorted hashes, eight bytes a row: a small write then reads no file that has none of its keys.
//!
//! Files never change, so what is known of one stays true. It is learned while a write reads the keys of a file anyhow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// In all: 32 million rows. Files beyond that are read, as those are that no write has met yet.
const BYTES_MAX: usize = 256 << 20;

/// The hashes of one file's keys, ascending.
pub type Hashes = Arc<[u64]>;

#[derive(Debug, Default)]
pub struct KeyIndex {
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// By path from the root of the lake, with the number of the last use.
    known: HashMap<String, (Hashes, u64)>,
    bytes: usize,
    uses: u64,
}

impl KeyIndex {
    /// `None` where the file is not known.
    pub fn of(&self, path: &str) -> Option<Hashes> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.uses += 1;
        let uses = files.uses;
        files.known.get_mut(path).map(|(hashes, used)| {
            *used = uses;
            Arc::clone(hashes)
        })
    }

    /// Learns the keys of a file.
    pub fn learn(&self, path: &str, mut hashes: Vec<u64>) {
        hashes.sort_unstable();
        self.learn_sorted(path, hashes.into(), BYTES_MAX);
    }

    fn learn_sorted(&self, path: &str, hashes: Hashes, bytes_max: usize) {
        let bytes = size_of_val(&*hashes);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes > bytes_max || files.known.contains_key(path) {
            return;
        }
        while files.bytes + bytes > bytes_max {
            let oldest = files.known.iter().min_by_key(|(_, (_, used))| *used).map(|(path, _)| path.clone());
            let Some((gone, _)) = oldest.and_then(|path| files.known.remove(&path)) else { break };
            files.bytes -= size_of_val(&*gone);
        }
        files.uses += 1;
        let used = files.uses;
        files.bytes += bytes;
        files.known.insert(path.to_owned(), (hashes, used));
    }
}

/// Whether two ascending runs share a value. Quick where one is far shorter than the other.
pub fn meet(left: &[u64], right: &[u64]) -> bool {
    let (short, mut long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    for value in short {
        // The place is found by doubling steps: values lie as far apart as the runs differ in length.
        let mut step = 1;
        while step < long.len() && long[step] < *value {
            step *= 2;
        }
        let end = long.len().min(step + 1);
        long = &long[long[..end].partition_point(|other| other < value)..];
        match long.first() {
            None => return false,
            Some(found) if found == value => return true,
            Some(_) => {}
        }
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_meet_where_their_sets_do(left in prop::collection::vec(0_u64..400, 0..40), right in prop::collection::vec(0_u64..400, 0..200)) {
            let sorted = |values: &Vec<u64>| { let mut values = values.clone(); values.sort_unstable(); values };
            let (first, second): (HashSet<u64>, HashSet<u64>) = (left.iter().copied().collect(), right.iter().copied().collect());
            prop_assert_eq!(meet(&sorted(&left), &sorted(&right)), !first.is_disjoint(&second));
        }
    }

    #[test]
    fn what_was_used_least_goes_first() {
        let index = KeyIndex::default();
        for path in ["a", "b"] {
            index.learn_sorted(path, vec![1, 2].into(), 40);
        }
        assert!(index.of("a").is_some());
        index.learn_sorted("c", vec![3, 4].into(), 40);
        index.learn_sorted("d", vec![3; 6].into(), 40);
        assert_eq!(["a", "b", "c", "d"].map(|path| index.of(path).is_some()), [true, false, true, false]);
    }
}
