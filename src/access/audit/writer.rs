//! The one that writes: gathers events into batches, seals them, closes full segments, takes away old ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::super::error::AccessError;
use super::chain::Head;
use super::event::{AuditEvent, AuditKind, now_us};
use super::queue::{BATCH_EVENTS_MAX, Outcome, Queue};
use super::segments::{SEGMENT_RECORDS, Segments, range_of};

/// When a write that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Writer {
    segments: Segments,
    retention: Option<Duration>,
    lost: Arc<AtomicU64>,
    /// What is being written. While a batch cannot be, no more is taken out of the queue than a batch holds.
    batch: Vec<AuditEvent>,
    /// The last write has failed: when it is tried again.
    retry: Option<Instant>,
    /// The newest record; None where it must be looked up.
    head: Option<Head>,
    /// The range that records were last written to; 0 before the first write.
    range: u64,
}

impl Writer {
    pub fn new(segments: Segments, retention: Option<Duration>, lost: Arc<AtomicU64>) -> Self {
        Self { segments, retention, lost, batch: Vec::new(), retry: None, head: None, range: 0 }
    }

    /// Works until the queue is closed, then writes what is left.
    pub async fn run(mut self, queue: Arc<Queue>) {
        loop {
            queue.due(self.retry).await;
            // Before the last look at the queue: nothing comes after it is closed.
            let is_closed = queue.is_closed();
            self.batch.extend(queue.take(BATCH_EVENTS_MAX.saturating_sub(self.batch.len())));
            let outcome = self.write().await;
            queue.tell_flushed(outcome);
            if is_closed && (outcome == Outcome::Failed || queue.len() == 0) {
                return self.end(queue.len());
            }
        }
    }

    /// Writes the batch, and what follows from it. What cannot be written stays in the batch.
    async fn write(&mut self) -> Outcome {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.batch.push(AuditEvent { times: Some(lost), ..AuditEvent::now(AuditKind::Loss) });
        }
        self.retry = None;
        if let Err(error) = self.write_all().await {
            tracing::error!(%error, events = self.batch.len(), "the audit log was not written");
            self.retry = Some(Instant::now() + RETRY);
            return Outcome::Failed;
        }
        Outcome::Written
    }

    async fn write_all(&mut self) -> Result<(), AccessError> {
        while !self.batch.is_empty() {
            let written = self.segments.append(&mut self.head, &self.batch).await?;
            self.batch.drain(..written);
            self.keep_house().await;
        }
        Ok(())
    }

    /// Closes the range before, when a new one has begun, and the one that is full; then looks for old ones.
    async fn keep_house(&mut self) {
        let Some(number) = self.head.as_ref().map(|head| head.number) else { return };
        let full = number.is_multiple_of(SEGMENT_RECORDS);
        let range = range_of(number);
        if range == self.range && !full {
            return;
        }
        self.range = range;
        let last = if full { number } else { range.saturating_sub(1) };
        if last > 0
            && let Err(error) = self.segments.close(last).await
        {
            tracing::warn!(%error, "an audit segment was not closed");
        }
        if let Err(error) = self.expire().await {
            tracing::warn!(%error, "old audit segments were not removed");
        }
    }

    /// Takes away the segments that are older than they must be kept, after a record that says so is durable.
    async fn expire(&mut self) -> Result<(), AccessError> {
        let Some(age_us) = self.retention.and_then(|age| i64::try_from(age.as_micros()).ok()) else { return Ok(()) };
        let Some((expired, head)) = self.segments.expired(now_us().saturating_sub(age_us)).await? else {
            return Ok(());
        };
        let told = AuditEvent { removed: Some(head), ..AuditEvent::now(AuditKind::Retention) };
        self.segments.append(&mut self.head, &[told]).await?;
        self.segments.remove(&expired).await
    }

    fn end(self, waiting: usize) {
        let events = self.batch.len() + waiting;
        if events > 0 {
            tracing::error!(events, "events are lost with the end of the program");
        }
    }
}
