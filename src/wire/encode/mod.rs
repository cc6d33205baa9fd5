//! Rows of record batches as DataRow messages: each column is prepared once a batch, each value goes straight to the buffer.

mod array;
mod column;
pub mod copy;
mod json;
mod numeric;
mod record;

use arrow::array::{Array, RecordBatch};
use arrow::buffer::NullBuffer;
use bytes::BytesMut;

use self::column::Put;
use super::protocol::message::Format;
use super::types::WireType;
use crate::error::{Error, Reason, Result};
use crate::forms::zone::Zone;
use crate::query::CopyForm;

/// Takes the place of a length until what it counts is written.
const LENGTH_TO_COME: [u8; 4] = [0; 4];
const NULL_LENGTH: [u8; 4] = (-1_i32).to_be_bytes();

/// How values look in text: what the session's settings say of it.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// The zone in which instants are shown; without it, the one that their Arrow type names.
    pub zone: Option<Zone>,
}

impl Style {
    /// Follows a setting that the client is told of.
    pub fn set(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("timezone") {
            self.zone = Zone::parse(value);
        }
    }
}

/// A column as it was described to the client.
#[derive(Debug, Clone)]
pub struct Column {
    pub wire: WireType,
    pub format: Format,
}

/// The message that carries a row.
#[derive(Debug, Clone)]
pub enum Envelope {
    DataRow,
    /// CopyData; `lead` goes out before the first row, in its message.
    Copy {
        form: CopyForm,
        names: Vec<String>,
        lead: &'static [u8],
    },
}

/// A batch on its way to a client.
pub struct Encoder {
    cells: Vec<Cells>,
    rows: usize,
    next: usize,
}

/// One column of a batch.
pub struct Cells {
    nulls: Option<NullBuffer>,
    put: Put,
}

impl Cells {
    pub fn new(array: &dyn Array, column: &Column, style: &Style) -> Result<Self> {
        Ok(Self { nulls: array.logical_nulls(), put: column::put(array, &column.wire.kind, column.format, style)? })
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// The value alone; it is not NULL.
    pub fn put(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        (self.put)(row, out)
    }

    /// The length of the value and the value; -1 for NULL.
    pub fn put_sized(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.is_null(row) {
            out.extend_from_slice(&NULL_LENGTH);
            return Ok(());
        }
        let start = out.len();
        out.extend_from_slice(&LENGTH_TO_COME);
        self.put(row, out)?;
        patch_length(out, start, out.len() - start - 4)
    }
}

impl Encoder {
    pub fn new(batch: &RecordBatch, columns: &[Column], style: &Style) -> Result<Self> {
        let cells = batch.columns().iter().zip(columns).map(|(array, column)| Cells::new(array, column, style));
        Ok(Self { cells: cells.collect::<Result<_>>()?, rows: batch.num_rows(), next: 0 })
    }

    pub fn is_done(&self) -> bool {
        self.next >= self.rows
    }

    /// Puts rows until there are `rows_max` of them, or `out` holds `bytes_max`, or the batch ends. Gives their number.
    pub fn put_rows(
        &mut self,
        envelope: &mut Envelope,
        rows_max: usize,
        bytes_max: usize,
        out: &mut BytesMut,
    ) -> Result<usize> {
        let start = self.next;
        while !self.is_done() && self.next - start < rows_max && out.len() < bytes_max {
            let frame = out.len();
            if let Err(error) = self.put_row(envelope, out) {
                out.truncate(frame);
                return Err(error);
            }
            self.next += 1;
        }
        Ok(self.next - start)
    }

    /// Leaves out so many rows of the batch, or what is left of it. Gives their number.
    pub fn pass(&mut self, rows_max: usize) -> usize {
        let passed = rows_max.min(self.rows - self.next.min(self.rows));
        self.next += passed;
        passed
    }

    fn put_row(&self, envelope: &mut Envelope, out: &mut BytesMut) -> Result<()> {
        let letter = match envelope {
            Envelope::DataRow => b'D',
            Envelope::Copy { .. } => b'd',
        };
        out.extend_from_slice(&[letter]);
        let start = out.len();
        out.extend_from_slice(&LENGTH_TO_COME);
        match envelope {
            Envelope::DataRow => {
                out.extend_from_slice(&(self.cells.len() as i16).to_be_bytes());
                self.cells.iter().try_for_each(|cells| cells.put_sized(self.next, out))?;
            }
            Envelope::Copy { form, names, lead } => {
                out.extend_from_slice(std::mem::take(lead));
                copy::put_row(form, names, &self.cells, self.next, out)?;
            }
        }
        patch_length(out, start, out.len() - start)
    }
}

/// Writes a length over the four bytes that were kept for it.
fn patch_length(out: &mut BytesMut, at: usize, length: usize) -> Result<()> {
    let length = i32::try_from(length)
        .map_err(|_| Error::new(Reason::LimitExceeded, "a value or a row is longer than the protocol carries"))?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}
