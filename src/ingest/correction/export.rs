//! The refused rows of a load as files to be corrected: each row as it stood, before it which one it is and what is wrong.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};
use futures::TryStreamExt;
use serde_json::{Map, Value};

use super::super::check::{FILE, LINE, REASON, REJECT};
use super::super::error::IngestError;
use super::super::load::Loader;
use super::super::reader::RowFault;
use super::super::reject::RAW_CHARS_MAX;
use super::super::scan::scan;
use super::super::system;
use super::settled::RejectRef;
use crate::error::Result;
use crate::lake::TableName;

/// What sorting may hold before it spills.
const MEMORY_MAX_BYTES: usize = 256 << 20;
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
struct Origin {
    table: String,
    source: Option<String>,
    /// `None` where its rows are JSON objects.
    delimiter: Option<String>,
    head: Vec<String>,
    /// Of the head, from 1.
    header_row: usize,
    mapped: bool,
}

/// In which form a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// As it stood in its file.
    Own,
    /// As the row of the table that it was to become: it was refused after a SELECT.
    Canonical,
}

struct Reject<'a> {
    name: RejectRef,
    reason: String,
    raw: &'a str,
}

impl Loader {
    /// Writes the refused rows of a load that nobody has corrected yet into files of `folder`, one for each file that they come
    /// from. No file is overwritten.
    pub async fn export_rejects(&self, load_id: &str, folder: &Path) -> Result<Vec<Exported>> {
        self.make_system_tables().await?;
        let origins = self.origins(load_id).await?;
        let corrected = self.corrected(load_id).await?;
        let mut files: BTreeMap<(String, Form), RowFile> = BTreeMap::new();
        let mut last = None;
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(MEMORY_MAX_BYTES, 1.0).build_arc();
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config_rt(config, runtime.map_err(IngestError::from)?);
        self.store.register(&context.runtime_env())?;
        let snapshot = self.store.snapshot(&TableName::new(system::SCHEMA, system::REJECTS)).await?;
        let provider = snapshot.provider(system::schema(system::REJECTS)?, None);
        let sorted = || {
            let frame = context.read_table(provider)?.filter(col("load_id").eq(lit(load_id)))?;
            let frame = frame.select_columns(&["file", "line", "column_name", "reason", "raw"])?;
            frame.sort(vec![col("file").sort(true, false), col("line").sort(true, false)])
        };
        let mut rows = sorted().map_err(IngestError::from)?.execute_stream().await.map_err(IngestError::from)?;
        while let Some(batch) = rows.try_next().await.map_err(IngestError::from)? {
            for row in 0..batch.num_rows() {
                let reject = reject_of(load_id, &batch, row);
                let place = (reject.name.file.clone(), reject.name.line);
                // An attempt that was stopped before may have refused it, too.
                if corrected.contains(&place) || last.as_ref() == Some(&place) {
                    continue;
                }
                let origin = origins.get(&place.0).cloned().unwrap_or_default();
                let form = form_of(&origin, reject.raw);
                let file = match files.entry((place.0.clone(), form)) {
                    std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::btree_map::Entry::Vacant(free) => {
                        free.insert(RowFile::create(folder, &place.0, form, origin)?)
                    }
                };
                file.write(&reject)?;
                last = Some(place);
            }
        }
        files.into_iter().map(|((name, _), file)| Ok(file.finish(name)?)).collect()
    }

    async fn origins(&self, load_id: &str) -> Result<BTreeMap<String, Origin>> {
        let snapshot = self.store.snapshot(&TableName::new(system::SCHEMA, system::REJECT_FILES)).await?;
        let contract = system::contract(system::REJECT_FILES)?;
        let columns = ["file", "table_name", "source", "delimiter", "head", "header_row", "mapped"];
        let mut found = BTreeMap::new();
        let of_load = Some(col("load_id").eq(lit(load_id)));
        scan(&self.store, &contract, snapshot, &columns, of_load, |batch| {
            let text = |column: usize, row: usize| {
                let texts = batch.column(column).as_string::<i32>();
                texts.is_valid(row).then(|| texts.value(row).to_owned())
            };
            for row in 0..batch.num_rows() {
                let origin = Origin {
                    table: text(1, row).unwrap_or_default(),
                    source: text(2, row),
                    delimiter: text(3, row),
                    head: text(4, row).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
                    header_row: usize::try_from(batch.column(5).as_primitive::<Int32Type>().value(row)).unwrap_or(1),
                    mapped: batch.column(6).as_boolean().value(row),
                };
                found.insert(text(0, row).unwrap_or_default(), origin);
            }
        })
        .await?;
        Ok(found)
    }

    async fn corrected(&self, load_id: &str) -> Result<HashSet<(String, u64)>> {
        let snapshot = self.store.snapshot(&TableName::new(system::SCHEMA, system::CORRECTIONS)).await?;
        let contract = system::contract(system::CORRECTIONS)?;
        let mut found = HashSet::new();
        let of_load = Some(col("load_id").eq(lit(load_id)));
        scan(&self.store, &contract, snapshot, &["file", "line"], of_load, |batch| {
            let (files, lines) = (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
            let rows = files.iter().flatten().zip(lines.values());
            found.extend(rows.map(|(file, line)| (file.to_owned(), line.cast_unsigned())));
        })
        .await?;
        Ok(found)
    }
}

fn reject_of<'a>(load_id: &str, batch: &'a RecordBatch, row: usize) -> Reject<'a> {
    let text = |column: usize| {
        let texts = batch.column(column).as_string::<i32>();
        if texts.is_valid(row) { texts.value(row) } else { "" }
    };
    let line = batch.column(1).as_primitive::<Int64Type>().value(row).cast_unsigned();
    let name = RejectRef { load_id: load_id.to_owned(), line, file: text(0).to_owned() };
    let reason = if text(2).is_empty() { text(3).to_owned() } else { format!("{}: {}", text(2), text(3)) };
    Reject { name, reason, raw: text(4) }
}

/// Rows that a SELECT gave tell of which line they are.
fn form_of(origin: &Origin, raw: &str) -> Form {
    let object = || serde_json::from_str::<Map<String, Value>>(raw).ok();
    let is_given = |object: Map<String, Value>| origin.delimiter.is_some() || object.contains_key(LINE);
    if origin.mapped && object().is_some_and(is_given) { Form::Canonical } else { Form::Own }
}

/// A file that is being written.
struct RowFile {
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
    fn create(folder: &Path, file: &str, form: Form, origin: Origin) -> std::result::Result<Self, IngestError> {
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

    fn write(&mut self, reject: &Reject<'_>) -> std::result::Result<(), IngestError> {
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

    fn finish(mut self, file: String) -> std::result::Result<Exported, IngestError> {
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
