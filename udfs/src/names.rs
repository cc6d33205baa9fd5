//! Names by number, each kept once.

use std::sync::Arc;

use datafusion_common::HashMap;

/// Grows by some 64 bytes and the name itself for each distinct name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
    bytes: usize,
}

impl Names {
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
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
