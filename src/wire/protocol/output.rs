//! Messages to a client: gathered in one bounded buffer, sent when it is full or when the client waits for them.

use std::io;

use bytes::BytesMut;
use pgwire::messages::Message;
use pgwire::messages::response::{CommandComplete, ErrorResponse, NoticeResponse, ReadyForQuery};
use pgwire::messages::startup::ParameterStatus;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::failure::Fatal;
use crate::error::{Error, Reason, Result, sqlstate};
use crate::query::{Notice, TransactionStatus};

/// The buffer is sent when it holds this much.
pub const FLUSH_BYTES: usize = 64 << 10;

/// Room that an empty buffer keeps.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// The writing half of a connection. A dropped [`Output::flush`] leaves the rest in the buffer, so frames stay whole.
pub struct Output<W> {
    half: W,
    pub buffer: BytesMut,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    pub fn new(half: W) -> Self {
        Self { half, buffer: BytesMut::new() }
    }

    pub fn is_full(&self) -> bool {
        self.buffer.len() >= FLUSH_BYTES
    }

    pub async fn flush(&mut self) -> io::Result<()> {
        let bytes = self.buffer.len();
        self.half.write_all_buf(&mut self.buffer).await?;
        if bytes > KEPT_BYTES_MAX {
            // One long value must not hold its room as long as its client stays.
            self.buffer = BytesMut::new();
        }
        self.half.flush().await
    }

    /// Sends what is left and closes the writing side.
    pub async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.half.shutdown().await
    }

    pub fn put<M: Message>(&mut self, message: &M) -> Result<()> {
        let start = self.buffer.len();
        message.encode(&mut self.buffer).map_err(|error| {
            self.buffer.truncate(start);
            Error::new(Reason::Internal, error.to_string())
        })
    }

    pub fn put_complete(&mut self, tag: &str) -> Result<()> {
        self.put(&CommandComplete::new(tag.to_owned()))
    }

    pub fn put_ready(&mut self, status: TransactionStatus) -> Result<()> {
        use pgwire::messages::response::TransactionStatus as Letter;
        self.put(&ReadyForQuery::new(match status {
            TransactionStatus::Idle => Letter::Idle,
            TransactionStatus::Active => Letter::Transaction,
            TransactionStatus::Failed => Letter::Error,
        }))
    }

    pub fn put_parameter(&mut self, name: &str, value: &str) -> Result<()> {
        self.put(&ParameterStatus::new(clean(name), clean(value)))
    }

    pub fn put_notice(&mut self, notice: &Notice) -> Result<()> {
        let hint = notice.hint.as_deref();
        self.put(&NoticeResponse::new(fields(notice.severity, notice.sqlstate, &notice.message, None, hint, None)))
    }

    pub fn put_error(&mut self, error: &Error) -> Result<()> {
        let state = sqlstate::of(error.reason());
        let message = error.to_string();
        let mut fields = fields("ERROR", state, &message, error.detail(), error.hint(), error.position());
        fields.extend(error.context().map(|text| (b'W', clean(text))));
        self.put(&ErrorResponse::new(fields))
    }

    pub fn put_fatal(&mut self, fatal: &Fatal) -> Result<()> {
        let hint = fatal.hint.as_deref();
        self.put(&ErrorResponse::new(fields("FATAL", fatal.sqlstate, &fatal.message, None, hint, None)))
    }
}

fn fields(
    severity: &str,
    sqlstate: &str,
    message: &str,
    detail: Option<&str>,
    hint: Option<&str>,
    position: Option<usize>,
) -> Vec<(u8, String)> {
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', sqlstate.to_owned()),
        (b'M', clean(message)),
    ];
    fields.extend(detail.map(|text| (b'D', clean(text))));
    fields.extend(hint.map(|text| (b'H', clean(text))));
    fields.extend(position.map(|at| (b'P', at.to_string())));
    fields
}

/// A string of the protocol ends at its first zero byte: none may be inside.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
