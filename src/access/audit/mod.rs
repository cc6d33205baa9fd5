//! The audit log: who logged in, took on a role, changed rights, was denied, or ran which statement.
//!
//! 1. A door or a session makes an [`AuditEvent`] and hands it to [`AuditLog::record`], which never waits.
//! 2. Events wait in a bounded queue (`queue`), equal ones as one with a count. One thread writes them as a batch (`writer`): at once
//!    for logins, rights and denials, within a second for the rest. What the queue cannot hold is counted, and the count becomes a record.
//! 3. A record is one line, sealed and chained like those of the security log ([`super::store::seal`]); `chain` makes them,
//!    `segments` says in which files they lie, `reader` gives them back in order.
//! 4. `check` walks the chain and names what was changed, taken out or moved.

mod chain;
mod check;
mod event;
mod memory;
mod queue;
mod reader;
mod segments;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

pub use chain::{AuditRecord, Head};
pub use check::AuditCheck;
pub use event::{AuditEvent, AuditKind, AuditRun, AuditUser, now_us};
pub use reader::{AuditEntry, AuditReader};
pub use segments::AuditStore;

use self::queue::Queue;
use self::segments::Segments;
use self::writer::Writer;
use super::error::AccessError;
use crate::error::{Error, Reason, Result};

/// Events that wait to be written, beside the batch that is on its way; each has at most some kilobytes.
const QUEUE_EVENTS_MAX: usize = 8192;
/// How long a caller waits for the writer.
const FLUSH_MAX: Duration = Duration::from_secs(10);

/// The audit log of a lake. Dropping it writes what is still waiting.
pub struct AuditLog {
    segments: Segments,
    queue: Arc<Queue>,
    /// Events that the queue could not hold and that no record tells of yet.
    lost: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl AuditLog {
    /// Starts the thread that writes. Whole segments older than `retention` are taken away; None keeps them for ever.
    pub fn start(store: Arc<dyn AuditStore>, retention: Option<Duration>) -> Result<Self> {
        Self::start_with_queue(store, retention, QUEUE_EVENTS_MAX)
    }

    fn start_with_queue(store: Arc<dyn AuditStore>, retention: Option<Duration>, events_max: usize) -> Result<Self> {
        let failed = |error| Error::of(Reason::Io, error);
        let queue = Arc::new(Queue::new(events_max));
        let (segments, lost) = (Segments::new(store), Arc::new(AtomicU64::new(0)));
        let writer = Writer::new(segments.clone(), retention, Arc::clone(&lost));
        // A runtime of its own: neither a busy server nor the end of the caller's runtime keeps records from the disk.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let waiting = Arc::clone(&queue);
        let work = move || runtime.block_on(writer.run(waiting));
        let thread = std::thread::Builder::new().name("henna-audit".to_owned()).spawn(work).map_err(failed)?;
        Ok(Self { segments, queue, lost, thread: Some(thread) })
    }

    /// Hands an event to the writer. Where there is no room it is counted as lost, and said so.
    pub fn record(&self, event: AuditEvent) {
        event.trace();
        self.keep(event);
    }

    /// The same without a word in the program's own log.
    pub fn keep(&self, event: AuditEvent) {
        if !self.queue.push(event) && self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("the audit log cannot keep up: events are lost, their number will be recorded");
        }
    }

    /// Waits until all events recorded so far were written, or the writer has failed to.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        self.queue.flush(done);
        // The writer answers even where it fails; it has said so in the log then.
        if timeout(FLUSH_MAX, written).await.is_err() {
            tracing::error!("the audit log was not written in time");
        }
    }

    /// Events that were lost and are not recorded as such yet.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// All records, oldest first, as they lie on disk.
    pub fn reader(&self) -> AuditReader {
        AuditReader::new(self.segments.clone())
    }

    /// Walks the whole chain.
    pub async fn check(&self) -> Result<AuditCheck, AccessError> {
        check::check(&self.segments).await
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        // The writer writes what it has and ends.
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the audit log has failed");
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLog")
    }
}
