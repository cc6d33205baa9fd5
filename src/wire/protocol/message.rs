//! What a client says: bodies of frames decoded, each length checked against the bytes that are there.

use bytes::{Buf, Bytes};

use super::failure::malformed;
use crate::error::{Error, Reason, Result};

/// The form in which a value travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Binary,
}

impl Format {
    pub fn of(code: i16) -> Result<Self> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            other => Err(Error::new(Reason::InvalidParameter, format!("unsupported format code: {other}"))),
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

/// The formats of `count` values from the list that a client sent: none is all text, one is for all, else one each.
pub fn formats(codes: &[Format], count: usize) -> Result<Vec<Format>> {
    match codes {
        [] => Ok(vec![Format::Text; count]),
        [one] => Ok(vec![*one; count]),
        each if each.len() == count => Ok(each.to_vec()),
        each => {
            let message = format!("bind message has {} formats but {count} values", each.len());
            Err(Error::new(Reason::Protocol, message))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Parse {
    pub name: String,
    pub text: String,
    /// The object id of each parameter's type; 0 leaves it to the server.
    pub types: Vec<u32>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Bind {
    pub portal: String,
    pub statement: String,
    pub parameter_formats: Vec<Format>,
    /// `None` is NULL.
    pub parameters: Vec<Option<Bytes>>,
    pub result_formats: Vec<Format>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Execute {
    pub portal: String,
    /// `None` is all of them.
    pub rows_max: Option<usize>,
}

/// What Describe and Close speak of.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    Statement(String),
    Portal(String),
}

pub fn query(body: Bytes) -> Result<String> {
    let mut reader = Reader(body);
    let text = reader.string()?;
    reader.end()?;
    Ok(text)
}

pub fn parse(body: Bytes) -> Result<Parse> {
    let mut reader = Reader(body);
    let name = reader.string()?;
    let text = reader.string()?;
    let types = reader.list(Reader::u32)?;
    reader.end()?;
    Ok(Parse { name, text, types })
}

pub fn bind(body: Bytes) -> Result<Bind> {
    let mut reader = Reader(body);
    let portal = reader.string()?;
    let statement = reader.string()?;
    let parameter_formats = reader.list(Reader::format)?;
    let parameters = reader.list(Reader::value)?;
    let result_formats = reader.list(Reader::format)?;
    reader.end()?;
    Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
}

pub fn execute(body: Bytes) -> Result<Execute> {
    let mut reader = Reader(body);
    let portal = reader.string()?;
    // PostgreSQL takes zero and everything below it for no limit.
    let rows_max = usize::try_from(reader.i32()?).ok().filter(|rows| *rows > 0);
    reader.end()?;
    Ok(Execute { portal, rows_max })
}

pub fn target(body: Bytes) -> Result<Target> {
    let mut reader = Reader(body);
    let kind = reader.u8()?;
    let name = reader.string()?;
    reader.end()?;
    match kind {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        _ => Err(malformed("neither a statement nor a portal")),
    }
}

/// A cursor over a body that refuses to read past its end.
pub struct Reader(pub Bytes);

impl Reader {
    pub fn bytes(&mut self, count: usize) -> Result<Bytes> {
        if self.0.len() < count {
            return Err(malformed("it ends too early"));
        }
        Ok(self.0.split_to(count))
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?.get_u8())
    }

    pub fn i16(&mut self) -> Result<i16> {
        Ok(self.bytes(2)?.get_i16())
    }

    pub fn i32(&mut self) -> Result<i32> {
        Ok(self.bytes(4)?.get_i32())
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(self.bytes(4)?.get_u32())
    }

    /// A string up to its closing zero.
    pub fn string(&mut self) -> Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("a string without an end"))?;
        let text = self.bytes(end)?;
        self.u8()?;
        utf8(&text).map(str::to_owned)
    }

    pub fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(malformed("bytes after its end")) }
    }

    fn format(&mut self) -> Result<Format> {
        Format::of(self.i16()?)
    }

    fn value(&mut self) -> Result<Option<Bytes>> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| malformed("a value of negative length"))?;
                self.bytes(length).map(Some)
            }
        }
    }

    /// A count and as many items; the list grows as they are found, not by the count.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.i16()? as u16;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }
}

/// Text as PostgreSQL takes it: valid, and without a zero byte.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    let refused = || Error::new(Reason::InvalidText, "invalid byte sequence for encoding \"UTF8\"");
    let text = std::str::from_utf8(bytes).map_err(|_| refused())?;
    if text.contains('\0') { Err(refused()) } else { Ok(text) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const BIND: &[u8] = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\0";

    #[test]
    fn a_bind_carries_its_values_and_formats() {
        let bind = bind(Bytes::from_static(BIND)).unwrap();
        assert_eq!((bind.portal.as_str(), bind.statement.as_str()), ("p", "s"));
        assert_eq!(bind.parameter_formats, [Format::Binary]);
        assert_eq!(bind.parameters, [Some(Bytes::from_static(b"ab")), None]);
        assert!(bind.result_formats.is_empty());
    }

    #[test]
    fn a_bind_cut_anywhere_is_refused() {
        for end in 0..BIND.len() {
            let error = bind(Bytes::from_static(&BIND[..end])).unwrap_err();
            assert_eq!(error.reason(), Reason::Protocol, "cut at {end}");
        }
    }

    #[test]
    fn a_count_without_its_items_is_refused() {
        assert!(parse(Bytes::from_static(b"\0\0\xff\xff")).is_err());
        assert!(bind(Bytes::from_static(b"\0\0\0\0\0\x01\x7f\xff\xff\xff")).is_err());
    }

    #[test]
    fn a_row_limit_at_or_below_zero_is_none() {
        for (body, rows_max) in [(b"\0\0\0\0\0", None), (b"\0\xff\xff\xff\xff", None), (b"\0\0\0\0\x07", Some(7))] {
            assert_eq!(execute(Bytes::from_static(body)).unwrap().rows_max, rows_max);
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        assert_eq!(query(Bytes::from_static(b"\xc3\0")).unwrap_err().reason(), Reason::InvalidText);
    }

    #[test]
    fn one_format_is_for_all_and_a_wrong_number_is_refused() {
        assert_eq!(formats(&[Format::Binary], 3).unwrap(), [Format::Binary; 3]);
        assert!(formats(&[Format::Binary, Format::Text], 3).is_err());
    }
}
