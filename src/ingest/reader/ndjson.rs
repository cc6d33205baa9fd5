//! NDJSON: one JSON object a line; its members are the cells, the names grow as they appear.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::super::error::IngestError;
use super::blocks::{Block, Blocks, ROW_BYTES_MAX};
use super::text_rows::{Cell, RowFault, RowMark, TextRows};

/// Members of one object beyond this number are refused with their row.
const NAMES_MAX: usize = 4096;

pub struct NdJson {
    file: Arc<str>,
    blocks: Blocks,
    line: u64,
    names: Vec<String>,
    index: HashMap<String, usize>,
}

impl NdJson {
    pub fn open(file: Arc<str>, input: Box<dyn Read + Send>) -> Self {
        Self { file, blocks: Blocks::new(input), line: 1, names: Vec::new(), index: HashMap::new() }
    }

    /// The names seen so far.
    pub fn names(&self) -> Arc<[String]> {
        Arc::from(self.names.as_slice())
    }

    pub fn next(&mut self) -> Result<Option<TextRows>, IngestError> {
        loop {
            let unreadable = |source| IngestError::FileUnreadable { file: self.file.to_string(), source };
            let (mut bytes, last) = match self.blocks.next().map_err(unreadable)? {
                Block::Bytes { bytes, last } => (bytes, last),
                Block::End => return Ok(None),
            };
            let whole = if last { bytes.len() } else { bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1) };
            if bytes.len() - whole > ROW_BYTES_MAX {
                let file = self.file.to_string();
                return Err(IngestError::RowTooLong { file, line: self.line, max: ROW_BYTES_MAX });
            }
            self.blocks.keep(&bytes[whole..]);
            bytes.truncate(whole);
            let rows = self.split(bytes);
            if rows.len() > 0 {
                return Ok(Some(rows));
            }
        }
    }

    fn split(&mut self, mut bytes: Vec<u8>) -> TextRows {
        let length = bytes.len();
        let mut rows = Vec::new();
        let mut members: Vec<(usize, usize, Cell)> = Vec::new();
        let mut start = 0;
        while start < length {
            let end = bytes[start..length].iter().position(|byte| *byte == b'\n').map_or(length, |len| start + len);
            let trimmed = bytes[start..end].trim_ascii_end().len() + start;
            if !bytes[start..trimmed].trim_ascii().is_empty() {
                let row = rows.len();
                let fault = self.object(&mut bytes, start..trimmed, |name, cell| members.push((row, name, cell))).err();
                rows.push(RowMark { line: self.line, raw: Cell::new(start, trimmed), fault });
            }
            self.line += 1;
            start = end + 1;
        }
        let width = self.names.len();
        let mut cells = vec![Cell::NULL; rows.len() * width];
        for (row, name, cell) in members {
            cells[row * width + name] = cell;
        }
        TextRows::new(bytes, cells, width, rows)
    }

    /// Gives each member of the object in `line` as a cell. Of members of one name the last counts.
    fn object(
        &mut self,
        bytes: &mut Vec<u8>,
        line: Range<usize>,
        mut member: impl FnMut(usize, Cell),
    ) -> Result<(), RowFault> {
        let text = std::str::from_utf8(&bytes[line.clone()]).map_err(|_| RowFault::NotText)?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| RowFault::NotObject(error.to_string()))?;
        if !text.trim_start().starts_with('{') {
            return Err(RowFault::NotObject("it is another kind of value".to_owned()));
        }
        let mut at = line.start + (text.len() - text.trim_start().len()) + 1;
        loop {
            at = skip_blank(bytes, at);
            match bytes[at] {
                b'}' => return Ok(()),
                b',' => at += 1,
                _ => {
                    let name = at..value_end(bytes, at);
                    let value = skip_blank(bytes, skip_blank(bytes, name.end) + 1);
                    let value = value..value_end(bytes, value);
                    at = value.end;
                    let name = self.name(&bytes[name])?;
                    member(name, cell(bytes, value));
                }
            }
        }
    }

    fn name(&mut self, quoted: &[u8]) -> Result<usize, RowFault> {
        let name: String = serde_json::from_slice(quoted).map_err(|error| RowFault::NotObject(error.to_string()))?;
        let name = name.trim();
        if let Some(found) = self.index.get(name) {
            return Ok(*found);
        }
        if self.names.len() >= NAMES_MAX {
            return Err(RowFault::NotObject(format!("the file has more than {NAMES_MAX} names")));
        }
        self.index.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
        Ok(self.names.len() - 1)
    }
}

fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    while bytes[at].is_ascii_whitespace() {
        at += 1;
    }
    at
}

/// Where the JSON value that begins at `start` ends. The line is known to be valid JSON.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut quoted, mut at) = (0usize, false, start);
    loop {
        let byte = bytes[at];
        if quoted {
            match byte {
                b'\\' => at += 1,
                b'"' => {
                    quoted = false;
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
        } else {
            match byte {
                b'"' => quoted = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth <= 1 => return at + depth,
                b'}' | b']' => depth -= 1,
                b',' if depth == 0 => return at,
                _ if depth == 0 && byte.is_ascii_whitespace() => return at,
                _ => {}
            }
        }
        at += 1;
    }
}

/// A string as its text, null as NULL, anything else as it stands.
fn cell(bytes: &mut Vec<u8>, value: Range<usize>) -> Cell {
    let text = &bytes[value.clone()];
    if text == b"null" {
        return Cell::NULL;
    }
    if text.first() != Some(&b'"') {
        return Cell::new(value.start, value.end);
    }
    if !text.contains(&b'\\') {
        return Cell::new(value.start + 1, value.end - 1);
    }
    let from = bytes.len();
    match serde_json::from_slice::<String>(text) {
        Ok(decoded) => bytes.extend_from_slice(decoded.as_bytes()),
        Err(_) => return Cell::new(value.start, value.end),
    }
    Cell::new(from, bytes.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn members_are_cells_and_names_grow() {
        let text = "{\"a\": 1.50, \"b\": \"x\\n\\u4e2d\"}\n\n{\"c\":[1, {\"d\": \"}\"}],\"b\":null,\"a\":true}\n{}\n";
        let mut reader = NdJson::open("f".into(), Box::new(Cursor::new(text)));
        let rows = reader.next().unwrap().unwrap();
        assert_eq!(*reader.names(), ["a", "b", "c"]);
        let shown: Vec<Vec<Option<&str>>> =
            (0..rows.len()).map(|row| (0..3).map(|column| rows.cell(row, column)).collect()).collect();
        assert_eq!(shown[0], [Some("1.50"), Some("x\n中"), None]);
        assert_eq!(shown[1], [Some("true"), None, Some("[1, {\"d\": \"}\"}]")]);
        assert_eq!(shown[2], [None, None, None]);
        assert_eq!(rows.row(1).line, 3);
        assert!(reader.next().unwrap().is_none());
    }

    #[test]
    fn a_line_that_is_no_object_is_a_faulty_row() {
        let text = "{\"a\":1}\n[1]\n{\"a\":\n\"x\"\n{\"a\":1} 2\n";
        let mut reader = NdJson::open("f".into(), Box::new(Cursor::new(text)));
        let rows = reader.next().unwrap().unwrap();
        let faulty: Vec<bool> = (0..rows.len()).map(|row| rows.row(row).fault.is_some()).collect();
        assert_eq!(faulty, [false, true, true, true, true]);
    }
}
