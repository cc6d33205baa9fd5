//! Rows of text cells: one buffer, and for each cell where in it the cell lies. No cell is copied.

/// Where a cell lies in the buffer of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    start: u32,
    len: u32,
}

impl Cell {
    pub const NULL: Self = Self { start: u32::MAX, len: 0 };

    /// Buffers are far smaller than 4 GiB: a reader bounds its blocks and its longest row.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, len: (end - start) as u32 }
    }

    fn range(self) -> Option<std::ops::Range<usize>> {
        (self != Self::NULL).then_some(self.start as usize..self.start as usize + self.len as usize)
    }
}

/// One row: where it came from, and what is wrong with it as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowMark {
    /// Of the file, from 1; where the row spans several, the first.
    pub line: u64,
    /// The row as it stands in the file.
    pub raw: Cell,
    pub fault: Option<RowFault>,
}

/// Why a row cannot be split into cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    #[error("the row has {found} cells, the header {wanted}")]
    Width { found: usize, wanted: usize },
    #[error("the row holds bytes that are no text in the file's encoding")]
    NotText,
    #[error("text follows a closing quote")]
    TextAfterQuote,
    #[error("a quote is left open")]
    QuoteOpen,
    #[error("the line is not a JSON object: {0}")]
    NotObject(String),
    #[error("\"{value}\" is no value that the source knows for column \"{column}\"")]
    ValueUnknown { column: String, value: String },
    #[error("\"{value}\" in column \"{column}\" is a number whose last digits a spreadsheet cut off: export it again")]
    DigitsLost { column: String, value: String },
}

impl RowFault {
    /// The text of a cell that is at fault.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::ValueUnknown { value, .. } | Self::DigitsLost { value, .. } => Some(value),
            _ => None,
        }
    }
}

/// A batch of rows, each of `width` cells.
#[derive(Debug, Default)]
pub struct TextRows {
    text: String,
    cells: Vec<Cell>,
    width: usize,
    rows: Vec<RowMark>,
}

impl TextRows {
    /// `cells` lie row after row. Rows whose bytes are no UTF-8 become faulty, their strange bytes `?`.
    pub fn new(bytes: Vec<u8>, mut cells: Vec<Cell>, width: usize, mut rows: Vec<RowMark>) -> Self {
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| with_strange_rows(error.into_bytes(), &cells, width, &mut rows));
        cells.truncate(rows.len() * width);
        Self { text, cells, width, rows }
    }

    /// The same rows with other cells, which lie in the text and what is added to it.
    pub fn with_cells(mut self, added: &str, cells: Vec<Cell>, width: usize, rows: Vec<RowMark>) -> Self {
        self.text.push_str(added);
        Self { text: self.text, cells, width, rows }
    }

    /// What the cells lie in.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn row(&self, row: usize) -> &RowMark {
        &self.rows[row]
    }

    /// The row as it stands in the file.
    pub fn raw(&self, row: usize) -> &str {
        self.slice(self.rows[row].raw).unwrap_or_default()
    }

    /// `None` is NULL: an empty cell without quotes.
    pub fn cell(&self, row: usize, column: usize) -> Option<&str> {
        self.slice(self.cells[row * self.width + column])
    }

    fn slice(&self, cell: Cell) -> Option<&str> {
        self.text.get(cell.range()?)
    }
}

/// The text of bytes some of which are no UTF-8: the rows that hold those become faulty.
fn with_strange_rows(mut bytes: Vec<u8>, cells: &[Cell], width: usize, rows: &mut [RowMark]) -> String {
    for (nth, row) in rows.iter_mut().enumerate() {
        let own = &cells[nth * width..(nth + 1) * width];
        for range in own.iter().chain(std::iter::once(&row.raw)).filter_map(|cell| cell.range()) {
            if std::str::from_utf8(&bytes[range.clone()]).is_err() {
                row.fault = Some(RowFault::NotText);
                bytes[range].iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
            }
        }
    }
    // What lies between the rows (the header's bytes) may still be strange; it is never shown.
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let bytes = error.into_bytes();
        bytes.into_iter().map(|byte| if byte.is_ascii() { byte as char } else { '?' }).collect()
    })
}
