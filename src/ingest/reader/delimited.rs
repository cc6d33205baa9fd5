//! CSV and TSV as PostgreSQL's COPY reads them: an empty cell is NULL, a quoted empty one is an empty text.

use std::io::Read;
use std::sync::Arc;

use super::super::error::IngestError;
use super::blocks::{Block, Blocks, ROW_BYTES_MAX};
use super::text_rows::{Cell, RowFault, RowMark, TextRows};

const QUOTE: u8 = b'"';
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// A header is looked up by name for every row that is kept.
pub const COLUMNS_MAX: usize = 4096;

/// How the rows of a text lie in it.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    pub delimiter: u8,
    /// Rows of the file, from 1.
    pub header_row: u32,
    pub data_row: u32,
    pub unit: LineUnit,
}

/// What is counted as a line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineUnit {
    Break,
    /// Of a sheet, where cells may hold line breaks.
    Row,
}

pub struct Delimited {
    file: Arc<str>,
    blocks: Blocks,
    grid: Grid,
    /// The line of the next row.
    line: u64,
    names: Arc<[String]>,
    /// The rows before the data as they stand in the file.
    head: Vec<String>,
}

impl Delimited {
    /// Reads the header, and goes on to the data.
    pub fn open(file: Arc<str>, input: Box<dyn Read + Send>, grid: Grid) -> Result<Self, IngestError> {
        let (blocks, names) = (Blocks::new(input), Arc::from([]));
        let mut reader = Self { file, blocks, grid, line: 1, names, head: Vec::new() };
        let file = reader.file.to_string();
        for _ in 1..grid.header_row {
            let beyond = || IngestError::HeaderBeyond { file: file.clone(), row: grid.header_row };
            let row = reader.rows(true)?.ok_or_else(beyond)?;
            reader.head.push(row.raw(0).to_owned());
        }
        let header = reader.rows(true)?.ok_or_else(|| IngestError::HeaderAbsent { file: file.clone() })?;
        if header.row(0).fault.is_some() || header.raw(0).contains('\0') {
            return Err(IngestError::HeaderNotText { file });
        }
        let names = (0..header.width()).map(|column| header.cell(0, column).unwrap_or_default());
        let mut names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
        // A delimiter at the end of the header makes no column.
        while names.len() > 1 && names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        if names.len() > COLUMNS_MAX {
            return Err(IngestError::TooManyColumns { file, found: names.len(), max: COLUMNS_MAX });
        }
        reader.names = names.into();
        reader.head.push(header.raw(0).to_owned());
        for _ in grid.header_row + 1..grid.data_row {
            let row = reader.rows(true)?;
            reader.head.extend(row.map(|row| row.raw(0).to_owned()));
        }
        Ok(reader)
    }

    /// The header, trimmed.
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// The rows before the data, the header among them, as they stand in the file.
    pub fn head(&self) -> &[String] {
        &self.head
    }

    pub fn next(&mut self) -> Result<Option<TextRows>, IngestError> {
        self.rows(false)
    }

    /// A batch of rows; of one row where it is the header.
    fn rows(&mut self, header: bool) -> Result<Option<TextRows>, IngestError> {
        loop {
            let unreadable = |source| IngestError::FileUnreadable { file: self.file.to_string(), source };
            let (bytes, last) = match self.blocks.next().map_err(unreadable)? {
                Block::Bytes { bytes, last } => (bytes, last),
                Block::End => return Ok(None),
            };
            let first_line = self.line;
            let mut splitter = Splitter::new(bytes, self.grid, last, (!header).then_some(self.names.len()));
            if header && splitter.bytes.starts_with(BYTE_ORDER_MARK) {
                splitter.position = BYTE_ORDER_MARK.len();
            }
            while splitter.row(&mut self.line) && !header {}
            self.blocks.keep(&splitter.bytes[splitter.position..splitter.length]);
            if splitter.length - splitter.position > ROW_BYTES_MAX {
                let (file, line) = (self.file.to_string(), self.line.max(first_line));
                return Err(IngestError::RowTooLong { file, line, max: ROW_BYTES_MAX });
            }
            if !splitter.rows.is_empty() {
                return Ok(Some(splitter.finish()));
            }
        }
    }
}

/// Splits the whole rows of a block.
struct Splitter {
    /// The block, then the texts of cells that had doubled quotes.
    bytes: Vec<u8>,
    /// Of the block.
    length: usize,
    position: usize,
    delimiter: u8,
    unit: LineUnit,
    last: bool,
    /// `None` reads a header of any width.
    width: Option<usize>,
    cells: Vec<Cell>,
    rows: Vec<RowMark>,
}

/// Where the first of two bytes is. Cells are short: eight bytes are looked at together.
fn first_of(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    const WORD: usize = size_of::<u64>();
    let (words, rest) = bytes.as_chunks::<WORD>();
    for (nth, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ repeated(one)) | zeros(word ^ repeated(other));
        if found != 0 {
            return Some(nth * WORD + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|byte| *byte == one || *byte == other);
    found.map(|at| words.len() * WORD + at)
}

const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; size_of::<u64>()])
}

/// The high bit of the lowest byte that is zero, and perhaps of bytes above it.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(repeated(1)) & !word & repeated(0x80)
}

/// What ended a cell.
enum Stop {
    Delimiter,
    Row,
    /// The block ended within the row.
    Block,
}

impl Splitter {
    fn new(bytes: Vec<u8>, grid: Grid, last: bool, width: Option<usize>) -> Self {
        let (length, delimiter, unit) = (bytes.len(), grid.delimiter, grid.unit);
        Self { bytes, length, position: 0, delimiter, unit, last, width, cells: Vec::new(), rows: Vec::new() }
    }

    /// Splits the next row; `false` where the block holds no further whole one.
    fn row(&mut self, line: &mut u64) -> bool {
        let (start, first_cell) = (self.position, self.cells.len());
        if start >= self.length {
            return false;
        }
        let mut fault = None;
        let mut lines = 0;
        loop {
            match self.cell(&mut fault, &mut lines) {
                Stop::Delimiter => {}
                Stop::Row => break,
                Stop::Block => {
                    self.position = start;
                    self.cells.truncate(first_cell);
                    return false;
                }
            }
        }
        let mark_line = *line;
        *line += if self.unit == LineUnit::Row { 1 } else { lines };
        let width = *self.width.get_or_insert(self.cells.len() - first_cell);
        let raw = Cell::new(start, self.trimmed_end(start));
        let found = self.cells.len() - first_cell;
        if fault.is_none() && found == 1 && width > 1 && self.cells[first_cell] == Cell::NULL {
            self.cells.truncate(first_cell);
            return true;
        }
        let surplus = self.cells[first_cell..].get(width..).unwrap_or_default();
        // A sheet's row ends with its last cell that is not empty.
        let short = found < width && self.unit == LineUnit::Break;
        if fault.is_none() && (short || surplus.iter().any(|cell| *cell != Cell::NULL)) {
            fault = Some(RowFault::Width { found, wanted: width });
        }
        self.cells.resize(first_cell + width, Cell::NULL);
        self.rows.push(RowMark { line: mark_line, raw, fault });
        true
    }

    /// The end of the row before `position`, without its line break.
    fn trimmed_end(&self, start: usize) -> usize {
        let row = &self.bytes[start..self.position];
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        start + row.strip_suffix(b"\r").unwrap_or(row).len()
    }

    fn cell(&mut self, fault: &mut Option<RowFault>, lines: &mut u64) -> Stop {
        if self.position < self.length && self.bytes[self.position] == QUOTE {
            return self.quoted(fault, lines);
        }
        let start = self.position;
        let delimiter = self.delimiter;
        let rest = &self.bytes[start..self.length];
        let Some(len) = first_of(rest, delimiter, b'\n') else {
            return self.end_of_block(start, self.length);
        };
        let end = start + len;
        self.position = end + 1;
        if self.bytes[end] == delimiter {
            self.push(start, end);
            return Stop::Delimiter;
        }
        *lines += 1;
        let end = if len > 0 && self.bytes[end - 1] == b'\r' { end - 1 } else { end };
        self.push(start, end);
        Stop::Row
    }

    fn push(&mut self, start: usize, end: usize) {
        self.cells.push(if start == end { Cell::NULL } else { Cell::new(start, end) });
    }

    /// The last cell of a file needs no line break.
    fn end_of_block(&mut self, start: usize, end: usize) -> Stop {
        if !self.last {
            return Stop::Block;
        }
        self.position = self.length;
        self.push(start, end);
        Stop::Row
    }

    fn quoted(&mut self, fault: &mut Option<RowFault>, lines: &mut u64) -> Stop {
        let start = self.position + 1;
        let mut at = start;
        let mut doubled = false;
        loop {
            let rest = &self.bytes[at..self.length];
            let Some(len) = first_of(rest, QUOTE, b'\n') else {
                if self.last {
                    *fault = Some(RowFault::QuoteOpen);
                    self.position = self.length;
                    self.cells.push(Cell::NULL);
                    return Stop::Row;
                }
                return Stop::Block;
            };
            at += len + 1;
            if self.bytes[at - 1] == b'\n' {
                *lines += 1;
            } else if at < self.length && self.bytes[at] == QUOTE {
                doubled = true;
                at += 1;
            } else if at == self.length && !self.last {
                return Stop::Block;
            } else {
                break;
            }
        }
        let cell = if doubled { self.undoubled(start, at - 1) } else { Cell::new(start, at - 1) };
        self.position = at;
        self.after_quote(cell, fault, lines)
    }

    /// Between a closing quote and the next delimiter or line break nothing may stand.
    fn after_quote(&mut self, cell: Cell, fault: &mut Option<RowFault>, lines: &mut u64) -> Stop {
        let mut ignored = None;
        let before = self.cells.len();
        let from = self.position;
        let stop = self.cell(&mut ignored, lines);
        if matches!(stop, Stop::Block) {
            return stop;
        }
        if self.cells.len() > before && self.cells[before] != Cell::NULL {
            let blank = self.bytes[from..self.position]
                .iter()
                .all(|byte| byte.is_ascii_whitespace() || *byte == self.delimiter);
            if !blank {
                *fault = Some(RowFault::TextAfterQuote);
            }
        }
        self.cells.truncate(before);
        self.cells.push(cell);
        stop
    }

    fn undoubled(&mut self, start: usize, end: usize) -> Cell {
        let from = self.bytes.len();
        let mut at = start;
        while at < end {
            let byte = self.bytes[at];
            self.bytes.push(byte);
            at += if byte == QUOTE { 2 } else { 1 };
        }
        Cell::new(from, self.bytes.len())
    }

    fn finish(mut self) -> TextRows {
        // The part of a row that was kept back may end within a character.
        self.bytes[self.position..self.length].fill(b' ');
        TextRows::new(self.bytes, self.cells, self.width.unwrap_or(0), self.rows)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn the_first_of_two_bytes_is_found_wherever_it_is() {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![b'x'; length];
                bytes[at..].fill(b',');
                assert_eq!(first_of(&bytes, b',', b'\n'), Some(at));
                bytes[at] = b'\n';
                assert_eq!(first_of(&bytes, b',', b'\n'), Some(at));
            }
            // Bytes next to those that are looked for, and those above ASCII.
            let others: Vec<u8> =
                (0..length).map(|nth| [b'+', b'-', 0x0B, 0x09, 0xAC, 0x8A, 0xFF, 0][nth % 8]).collect();
            assert_eq!(first_of(&others, b',', b'\n'), None);
        }
    }

    fn plain(delimiter: u8) -> Grid {
        Grid { delimiter, header_row: 1, data_row: 2, unit: LineUnit::Break }
    }

    type Shown = (u64, Vec<Option<String>>, Option<RowFault>);

    fn read(text: &[u8], delimiter: u8) -> (Vec<String>, Vec<Shown>) {
        let mut reader =
            Delimited::open("f.csv".into(), Box::new(Cursor::new(text.to_vec())), plain(delimiter)).unwrap();
        let names = reader.names().to_vec();
        let mut shown = Vec::new();
        while let Some(rows) = reader.next().unwrap() {
            for row in 0..rows.len() {
                let cells = (0..names.len()).map(|column| rows.cell(row, column).map(str::to_owned)).collect();
                shown.push((rows.row(row).line, cells, rows.row(row).fault.clone()));
            }
        }
        (names, shown)
    }

    fn cells(cells: &[Option<&str>]) -> Vec<Option<String>> {
        cells.iter().map(|cell| cell.map(str::to_owned)).collect()
    }

    #[test]
    fn an_empty_cell_is_null_and_a_quoted_empty_one_is_text() {
        let (names, rows) = read(b"\xEF\xBB\xBFa , b,c\r\n1,,\"\"\r\n", b',');
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(rows, [(2, cells(&[Some("1"), None, Some("")]), None)]);
    }

    #[test]
    fn quotes_hold_delimiters_line_breaks_and_doubled_quotes() {
        let (_, rows) = read(b"a,b\n\"x, \"\"y\"\"\nz\",2\n\n3,4", b',');
        assert_eq!(rows[0], (2, cells(&[Some("x, \"y\"\nz"), Some("2")]), None));
        assert_eq!(rows[1], (5, cells(&[Some("3"), Some("4")]), None));
    }

    #[test]
    fn a_row_of_another_width_is_faulty_and_trailing_delimiters_are_not() {
        let (_, rows) = read(b"a,b\n1\n1,2,3\n1,2,,\n", b',');
        let faults: Vec<_> = rows.into_iter().map(|(line, _, fault)| (line, fault)).collect();
        let width = |found| Some(RowFault::Width { found, wanted: 2 });
        assert_eq!(faults, [(2, width(1)), (3, width(3)), (4, None)]);
    }

    #[test]
    fn what_is_not_text_or_not_closed_is_faulty() {
        let (_, rows) = read(b"a,b\n\xC4\xE3,1\nok,2\n\"x\"y,3\n\"open,4\n", b',');
        let faults: Vec<_> = rows.into_iter().map(|(line, _, fault)| (line, fault)).collect();
        let expected = [
            (2, Some(RowFault::NotText)),
            (3, None),
            (4, Some(RowFault::TextAfterQuote)),
            (5, Some(RowFault::QuoteOpen)),
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn tabs_and_quotes_inside_a_plain_cell_are_plain() {
        let (_, rows) = read(b"a\tb\n=\"0012\"\t5'\"\n", b'\t');
        assert_eq!(rows[0].1, cells(&[Some("=\"0012\""), Some("5'\"")]));
    }

    #[test]
    fn rows_that_span_blocks_are_whole() {
        let mut text = b"id,note\n".to_vec();
        for id in 0..60_000 {
            text.extend(format!("{id},\"note, {id}\n\"\"quoted\"\"\"\r\n").into_bytes());
        }
        let (_, rows) = read(&text, b',');
        assert_eq!(rows.len(), 60_000);
        for (id, (line, row, fault)) in rows.iter().enumerate() {
            assert_eq!(*line, 2 + 2 * id as u64);
            assert_eq!(*row, cells(&[Some(&id.to_string()), Some(&format!("note, {id}\n\"quoted\""))]));
            assert_eq!(*fault, None);
        }
    }

    #[test]
    fn an_empty_file_has_no_header() {
        let opened = Delimited::open("f.csv".into(), Box::new(Cursor::new(Vec::new())), plain(b','));
        assert_eq!(opened.err().unwrap().to_string(), "f.csv has no header");
    }
}
