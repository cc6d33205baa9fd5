//! Cancel requests: a second connection that names the first by process id and secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use subtle::ConstantTimeEq;

use crate::query::Canceller;

/// What a client must send to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub pid: i32,
    pub secret: i32,
}

/// The connections that may be cancelled: as many as there are, for a [`Registration`] ends with its connection.
#[derive(Debug, Clone, Default)]
pub struct Cancels {
    entries: Arc<Mutex<HashMap<i32, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    secret: i32,
    /// `None` until the session is open.
    canceller: Option<Canceller>,
}

impl Cancels {
    /// Enters a connection under a key that no other has; its session comes with [`Registration::attach`].
    pub fn register(&self) -> Registration {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut random = rand::rng();
        let pid = loop {
            let pid = random.random_range(1..=i32::MAX);
            if !entries.contains_key(&pid) {
                break pid;
            }
        };
        let key = Key { pid, secret: random.random() };
        entries.insert(pid, Entry { secret: key.secret, canceller: None });
        Registration { key, cancels: self.clone() }
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Cancels the statement of the connection with this key; false where there is none.
    pub fn cancel(&self, key: Key) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get(&key.pid) else { return false };
        let right = bool::from(entry.secret.to_be_bytes().ct_eq(&key.secret.to_be_bytes()));
        if let Some(canceller) = entry.canceller.as_ref().filter(|_| right) {
            canceller.cancel();
        }
        right
    }
}

/// A connection's place among those that may be cancelled.
#[derive(Debug)]
pub struct Registration {
    key: Key,
    cancels: Cancels,
}

impl Registration {
    pub fn key(&self) -> Key {
        self.key
    }

    pub fn attach(&self, canceller: Canceller) {
        let mut entries = self.cancels.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&self.key.pid) {
            entry.canceller = Some(canceller);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.cancels.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key.pid);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_secret_cancels_and_only_while_registered() {
        let (cancels, canceller) = (Cancels::default(), Canceller::default());
        let registration = cancels.register();
        registration.attach(canceller.clone());
        let guard = canceller.begin(None);
        let key = registration.key();
        assert!(!cancels.cancel(Key { secret: key.secret.wrapping_add(1), ..key }));
        assert!(guard.run(std::future::ready(())).await.is_ok());
        assert!(cancels.cancel(key));
        assert!(guard.run(std::future::ready(())).await.is_err());
        drop(registration);
        assert!(!cancels.cancel(key));
    }
}
