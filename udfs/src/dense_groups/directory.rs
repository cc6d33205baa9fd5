//! The group of each key: pages of an array where keys lie close together, a hash map where they do not.

use arrow::array::{Array, Int64Array};
use datafusion_common::HashMap;

const PAGE_BITS: u32 = 12;
const PAGE: usize = 1 << PAGE_BITS;
/// Pages between the least and the greatest key: four thousand million keys.
const SPAN_MAX: usize = 1 << 20;
/// So many pages (16 MB) may be as empty as they like.
const PAGES_FREE: usize = 1024;
/// Places that a group may take on average beyond that.
const PLACES_PER_GROUP_MAX: usize = 16;
const NONE: u32 = u32::MAX;

/// Numbers groups in the order in which their keys come.
#[derive(Debug, Default)]
pub(super) struct Directory {
    places: Places,
    /// The key of each group; of the group of NULL, any.
    keys: Vec<i64>,
    null: Option<u32>,
}

#[derive(Debug)]
enum Places {
    Paged(Pages),
    Hashed(HashMap<i64, u32>),
}

impl Default for Places {
    fn default() -> Self {
        Self::Paged(Pages::default())
    }
}

#[derive(Debug, Default)]
struct Pages {
    /// The number of the page that `top` begins with.
    first: i64,
    /// By page, where it begins in `places`, in pages; NONE where no key lies in it.
    top: Vec<u32>,
    places: Vec<u32>,
}

impl Directory {
    pub fn groups(&self) -> usize {
        self.keys.len()
    }

    pub fn bytes(&self) -> usize {
        let places = match &self.places {
            Places::Paged(pages) => size_of::<u32>() * (pages.top.capacity() + pages.places.capacity()),
            Places::Hashed(map) => map.allocation_size(),
        };
        places + size_of::<i64>() * self.keys.capacity()
    }

    /// The group of each key, in the place of what `groups` held.
    pub fn find(&mut self, keys: &Int64Array, groups: &mut Vec<usize>) {
        groups.clear();
        groups.reserve(keys.len());
        if keys.null_count() == 0 {
            groups.extend(keys.values().iter().map(|key| self.group(*key)));
        } else {
            groups.extend(keys.iter().map(|key| match key {
                Some(key) => self.group(key),
                None => self.null_group(),
            }));
        }
    }

    /// The keys of all groups, in their order, and an empty directory.
    pub fn take(&mut self) -> Int64Array {
        let Self { keys, null, .. } = std::mem::take(self);
        match null {
            None => Int64Array::from(keys),
            Some(null) => {
                let keys = keys.into_iter().enumerate();
                keys.map(|(group, key)| (group != null as usize).then_some(key)).collect()
            }
        }
    }

    #[inline]
    fn group(&mut self, key: i64) -> usize {
        if let Places::Paged(pages) = &mut self.places {
            match pages.place(key) {
                Some(place) if *place != NONE => return *place as usize,
                Some(place) => {
                    *place = self.keys.len() as u32;
                    self.keys.push(key);
                    return self.keys.len() - 1;
                }
                None => {}
            }
        }
        self.group_of_new_page(key)
    }

    #[cold]
    fn group_of_new_page(&mut self, key: i64) -> usize {
        if let Places::Paged(pages) = &mut self.places {
            if pages.add(key, self.keys.len()) {
                return self.group(key);
            }
            let null = self.null;
            let numbered = self.keys.iter().copied().zip(0..).filter(|(_, group)| Some(*group) != null);
            self.places = Places::Hashed(numbered.collect());
        }
        let Places::Hashed(map) = &mut self.places else { return self.group(key) };
        let next = self.keys.len() as u32;
        let group = *map.entry(key).or_insert(next);
        if group == next {
            self.keys.push(key);
        }
        group as usize
    }

    fn null_group(&mut self) -> usize {
        let next = self.keys.len() as u32;
        let group = *self.null.get_or_insert(next);
        if group == next {
            self.keys.push(0);
        }
        group as usize
    }
}

impl Pages {
    #[inline]
    fn place(&mut self, key: i64) -> Option<&mut u32> {
        let page = (key >> PAGE_BITS).wrapping_sub(self.first);
        let page = *self.top.get(usize::try_from(page).ok()?)?;
        self.places.get_mut(page as usize * PAGE + (key & (PAGE as i64 - 1)) as usize)
    }

    /// Makes the page of a key; false where it would be one too many.
    fn add(&mut self, key: i64, groups: usize) -> bool {
        let pages = self.places.len() / PAGE;
        if pages >= PAGES_FREE && pages * PAGE > groups * PLACES_PER_GROUP_MAX {
            return false;
        }
        let page = key >> PAGE_BITS;
        if self.top.is_empty() {
            self.first = page;
        }
        let (first, last) = (self.first.min(page), page.max(self.first + self.top.len() as i64 - 1));
        let span = match last.checked_sub(first).and_then(|span| usize::try_from(span).ok()) {
            Some(span) if span < SPAN_MAX => span + 1,
            _ => return false,
        };
        let before = (self.first - first) as usize;
        self.top.splice(0..0, std::iter::repeat_n(NONE, before));
        self.top.resize(span, NONE);
        self.first = first;
        self.top[(page - first) as usize] = pages as u32;
        self.places.resize((pages + 1) * PAGE, NONE);
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::collections::HashMap as StdMap;

    use super::*;

    /// Groups of the keys by another way: numbered as they come.
    fn numbered(keys: &[Option<i64>]) -> Vec<usize> {
        let mut known: StdMap<Option<i64>, usize> = StdMap::new();
        keys.iter()
            .map(|key| {
                let next = known.len();
                *known.entry(*key).or_insert(next)
            })
            .collect()
    }

    fn check(keys: Vec<Option<i64>>) -> Directory {
        let mut directory = Directory::default();
        let mut found = Vec::new();
        for chunk in keys.chunks(1000) {
            let mut groups = Vec::new();
            directory.find(&chunk.iter().copied().collect(), &mut groups);
            found.extend(groups);
        }
        let expected = numbered(&keys);
        assert_eq!(found, expected);
        let mut seen = StdMap::new();
        for (key, group) in keys.iter().zip(expected) {
            seen.insert(group, *key);
        }
        let is_hashed = matches!(directory.places, Places::Hashed(_));
        let taken = directory.take();
        assert_eq!(directory.groups(), 0);
        assert_eq!(taken.iter().enumerate().collect::<StdMap<_, _>>(), seen);
        directory.places = if is_hashed { Places::Hashed(HashMap::new()) } else { Places::default() };
        directory
    }

    fn mixed(count: u64) -> impl Iterator<Item = u64> {
        (1..=count).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17).wrapping_mul(0xBF58_476D_1CE4_E5B9))
    }

    #[test]
    fn near_keys_stay_in_pages() {
        let keys = mixed(300_000).map(|n| Some((n % 100_000) as i64 - 50_000)).collect();
        assert!(matches!(check(keys).places, Places::Paged(_)));
    }

    #[test]
    fn far_keys_are_hashed() {
        let keys = mixed(20_000).map(|n| Some((n % 5_000_000_000) as i64)).collect();
        assert!(matches!(check(keys).places, Places::Hashed(_)));
    }

    #[test]
    fn both_ends_of_the_integers_and_null_are_keys() {
        let ends = [Some(i64::MAX), None, Some(i64::MIN), Some(0), None, Some(-1), Some(i64::MAX), Some(i64::MIN)];
        check(ends.to_vec());
        check(vec![None, Some(0), None, Some(0)]);
        check(vec![Some(i64::MIN), Some(i64::MIN + 5000), None]);
    }

    #[test]
    fn keys_that_become_far_keep_their_groups() {
        let near = (0..5000).map(|n| (n % 7 != 0).then_some(n % 900));
        let far = mixed(6000).map(|n| Some(n as i64));
        let keys: Vec<_> = near.chain(far).chain((0..900).map(Some)).collect();
        assert!(matches!(check(keys).places, Places::Hashed(_)));
    }
}
