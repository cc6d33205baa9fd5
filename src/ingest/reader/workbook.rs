//! Sheets of an XLSX workbook, each written to a spool file as delimited text, row for row, so that no sheet is held in memory.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use calamine::{DataRef, ExcelDateTime, Reader as _, SheetVisible, Xlsx};
use tempfile::NamedTempFile;

use super::super::error::IngestError;

/// How a workbook begins.
pub const ZIP: &[u8] = b"PK\x03\x04";
/// A sheet's text and the workbook's strings, once unpacked. The strings are held in memory.
const SHEET_BYTES_MAX: u64 = 1 << 30;
const STRINGS_BYTES_MAX: u64 = 128 << 20;
const PARTS_MAX: usize = 4096;
/// Between two tags. A cell has 32,767 characters at most.
const TEXT_BYTES_MAX: usize = 1 << 20;
const SPOOL_BYTES_MAX: u64 = 2 << 30;
const SHEETS_MAX: usize = 64;
/// Numbers have fifteen digits: of a longer one the last are not what was typed, which its form must tell.
const EXACT_MAX: f64 = 1e15;

/// A sheet that is shown and not empty.
pub struct Sheet {
    pub name: String,
    pub spool: NamedTempFile,
}

/// The sheets of the workbook at `path`, in their order. `file` names it in errors.
pub fn sheets(file: &str, path: &Path) -> Result<Vec<Sheet>, IngestError> {
    bounded(file, path)?;
    let fault = |error: calamine::XlsxError| not_workbook(file, error.to_string());
    let mut book: Xlsx<_> = Xlsx::new(BufReader::new(opened(file, path)?)).map_err(fault)?;
    let shown = book.sheets_metadata().iter().filter(|sheet| sheet.visible == SheetVisible::Visible);
    let names: Vec<String> = shown.map(|sheet| sheet.name.clone()).collect();
    if names.len() > SHEETS_MAX {
        return Err(not_workbook(file, format!("it has {} sheets; at most {SHEETS_MAX} are read", names.len())));
    }
    let mut found = Vec::new();
    for name in names {
        let spool = NamedTempFile::new().map_err(spool_fault)?;
        let mut rows = RowWriter::new(BufWriter::new(spool.reopen().map_err(spool_fault)?));
        let mut cells = match book.worksheet_cells_reader(&name) {
            Ok(cells) => cells,
            // A sheet of charts.
            Err(calamine::XlsxError::NotAWorksheet(_)) => continue,
            Err(error) => return Err(fault(error)),
        };
        while let Some(cell) = cells.next_cell().map_err(fault)? {
            let (row, column) = cell.get_position();
            if let Some(text) = shown_text(cell.get_value()) {
                rows.put(row, column, &text).map_err(|problem| match problem {
                    Problem::Disk(source) => spool_fault(source),
                    Problem::Shape(text) => not_workbook(file, format!("sheet '{name}': {text}")),
                })?;
            }
        }
        if rows.finish().map_err(spool_fault)? {
            found.push(Sheet { name, spool });
        }
    }
    if found.is_empty() { Err(not_workbook(file, "no sheet of it holds a cell".to_owned())) } else { Ok(found) }
}

fn opened(file: &str, path: &Path) -> Result<File, IngestError> {
    File::open(path).map_err(|source| IngestError::FileUnreadable { file: file.to_owned(), source })
}

fn not_workbook(file: &str, reason: String) -> IngestError {
    IngestError::NotWorkbook { file: file.to_owned(), reason }
}

fn spool_fault(source: io::Error) -> IngestError {
    IngestError::SpoolFile { source }
}

/// Unpacks every part once and keeps nothing: what a part says of its size proves nothing.
fn bounded(file: &str, path: &Path) -> Result<(), IngestError> {
    let fault = |error: zip::result::ZipError| not_workbook(file, error.to_string());
    let mut archive = zip::ZipArchive::new(BufReader::new(opened(file, path)?)).map_err(fault)?;
    if archive.len() > PARTS_MAX {
        return Err(not_workbook(file, format!("it has {} parts; at most {PARTS_MAX} are read", archive.len())));
    }
    for nth in 0..archive.len() {
        let mut part = archive.by_index(nth).map_err(fault)?;
        let name = part.name().map_err(fault)?.into_owned();
        let is_sheet = name.starts_with("xl/worksheets/");
        let is_read = is_sheet || name.ends_with(".xml") || name.ends_with(".rels");
        let max = if is_sheet { SHEET_BYTES_MAX } else { STRINGS_BYTES_MAX };
        if !is_read {
            continue;
        }
        let (mut bytes, mut text, mut buffer) = (0u64, 0, vec![0; 1 << 16]);
        loop {
            let read = part.read(&mut buffer).map_err(|error| not_workbook(file, format!("part {name}: {error}")))?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            for byte in &buffer[..read] {
                text = if *byte == b'<' { 0 } else { text + 1 };
                if text > TEXT_BYTES_MAX {
                    let reason = format!("part {name} holds a text of more than {TEXT_BYTES_MAX} bytes");
                    return Err(not_workbook(file, reason));
                }
            }
            if bytes > max {
                let reason = format!("part {name} is larger than {max} bytes once unpacked; save the sheet as CSV");
                return Err(not_workbook(file, reason));
            }
        }
    }
    Ok(())
}

/// As a person would type it; `None` where the cell is empty.
fn shown_text(value: &DataRef<'_>) -> Option<String> {
    let text = match value {
        DataRef::Empty => return None,
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) if number.unsigned_abs() >= EXACT_MAX as u64 => {
            format!("{:E}", *number as f64).replace('E', "E+")
        }
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) if number.abs() >= EXACT_MAX => format!("{number:E}").replace('E', "E+"),
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(truth) => truth.to_string(),
        DataRef::DateTime(time) => time_text(time),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

fn time_text(time: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let fraction = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    let clock = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
    match (time.as_f64() < 1.0, time.as_f64().fract() == 0.0) {
        (true, _) => clock,
        (false, true) => format!("{year:04}-{month:02}-{day:02}"),
        (false, false) => format!("{year:04}-{month:02}-{day:02} {clock}"),
    }
}

enum Problem {
    Disk(io::Error),
    Shape(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Writes cells as rows of delimited text; rows and cells that are skipped are empty.
struct RowWriter<W> {
    out: W,
    row: u32,
    column: u32,
    bytes: u64,
}

impl<W: Write> RowWriter<W> {
    fn new(out: W) -> Self {
        Self { out, row: 0, column: 0, bytes: 0 }
    }

    fn put(&mut self, row: u32, column: u32, text: &str) -> Result<(), Problem> {
        if row < self.row || (row == self.row && column < self.column) {
            return Err(Problem::Shape(format!("row {} comes after a later one", row + 1)));
        }
        for _ in self.row..row {
            self.write(b"\n")?;
            self.column = 0;
        }
        self.row = row;
        for _ in self.column..column {
            self.write(b",")?;
        }
        self.column = column;
        if text.contains(['"', ',', '\n', '\r']) || text.starts_with(char::is_whitespace) {
            self.write(format!("\"{}\"", text.replace('"', "\"\"")).as_bytes())?;
        } else {
            self.write(text.as_bytes())?;
        }
        if self.bytes > SPOOL_BYTES_MAX {
            return Err(Problem::Shape(format!("it is larger than {SPOOL_BYTES_MAX} bytes; save it as CSV")));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Whether any cell was written.
    fn finish(mut self) -> io::Result<bool> {
        if self.bytes > 0 {
            self.write(b"\n")?;
        }
        self.out.flush()?;
        Ok(self.bytes > 0)
    }
}
