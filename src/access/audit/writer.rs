//! The one that writes: gathers events into batches, seals them, closes full segments, takes away old ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::super::error::AccessError;
use super::chain::Head;
use super::event::{AuditEvent, AuditKind, now_us};
use super::segments::{SEGMENT_RECORDS, Segments, range_of};

/// How long a statement's event may wait for others.
const LINGER: Duration = Duration::from_secs(1);
/// The same for logins, changes of rights and denials.
const LINGER_URGENT: Duration = Duration::from_millis(50);
/// When a write that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Events of a batch. While a batch of so many cannot be written, no more are taken out of the queue.
const BATCH_EVENTS_MAX: usize = 4096;
/// How far back a login that repeats is looked for, so that guessing passwords does not fill the disk.
const REPEATS_WITHIN: usize = 64;

/// What reaches the writer.
#[derive(Debug)]
pub enum Message {
    Event(Box<AuditEvent>),
    /// Write now, then answer.
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
pub struct Writer {
    segments: Segments,
    retention: Option<Duration>,
    lost: Arc<AtomicU64>,
    batch: Vec<AuditEvent>,
    /// When the batch must be written; None while it is empty.
    due: Option<Instant>,
    /// The last write has failed: `due` is when it is tried again, whatever comes in.
    failing: bool,
    /// The newest record; None where it must be looked up.
    head: Option<Head>,
    /// The range that records were last written to; 0 before the first write.
    range: u64,
}

impl Writer {
    pub fn new(segments: Segments, retention: Option<Duration>, lost: Arc<AtomicU64>) -> Self {
        Self { segments, retention, lost, batch: Vec::new(), due: None, failing: false, head: None, range: 0 }
    }

    /// Works until all senders are gone, then writes what is left.
    pub async fn run(mut self, mut receiver: mpsc::Receiver<Message>) {
        loop {
            let due = self.due;
            let is_full = self.batch.len() >= BATCH_EVENTS_MAX;
            tokio::select! {
                message = receiver.recv(), if !is_full => match message {
                    Some(message) => self.take(message).await,
                    None => return self.end().await,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.write().await;
                    if is_full && self.batch.len() >= BATCH_EVENTS_MAX && receiver.is_closed() {
                        return self.give_up(receiver.len());
                    }
                }
            }
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Event(event) => self.gather(*event),
            Message::Flush(done) => {
                self.write().await;
                // Who asked may have stopped waiting.
                let _ = done.send(());
            }
        }
    }

    fn gather(&mut self, event: AuditEvent) {
        let linger = if event.kind.is_urgent() { LINGER_URGENT } else { LINGER };
        if event.kind == AuditKind::Login
            && let Some(earlier) =
                self.batch.iter_mut().rev().take(REPEATS_WITHIN).find(|earlier| earlier.repeats(&event))
        {
            earlier.times = Some(earlier.count().saturating_add(event.count()));
            return;
        }
        self.batch.push(event);
        let due = if self.batch.len() < BATCH_EVENTS_MAX { Instant::now() + linger } else { Instant::now() };
        if !self.failing {
            self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        }
    }

    /// Writes the batch, and what follows from it. What cannot be written stays in the batch.
    async fn write(&mut self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.batch.push(AuditEvent { times: Some(lost), ..AuditEvent::now(AuditKind::Loss) });
        }
        (self.due, self.failing) = (None, false);
        if let Err(error) = self.write_all().await {
            tracing::error!(%error, events = self.batch.len(), "the audit log was not written");
            (self.due, self.failing) = (Some(Instant::now() + RETRY), true);
        }
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
        for segment in expired {
            self.segments.remove(segment).await?;
        }
        Ok(())
    }

    async fn end(mut self) {
        self.write().await;
        if !self.batch.is_empty() {
            self.give_up(0);
        }
    }

    fn give_up(self, waiting: usize) {
        tracing::error!(events = self.batch.len() + waiting, "events are lost with the end of the program");
    }
}
