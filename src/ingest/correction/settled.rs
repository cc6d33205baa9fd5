//! Which refused rows a load of corrected ones has settled: those that its files name and that it did not refuse again.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::Int64Type;
use datafusion::prelude::{col, lit};
use tokio::task::spawn_blocking;

use super::super::check::REJECT;
use super::super::error::IngestError;
use super::super::load::{Load, Loader, stream_of};
use super::super::reader::{Format, Input, Reader, Rows};
use super::super::scan::scan;
use super::super::system;
use crate::dataset::Layout;
use crate::error::Result;
use crate::lake::TableName;

/// A refused row, as a file of corrected rows names it: `LOAD:LINE:FILE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RejectRef {
    pub load_id: String,
    pub line: u64,
    pub file: String,
}

impl RejectRef {
    pub fn text(&self) -> String {
        format!("{}:{}:{}", self.load_id, self.line, self.file)
    }

    /// `None` where the text names no row.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, ':');
        let (load_id, line, file) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let is_id = load_id.len() == 32 && load_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self { load_id: load_id.to_owned(), line, file: file.to_owned() })
    }
}

/// A refused row, and where its correction stands.
struct Named {
    reject: RejectRef,
    file: Arc<str>,
    line: u64,
}

impl Loader {
    /// Marks the refused rows that a load which is committed has brought again; how many that were.
    pub(in super::super) async fn settle_rejects(&self, load: &Load) -> Result<u64> {
        let inputs = Arc::clone(&load.originals);
        let named = spawn_blocking(move || named(&inputs)).await.map_err(|_| IngestError::ThreadEnded)??;
        if named.is_empty() {
            return Ok(0);
        }
        let again = self.lines_of(system::REJECTS, &load.id).await?;
        let settled: BTreeSet<RejectRef> = named
            .into_iter()
            .filter(|named| !again.contains(&(named.file.to_string(), named.line)))
            .map(|named| named.reject)
            .collect();
        let settled = self.refused_indeed(settled, &load.id).await?;
        if settled.is_empty() {
            return Ok(0);
        }
        let schema = system::schema(system::CORRECTIONS)?;
        let texts = |text: fn(&RejectRef) -> &str| -> ArrayRef {
            Arc::new(settled.iter().map(|reject| Some(text(reject))).collect::<StringArray>())
        };
        let lines = settled.iter().map(|reject| reject.line.cast_signed());
        let arrays: Vec<ArrayRef> = vec![
            texts(|reject| &reject.load_id),
            texts(|reject| &reject.file),
            Arc::new(lines.collect::<Int64Array>()),
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&load.id, settled.len()))),
            Arc::new(TimestampMicrosecondArray::from_value(load.now_us, settled.len()).with_timezone("UTC")),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(IngestError::from)?;
        let table = TableName::new(system::SCHEMA, system::CORRECTIONS);
        let commit = self.append(table, String::new(), stream_of(vec![batch], schema)).await?;
        Ok(commit.rows_added)
    }

    /// File and line of the rows of a load that a table tells of: those refused, or those corrected.
    pub(super) async fn lines_of(&self, table: &str, load_id: &str) -> Result<HashSet<(String, u64)>> {
        let snapshot = self.store.snapshot(&TableName::new(system::SCHEMA, table)).await?;
        let contract = system::contract(table)?;
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

    /// Those of the rows that were refused indeed, what they were corrections of, and what was refused of the same rows meanwhile.
    async fn refused_indeed(&self, named: BTreeSet<RejectRef>, by: &str) -> Result<BTreeSet<RejectRef>> {
        let (mut known, mut steps) = (BTreeSet::new(), Vec::new());
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let mut loads: BTreeSet<String> = named.iter().map(|reject| reject.load_id.clone()).collect();
        while !loads.is_empty() {
            self.steps(&loads, &mut steps).await?;
            asked.append(&mut loads);
            let mut grows = true;
            while grows {
                let before = known.len();
                for (reject, earlier) in steps.iter().filter(|(reject, _)| reject.load_id != by) {
                    let is_meant =
                        named.contains(reject) || earlier.as_ref().is_some_and(|earlier| known.contains(earlier));
                    if is_meant || known.contains(reject) {
                        known.insert(reject.clone());
                        known.extend(earlier.clone());
                    }
                }
                grows = known.len() > before;
            }
            loads.extend(known.iter().map(|reject: &RejectRef| reject.load_id.clone()));
            loads.retain(|load| !asked.contains(load));
        }
        Ok(known)
    }

    /// The refused rows of loads and of files that correct them, each with the one that it was a correction of.
    async fn steps(&self, loads: &BTreeSet<String>, steps: &mut Vec<(RejectRef, Option<RejectRef>)>) -> Result<()> {
        let snapshot = self.store.snapshot(&TableName::new(system::SCHEMA, system::REJECTS)).await?;
        let contract = system::contract(system::REJECTS)?;
        let begins = |text: String| col("raw").like(lit(text));
        let of = |load: &String| {
            let corrects =
                begins(format!("{load}:%")).or(begins(format!("\"{load}:%"))).or(begins(format!("{{%{load}:%")));
            col("load_id").eq(lit(load)).or(corrects)
        };
        let kept = loads.iter().map(of).reduce(|one, other| one.or(other));
        scan(&self.store, &contract, snapshot, &["load_id", "file", "line", "raw"], kept, |batch| {
            let text = |column: usize, row: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
            let lines = batch.column(2).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let line = lines.value(row).cast_unsigned();
                let reject = RejectRef { load_id: text(0, row), line, file: text(1, row) };
                steps.push((reject, named_in(&text(3, row))));
            }
        })
        .await
    }
}

/// What the files name. Only those are read whole that begin with a row which names one.
fn named(inputs: &[Input]) -> std::result::Result<Vec<Named>, IngestError> {
    let mut found = Vec::new();
    for input in inputs.iter().filter(|input| input.format != Format::Parquet) {
        // The file's own columns, in its own encoding.
        let plain = input.layout.as_ref().map_or(input.clone(), |layout| {
            input.shaped(&Arc::new(Layout { columns: Vec::new(), ..layout.as_ref().clone() }))
        });
        let mut reader = Reader::open(&plain, None, &Arc::default())?;
        if reader.header().is_some_and(|header| !header.iter().any(|name| is_reject(name))) {
            continue;
        }
        while let Some(chunk) = reader.next()? {
            let Some(position) = chunk.names.iter().position(|name| is_reject(name)) else { break };
            let Rows::Text(rows) = &chunk.rows else { break };
            for row in 0..rows.len() {
                let Some(reject) = rows.cell(row, position).and_then(RejectRef::read) else { continue };
                found.push(Named { reject, file: Arc::clone(&input.name), line: rows.row(row).line });
            }
        }
    }
    Ok(found)
}

/// The row that a refused one was a correction of, as its first cell or member tells.
fn named_in(raw: &str) -> Option<RejectRef> {
    if raw.starts_with('{') {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(raw).ok()?;
        return RejectRef::read(object.get(REJECT)?.as_str()?);
    }
    let text = match raw.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => raw.split([',', ';', '\t', '|']).next(),
    };
    RejectRef::read(text?)
}

fn is_reject(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case(REJECT)
}
