//! The bytes of a COPY FROM STDIN as records, each a list of fields: they come in pieces that end anywhere.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, Reason, Result};
use crate::query::{CopyCsv, CopyForm, CopyText};

/// The longest record; more of one is not gathered.
const RECORD_BYTES_MAX: usize = 64 << 20;

const BINARY_SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// A field before it is read as a value of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Null,
    /// Of CSV: whether it stood in quotes.
    Value(Bytes),
    /// A value that is never NULL, whatever its text is.
    Quoted(Bytes),
}

/// A record, and the line at which it begins; of binary data its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub line: u64,
    pub fields: Vec<Field>,
}

/// Gathers bytes and gives records.
#[derive(Debug)]
pub struct Records {
    form: CopyForm,
    buffer: BytesMut,
    /// Bytes of the buffer that were looked at for the end of a record.
    seen: usize,
    in_quotes: bool,
    /// The line, from 1, at which the next record begins.
    line: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the header of binary data.
    Head,
    Rows,
    /// The data said that it ends here.
    Ended,
}

impl Records {
    pub fn new(form: CopyForm) -> Self {
        let state = if form == CopyForm::Binary { State::Head } else { State::Rows };
        Self { form, buffer: BytesMut::new(), seen: 0, in_quotes: false, line: 1, state }
    }

    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        match self.state {
            State::Ended if self.form == CopyForm::Binary && !bytes.is_empty() => {
                Err(invalid("received copy data after EOF marker"))
            }
            State::Ended => Ok(()),
            State::Head | State::Rows => {
                self.buffer.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// The next whole record; `None` waits for more bytes.
    pub fn next_record(&mut self) -> Result<Option<Record>> {
        if self.state == State::Ended {
            return Ok(None);
        }
        if self.form == CopyForm::Binary {
            return self.next_binary();
        }
        let found = self.end_of_line();
        match found {
            Some(end) => {
                let line = self.buffer.split_to(end + 1).freeze();
                self.seen = 0;
                self.record(line.slice(..end))
            }
            None if self.buffer.len() > RECORD_BYTES_MAX => {
                let text = format!("a record of COPY may have {RECORD_BYTES_MAX} bytes");
                Err(Error::new(Reason::LimitExceeded, text))
            }
            None => Ok(None),
        }
    }

    /// The last record, which needs no end of line.
    pub fn finish(&mut self) -> Result<Option<Record>> {
        if let Some(record) = self.next_record()? {
            return Ok(Some(record));
        }
        if self.state == State::Ended || self.form != CopyForm::Binary && self.buffer.is_empty() {
            return Ok(None);
        }
        match &self.form {
            CopyForm::Binary if self.buffer.is_empty() && self.state == State::Rows => Ok(None),
            CopyForm::Binary => Err(invalid("unexpected EOF in COPY data")),
            CopyForm::Csv(_) if self.in_quotes => Err(invalid("unterminated CSV quoted field")),
            CopyForm::Text(_) | CopyForm::Csv(_) => {
                let line = self.buffer.split().freeze();
                self.seen = 0;
                self.record(line)
            }
        }
    }

    /// The place of the newline that ends the record.
    fn end_of_line(&mut self) -> Option<usize> {
        let bytes = &self.buffer[..];
        let mut at = self.seen;
        while let Some(byte) = bytes.get(at) {
            match (&self.form, byte) {
                // What it keeps from its meaning may not have come yet.
                (CopyForm::Text(_), b'\\') => {
                    if at + 1 == bytes.len() {
                        break;
                    }
                    at += 1;
                }
                (CopyForm::Csv(csv), byte) if self.in_quotes && csv.escape != csv.quote && *byte == csv.escape => {
                    if at + 1 == bytes.len() {
                        break;
                    }
                    at += 1;
                }
                // A doubled quote closes and opens: what stands between the two is nothing.
                (CopyForm::Csv(csv), byte) if *byte == csv.quote => self.in_quotes = !self.in_quotes,
                (_, b'\n') if !self.in_quotes => {
                    self.seen = at;
                    return Some(at);
                }
                _ => {}
            }
            at += 1;
        }
        self.seen = at;
        None
    }

    /// The fields of a line without its end.
    fn record(&mut self, line: Bytes) -> Result<Option<Record>> {
        let number = self.line;
        self.line += 1 + line.iter().filter(|byte| **byte == b'\n').count() as u64;
        let line = match line.strip_suffix(b"\r") {
            Some(whole) => line.slice(..whole.len()),
            None => line,
        };
        if &line[..] == b"\\." {
            self.state = State::Ended;
            return Ok(None);
        }
        let fields = match &self.form {
            CopyForm::Text(text) => text_fields(&line, text),
            CopyForm::Csv(csv) => csv_fields(&line, csv),
            CopyForm::Binary => return Ok(None),
        };
        Ok(Some(Record { line: number, fields: fields.map_err(|error| at_line(error, number))? }))
    }

    fn next_binary(&mut self) -> Result<Option<Record>> {
        if self.state == State::Head {
            let head = BINARY_SIGNATURE.len() + 8;
            if self.buffer.len() < head {
                return Ok(None);
            }
            if !self.buffer.starts_with(BINARY_SIGNATURE) {
                return Err(invalid("COPY file signature not recognized"));
            }
            let (flags, extension) = self.buffer[BINARY_SIGNATURE.len()..head].split_at(4);
            if flags != [0; 4] || extension != [0; 4] {
                return Err(invalid("unrecognized critical flags in COPY file header"));
            }
            self.buffer.advance(head);
            self.state = State::Rows;
        }
        let mut rest = &self.buffer[..];
        if rest.len() < 2 {
            return Ok(None);
        }
        let count = rest.get_i16();
        if count == -1 {
            self.state = State::Ended;
            return if rest.is_empty() { Ok(None) } else { Err(invalid("received copy data after EOF marker")) };
        }
        let count = u16::try_from(count).map_err(|_| at_line(invalid("row field count is negative"), self.line))?;
        let mut ends = Vec::new();
        for _ in 0..count {
            if rest.len() < 4 {
                return self.incomplete();
            }
            let length = rest.get_i32();
            let bytes = match usize::try_from(length) {
                Ok(bytes) => Some(bytes),
                Err(_) if length == -1 => None,
                Err(_) => return Err(at_line(invalid("invalid field size"), self.line)),
            };
            if rest.len() < bytes.unwrap_or(0) {
                return self.incomplete();
            }
            rest.advance(bytes.unwrap_or(0));
            ends.push(bytes);
        }
        let whole = self.buffer.len() - rest.len();
        let mut row = self.buffer.split_to(whole).freeze();
        row.advance(2);
        let field = |bytes: Option<usize>| {
            row.advance(4);
            bytes.map_or(Field::Null, |bytes| Field::Quoted(row.split_to(bytes)))
        };
        let record = Record { line: self.line, fields: ends.into_iter().map(field).collect() };
        self.line += 1;
        Ok(Some(record))
    }

    fn incomplete(&self) -> Result<Option<Record>> {
        if self.buffer.len() <= RECORD_BYTES_MAX {
            return Ok(None);
        }
        let text = format!("a record of COPY may have {RECORD_BYTES_MAX} bytes");
        Err(Error::new(Reason::LimitExceeded, text))
    }
}

fn text_fields(line: &Bytes, text: &CopyText) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    let (mut start, mut at) = (0, 0);
    loop {
        match line.get(at) {
            Some(b'\\') if at + 1 < line.len() => at += 2,
            Some(b'\r') => return Err(invalid("literal carriage return found in data")),
            Some(byte) if *byte != text.delimiter => at += 1,
            end => {
                let raw = line.slice(start..at.min(line.len()));
                fields.push(if raw == text.null.as_bytes() { Field::Null } else { Field::Value(unescaped(raw)) });
                if end.is_none() {
                    return Ok(fields);
                }
                at += 1;
                start = at;
            }
        }
    }
}

/// What the backslashes of the text form stand for.
fn unescaped(raw: Bytes) -> Bytes {
    if !raw.contains(&b'\\') {
        return raw;
    }
    let mut value = BytesMut::with_capacity(raw.len());
    let mut rest = &raw[..];
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let (b'\\', Some((next, tail))) = (*first, tail.split_first()) else {
            value.extend_from_slice(&[*first]);
            continue;
        };
        rest = tail;
        let byte = match next {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => digits(next - b'0', &mut rest, 8, 2),
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => digits(0, &mut rest, 16, 2),
            other => *other,
        };
        value.extend_from_slice(&[byte]);
    }
    value.freeze()
}

/// Up to `more` further digits of a number.
fn digits(first: u8, rest: &mut &[u8], radix: u32, more: usize) -> u8 {
    let mut value = u32::from(first);
    for _ in 0..more {
        let Some(digit) = rest.first().and_then(|byte| char::from(*byte).to_digit(radix)) else { break };
        value = value * radix + digit;
        *rest = &rest[1..];
    }
    (value & 0xff) as u8
}

fn csv_fields(line: &Bytes, csv: &CopyCsv) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    let (mut value, mut quoted, mut in_quotes) = (BytesMut::new(), false, false);
    let mut bytes = line.iter().copied().peekable();
    loop {
        match bytes.next() {
            Some(byte) if in_quotes => {
                let doubled =
                    byte == csv.escape && bytes.peek().is_some_and(|next| *next == csv.quote || *next == csv.escape);
                if doubled {
                    value.extend(bytes.next());
                } else if byte == csv.quote {
                    in_quotes = false;
                } else {
                    value.extend([byte]);
                }
            }
            Some(byte) if byte == csv.quote => (quoted, in_quotes) = (true, true),
            Some(byte) if byte != csv.delimiter => value.extend([byte]),
            end => {
                if in_quotes {
                    return Err(invalid("unterminated CSV quoted field"));
                }
                let field = std::mem::take(&mut value).freeze();
                fields.push(match quoted {
                    true => Field::Quoted(field),
                    false if field == csv.null.as_bytes() => Field::Null,
                    false => Field::Value(field),
                });
                quoted = false;
                if end.is_none() {
                    return Ok(fields);
                }
            }
        }
    }
}

fn invalid(message: &str) -> Error {
    Error::new(Reason::InvalidRow, message)
}

/// The place is completed by whoever knows the table.
fn at_line(error: Error, line: u64) -> Error {
    error.with_context(format!("line {line}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::query::{Columns, CopyHeader};

    fn text() -> CopyForm {
        CopyForm::Text(CopyText { delimiter: b'\t', null: "\\N".into(), header: CopyHeader::Absent })
    }

    fn csv(escape: u8) -> CopyForm {
        CopyForm::Csv(CopyCsv {
            delimiter: b',',
            quote: b'"',
            escape,
            null: String::new(),
            header: CopyHeader::Absent,
            force_quote: Columns::none(),
            force_null: Columns::none(),
            force_not_null: Columns::none(),
        })
    }

    /// Each record as its line and fields; the same however the bytes are cut.
    fn records(form: &CopyForm, data: &[u8]) -> Result<Vec<(u64, Vec<Option<String>>)>> {
        let mut answers: Vec<_> = (1..=data.len().max(1)).map(|size| cut(form, data, size)).collect();
        let last = answers.pop().unwrap();
        for answer in answers {
            match (&answer, &last) {
                (Ok(answer), Ok(last)) => assert_eq!(answer, last),
                (Err(answer), Err(last)) => assert_eq!(answer.to_string(), last.to_string()),
                other => panic!("{other:?}"),
            }
        }
        last
    }

    fn cut(form: &CopyForm, data: &[u8], size: usize) -> Result<Vec<(u64, Vec<Option<String>>)>> {
        let (mut reader, mut found) = (Records::new(form.clone()), Vec::new());
        let mut take = |record: Record| {
            let field = |field: Field| match field {
                Field::Null => None,
                Field::Value(value) => Some(String::from_utf8(value.to_vec()).unwrap()),
                Field::Quoted(value) => Some(format!("'{}'", String::from_utf8(value.to_vec()).unwrap())),
            };
            found.push((record.line, record.fields.into_iter().map(field).collect()));
        };
        for piece in data.chunks(size) {
            reader.push(piece)?;
            while let Some(record) = reader.next_record()? {
                take(record);
            }
        }
        while let Some(record) = reader.finish()? {
            take(record);
        }
        Ok(found)
    }

    fn row(line: u64, fields: &[Option<&str>]) -> (u64, Vec<Option<String>>) {
        (line, fields.iter().map(|field| field.map(str::to_owned)).collect())
    }

    #[test]
    fn text_is_split_at_tabs_and_its_backslashes_are_read() {
        let data = b"a\\tb\t\\N\t\r\n\\x41\\101\\\\\tc\\\nd\t\\N \nlast\t\t";
        let expected = [
            row(1, &[Some("a\tb"), None, Some("")]),
            row(2, &[Some("AA\\"), Some("c\nd"), Some("N ")]),
            row(4, &[Some("last"), Some(""), Some("")]),
        ];
        assert_eq!(records(&text(), data).unwrap(), expected);
        assert_eq!(records(&text(), b"1\n\\.\nmore\n").unwrap(), [row(1, &[Some("1")])]);
        assert!(records(&text(), b"a\rb\n").is_err());
    }

    #[test]
    fn csv_is_split_outside_of_quotes() {
        let data = b"a,\"b,\"\"c\"\"\nd\",\n,\"\",x\"y\"z\r\n";
        let expected = [row(1, &[Some("a"), Some("'b,\"c\"\nd'"), None]), row(3, &[None, Some("''"), Some("'xyz'")])];
        assert_eq!(records(&csv(b'"'), data).unwrap(), expected);
        assert_eq!(
            records(&csv(b'\\'), b"\"a\\\"b\\\\\",c\\d\n").unwrap(),
            [row(1, &[Some("'a\"b\\'"), Some("c\\d")])]
        );
        let error = records(&csv(b'"'), b"a,\"b\n").unwrap_err();
        assert_eq!(
            (error.reason(), error.to_string()),
            (Reason::InvalidRow, "unterminated CSV quoted field".to_owned())
        );
    }

    #[test]
    fn binary_has_a_head_counts_and_an_end() {
        let head = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
        let row_of_two = b"\0\x02\0\0\0\x02ab\xff\xff\xff\xff";
        let whole = [&head[..], row_of_two, row_of_two, b"\xff\xff"].concat();
        let expected = [row(1, &[Some("'ab'"), None]), row(2, &[Some("'ab'"), None])];
        assert_eq!(records(&CopyForm::Binary, &whole).unwrap(), expected);
        assert!(records(&CopyForm::Binary, &whole[..whole.len() - 5]).is_err());
        assert!(records(&CopyForm::Binary, b"PGCOPY\n\xff\r\n\0\0\0\0\x01\0\0\0\0").is_err());
        assert!(records(&CopyForm::Binary, b"not a copy of anything at all").is_err());
        let after = [&head[..], b"\xff\xff", row_of_two].concat();
        assert!(records(&CopyForm::Binary, &after).is_err());
    }

    #[test]
    fn no_bytes_panic() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..2_000 {
            let data: Vec<u8> = (0..40)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    b"\\\"',\n\r\tN.x0\xff"[(seed >> 33) as usize % 12]
                })
                .collect();
            for form in [text(), csv(b'"'), csv(b'\\'), CopyForm::Binary] {
                let mut reader = Records::new(form);
                let _ = reader.push(&data).and_then(|()| reader.next_record()).and_then(|_| reader.finish());
            }
        }
    }
}
