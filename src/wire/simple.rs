//! The simple query: one text of any number of statements, answered in order up to the first error.

use std::sync::Arc;

use bytes::Bytes;
use pgwire::messages::response::EmptyQueryResponse;
use tokio::io::AsyncWrite;

use super::connection::Connection;
use super::copy;
use super::encode::{Envelope, Style};
use super::extended::{Portals, copy_out};
use super::portal::Portal;
use super::protocol::message::{self, Format};
use super::protocol::{Failure, Output};
use super::rows::{Rows, Shape};
use crate::error::{Reason, Result};
use crate::query::{Answer, CopyIn, Prepared, Session, Statement, TransactionStatus};

impl Connection {
    pub(super) async fn simple(&mut self, body: Bytes) -> Result<(), Failure> {
        self.portals.drop_unnamed();
        match self.series(body).await {
            Ok(()) => {}
            Err(Failure::Statement(error)) => {
                let (attendance, session, ..) = self.parts();
                attendance.run(async { Ok(session.abandon_implicit().await?) }).await?;
                self.fail(&error)?;
            }
            Err(other) => return Err(other),
        }
        self.ready().await
    }

    async fn series(&mut self, body: Bytes) -> Result<(), Failure> {
        let text = message::query(body)?;
        if let Some(prepared) = self.session.known(&text, &[]) {
            let (attendance, session, output, _, style) = self.parts();
            match attendance.run(answer_prepared(&prepared, session, style, output)).await {
                // Its tables have got columns since it was met: it is met anew.
                Err(Failure::Statement(error))
                    if error.reason() == Reason::PlanChanged && session.transaction() == TransactionStatus::Idle => {}
                answered => {
                    let tag = self.end_of(answered?).await?;
                    return self.told(tag);
                }
            }
        }
        let statements = self.session.parse(&text)?;
        if statements.is_empty() {
            self.output.put(&EmptyQueryResponse::new())?;
        }
        let count = statements.len();
        for (number, statement) in (1..).zip(&statements) {
            if count > 1 {
                self.session.begin_implicit()?;
            }
            let (attendance, session, output, portals, style) = self.parts();
            let answered = match moved(statement, session, portals) {
                // A portal of the protocol is a cursor, too.
                Some((portal, rows_max)) => {
                    let passed = attendance.run(portal.pass(rows_max, session, style)).await?;
                    Answered::Done(format!("MOVE {passed}"))
                }
                None => attendance.run(answer(statement, session, style, output)).await?,
            };
            let tag = self.end_of(answered).await?;
            if number == count && count > 1 {
                // Before its tag: a client that is told of the last statement knows that all of them are done.
                let (attendance, session, ..) = self.parts();
                attendance.run(async { Ok(session.end_implicit().await?) }).await?;
            }
            self.told(tag)?;
        }
        Ok(())
    }

    /// Brings a statement to its end; gives its tag.
    async fn end_of(&mut self, answered: Answered) -> Result<Option<String>, Failure> {
        Ok(match answered {
            Answered::Done(tag) => Some(tag),
            Answered::CopyIn(copy) => Some(self.copy_in(*copy).await?),
            Answered::Empty => None,
        })
    }

    /// After a statement; what a SET changes counts for the next one of the text.
    fn told(&mut self, tag: Option<String>) -> Result<(), Failure> {
        match tag {
            Some(tag) => self.output.put_complete(&tag)?,
            None => self.output.put(&EmptyQueryResponse::new())?,
        }
        self.put_notices()?;
        Ok(self.put_parameters()?)
    }
}

/// The portal that a MOVE is about, where no cursor of SQL has the name, and how far it goes.
fn moved<'n>(
    statement: &Statement,
    session: &Session,
    portals: &'n mut Portals,
) -> Option<(&'n mut Portal, Option<usize>)> {
    let (name, rows_max) = statement.as_move()?;
    if session.cursor_columns(name).is_ok() {
        return None;
    }
    Some((portals.portal(name)?, rows_max))
}

/// How a statement has ended.
enum Answered {
    /// With this tag.
    Done(String),
    /// It waits for rows of the client.
    CopyIn(Box<CopyIn>),
    Empty,
}

/// Answers a statement, up to its tag.
async fn answer<W: AsyncWrite + Unpin>(
    statement: &Statement,
    session: &Session,
    style: &Style,
    output: &mut Output<W>,
) -> Result<Answered, Failure> {
    let prepared = session.prepare(statement, &[]).await?;
    answer_prepared(&prepared, session, style, output).await
}

async fn answer_prepared<W: AsyncWrite + Unpin>(
    prepared: &Arc<Prepared>,
    session: &Session,
    style: &Style,
    output: &mut Output<W>,
) -> Result<Answered, Failure> {
    let (tag, schema, stream, guard) = match session.run(prepared, Vec::new()).await? {
        Answer::Rows { tag, schema, stream, guard } => (tag, schema, stream, guard),
        Answer::Done { tag } => return Ok(Answered::Done(tag)),
        Answer::CopyIn(copy) => return Ok(Answered::CopyIn(copy)),
        Answer::Empty => return Ok(Answered::Empty),
    };
    if let Some(form) = copy_out(prepared) {
        let shape = shape(prepared, &schema, &[copy::out::format(form)])?;
        let envelope = copy::out::envelope(form.clone(), shape.names());
        let rows = Rows::new(tag, schema, stream, guard, shape, envelope)?;
        return Ok(Answered::Done(copy::out::send(rows, style, output).await?));
    }
    let shape = shape(prepared, &schema, &[])?;
    output.put(&shape.description())?;
    let mut rows = Rows::new(tag, schema, stream, guard, shape, Envelope::DataRow)?;
    let (sent, _) = rows.send(None, style, output).await?;
    Ok(Answered::Done(rows.tag(sent)))
}

/// The planned columns say more of their types than those of the stream; they are told where they are the same ones.
fn shape(prepared: &Prepared, schema: &arrow::datatypes::Schema, formats: &[Format]) -> Result<Shape> {
    let planned = prepared.columns.as_deref().map(|columns| Shape::new(columns, formats)).transpose()?;
    match planned {
        Some(planned) if planned.fits(schema) => Ok(planned),
        _ => Shape::new(schema, formats),
    }
}
