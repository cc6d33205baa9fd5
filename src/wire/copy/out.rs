//! COPY TO STDOUT: the rows of a query between an opening and a closing message.

use bytes::{BufMut, Bytes, BytesMut};
use pgwire::messages::copy::{CopyData, CopyDone, CopyOutResponse};
use tokio::io::AsyncWrite;

use crate::error::Result;
use crate::wire::encode::copy::{CopyForm, put_header};
use crate::wire::encode::{Envelope, Style};
use crate::wire::protocol::message::Format;
use crate::wire::protocol::{Failure, Output};
use crate::wire::rows::Rows;

/// What every binary COPY begins with: a signature, no flags, no extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// In place of a row's number of fields: there are no more rows.
const BINARY_TRAILER: i16 = -1;

/// The form in which the values themselves are written.
pub fn format(form: &CopyForm) -> Format {
    match form {
        CopyForm::Text(_) | CopyForm::Csv(_) => Format::Text,
        CopyForm::Binary => Format::Binary,
    }
}

/// Sends all rows and the tag.
pub async fn send<W: AsyncWrite + Unpin>(mut rows: Rows, style: &Style, output: &mut Output<W>) -> Result<(), Failure> {
    let binary = match rows.envelope() {
        Envelope::Copy(form, names) => {
            begin(names, form, output)?;
            matches!(form, CopyForm::Binary)
        }
        Envelope::DataRow => false,
    };
    let (sent, _) = rows.send(None, style, output).await?;
    if binary {
        output.put(&CopyData::new(Bytes::copy_from_slice(&BINARY_TRAILER.to_be_bytes())))?;
    }
    output.put(&CopyDone::new())?;
    Ok(output.put_complete(&format!("COPY {sent}"))?)
}

fn begin<W: AsyncWrite + Unpin>(names: &[String], form: &CopyForm, output: &mut Output<W>) -> Result<()> {
    let code = format(form).code();
    let count = names.len() as i16;
    output.put(&CopyOutResponse::new(code as i8, count, vec![code; names.len()]))?;
    let mut header = BytesMut::new();
    match form {
        CopyForm::Binary => header.put_slice(BINARY_HEADER),
        CopyForm::Text(_) | CopyForm::Csv(_) => put_header(names, form, &mut header),
    }
    if header.is_empty() { Ok(()) } else { output.put(&CopyData::new(header.freeze())) }
}
