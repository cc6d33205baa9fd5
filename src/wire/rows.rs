//! Rows from a stream to a client: one batch at a time, no faster than the client reads.

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;
use pgwire::messages::data::{FieldDescription, RowDescription};
use tokio::io::AsyncWrite;

use super::encode::{Column, Encoder, Envelope, Style};
use super::protocol::message::{Format, formats};
use super::protocol::output::FLUSH_BYTES;
use super::protocol::{Failure, Output};
use super::types::sql_type_of;
use crate::error::{Error, Reason, Result};
use crate::query::{Canceller, StatementGuard, failure};

/// Columns and what a client is told of them.
#[derive(Debug, Clone)]
pub struct Shape {
    names: Vec<String>,
    columns: Vec<Column>,
}

impl Shape {
    /// The columns of `schema` in the formats that the client asked for.
    pub fn new(schema: &Schema, codes: &[Format]) -> Result<Self> {
        let formats = formats(codes, schema.fields().len())?;
        let columns =
            schema.fields().iter().zip(formats).map(|(field, format)| Column { wire: sql_type_of(field), format });
        Ok(Self {
            names: schema.fields().iter().map(|field| field.name().clone()).collect(),
            columns: columns.collect(),
        })
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn description(&self) -> RowDescription {
        let fields = self.names.iter().zip(&self.columns).map(|(name, Column { wire, format })| {
            // The protocol has no zero byte inside a string.
            let name = name.replace('\0', "\u{fffd}");
            FieldDescription::new(name, 0, 0, wire.oid(), wire.length(), wire.modifier, format.code())
        });
        RowDescription::new(fields.collect())
    }

    /// Whether rows of `schema` are what the client was told to expect: names aside, the same number and kinds.
    pub fn fits(&self, schema: &Schema) -> bool {
        let bare = |field: &arrow::datatypes::Field| sql_type_of(&field.clone().with_metadata(Default::default())).kind;
        self.columns.len() == schema.fields().len()
            && self.columns.iter().zip(schema.fields()).all(|(column, field)| {
                let (told, given) = (&column.wire, sql_type_of(field));
                told.kind == given.kind || bare(field) == given.kind && is_refined(&told.kind, &given.kind)
            })
    }
}

/// A kind that only metadata can tell (uuid, json, oid, ...) still fits rows that have lost the metadata.
fn is_refined(told: &pgwire::api::Type, given: &pgwire::api::Type) -> bool {
    use pgwire::api::Type;
    let plain = [
        Type::TEXT,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::BYTEA,
        Type::OID,
        Type::TEXT_ARRAY,
        Type::INT2_ARRAY,
        Type::OID_ARRAY,
    ];
    plain.contains(given) && !plain.contains(told)
}

/// Where a portal stands after rows were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// There are no more rows.
    End,
    /// The client's limit is reached.
    Limit,
}

/// Rows that a client is being sent.
pub struct Rows {
    tag: &'static str,
    stream: SendableRecordBatchStream,
    guard: StatementGuard,
    shape: Shape,
    envelope: Envelope,
    encoder: Option<Encoder>,
}

impl Rows {
    /// Rows of `schema` that go out in `shape`; refused where they are not what `shape` says.
    pub fn new(
        tag: &'static str,
        schema: SchemaRef,
        stream: SendableRecordBatchStream,
        guard: StatementGuard,
        shape: Shape,
        envelope: Envelope,
    ) -> Result<Self> {
        if !shape.fits(&schema) {
            return Err(Error::new(Reason::PlanChanged, "cached plan must not change result type"));
        }
        Ok(Self { tag, stream, guard, shape, envelope, encoder: None })
    }

    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Each Execute of a portal can be cancelled by itself.
    pub fn resume(&mut self, canceller: &Canceller) {
        self.guard = canceller.resume(&self.guard);
    }

    /// Sends rows up to the limit; gives how many.
    pub async fn send<W: AsyncWrite + Unpin>(
        &mut self,
        rows_max: Option<usize>,
        style: &Style,
        output: &mut Output<W>,
    ) -> Result<(usize, Stop), Failure> {
        let guard = self.guard.clone();
        guard.run(self.pump(rows_max.unwrap_or(usize::MAX), style, output)).await?
    }

    async fn pump<W: AsyncWrite + Unpin>(
        &mut self,
        rows_max: usize,
        style: &Style,
        output: &mut Output<W>,
    ) -> Result<(usize, Stop), Failure> {
        let mut sent = 0;
        while sent < rows_max {
            match self.encoder.as_mut().filter(|encoder| !encoder.is_done()) {
                Some(encoder) => {
                    sent += encoder.put_rows(&mut self.envelope, rows_max - sent, FLUSH_BYTES, &mut output.buffer)?
                }
                None => match self.stream.next().await {
                    Some(batch) => {
                        self.encoder = Some(Encoder::new(&batch.map_err(failure)?, &self.shape.columns, style)?);
                    }
                    None => return Ok((sent, Stop::End)),
                },
            }
            if output.is_full() {
                output.flush().await?;
            }
        }
        Ok((sent, Stop::Limit))
    }

    /// Passes over rows up to the limit; gives how many.
    pub async fn pass(&mut self, rows_max: usize, style: &Style) -> Result<(usize, Stop), Failure> {
        let guard = self.guard.clone();
        guard.run(self.skip(rows_max, style)).await?
    }

    async fn skip(&mut self, rows_max: usize, style: &Style) -> Result<(usize, Stop), Failure> {
        let mut passed = 0;
        while passed < rows_max {
            match self.encoder.as_mut().filter(|encoder| !encoder.is_done()) {
                Some(encoder) => passed += encoder.pass(rows_max - passed),
                None => match self.stream.next().await {
                    Some(batch) => {
                        self.encoder = Some(Encoder::new(&batch.map_err(failure)?, &self.shape.columns, style)?);
                    }
                    None => return Ok((passed, Stop::End)),
                },
            }
        }
        Ok((passed, Stop::Limit))
    }

    /// `SELECT 5`, `INSERT 0 5`; SHOW and EXPLAIN tell no number.
    pub fn tag(&self, sent: usize) -> String {
        match self.tag {
            "SHOW" | "EXPLAIN" => self.tag.to_owned(),
            "INSERT" => format!("INSERT 0 {sent}"),
            tag => format!("{tag} {sent}"),
        }
    }
}
