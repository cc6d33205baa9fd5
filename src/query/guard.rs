//! One deadline and one cancel token over everything that a statement does: planning, each batch, each send.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Reason, Result};

/// Ends a statement early. Clones share the token.
#[derive(Debug, Clone)]
pub struct StatementGuard {
    token: CancellationToken,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
}

impl StatementGuard {
    /// Runs `work` until it is done, cancelled or late, whichever comes first; what is late is dropped.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output> {
        if let Some(reason) = self.stopped() {
            return Err(ending(reason));
        }
        tokio::select! {
            biased;
            // First: what is done at once needs no waiting for the others.
            output = work => Ok(output),
            () = self.token.cancelled() => Err(ending(Reason::Cancelled)),
            () = late(self.deadline) => Err(ending(Reason::TimedOut)),
        }
    }

    /// Why the statement must end, where it must.
    pub(super) fn stopped(&self) -> Option<Reason> {
        if self.token.is_cancelled() {
            return Some(Reason::Cancelled);
        }
        self.deadline.filter(|deadline| Instant::now() >= *deadline).map(|_| Reason::TimedOut)
    }

    /// The same token and deadline as a plain future: it ends, with the reason, when the statement must end.
    pub async fn ended(&self) -> Error {
        match self.run(std::future::pending::<()>()).await {
            Err(error) => error,
            Ok(()) => Error::new(Reason::Internal, "a pending future ended"),
        }
    }
}

/// The error of a statement that must end.
fn ending(reason: Reason) -> Error {
    let cause = if reason == Reason::TimedOut { "statement timeout" } else { "user request" };
    Error::new(reason, format!("canceling statement due to {cause}"))
}

async fn late(deadline: Option<Instant>) {
    match deadline {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Cancels whatever statement its session is running; a session that is idle is left alone.
#[derive(Debug, Clone, Default)]
pub struct Canceller {
    current: Arc<Mutex<Option<CancellationToken>>>,
    /// The session itself is to end.
    ended: CancellationToken,
}

impl Canceller {
    pub fn cancel(&self) {
        if let Some(token) = self.current.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            token.cancel();
        }
    }

    /// Cancels the statement and asks whoever serves the session to end it.
    pub fn terminate(&self) {
        self.ended.cancel();
        self.cancel();
    }

    /// Whether the session is asked to end.
    pub fn is_terminated(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits until the session is asked to end.
    pub async fn terminated(&self) {
        self.ended.cancelled().await;
    }

    /// Starts the guard of a new statement; `timeout` of `None` is no deadline.
    pub fn begin(&self, timeout: Option<Duration>) -> StatementGuard {
        let token = CancellationToken::new();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        StatementGuard { token, timeout, deadline: timeout.map(|span| Instant::now() + span) }
    }

    /// A portal goes on: its statement gets its whole time again, for the time that the client took is not its own.
    pub fn resume(&self, guard: &StatementGuard) -> StatementGuard {
        self.begin(guard.timeout)
    }

    /// Whether a statement is running.
    pub fn is_busy(&self) -> bool {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Forgets the statement: a cancel request that comes now hits nothing.
    pub fn finish(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
