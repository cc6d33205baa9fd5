//! A row as COPY writes it: text with backslashes, CSV, or binary.

use bytes::{BufMut, BytesMut};

use super::Cells;
use crate::error::Result;
use crate::query::{CopyCsv, CopyForm, CopyHeader};

/// The names as a first line, where the form asks for one.
pub fn put_header(names: &[String], form: &CopyForm, out: &mut BytesMut) {
    match form {
        CopyForm::Text(text) if text.header != CopyHeader::Absent => {
            line(names.iter(), text.delimiter, out, |name, out| {
                put_text(name.as_bytes(), text.delimiter, out);
            })
        }
        CopyForm::Csv(csv) if csv.header != CopyHeader::Absent => {
            line(names.iter(), csv.delimiter, out, |name, out| {
                put_csv(name.as_bytes(), csv, false, names.len() == 1, out);
            })
        }
        CopyForm::Text(_) | CopyForm::Csv(_) | CopyForm::Binary => {}
    }
}

fn line<T>(items: impl Iterator<Item = T>, delimiter: u8, out: &mut BytesMut, put: impl Fn(T, &mut BytesMut)) {
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.put_u8(delimiter);
        }
        put(item, out);
    }
    out.put_u8(b'\n');
}

/// One row with its end of line, or with its number of fields.
pub fn put_row(form: &CopyForm, names: &[String], cells: &[Cells], row: usize, out: &mut BytesMut) -> Result<()> {
    let mut scratch = BytesMut::new();
    match form {
        CopyForm::Binary => {
            out.put_i16(cells.len() as i16);
            return cells.iter().try_for_each(|cells| cells.put_sized(row, out));
        }
        CopyForm::Text(text) => {
            for (position, cells) in cells.iter().enumerate() {
                if position > 0 {
                    out.put_u8(text.delimiter);
                }
                if cells.is_null(row) {
                    out.put_slice(text.null.as_bytes());
                    continue;
                }
                scratch.clear();
                cells.put(row, &mut scratch)?;
                put_text(&scratch, text.delimiter, out);
            }
        }
        CopyForm::Csv(csv) => {
            for (position, cells_of) in cells.iter().enumerate() {
                if position > 0 {
                    out.put_u8(csv.delimiter);
                }
                if cells_of.is_null(row) {
                    out.put_slice(csv.null.as_bytes());
                    continue;
                }
                scratch.clear();
                cells_of.put(row, &mut scratch)?;
                let forced = names.get(position).is_some_and(|name| csv.force_quote.has(name));
                put_csv(&scratch, csv, forced, cells.len() == 1, out);
            }
        }
    }
    out.put_u8(b'\n');
    Ok(())
}

fn put_text(value: &[u8], delimiter: u8, out: &mut BytesMut) {
    let mut plain = 0;
    for (at, byte) in value.iter().enumerate() {
        let letter = match byte {
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            b'\\' => b'\\',
            other if *other == delimiter => delimiter,
            _ => continue,
        };
        out.extend_from_slice(&value[plain..at]);
        out.extend_from_slice(&[b'\\', letter]);
        plain = at + 1;
    }
    out.extend_from_slice(&value[plain..]);
}

/// Quoted where it would not read back as itself: `alone` is a column without neighbours, whose `\.` would end the data.
fn put_csv(value: &[u8], csv: &CopyCsv, forced: bool, alone: bool, out: &mut BytesMut) {
    let special = |byte: &u8| *byte == csv.delimiter || *byte == csv.quote || matches!(byte, b'\n' | b'\r');
    let quoted = forced || value == csv.null.as_bytes() || alone && value == b"\\." || value.iter().any(special);
    if !quoted {
        return out.put_slice(value);
    }
    out.put_u8(csv.quote);
    for byte in value {
        if *byte == csv.quote || *byte == csv.escape {
            out.put_u8(csv.escape);
        }
        out.put_u8(*byte);
    }
    out.put_u8(csv.quote);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{Array, Int32Array, StringArray};
    use pgwire::api::Type;

    use super::super::{Column, Style};
    use super::*;
    use crate::query::{Columns, CopyText};
    use crate::wire::protocol::message::Format;
    use crate::wire::types::WireType;

    fn cells(array: &dyn Array, kind: Type, format: Format) -> Cells {
        Cells::new(array, &Column { wire: WireType::of(kind), format }, &Style::default()).unwrap()
    }

    fn rows(form: &CopyForm, format: Format) -> Vec<u8> {
        let words = StringArray::from(vec![Some("a\tb\\"), None, Some(""), Some("x,\"y\"\n")]);
        let numbers = Int32Array::from(vec![Some(1), Some(2), None, Some(4)]);
        let cells = [cells(&words, Type::TEXT, format), cells(&numbers, Type::INT4, format)];
        let names = ["w".to_owned(), "n".to_owned()];
        let mut out = BytesMut::new();
        put_header(&names, form, &mut out);
        (0..4).for_each(|row| put_row(form, &names, &cells, row, &mut out).unwrap());
        out.to_vec()
    }

    // What COPY of the same rows gives in PostgreSQL 15.
    #[test]
    fn text_has_backslashes() {
        let form = CopyForm::Text(CopyText { delimiter: b'\t', null: "\\N".into(), header: CopyHeader::Present });
        let expected = "w\tn\na\\tb\\\\\t1\n\\N\t2\n\t\\N\nx,\"y\"\\n\t4\n";
        assert_eq!(String::from_utf8(rows(&form, Format::Text)).unwrap(), expected);
    }

    #[test]
    fn csv_has_quotes_and_tells_null_from_empty() {
        let csv = CopyCsv {
            delimiter: b',',
            quote: b'"',
            escape: b'"',
            null: String::new(),
            header: CopyHeader::Present,
            force_quote: Columns::none(),
            force_null: Columns::none(),
            force_not_null: Columns::none(),
        };
        let expected = "w,n\na\tb\\,1\n,2\n\"\",\n\"x,\"\"y\"\"\n\",4\n";
        assert_eq!(String::from_utf8(rows(&CopyForm::Csv(csv.clone()), Format::Text)).unwrap(), expected);
        let forced = rows(
            &CopyForm::Csv(CopyCsv { force_quote: Columns::All, header: CopyHeader::Absent, ..csv }),
            Format::Text,
        );
        assert!(forced.starts_with(b"\"a\tb\\\",\"1\"\n,\"2\"\n"));
    }

    #[test]
    fn binary_has_counts_and_sizes() {
        let bytes = rows(&CopyForm::Binary, Format::Binary);
        assert!(
            bytes.starts_with(b"\0\x02\0\0\0\x04a\tb\\\0\0\0\x04\0\0\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x04\0\0\0\x02")
        );
    }
}
