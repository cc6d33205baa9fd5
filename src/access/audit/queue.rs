//! Events on their way to the writer: a bounded queue that wakes it when a batch is due, not for each event.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use super::event::AuditEvent;

/// How long a statement's event may wait for others.
const LINGER: Duration = Duration::from_secs(1);
/// The same for logins, changes of rights and denials.
const LINGER_URGENT: Duration = Duration::from_millis(50);
/// Events of a batch: as soon as there are so many, it is due.
pub const BATCH_EVENTS_MAX: usize = 4096;
/// How far back an event that repeats is looked for, so that neither guesses of a password nor a pool that asks whether the
/// server is there fills the disk.
const REPEATS_WITHIN: usize = 64;

/// What waits, for one writer.
#[derive(Debug)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    events_max: usize,
    /// Something is due earlier than the writer knows.
    earlier: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<AuditEvent>,
    /// When the oldest must be written; None while nothing waits.
    due: Option<Instant>,
    /// Events that the writer has taken so far.
    taken: usize,
    /// Who waits for the writer, and until how many events were taken.
    flushes: Vec<(usize, oneshot::Sender<()>)>,
    is_closed: bool,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Written,
    Failed,
}

impl Queue {
    pub fn new(events_max: usize) -> Self {
        Self { waiting: Mutex::default(), events_max, earlier: Notify::new() }
    }

    /// Adds an event, or counts it to an equal one that waits. False where there is no room.
    pub fn push(&self, event: AuditEvent) -> bool {
        let mut waiting = self.lock();
        if waiting.joins(&event) {
            return true;
        }
        if waiting.events.len() >= self.events_max {
            return false;
        }
        let linger = if event.kind.is_urgent() { LINGER_URGENT } else { LINGER };
        waiting.events.push_back(event);
        let now = Instant::now();
        let due = if waiting.events.len() < BATCH_EVENTS_MAX { now + linger } else { now };
        if waiting.due.is_none_or(|known| due < known) {
            waiting.due = Some(due);
            drop(waiting);
            self.earlier.notify_one();
        }
        true
    }

    /// Asks for everything to be written now; `done` is told when it was, or could not be.
    pub fn flush(&self, done: oneshot::Sender<()>) {
        let mut waiting = self.lock();
        let until = waiting.taken + waiting.events.len();
        waiting.flushes.push((until, done));
        drop(waiting);
        self.earlier.notify_one();
    }

    /// Nothing more will come.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.earlier.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    pub fn len(&self) -> usize {
        self.lock().events.len()
    }

    /// Waits until something must be written. With `not_before` nothing but a flush or the end is earlier than that.
    pub async fn due(&self, not_before: Option<Instant>) {
        loop {
            let due = {
                let waiting = self.lock();
                if waiting.is_closed || !waiting.flushes.is_empty() {
                    return;
                }
                match (waiting.due, not_before) {
                    (Some(due), Some(earliest)) => Some(due.max(earliest)),
                    (due, earliest) => due.or(earliest),
                }
            };
            tokio::select! {
                () = self.earlier.notified() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => return,
            }
        }
    }

    /// The oldest events, at most so many.
    pub fn take(&self, events_max: usize) -> Vec<AuditEvent> {
        let mut waiting = self.lock();
        let count = waiting.events.len().min(events_max);
        let events = waiting.events.drain(..count).collect();
        waiting.taken += count;
        waiting.due = (!waiting.events.is_empty()).then(Instant::now);
        events
    }

    /// Tells those who wait for the writer that what was taken is written; where that failed, all of them.
    pub fn tell_flushed(&self, outcome: Outcome) {
        let mut waiting = self.lock();
        let taken = if outcome == Outcome::Failed { usize::MAX } else { waiting.taken };
        for (_, done) in waiting.flushes.extract_if(.., |(until, _)| *until <= taken) {
            // Who asked may have stopped waiting.
            let _ = done.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether an equal event waits already: it then stands for this one, too.
    fn joins(&mut self, event: &AuditEvent) -> bool {
        if !event.may_repeat() {
            return false;
        }
        let earlier = self.events.iter_mut().rev().take(REPEATS_WITHIN).find(|earlier| earlier.repeats(event));
        let Some(earlier) = earlier else { return false };
        earlier.times = Some(earlier.count().saturating_add(event.count()));
        true
    }
}
