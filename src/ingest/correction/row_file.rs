//! A file of refused rows that is being written: each as it stood, before it which one it is and what is wrong.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::check::{FILE, LINE, REASON, REJECT};
use super::super::error::IngestError;
use super::super::reader::RowFault;
use super::super::reject::RAW_CHARS_MAX;
use super::settled::RejectRef;

/// Files of one name.
const NAMES_MAX: u32 = 1000;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file of refused rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Exported {
    pub path: PathBuf,
    /// Whose rows they are.
    pub file: String,
    pub table: String,
    /// `None` where the rows are in canonical form.
    pub source: Option<String>,
    pub rows: u64,
}

/// What is known of a file from which rows come.
#[derive(Debug, Default, Clone)]
pub struct Origin {
    pub table: String,
    pub source: Option<String>,
    /// `None` where its rows are JSON objects.
    pub delimiter: Option<String>,
    pub head: Vec<String>,
    /// Of the head, from 1.
    pub header_row: usize,
    pub mapped: bool,
}

/// In which form a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// As it stood in its file.
    Own,
    /// As the row of the table that it was to become: it was refused after a SELECT.
    Canonical,
}

pub struct Reject<'a> {
    pub name: RejectRef,
    pub reason: String,
    pub raw: &'a str,
}

/// A file that is being written.
pub struct RowFile {
    path: PathBuf,
    out: BufWriter<File>,
    origin: Origin,
    /// Between its cells; `None` where its rows are JSON objects.
    delimiter: Option<String>,
    /// Whether it comes from such a file itself: then its rows have such cells already.
    is_corrected: bool,
    rows: u64,
}

impl RowFile {
    pub fn create(folder: &Path, file: &str, form: Form, origin: Origin) -> std::result::Result<Self, IngestError> {
        let delimiter = origin.delimiter.clone().filter(|_| form == Form::Own);
        let ending = match delimiter.as_deref() {
            Some("\t") => "tsv",
            Some(_) => "csv",
            None => "ndjson",
        };
        let kind = if form == Form::Own { "rejects" } else { "rows" };
        let (path, out) = free(folder, &format!("{}.{kind}", stem(file)), ending)?;
        let fault = |source| IngestError::FileUnwritable { file: path.display().to_string(), source };
        let origin = Origin { source: origin.source.filter(|_| form == Form::Own), ..origin };
        let again = format!("{REJECT}{0}{REASON}{0}", delimiter.as_deref().unwrap_or_default());
        let header = origin.header_row.saturating_sub(1);
        let is_corrected = delimiter.is_some() && origin.head.get(header).is_some_and(|row| row.starts_with(&again));
        let mut own = Self { path: path.clone(), out: BufWriter::new(out), origin, delimiter, is_corrected, rows: 0 };
        own.begin(header).map_err(fault)?;
        Ok(own)
    }

    /// The rows before the data, each with as many cells before it as the data have.
    fn begin(&mut self, header: usize) -> io::Result<()> {
        let Some(delimiter) = self.delimiter.clone() else { return Ok(()) };
        self.out.write_all(BYTE_ORDER_MARK)?;
        for (nth, row) in self.origin.head.iter().enumerate() {
            let (reject, reason) = if nth == header { (REJECT, REASON) } else { ("", "") };
            let row = if self.is_corrected { after_cells(row, &delimiter) } else { row.as_str() };
            writeln!(self.out, "{reject}{delimiter}{reason}{delimiter}{row}")?;
        }
        Ok(())
    }

    pub fn write(&mut self, reject: &Reject<'_>) -> std::result::Result<(), IngestError> {
        self.rows += 1;
        let line = match &self.delimiter {
            Some(delimiter) => {
                let raw = if self.is_corrected { after_cells(reject.raw, delimiter) } else { reject.raw };
                let raw = if is_whole(reject) { raw.to_owned() } else { quoted(raw) };
                let (name, reason) = (quoted(&reject.name.text()), quoted(&reject.reason));
                format!("{name}{delimiter}{reason}{delimiter}{raw}")
            }
            None => object(reject),
        };
        let fault = |source| IngestError::FileUnwritable { file: self.path.display().to_string(), source };
        writeln!(self.out, "{line}").map_err(fault)
    }

    pub fn finish(mut self, file: String) -> std::result::Result<Exported, IngestError> {
        let fault = |source| IngestError::FileUnwritable { file: self.path.display().to_string(), source };
        self.out.flush().and_then(|()| self.out.get_ref().sync_all()).map_err(fault)?;
        let Origin { table, source, .. } = self.origin;
        Ok(Exported { path: self.path, file, table, source, rows: self.rows })
    }
}

/// Whether the text of a row is all of it, and splits into cells. One that is not stands in one cell, so that it is refused
/// again unless somebody mends it.
fn is_whole(reject: &Reject<'_>) -> bool {
    let torn = [RowFault::NotText, RowFault::TextAfterQuote, RowFault::QuoteOpen];
    !is_cut(reject.raw) && !torn.iter().any(|fault| fault.to_string() == reject.reason)
}

fn is_cut(raw: &str) -> bool {
    raw.chars().count() >= RAW_CHARS_MAX
}

/// A row of JSON; what is no object, or was cut off, is told as a member.
fn object(reject: &Reject<'_>) -> String {
    let mut members = Map::new();
    members.insert(REJECT.to_owned(), reject.name.text().into());
    members.insert(REASON.to_owned(), reject.reason.clone().into());
    match serde_json::from_str::<Map<String, Value>>(reject.raw) {
        Ok(own) if !is_cut(reject.raw) => {
            members.extend(own.into_iter().filter(|(name, _)| name != LINE && name != FILE))
        }
        _ => {
            members.insert("_raw".to_owned(), reject.raw.into());
        }
    }
    Value::Object(members).to_string()
}

/// A row without the two cells that tell of its reject.
fn after_cells<'a>(row: &'a str, delimiter: &str) -> &'a str {
    let mut rest = row;
    for _ in 0..2 {
        let (mut at, mut is_quoted) = (0, false);
        while let Some(letter) = rest[at..].chars().next() {
            if letter == '"' {
                is_quoted = !is_quoted;
            } else if !is_quoted && rest[at..].starts_with(delimiter) {
                break;
            }
            at += letter.len_utf8();
        }
        rest = rest.get(at + delimiter.len()..).unwrap_or_default();
    }
    rest
}

/// A new file, under the first name that is free.
fn free(folder: &Path, name: &str, ending: &str) -> std::result::Result<(PathBuf, File), IngestError> {
    let mut number = 1;
    loop {
        let numbered = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{name}{numbered}.{ending}"));
        match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < NAMES_MAX => number += 1,
            Err(source) => return Err(IngestError::FileUnwritable { file: path.display().to_string(), source }),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The name of a file without its endings, in letters that any folder takes.
fn stem(file: &str) -> String {
    const ENDINGS: [&str; 11] =
        [".gz", ".zst", ".csv", ".tsv", ".tab", ".txt", ".ndjson", ".jsonl", ".json", ".parquet", ".xlsx"];
    let mut stem = file;
    while let Some(shorter) = ENDINGS.iter().find_map(|ending| stem.strip_suffix(ending)) {
        stem = shorter;
    }
    let kept = |letter: char| if letter.is_alphanumeric() || "-_.[] ".contains(letter) { letter } else { '_' };
    let stem: String = stem.chars().take(120).map(kept).collect();
    if stem.trim_matches('.').is_empty() { "rows".to_owned() } else { stem }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_after_the_one_that_its_rows_come_from() {
        assert_eq!(stem("orders.csv.gz"), "orders");
        assert_eq!(stem("June [Sheet1]"), "June [Sheet1]");
        assert_eq!(stem("../../etc/a.csv"), ".._.._etc_a");
        assert_eq!(stem(".csv"), "rows");
    }

    #[test]
    fn a_row_that_was_corrected_before_has_no_second_pair_of_cells() {
        assert_eq!(after_cells("\"1:2:a, b\",\"say \"\"x\"\"\",7,8", ","), "7,8");
        assert_eq!(after_cells("1:2:a\twhy\t7", "\t"), "7");
        assert_eq!(after_cells(",,", ","), "");
    }

    #[test]
    fn a_row_that_is_torn_or_cut_off_stands_in_one_cell() {
        let name = RejectRef { load_id: "0f".repeat(16), line: 2, file: "a:b.csv".to_owned() };
        assert_eq!(RejectRef::read(&name.text()), Some(name.clone()));
        let reject = |reason: &str, raw: &'static str| Reject { name: name.clone(), reason: reason.to_owned(), raw };
        assert!(is_whole(&reject("paid: null", "1,2")));
        assert!(!is_whole(&reject("a quote is left open", "1,\"2")));
        let long: &'static str = "x".repeat(RAW_CHARS_MAX).leak();
        assert!(!is_whole(&reject("paid: null", long)));
    }
}
