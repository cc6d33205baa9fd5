//! The refused rows of a load as files to be corrected, one for each file that they come from.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};
use futures::TryStreamExt;
use serde_json::{Map, Value};

use super::super::check::LINE;
use super::super::error::IngestError;
use super::super::load::Loader;
use super::super::scan::scan;
use super::super::system;
use super::row_file::{Exported, Form, Origin, Reject, RowFile};
use super::settled::RejectRef;
use crate::error::Result;
use crate::lake::TableName;

/// What sorting may hold before it spills.
const MEMORY_MAX_BYTES: usize = 256 << 20;
impl Loader {
    /// Writes the refused rows of a load that nobody has corrected yet into files of `folder`, one for each file that they come
    /// from. No file is overwritten.
    pub async fn export_rejects(&self, load_id: &str, folder: &Path) -> Result<Vec<Exported>> {
        self.make_system_tables().await?;
        let (origins, unknown) = (self.origins(load_id).await?, Origin::default());
        let corrected = self.lines_of(system::CORRECTIONS, load_id).await?;
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
            let frame = frame.select_columns(&["file", "line", "column_name", "reason", "raw", "table_name"])?;
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
                let origin = origins.get(&place.0).unwrap_or(&unknown);
                let form = form_of(origin, reject.raw);
                let file = match files.entry((place.0.clone(), form)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(free) => {
                        let table = batch.column(5).as_string::<i32>().value(row).to_owned();
                        free.insert(RowFile::create(folder, &place.0, form, Origin { table, ..origin.clone() })?)
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
        let columns = ["file", "source", "delimiter", "head", "header_row", "mapped"];
        let mut found = BTreeMap::new();
        let of_load = Some(col("load_id").eq(lit(load_id)));
        scan(&self.store, &contract, snapshot, &columns, of_load, |batch| {
            let text = |column: usize, row: usize| {
                let texts = batch.column(column).as_string::<i32>();
                texts.is_valid(row).then(|| texts.value(row).to_owned())
            };
            for row in 0..batch.num_rows() {
                let origin = Origin {
                    source: text(1, row),
                    delimiter: text(2, row),
                    head: text(3, row).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
                    header_row: usize::try_from(batch.column(4).as_primitive::<Int32Type>().value(row)).unwrap_or(1),
                    mapped: batch.column(5).as_boolean().value(row),
                    ..Origin::default()
                };
                found.insert(text(0, row).unwrap_or_default(), origin);
            }
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
