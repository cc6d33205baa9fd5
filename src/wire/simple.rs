//! The simple query: one text of any number of statements, answered in order up to the first error.

use bytes::Bytes;
use pgwire::messages::response::EmptyQueryResponse;
use tokio::io::AsyncWrite;

use super::connection::Connection;
use super::copy::{self, CopyOut};
use super::encode::{Envelope, Style};
use super::extended::Names;
use super::portal::Portal;
use super::protocol::message::{self, Format};
use super::protocol::{Failure, Output};
use super::rows::{Rows, Shape};
use crate::error::Result;
use crate::query::{Answer, Prepared, Session, Statement};

impl Connection {
    pub(super) async fn simple(&mut self, body: Bytes) -> Result<(), Failure> {
        self.names.drop_unnamed();
        match self.series(body).await {
            Ok(()) => {}
            Err(Failure::Statement(error)) => self.fail(&error)?,
            Err(other) => return Err(other),
        }
        self.ready().await
    }

    async fn series(&mut self, body: Bytes) -> Result<(), Failure> {
        let text = message::query(body)?;
        let statements = self.session.parse(&text)?;
        if statements.is_empty() {
            self.output.put(&EmptyQueryResponse::new())?;
        }
        for statement in &statements {
            let (attendance, session, output, names, style) = self.parts();
            match moved(statement, session, names) {
                // A portal of the protocol is a cursor, too.
                Some((portal, rows_max)) => {
                    let passed = attendance.run(portal.pass(rows_max, session, style)).await?;
                    output.put_complete(&format!("MOVE {passed}"))?;
                }
                None => attendance.run(answer(statement, session, style, output)).await?,
            }
            self.put_notices()?;
            // What a SET changes counts for the next statement of the text.
            self.put_parameters()?;
        }
        Ok(())
    }
}

/// The portal that a MOVE is about, where no cursor of SQL has the name, and how far it goes.
fn moved<'n>(
    statement: &Statement,
    session: &Session,
    names: &'n mut Names,
) -> Option<(&'n mut Portal, Option<usize>)> {
    let (name, rows_max) = statement.as_move()?;
    if session.cursor_columns(name).is_ok() {
        return None;
    }
    Some((names.portal(name)?, rows_max))
}

async fn answer<W: AsyncWrite + Unpin>(
    statement: &Statement,
    session: &Session,
    style: &Style,
    output: &mut Output<W>,
) -> Result<(), Failure> {
    let copy = copy::of(statement, session)?;
    let statement = copy.as_ref().map_or(statement, |copy| &copy.query);
    let prepared = session.prepare(statement, &[]).await?;
    let (tag, schema, stream, guard) = match session.run(&prepared, Vec::new()).await? {
        Answer::Rows { tag, schema, stream, guard } => (tag, schema, stream, guard),
        Answer::Done { tag } => return Ok(output.put_complete(&tag)?),
        Answer::Empty => return Ok(output.put(&EmptyQueryResponse::new())?),
    };
    if let Some(CopyOut { form, .. }) = copy {
        let shape = shape(&prepared, &schema, &[copy::out::format(&form)])?;
        let envelope = copy::out::envelope(form, shape.names());
        let rows = Rows::new(tag, schema, stream, guard, shape, envelope)?;
        return copy::out::send(rows, style, output).await;
    }
    let shape = shape(&prepared, &schema, &[])?;
    output.put(&shape.description())?;
    let mut rows = Rows::new(tag, schema, stream, guard, shape, Envelope::DataRow)?;
    let (sent, _) = rows.send(None, style, output).await?;
    Ok(output.put_complete(&rows.tag(sent))?)
}

/// The planned columns say more of their types than those of the stream; they are told where they are the same ones.
fn shape(prepared: &Prepared, schema: &arrow::datatypes::Schema, formats: &[Format]) -> Result<Shape> {
    let planned = prepared.columns.as_deref().map(|columns| Shape::new(columns, formats)).transpose()?;
    match planned {
        Some(planned) if planned.fits(schema) => Ok(planned),
        _ => Shape::new(schema, formats),
    }
}
