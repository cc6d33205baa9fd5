//! The extended protocol: Parse, Bind, Describe, Execute and Close over named statements and portals.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete};

use super::connection::Connection;
use super::copy;
use super::decode::{self, Parameter};
use super::encode::Envelope;
use super::encode::copy::CopyForm;
use super::portal::Portal;
use super::protocol::Failure;
use super::protocol::message::{self, Target};
use super::rows::Shape;
use super::types::arrow_type_of;
use crate::error::{Error, Reason, Result};
use crate::query::Prepared;

/// More than any driver keeps; each holds a plan.
const STATEMENTS_MAX: usize = 1024;

/// Each may hold an open stream.
const PORTALS_MAX: usize = 128;

/// A statement that was parsed, with what its parameters are.
#[derive(Clone)]
struct Named {
    /// `None` is the empty statement.
    prepared: Option<Arc<Prepared>>,
    parameters: Vec<Parameter>,
    /// How the rows travel where the statement is a COPY of them.
    copy: Option<CopyForm>,
}

/// The statements and portals of a connection, by name; the empty name is one like the others that is replaced freely.
#[derive(Default)]
pub struct Names {
    statements: HashMap<String, Named>,
    portals: HashMap<String, Portal>,
}

impl Names {
    pub fn drop_portals(&mut self) {
        self.portals.clear();
    }

    /// What a simple query takes away.
    pub fn drop_unnamed(&mut self) {
        self.statements.remove("");
        self.portals.remove("");
    }

    pub fn portal(&mut self, name: &str) -> Option<&mut Portal> {
        self.portals.get_mut(name)
    }

    fn statement(&self, name: &str) -> Result<&Named> {
        self.statements.get(name).ok_or_else(|| match name {
            "" => Error::new(Reason::StatementUnknown, "unnamed prepared statement does not exist"),
            name => Error::new(Reason::StatementUnknown, format!("prepared statement \"{name}\" does not exist")),
        })
    }
}

fn portal_unknown(name: &str) -> Error {
    Error::new(Reason::CursorUnknown, format!("portal \"{name}\" does not exist"))
}

impl Connection {
    pub(super) async fn parse(&mut self, body: Bytes) -> Result<(), Failure> {
        let message::Parse { name, text, types } = message::parse(body)?;
        if !name.is_empty() && self.names.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Error::new(Reason::DuplicateStatement, message).into());
        }
        // The unnamed statement goes even where its successor does not come.
        self.names.statements.remove(&name);
        if self.names.statements.len() >= STATEMENTS_MAX {
            return Err(Error::new(Reason::LimitExceeded, "too many prepared statements")
                .with_hint("Close statements that are no longer used.")
                .into());
        }
        let named = self.named(&text, &types).await?;
        self.names.statements.insert(name, named);
        Ok(self.output.put(&ParseComplete::new())?)
    }

    async fn named(&mut self, text: &str, types: &[u32]) -> Result<Named, Failure> {
        let statements = self.session.parse(text)?;
        let statement = match statements.as_slice() {
            [] => return Ok(Named { prepared: None, parameters: Vec::new(), copy: None }),
            [one] => one,
            _ => {
                let message = "cannot insert multiple commands into a prepared statement";
                return Err(Error::new(Reason::Syntax, message).into());
            }
        };
        let copy = copy::of(statement, &self.session)?;
        let statement = copy.as_ref().map_or(statement, |copy| &copy.query);
        let hints: Vec<_> = types.iter().map(|oid| arrow_type_of(*oid)).collect();
        let (attendance, session, ..) = self.parts();
        let prepared = attendance.run(async { Ok(session.prepare(statement, &hints).await?) }).await?;
        let parameters =
            prepared.parameters.iter().enumerate().map(|(position, data_type)| {
                Parameter::new(types.get(position).copied().unwrap_or(0), data_type.clone())
            });
        let parameters = parameters.collect();
        Ok(Named { parameters, prepared: Some(Arc::new(prepared)), copy: copy.map(|copy| copy.form) })
    }

    pub(super) fn bind(&mut self, body: Bytes) -> Result<(), Failure> {
        let bind = message::bind(body)?;
        let named = self.names.statement(&bind.statement)?.clone();
        if !bind.portal.is_empty() && self.names.portals.contains_key(&bind.portal) {
            let message = format!("portal \"{}\" already exists", bind.portal);
            return Err(Error::new(Reason::DuplicateCursor, message).into());
        }
        self.names.portals.remove(&bind.portal);
        if self.names.portals.len() >= PORTALS_MAX {
            return Err(Error::new(Reason::LimitExceeded, "too many portals").into());
        }
        let values = decode::values(&named.parameters, &bind, &self.style)?;
        let columns = named.prepared.as_ref().and_then(|prepared| prepared.columns.as_ref());
        let formats = match &named.copy {
            Some(form) => &[copy::out::format(form)][..],
            None => &bind.result_formats,
        };
        let shape = columns.map(|columns| Shape::new(columns, formats)).transpose()?;
        let envelope = match (named.copy, &shape) {
            (Some(form), Some(shape)) => copy::out::envelope(form, shape.names()),
            (_, _) => Envelope::DataRow,
        };
        self.names.portals.insert(bind.portal, Portal::new(named.prepared, shape, envelope, values));
        Ok(self.output.put(&BindComplete::new())?)
    }

    pub(super) fn describe(&mut self, body: Bytes) -> Result<(), Failure> {
        let shape = match message::target(body)? {
            Target::Statement(name) => {
                let named = self.names.statement(&name)?;
                let oids = named.parameters.iter().map(|parameter| parameter.oid).collect();
                self.output.put(&ParameterDescription::new(oids))?;
                let prepared = named.prepared.as_ref().filter(|_| named.copy.is_none());
                let columns = prepared.and_then(|prepared| prepared.columns.as_ref());
                columns.map(|columns| Shape::new(columns, &[])).transpose()?
            }
            Target::Portal(name) => match self.names.portals.get(&name) {
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
        let (attendance, session, output, names, style) = self.parts();
        let portal = names.portals.get_mut(&name).ok_or_else(|| portal_unknown(&name))?;
        let outcome = attendance.run(portal.execute(rows_max, session, style, output)).await;
        if outcome.is_err() {
            // What is left of a failed statement is of no use.
            self.names.portals.remove(&name);
        }
        self.put_notices()?;
        outcome
    }

    pub(super) fn close(&mut self, body: Bytes) -> Result<(), Failure> {
        match message::target(body)? {
            Target::Statement(name) => drop(self.names.statements.remove(&name)),
            Target::Portal(name) => match self.names.portals.remove(&name) {
                Some(portal) => drop(portal),
                None => self.session.close_cursor(&name),
            },
        }
        Ok(self.output.put(&CloseComplete::new())?)
    }
}
