//! COPY FROM STDIN: what a client sends becomes batches of the table's columns, no faster than they are written.
//!
//! The rows are written only after the client has said that they are all: a connection that breaks, a CopyFail and a fault
//! among the data end the stream of rows with an error, and then nothing of it is kept.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{FieldRef, SchemaRef};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use pgwire::messages::copy::CopyInResponse;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::out::format;
use super::records::{Field, Record, Records};
use crate::error::{Error, Reason, Result};
use crate::query::{Columns, CopyForm, CopyHeader, CopyIn, failure};
use crate::wire::connection::{Attendance, Connection, stopping};
use crate::wire::decode::Parameter;
use crate::wire::encode::Style;
use crate::wire::protocol::message::{Format, Reader, utf8};
use crate::wire::protocol::{Failure, Frame};
use crate::wire::types::sql_type_of;

/// Batches that wait to be written.
const BATCHES_WAITING_MAX: usize = 2;
/// A batch is full with so many rows, or bytes of them.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 8 << 20;
/// The longest value that an error quotes.
const QUOTED_CHARS_MAX: usize = 100;

/// What the writer is told.
enum Fed {
    Rows(RecordBatch),
    /// These were all.
    End,
    Fault(Error),
}

impl Connection {
    /// Takes the rows of a COPY; gives the command tag.
    pub(in crate::wire) async fn copy_in(&mut self, copy: CopyIn) -> Result<String, Failure> {
        let code = format(&copy.form).code();
        let count = copy.columns.fields().len();
        self.output.put(&CopyInResponse::new(code as i8, count as i16, vec![code; count]))?;
        self.deliver().await?;
        let (attendance, session, _, _, style) = self.parts();
        let Attendance { input, canceller, shutdown, drain_max } = attendance;
        let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
        let mut batches = Batches::new(&copy, style)?;
        let rows = rows(Arc::clone(&copy.columns), receiver);
        let copying = async {
            let writing = session.copy_in(copy, rows);
            tokio::pin!(writing);
            let feeding = async {
                loop {
                    if !batches.take(input.frame().await?, &sender).await? {
                        return Ok::<_, Failure>(());
                    }
                }
            };
            let fed = tokio::select! {
                biased;
                written = &mut writing => return Ok(written?),
                fed = feeding => fed,
            };
            match fed {
                Ok(()) => Ok(writing.await?),
                Err(Failure::Statement(error)) => {
                    let told = Error::new(error.reason(), error.to_string());
                    // A writer that has ended needs no error.
                    let _ = sender.send(Fed::Fault(told)).await;
                    let _ = writing.await;
                    Err(error.into())
                }
                Err(other) => Err(other),
            }
        };
        let stopped = async {
            shutdown.cancelled().await;
            sleep(drain_max).await;
        };
        let outcome = tokio::select! {
            biased;
            () = canceller.terminated() => Err(stopping()),
            outcome = copying => outcome,
            () = stopped => {
                canceller.cancel();
                Err(stopping())
            }
        };
        canceller.finish();
        outcome
    }
}

/// The rows as a stream that ends well only where it was told to.
fn rows(schema: SchemaRef, receiver: mpsc::Receiver<Fed>) -> SendableRecordBatchStream {
    let batches = futures::stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        let cut = || Error::new(Reason::Cancelled, "COPY from stdin was cut off");
        match receiver.recv().await {
            Some(Fed::Rows(batch)) => Some((Ok(batch), Some(receiver))),
            Some(Fed::End) => None,
            Some(Fed::Fault(error)) => Some((Err(outward(error)), None)),
            None => Some((Err(outward(cut())), None)),
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

fn outward(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Makes batches of what comes in.
struct Batches {
    table: String,
    columns: SchemaRef,
    parameters: Vec<Parameter>,
    style: Style,
    form: CopyForm,
    records: Records,
    header: CopyHeader,
    /// The values of the next batch, by column.
    values: Vec<Vec<ScalarValue>>,
    rows: usize,
    bytes: usize,
}

impl Batches {
    fn new(copy: &CopyIn, style: &Style) -> Result<Self> {
        let fields = copy.columns.fields();
        Ok(Self {
            table: copy.table().to_owned(),
            columns: Arc::clone(&copy.columns),
            parameters: fields
                .iter()
                .map(|field| Parameter::new(sql_type_of(field).oid(), field.data_type().clone()))
                .collect(),
            style: style.clone(),
            form: copy.form.clone(),
            records: Records::new(copy.form.clone()),
            header: match &copy.form {
                CopyForm::Text(text) => text.header,
                CopyForm::Csv(csv) => csv.header,
                CopyForm::Binary => CopyHeader::Absent,
            },
            values: vec![Vec::new(); fields.len()],
            rows: 0,
            bytes: 0,
        })
    }

    /// Takes one message; false after the last.
    async fn take(&mut self, frame: Frame, sender: &mpsc::Sender<Fed>) -> Result<bool, Failure> {
        match frame.tag {
            b'd' => {
                self.records.push(&frame.body)?;
                while let Some(record) = self.records.next_record().map_err(|error| self.placed(error))? {
                    self.add(record)?;
                    if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
                        self.give(sender).await?;
                    }
                }
                Ok(true)
            }
            b'c' => {
                while let Some(record) = self.records.finish().map_err(|error| self.placed(error))? {
                    self.add(record)?;
                }
                self.give(sender).await?;
                // A writer that has failed tells so itself.
                let _ = sender.send(Fed::End).await;
                Ok(false)
            }
            b'f' => {
                let reason = Reader(frame.body).string()?;
                Err(Error::new(Reason::Cancelled, format!("COPY from stdin failed: {reason}")).into())
            }
            // Early messages of a client that pipelines: PostgreSQL passes over them, too.
            b'H' | b'S' => Ok(true),
            other => Err(Failure::broken(format!("unexpected message type 0x{other:02X} during COPY from stdin"))),
        }
    }

    async fn give(&mut self, sender: &mpsc::Sender<Fed>) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let column = |(values, field): (&mut Vec<ScalarValue>, &FieldRef)| {
            Ok(cast(&ScalarValue::iter_to_array(std::mem::take(values))?, field.data_type())?)
        };
        let columns = self.values.iter_mut().zip(self.columns.fields()).map(column);
        let columns = columns.collect::<DfResult<Vec<_>>>().map_err(failure)?;
        let batch = RecordBatch::try_new(Arc::clone(&self.columns), columns)
            .map_err(|error| Error::of(Reason::Internal, error))?;
        (self.rows, self.bytes) = (0, 0);
        // A writer that has failed tells so itself.
        let _ = sender.send(Fed::Rows(batch)).await;
        Ok(())
    }

    fn add(&mut self, record: Record) -> Result<()> {
        let header = std::mem::take(&mut self.header);
        if header != CopyHeader::Absent {
            return if header == CopyHeader::Match { self.require_names(&record) } else { Ok(()) };
        }
        let (line, wanted) = (record.line, self.parameters.len());
        if self.form == CopyForm::Binary && record.fields.len() != wanted {
            let text = format!("row field count is {}, expected {wanted}", record.fields.len());
            return Err(self.at(Error::new(Reason::InvalidRow, text), line, None));
        }
        if let Some(missing) = self.columns.fields().get(record.fields.len()) {
            let text = format!("missing data for column \"{}\"", missing.name());
            return Err(self.at(Error::new(Reason::InvalidRow, text), line, None));
        }
        if record.fields.len() > wanted {
            return Err(self.at(Error::new(Reason::InvalidRow, "extra data after last expected column"), line, None));
        }
        for (position, field) in record.fields.into_iter().enumerate() {
            let value = self.value(position, &field).map_err(|error| self.at(error, line, Some((position, &field))))?;
            if let Field::Value(bytes) | Field::Quoted(bytes) = &field {
                self.bytes += bytes.len();
            }
            self.values[position].push(value);
        }
        self.rows += 1;
        Ok(())
    }

    fn value(&self, position: usize, field: &Field) -> Result<ScalarValue> {
        let parameter = &self.parameters[position];
        match self.bytes_of(position, field) {
            None => parameter.null(),
            Some(bytes) => {
                let format = if self.form == CopyForm::Binary { Format::Binary } else { Format::Text };
                parameter.value(&bytes, format, &self.style)
            }
        }
    }

    /// The bytes of a value; `None` is NULL.
    fn bytes_of(&self, position: usize, field: &Field) -> Option<Bytes> {
        let forced =
            |columns: &Columns| self.columns.fields().get(position).is_some_and(|field| columns.has(field.name()));
        match (&self.form, field) {
            (CopyForm::Csv(csv), Field::Null) if forced(&csv.force_not_null) => Some(Bytes::from(csv.null.clone())),
            (CopyForm::Csv(csv), Field::Quoted(value)) if forced(&csv.force_null) && value == csv.null.as_bytes() => {
                None
            }
            (_, Field::Null) => None,
            (_, Field::Value(value) | Field::Quoted(value)) => Some(value.clone()),
        }
    }

    fn require_names(&self, record: &Record) -> Result<()> {
        let names = self.columns.fields();
        if names.len() != record.fields.len() {
            let (given, wanted) = (record.fields.len(), names.len());
            let text = format!("wrong number of fields in header line: got {given}, expected {wanted}");
            return Err(self.at(Error::new(Reason::InvalidRow, text), record.line, None));
        }
        for (position, (field, name)) in record.fields.iter().zip(names).enumerate() {
            let given = match field {
                Field::Null => "",
                Field::Value(value) | Field::Quoted(value) => utf8(value)?,
            };
            if given != name.name() {
                let (number, name) = (position + 1, name.name());
                let text =
                    format!("column name mismatch in header line field {number}: got \"{given}\", expected \"{name}\"");
                return Err(self.at(Error::new(Reason::InvalidRow, text), record.line, None));
            }
        }
        Ok(())
    }

    /// The error with its place among the data.
    fn at(&self, error: Error, line: u64, field: Option<(usize, &Field)>) -> Error {
        let mut place = format!("COPY {}, line {line}", self.table);
        if let Some((position, field)) = field {
            let name = self.columns.fields().get(position).map_or("", |field| field.name().as_str());
            place.push_str(&format!(", column {name}"));
            if let (Field::Value(bytes) | Field::Quoted(bytes), false) = (field, self.form == CopyForm::Binary)
                && let Ok(text) = std::str::from_utf8(bytes)
            {
                let shown: String = text.chars().take(QUOTED_CHARS_MAX).collect();
                let more = if shown.len() < text.len() { "..." } else { "" };
                place.push_str(&format!(": \"{shown}{more}\""));
            }
        }
        error.with_context(place)
    }

    /// The error of a record that could not be told apart.
    fn placed(&self, error: Error) -> Error {
        let place = match error.context() {
            Some(line) => format!("COPY {}, {line}", self.table),
            None => format!("COPY {}", self.table),
        };
        error.with_context(place)
    }
}
