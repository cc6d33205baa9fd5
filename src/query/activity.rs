//! Who is connected, and what runs: the registry behind `henna.activity` and cancelling by number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use super::answer::TransactionStatus;
use super::guard::Canceller;
use super::names::lock;
use crate::catalog::model::ActivityEntry;

/// All sessions of a lake.
#[derive(Debug, Default)]
pub struct Activity {
    sessions: Mutex<BTreeMap<i32, Arc<Mutex<Entry>>>>,
}

#[derive(Debug)]
struct Entry {
    row: ActivityEntry,
    canceller: Canceller,
    transaction: Arc<Mutex<TransactionStatus>>,
}

/// A session's own row; dropping it takes the row away.
#[derive(Debug)]
pub struct Present {
    pid: i32,
    entry: Arc<Mutex<Entry>>,
    registry: Weak<Activity>,
}

impl Activity {
    /// Enters a session under the number that it comes with, or the next that is free.
    pub fn enter(
        self: &Arc<Self>,
        mut row: ActivityEntry,
        pid: Option<i32>,
        canceller: Canceller,
        transaction: Arc<Mutex<TransactionStatus>>,
    ) -> Present {
        let mut sessions = lock(&self.sessions);
        let from = pid.or_else(|| sessions.last_key_value().map(|(last, _)| last.wrapping_add(1))).unwrap_or(1).max(1);
        let pid = (from..=i32::MAX).chain(1..from).find(|pid| !sessions.contains_key(pid)).unwrap_or(from);
        row.pid = pid;
        let entry = Arc::new(Mutex::new(Entry { row, canceller, transaction }));
        sessions.insert(pid, Arc::clone(&entry));
        Present { pid, entry, registry: Arc::downgrade(self) }
    }

    pub fn rows(&self) -> Vec<ActivityEntry> {
        let row = |entry: &Arc<Mutex<Entry>>| {
            let entry = lock(entry);
            let state = if entry.canceller.is_busy() { "active" } else { lock(&entry.transaction).idle() };
            ActivityEntry { state: state.to_owned(), ..entry.row.clone() }
        };
        lock(&self.sessions).values().map(row).collect()
    }

    pub fn count(&self) -> usize {
        lock(&self.sessions).len()
    }

    pub fn count_of(&self, user: &str) -> usize {
        lock(&self.sessions).values().filter(|entry| lock(entry).row.user == user).count()
    }

    /// The user of a session.
    pub fn user(&self, pid: i32) -> Option<String> {
        lock(&self.sessions).get(&pid).map(|entry| lock(entry).row.user.clone())
    }

    /// What ends the statement of a session, or the session; None where there is no such session.
    pub fn canceller(&self, pid: i32) -> Option<Canceller> {
        lock(&self.sessions).get(&pid).map(|entry| lock(entry).canceller.clone())
    }
}

impl Present {
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Shows the statement that begins, literals removed.
    pub fn begin(&self, query: &str, application: &str) {
        let row = &mut lock(&self.entry).row;
        query.clone_into(row.query.get_or_insert_default());
        application.clone_into(&mut row.application);
        row.query_start_us = Some(chrono::Utc::now().timestamp_micros());
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            lock(&registry.sessions).remove(&self.pid);
        }
    }
}
