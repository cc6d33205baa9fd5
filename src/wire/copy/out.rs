//! COPY TO STDOUT: the rows of a query between an opening and a closing message.

use bytes::{BufMut, BytesMut};
use pgwire::messages::copy::{CopyData, CopyDone, CopyOutResponse};
use tokio::io::AsyncWrite;

use crate::error::Result;
use crate::query::CopyForm;
use crate::wire::encode::copy::put_header;
use crate::wire::encode::{Envelope, Style};
use crate::wire::protocol::message::Format;
use crate::wire::protocol::{Failure, Output};
use crate::wire::rows::Rows;

/// What every binary COPY begins with: a signature, no flags, no extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// In place of a row's number of fields: there are no more rows.
const BINARY_TRAILER: i16 = -1;

/// The envelope of rows that are copied. As PostgreSQL does, the binary header travels with the first row: clients
/// take the message of the header for one of a row.
pub fn envelope(form: CopyForm, names: &[String]) -> Envelope {
    let lead = match form {
        CopyForm::Binary => BINARY_HEADER,
        CopyForm::Text(_) | CopyForm::Csv(_) => &[],
    };
    Envelope::Copy { form, names: names.to_vec(), lead }
}

/// The form in which the values themselves are written.
pub fn format(form: &CopyForm) -> Format {
    match form {
        CopyForm::Text(_) | CopyForm::Csv(_) => Format::Text,
        CopyForm::Binary => Format::Binary,
    }
}

/// Sends all rows; gives the tag.
pub async fn send<W: AsyncWrite + Unpin>(
    mut rows: Rows,
    style: &Style,
    output: &mut Output<W>,
) -> Result<String, Failure> {
    if let Envelope::Copy { form, names, .. } = rows.envelope() {
        begin(names, form, output)?;
    }
    let (sent, _) = rows.send(None, style, output).await?;
    if let Envelope::Copy { form: CopyForm::Binary, lead, .. } = rows.envelope() {
        let mut end = BytesMut::from(*lead);
        end.put_i16(BINARY_TRAILER);
        output.put(&CopyData::new(end.freeze()))?;
    }
    output.put(&CopyDone::new())?;
    Ok(format!("COPY {sent}"))
}

fn begin<W: AsyncWrite + Unpin>(names: &[String], form: &CopyForm, output: &mut Output<W>) -> Result<()> {
    let code = format(form).code();
    let count = names.len() as i16;
    output.put(&CopyOutResponse::new(code as i8, count, vec![code; names.len()]))?;
    let mut header = BytesMut::new();
    put_header(names, form, &mut header);
    if header.is_empty() { Ok(()) } else { output.put(&CopyData::new(header.freeze())) }
}
