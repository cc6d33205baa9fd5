//! The extended protocol: Parse, Bind, Describe, Execute and Close over named statements and portals.

use std::collections::HashMap;

use bytes::Bytes;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete};

use super::connection::Connection;
use super::copy;
use super::decode::{self, Parameter};
use super::encode::Envelope;
use super::portal::Portal;
use super::protocol::Failure;
use super::protocol::message::{self, Target};
use super::rows::Shape;
use super::types::arrow_type_of;
use crate::error::{Error, Reason, Result};
use crate::query::{CopyForm, CopyIn, CopyStatement, NamedStatement, Prepared, Session, StatementKind};

/// Each may hold an open stream.
const PORTALS_MAX: usize = 128;
/// Of the values of all of them, as they came.
const VALUE_BYTES_MAX: usize = 64 << 20;

/// The unnamed statement and the portals of a connection; named statements are the session's.
#[derive(Default)]
pub struct Portals {
    unnamed: Option<NamedStatement>,
    open: HashMap<String, Portal>,
}

impl Portals {
    pub fn end_transaction(&mut self) {
        self.open.clear();
    }

    /// What a simple query takes away.
    pub fn drop_unnamed(&mut self) {
        self.unnamed = None;
        self.open.remove("");
    }

    pub fn portal(&mut self, name: &str) -> Option<&mut Portal> {
        self.open.get_mut(name)
    }

    /// Refuses one portal, or one that holds too much, beside those that are open.
    fn require_place(&self, bytes: usize) -> Result<()> {
        let held: usize = self.open.values().map(Portal::value_bytes).sum();
        if self.open.len() < PORTALS_MAX && held + bytes <= VALUE_BYTES_MAX {
            return Ok(());
        }
        let text =
            format!("a connection may have {PORTALS_MAX} portals, with {VALUE_BYTES_MAX} bytes of values together");
        Err(Error::new(Reason::LimitExceeded, text).with_hint("close those that are no longer used"))
    }

    fn statement(&self, name: &str, session: &Session) -> Result<NamedStatement> {
        if name.is_empty() {
            let unknown = || Error::new(Reason::StatementUnknown, "unnamed prepared statement does not exist");
            return self.unnamed.clone().ok_or_else(unknown);
        }
        session.named_statements().get(name)
    }
}

/// The parameters of a statement, in the types that its client declared or that were found.
fn parameters(statement: &NamedStatement) -> Vec<Parameter> {
    let wanted = statement.prepared.as_ref().map_or(&[][..], |prepared| &prepared.parameters);
    let declared = statement.declared.iter().copied().chain(std::iter::repeat(0));
    wanted.iter().zip(declared).map(|(data_type, oid)| Parameter::new(oid, data_type.clone())).collect()
}

/// How the rows travel where the statement is a COPY of them.
pub(super) fn copy_out(prepared: &Prepared) -> Option<&CopyForm> {
    match &prepared.statement.kind {
        StatementKind::Copy(copy) => match copy.as_ref() {
            CopyStatement::Out { form, .. } => Some(form),
            CopyStatement::In { .. } | CopyStatement::File => None,
        },
        _ => None,
    }
}

fn portal_unknown(name: &str) -> Error {
    Error::new(Reason::CursorUnknown, format!("portal \"{name}\" does not exist"))
}

impl Connection {
    pub(super) async fn parse(&mut self, body: Bytes) -> Result<(), Failure> {
        let message::Parse { name, text, types } = message::parse(body)?;
        if name.is_empty() {
            // The unnamed statement goes even where its successor does not come.
            self.portals.unnamed = None;
        } else {
            self.session.named_statements().require_free(&name, &text)?;
        }
        let statement = self.parsed(&text, types).await?;
        if name.is_empty() {
            self.portals.unnamed = Some(statement);
        } else {
            self.session.named_statements().insert(&name, statement)?;
        }
        Ok(self.output.put(&ParseComplete::new())?)
    }

    async fn parsed(&mut self, text: &str, declared: Vec<u32>) -> Result<NamedStatement, Failure> {
        let hints: Vec<_> = declared.iter().map(|oid| arrow_type_of(*oid)).collect();
        if let Some(prepared) = self.session.known(text, &hints) {
            return Ok(NamedStatement::of_protocol(Some(prepared), declared));
        }
        let statements = self.session.parse(text)?;
        let statement = match statements.as_slice() {
            [] => return Ok(NamedStatement::of_protocol(None, Vec::new())),
            [one] => one,
            _ => {
                let message = "cannot insert multiple commands into a prepared statement";
                return Err(Error::new(Reason::Syntax, message).into());
            }
        };
        let (attendance, session, ..) = self.parts();
        let prepared = attendance.run(async { Ok(session.prepare(statement, &hints).await?) }).await?;
        Ok(NamedStatement::of_protocol(Some(prepared), declared))
    }

    pub(super) fn bind(&mut self, body: Bytes) -> Result<(), Failure> {
        let bytes = body.len();
        let bind = message::bind(body)?;
        let statement = self.portals.statement(&bind.statement, &self.session)?;
        if !bind.portal.is_empty() && self.portals.open.contains_key(&bind.portal) {
            let message = format!("portal \"{}\" already exists", bind.portal);
            return Err(Error::new(Reason::DuplicateCursor, message).into());
        }
        self.portals.open.remove(&bind.portal);
        self.portals.require_place(bytes)?;
        let values = decode::values(&parameters(&statement), &bind, &self.style)?;
        let copy = statement.prepared.as_deref().and_then(copy_out);
        let columns = statement.prepared.as_ref().and_then(|prepared| prepared.columns.as_ref());
        let formats = match copy {
            Some(form) => &[copy::out::format(form)][..],
            None => &bind.result_formats,
        };
        let shape = columns.map(|columns| Shape::new(columns, formats)).transpose()?;
        let envelope = match (copy, &shape) {
            (Some(form), Some(shape)) => copy::out::envelope(form.clone(), shape.names()),
            (_, _) => Envelope::DataRow,
        };
        self.portals.open.insert(bind.portal, Portal::new(statement.prepared, shape, envelope, values, bytes));
        Ok(self.output.put(&BindComplete::new())?)
    }

    pub(super) fn describe(&mut self, body: Bytes) -> Result<(), Failure> {
        let shape = match message::target(body)? {
            Target::Statement(name) => {
                let statement = self.portals.statement(&name, &self.session)?;
                let oids = parameters(&statement).iter().map(|parameter| parameter.oid).collect();
                self.output.put(&ParameterDescription::new(oids))?;
                let prepared = statement.prepared.as_ref().filter(|prepared| copy_out(prepared).is_none());
                let columns = prepared.and_then(|prepared| prepared.columns.as_ref());
                columns.map(|columns| Shape::new(columns, &[])).transpose()?
            }
            Target::Portal(name) => match self.portals.open.get(&name) {
                Some(portal) => portal.described().cloned(),
                // A cursor of SQL is a portal, too.
                None => {
                    let columns = self.session.cursor_columns(&name).map_err(|_| portal_unknown(&name))?;
                    Some(Shape::new(&columns, &[])?)
                }
            },
        };
        match shape {
            Some(shape) => self.output.put(&shape.description())?,
            None => self.output.put(&NoData::new())?,
        }
        Ok(())
    }

    pub(super) async fn execute(&mut self, body: Bytes) -> Result<(), Failure> {
        let message::Execute { portal: name, rows_max } = message::execute(body)?;
        let (attendance, session, output, portals, style) = self.parts();
        let portal = portals.open.get_mut(&name).ok_or_else(|| portal_unknown(&name))?;
        let ran = attendance.run(portal.execute(rows_max, session, style, output)).await;
        let outcome = match ran {
            Ok(Some(copy)) => self.copied(&name, *copy).await,
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        if outcome.is_err() {
            // What is left of a failed statement is of no use.
            self.portals.open.remove(&name);
        }
        self.put_notices()?;
        outcome
    }

    /// A portal whose rows come from the client.
    async fn copied(&mut self, name: &str, copy: CopyIn) -> Result<(), Failure> {
        let tag = self.copy_in(copy).await?;
        self.output.put_complete(&tag)?;
        if let Some(portal) = self.portals.open.get_mut(name) {
            portal.finish(tag);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, body: Bytes) -> Result<(), Failure> {
        match message::target(body)? {
            Target::Statement(name) if name.is_empty() => self.portals.unnamed = None,
            Target::Statement(name) => {
                self.session.named_statements().remove(&name);
            }
            Target::Portal(name) => match self.portals.open.remove(&name) {
                Some(portal) => drop(portal),
                None => self.session.close_cursor(&name),
            },
        }
        Ok(self.output.put(&CloseComplete::new())?)
    }
}
