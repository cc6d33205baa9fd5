//! SQL cursors: DECLARE opens the rows of a query under a name, FETCH and MOVE take the next of them, CLOSE ends it.
//!
//! A cursor holds a stream and the unused part of its last batch, never more: its rows wait in the plan until they are
//! asked for. It goes forward only.

mod statement;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

pub use self::statement::CursorStatement;
use crate::error::{Error, Reason, Result};

/// Each may hold an open plan.
const CURSORS_MAX: usize = 128;

/// The open cursors of a session, by name.
#[derive(Default)]
pub struct Cursors {
    open: Mutex<BTreeMap<String, Cursor>>,
}

struct Cursor {
    hold: bool,
    /// Of the transaction that goes on: its end may close it.
    is_new: bool,
    /// As they are told to the client.
    columns: SchemaRef,
    rows: Arc<tokio::sync::Mutex<Rest>>,
}

/// What a cursor has not given yet.
struct Rest {
    stream: SendableRecordBatchStream,
    left: Option<RecordBatch>,
    state: RestState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RestState {
    Whole,
    /// The stream has ended; it must not be asked again.
    Given,
    /// A FETCH failed or was given up: nobody knows which rows the client has.
    Torn,
}

impl Cursors {
    /// Refuses a name that is taken, and one cursor too many.
    pub fn ensure_free(&self, name: &str) -> Result<()> {
        let open = self.lock();
        if open.contains_key(name) {
            return Err(Error::new(Reason::DuplicateCursor, format!("cursor \"{name}\" already exists")));
        }
        if open.len() >= CURSORS_MAX {
            let text = format!("a session may have {CURSORS_MAX} open cursors");
            return Err(Error::new(Reason::LimitExceeded, text).with_hint("CLOSE those that are no longer used"));
        }
        Ok(())
    }

    pub fn open(&self, name: &str, hold: bool, columns: SchemaRef, stream: SendableRecordBatchStream) {
        let rows = Arc::new(tokio::sync::Mutex::new(Rest { stream, left: None, state: RestState::Whole }));
        self.lock().insert(name.to_owned(), Cursor { hold, is_new: true, columns, rows });
    }

    /// The columns of a cursor.
    pub fn columns(&self, name: &str) -> Result<SchemaRef> {
        self.lock().get(name).map(|cursor| Arc::clone(&cursor.columns)).ok_or_else(|| unknown(name))
    }

    /// The next rows of a cursor. A stream that is dropped before its end leaves a cursor that gives no more.
    pub fn fetch(&self, name: &str, rows_max: Option<usize>) -> Result<SendableRecordBatchStream> {
        let rows = self.lock().get(name).map(|cursor| Arc::clone(&cursor.rows)).ok_or_else(|| unknown(name))?;
        let schema = match rows.try_lock() {
            Ok(rest) if rest.state == RestState::Torn => return Err(torn(name)),
            Ok(rest) => rest.stream.schema(),
            // A portal of the same session that fetches from it is not at its end.
            Err(_) => return Err(torn(name)),
        };
        let taken = Taken { rows, remaining: rows_max.unwrap_or(usize::MAX), is_over: false };
        let batches = futures::stream::unfold(taken, |mut taken| async move {
            let item = taken.next().await?;
            Some((item, taken))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    /// `None` closes all.
    pub fn close(&self, name: Option<&str>) -> Result<()> {
        match name {
            None => self.lock().clear(),
            Some(name) => drop(self.lock().remove(name).ok_or_else(|| unknown(name))?),
        }
        Ok(())
    }

    /// The end of a transaction: what it made stays where it was committed and is to hold.
    pub fn end_transaction(&self, committed: bool) {
        let mut open = self.lock();
        open.retain(|_, cursor| !cursor.is_new || committed && cursor.hold);
        open.values_mut().for_each(|cursor| cursor.is_new = false);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Cursor>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows of one FETCH.
struct Taken {
    rows: Arc<tokio::sync::Mutex<Rest>>,
    remaining: usize,
    is_over: bool,
}

impl Taken {
    async fn next(&mut self) -> Option<DfResult<RecordBatch>> {
        if self.is_over || self.remaining == 0 {
            self.is_over = true;
            return None;
        }
        let item = self.rows.lock().await.next(self.remaining).await;
        match &item {
            Some(Ok(batch)) => self.remaining -= batch.num_rows(),
            Some(Err(_)) => {}
            None => self.is_over = true,
        }
        item
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.is_over
            && self.remaining > 0
            && let Ok(mut rest) = self.rows.try_lock()
        {
            rest.state = RestState::Torn;
        }
    }
}

impl Rest {
    async fn next(&mut self, rows_max: usize) -> Option<DfResult<RecordBatch>> {
        let batch = match self.left.take() {
            Some(left) => left,
            None if self.state != RestState::Whole => return None,
            None => match self.stream.next().await {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => {
                    self.state = RestState::Torn;
                    return Some(Err(error));
                }
                None => {
                    self.state = RestState::Given;
                    return None;
                }
            },
        };
        if batch.num_rows() <= rows_max {
            return Some(Ok(batch));
        }
        self.left = Some(batch.slice(rows_max, batch.num_rows() - rows_max));
        Some(Ok(batch.slice(0, rows_max)))
    }
}

fn unknown(name: &str) -> Error {
    Error::new(Reason::CursorUnknown, format!("cursor \"{name}\" does not exist"))
}

fn torn(name: &str) -> Error {
    Error::new(Reason::CursorState, format!("portal \"{name}\" cannot be run"))
        .with_hint("an earlier FETCH from it did not come to its end: declare it anew")
}
