//! Names by number, each kept once.

use std::sync::Arc;

use datafusion_common::HashMap;

/// Grows by some 64 bytes and the name itself for each distinct name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
    /// The number that was asked for last, by a few bits of its name: names are few and come again and again.
    recent: [u32; RECENT],
    bytes: usize,
}

const RECENT: usize = 32;

fn recent_slot(name: &str) -> usize {
    let ends = match name.as_bytes() {
        [first, .., last] => usize::from(*first) * 5 + usize::from(*last),
        short => short.len(),
    };
    (ends * 3 + name.len()) % RECENT
}

impl Names {
    pub fn number(&mut self, name: &str) -> u32 {
        let slot = recent_slot(name);
        let recent = self.recent[slot];
        if self.names.get(recent as usize).is_some_and(|known| **known == *name) {
            return recent;
        }
        if let Some(number) = self.numbers.get(name) {
            self.recent[slot] = *number;
            return *number;
        }
        let (number, name): (u32, Arc<str>) = (self.names.len() as u32, name.into());
        self.bytes += name.len() + 64;
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", AsRef::as_ref)
    }

    /// In order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
