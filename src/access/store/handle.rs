//! The rights that one session goes by: those of the log, with what its open transaction block has changed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::SecurityStore;
use crate::access::model::snapshot::SecuritySnapshot;

/// One session's door to the log, shared with the tables that it can name. A change shows at the next scan.
#[derive(Clone)]
pub struct SecurityHandle {
    store: Arc<SecurityStore>,
    /// The snapshot of an open block that has changed something.
    pending: Arc<Mutex<Option<Arc<SecuritySnapshot>>>>,
}

impl SecurityHandle {
    /// What everyone shares.
    pub fn store(&self) -> &Arc<SecurityStore> {
        &self.store
    }

    /// What counts for the session now. A log that is damaged locks its block, too.
    pub fn snapshot(&self) -> Arc<SecuritySnapshot> {
        let newest = self.store.snapshot();
        if !newest.is_sound() {
            return newest;
        }
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or(newest)
    }

    /// `None` goes back to what everyone sees.
    pub fn set_pending(&self, pending: Option<Arc<SecuritySnapshot>>) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) = pending;
    }

    /// Whether both are of one session.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pending, &other.pending)
    }
}

impl From<Arc<SecurityStore>> for SecurityHandle {
    fn from(store: Arc<SecurityStore>) -> Self {
        Self { store, pending: Arc::default() }
    }
}

impl fmt::Debug for SecurityHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityHandle({:?})", self.snapshot().revision())
    }
}
