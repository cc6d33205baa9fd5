//! A portal: a statement with its values, and the rows that are left of it.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use pgwire::messages::extendedquery::PortalSuspended;
use pgwire::messages::response::EmptyQueryResponse;
use tokio::io::AsyncWrite;

use super::copy;
use super::encode::{Envelope, Style};
use super::protocol::{Failure, Output};
use super::rows::{Rows, Shape, Stop};
use crate::error::{Error, Reason};
use crate::query::{Answer, CopyIn, Prepared, Session};

/// A statement ready to run, or on its way.
pub struct Portal {
    /// `None` is the empty statement.
    statement: Option<Arc<Prepared>>,
    /// `None` where the statement gives no rows.
    shape: Option<Shape>,
    envelope: Envelope,
    state: State,
}

enum State {
    Bound { values: Vec<ScalarValue>, bytes: usize },
    Open(Box<Rows>),
    Finished { tag: String },
}

impl Portal {
    pub fn new(
        statement: Option<Arc<Prepared>>,
        shape: Option<Shape>,
        envelope: Envelope,
        values: Vec<ScalarValue>,
        bytes: usize,
    ) -> Self {
        Self { statement, shape, envelope, state: State::Bound { values, bytes } }
    }

    /// What the values take that it waits with, as they came from the client.
    pub fn value_bytes(&self) -> usize {
        match self.state {
            State::Bound { bytes, .. } => bytes,
            State::Open(_) | State::Finished { .. } => 0,
        }
    }

    /// The columns of its DataRows; what COPY sends is none.
    pub fn described(&self) -> Option<&Shape> {
        self.shape.as_ref().filter(|_| matches!(self.envelope, Envelope::DataRow))
    }

    /// Its rows have come in.
    pub fn finish(&mut self, tag: String) {
        self.state = State::Finished { tag };
    }

    /// Runs the statement, or goes on with it, up to a number of rows. One that waits for rows of the client is given back.
    pub async fn execute<W: AsyncWrite + Unpin>(
        &mut self,
        rows_max: Option<usize>,
        session: &Session,
        style: &Style,
        output: &mut Output<W>,
    ) -> Result<Option<Box<CopyIn>>, Failure> {
        let Some(statement) = &self.statement else {
            output.put(&EmptyQueryResponse::new())?;
            return Ok(None);
        };
        match &mut self.state {
            State::Bound { values, .. } => {
                let values = std::mem::take(values);
                // A statement that fails, or is dropped here, is not run a second time.
                self.state = State::Finished { tag: String::new() };
                match session.run(statement, values).await? {
                    Answer::Rows { tag, schema, stream, guard } => {
                        let shape = self.shape.clone().ok_or_else(unannounced)?;
                        let rows = Rows::new(tag, schema, stream, guard, shape, self.envelope.clone())?;
                        if let Envelope::Copy { .. } = self.envelope {
                            let tag = copy::out::send(rows, style, output).await?;
                            output.put_complete(&tag)?;
                            return Ok(None);
                        }
                        self.state = State::Open(Box::new(rows));
                    }
                    Answer::Done { tag } => {
                        output.put_complete(&tag)?;
                        self.state = State::Finished { tag };
                        return Ok(None);
                    }
                    Answer::CopyIn(copy) => return Ok(Some(copy)),
                    Answer::Empty => {
                        output.put(&EmptyQueryResponse::new())?;
                        return Ok(None);
                    }
                }
            }
            State::Open(rows) => rows.resume(&session.canceller()),
            State::Finished { tag } => {
                output.put_complete(tag)?;
                return Ok(None);
            }
        }
        self.send(rows_max, style, output).await?;
        Ok(None)
    }

    /// Passes over rows of the statement, which begins where it has not; gives how many.
    pub async fn pass(&mut self, rows_max: Option<usize>, session: &Session, style: &Style) -> Result<usize, Failure> {
        let Some(statement) = &self.statement else { return Ok(0) };
        match &mut self.state {
            State::Bound { values, .. } => {
                let values = std::mem::take(values);
                self.state = State::Finished { tag: String::new() };
                let Answer::Rows { tag, schema, stream, guard } = session.run(statement, values).await? else {
                    return Ok(0);
                };
                let shape = self.shape.clone().ok_or_else(unannounced)?;
                let rows = Rows::new(tag, schema, stream, guard, shape, self.envelope.clone())?;
                self.state = State::Open(Box::new(rows));
            }
            State::Open(rows) => rows.resume(&session.canceller()),
            State::Finished { .. } => return Ok(0),
        }
        let State::Open(rows) = &mut self.state else { return Ok(0) };
        let (passed, stop) = rows.pass(rows_max.unwrap_or(usize::MAX), style).await?;
        if stop == Stop::End {
            self.state = State::Finished { tag: rows.tag(0) };
        }
        Ok(passed)
    }

    async fn send<W: AsyncWrite + Unpin>(
        &mut self,
        rows_max: Option<usize>,
        style: &Style,
        output: &mut Output<W>,
    ) -> Result<(), Failure> {
        let State::Open(rows) = &mut self.state else { return Ok(()) };
        let (sent, stop) = rows.send(rows_max, style, output).await?;
        match stop {
            Stop::Limit => Ok(output.put(&PortalSuspended::new())?),
            Stop::End => {
                output.put_complete(&rows.tag(sent))?;
                // The stream is dropped: what it held is free before the portal is closed.
                self.state = State::Finished { tag: rows.tag(0) };
                Ok(())
            }
        }
    }
}

fn unannounced() -> Error {
    Error::new(Reason::PlanChanged, "cached plan must not change result type")
}
