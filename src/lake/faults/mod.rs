//! Lakes that things happen to, for the tests of this room and of those above it: store calls that fail, power that goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod power;

use std::sync::Arc;

use std::path::Path;

use object_store::memory::InMemory;

pub use self::calls::{Fault, FaultyObjects, Lasts, When};
pub use self::power::{Fate, Power, SyncKind, Unsynced};
use super::store::Store;
use crate::error::Result;

/// Makes a lake in a folder, all of whose writes are noted.
pub async fn create_over(power: &Arc<Power>, root: &Path) -> Result<Store> {
    Store::create_on(root.to_str().unwrap(), Arc::clone(power) as _).await
}

/// Opens a lake, all of whose writes are noted.
pub async fn open_over(power: &Arc<Power>, root: &Path) -> Result<Store> {
    Store::open_on(root.to_str().unwrap(), Arc::clone(power) as _).await
}

/// Opens a lake of which nothing is noted and nothing synced.
pub async fn open_unsynced(root: &Path) -> Result<Store> {
    Store::open_on(root.to_str().unwrap(), Arc::new(Unsynced)).await
}

/// A lake in memory that can be copied as it stands.
#[derive(Debug, Default)]
pub struct Memory(Arc<InMemory>);

impl Memory {
    pub fn fork(&self) -> Self {
        Self(Arc::new(self.0.fork()))
    }

    pub fn store(&self) -> Store {
        Store::over(Arc::clone(&self.0) as _, "memory://whole").unwrap()
    }

    /// A store of which a call fails, and what tells whether it came to that.
    pub fn failing(&self, fault: Fault) -> (Store, FaultyObjects) {
        let objects = FaultyObjects::new(Arc::clone(&self.0) as _, fault);
        (Store::over(Arc::new(objects.clone()), "memory://faulty").unwrap(), objects)
    }
}
