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
use crate::error::Result;
use crate::query::{Answer, CopyIn, Prepared, Session, Statement};

impl Connection {
    pub(super) async fn simple(&mut self, body: Bytes) -> Result<(), Failure> {
        self.portals.drop_unnamed();
        match self.series(body).await {
            Ok(()) => {}
            Err(Failure::Statement(error)) => self.fail(&error)?,
            Err(other) => return Err(other),
        }
        self.ready().await
    }

    async fn series(&mut self, body: Bytes) -> Result<(), Failure> {
        let text = message::query(body)?;
        if let Some(prepared) = self.session.known(&text, &[]) {
            let (attendance, session, output, _, style) = self.parts();
            attendance.run(answer_prepared(&prepared, session, style, output)).await?;
            return self.told();
        }
        let statements = self.session.parse(&text)?;
        if statements.is_empty() {
            self.output.put(&EmptyQueryResponse::new())?;
        }
        for statement in &statements {
            let (attendance, session, output, portals, style) = self.parts();
            let waiting = match moved(statement, session, portals) {
                // A portal of the protocol is a cursor, too.
                Some((portal, rows_max)) => {
                    let passed = attendance.run(portal.pass(rows_max, session, style)).await?;
                    output.put_complete(&format!("MOVE {passed}"))?;
                    None
                }
                None => attendance.run(answer(statement, session, style, output)).await?,
            };
            if let Some(copy) = waiting {
                let tag = self.copy_in(*copy).await?;
                self.output.put_complete(&tag)?;
            }
            self.told()?;
        }
        Ok(())
    }

    /// After a statement; what a SET changes counts for the next one of the text.
    fn told(&mut self) -> Result<(), Failure> {
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

/// Answers a statement; one that waits for rows of the client is given back.
async fn answer<W: AsyncWrite + Unpin>(
    statement: &Statement,
    session: &Session,
    style: &Style,
    output: &mut Output<W>,
) -> Result<Option<Box<CopyIn>>, Failure> {
    let prepared = session.prepare(statement, &[]).await?;
    answer_prepared(&prepared, session, style, output).await
}

async fn answer_prepared<W: AsyncWrite + Unpin>(
    prepared: &Arc<Prepared>,
    session: &Session,
    style: &Style,
    output: &mut Output<W>,
) -> Result<Option<Box<CopyIn>>, Failure> {
    let (tag, schema, stream, guard) = match session.run(prepared, Vec::new()).await? {
        Answer::Rows { tag, schema, stream, guard } => (tag, schema, stream, guard),
        Answer::Done { tag } => {
            output.put_complete(&tag)?;
            return Ok(None);
        }
        Answer::CopyIn(copy) => return Ok(Some(copy)),
        Answer::Empty => {
            output.put(&EmptyQueryResponse::new())?;
            return Ok(None);
        }
    };
    if let Some(form) = copy_out(prepared) {
        let shape = shape(prepared, &schema, &[copy::out::format(form)])?;
        let envelope = copy::out::envelope(form.clone(), shape.names());
        let rows = Rows::new(tag, schema, stream, guard, shape, envelope)?;
        copy::out::send(rows, style, output).await?;
        return Ok(None);
    }
    let shape = shape(prepared, &schema, &[])?;
    output.put(&shape.description())?;
    let mut rows = Rows::new(tag, schema, stream, guard, shape, Envelope::DataRow)?;
    let (sent, _) = rows.send(None, style, output).await?;
    output.put_complete(&rows.tag(sent))?;
    Ok(None)
}

/// The planned columns say more of their types than those of the stream; they are told where they are the same ones.
fn shape(prepared: &Prepared, schema: &arrow::datatypes::Schema, formats: &[Format]) -> Result<Shape> {
    let planned = prepared.columns.as_deref().map(|columns| Shape::new(columns, formats)).transpose()?;
    match planned {
        Some(planned) if planned.fits(schema) => Ok(planned),
        _ => Shape::new(schema, formats),
    }
}
