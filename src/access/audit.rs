//! What the room tells of its decisions. No literals, no passwords, no expressions.

use std::fmt;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    pub by: String,
    /// A command tag, or `login`.
    pub action: String,
    pub outcome: AuditOutcome,
    /// The snapshot that decided.
    pub epoch: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditOutcome {
    Done,
    /// With the message that the caller got.
    Refused(String),
}

/// Where decisions are written down. It must not block.
pub trait AuditSink: fmt::Debug + Send + Sync {
    fn record(&self, event: &AuditEvent);
}

/// Tells them to the program's own log.
#[derive(Debug, Default)]
pub struct TracingAudit;

impl AuditSink for TracingAudit {
    fn record(&self, event: &AuditEvent) {
        match &event.outcome {
            AuditOutcome::Done => tracing::info!(by = event.by, action = event.action, epoch = event.epoch, "allowed"),
            AuditOutcome::Refused(why) => {
                tracing::warn!(by = event.by, action = event.action, epoch = event.epoch, why, "refused");
            }
        }
    }
}
