//! One version of a table: its spec and its files, read from the log.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow as _;
use deltalake::kernel::{Add, LogicalFileView, Version};
use deltalake::logstore::LogStoreRef;
use deltalake::table::state::DeltaTableState;

use super::error::LakeError;
use super::provider::RawTable;
use super::remap::Remap;
use super::statistics::{self, ColumnRange};
use super::table::{MONTH, PartitionSpec, TableName, TableSpec};
use crate::error::Result;

/// The tags of an Add action that this program writes.
pub(super) const TAG_CHECKSUM: &str = "henna.crc32c";
/// The columns by which the rows of the file are sorted, ascending, nulls last; JSON.
pub(super) const TAG_SORTED: &str = "henna.sorted";
/// How often the table had been altered before the file was written; absent is never.
pub(super) const TAG_SHAPE: &str = "henna.shape";

/// A data file of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct FileEntry {
    /// From the root of the lake.
    pub path: String,
    /// From the table's folder, as the log names it.
    pub(super) name: String,
    pub bytes: u64,
    pub rows: u64,
    pub modified: DateTime<Utc>,
    /// The value of the partition column as the log writes it (`2025-03`), `None` for null or where there is none.
    pub partition: Option<String>,
    /// One per column of the stored schema.
    pub ranges: Vec<ColumnRange>,
    /// CRC-32C of the file's bytes; absent from files that another engine wrote.
    pub crc32c: Option<u32>,
    /// Empty where the rows lie in no known order.
    pub sorted: Vec<String>,
    /// Which of the table's shapes it has; see [`TableSpec::earlier`].
    pub(super) shape: usize,
}

impl FileEntry {
    /// What the log says of a column. `schema` is that of the file's snapshot.
    pub fn range(&self, schema: &Schema, column: &str) -> Option<&ColumnRange> {
        self.ranges.get(schema.index_of(column).ok()?)
    }
}

/// A table at one version.
pub struct Snapshot {
    pub name: TableName,
    pub version: u64,
    pub spec: TableSpec,
    /// Stored types; hidden columns left out.
    pub schema: SchemaRef,
    pub files: Vec<Arc<FileEntry>>,
    pub(super) state: DeltaTableState,
    pub(super) log: LogStoreRef,
}

impl Snapshot {
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The version that a load made. Reads the log back to its last checkpoint.
    pub(super) async fn loaded_at(&self, load_id: &str) -> Result<Option<i64>, LakeError> {
        Ok(self.state.transaction_version(self.log.as_ref(), load_id).await?)
    }

    /// A table whose columns are those of `shape`: the stored columns by name and order, in the types a session sees
    /// (timestamps in its zone, `Utf8View`, `Time64`). Filters are pushed down inexactly; row counts are exact.
    pub fn provider(self: Arc<Self>, shape: SchemaRef, remap: Option<Remap>) -> Arc<dyn TableProvider> {
        Arc::new(RawTable::new(self, shape, remap))
    }

    /// This version with the rows of another table of the same columns, to be read and never written to.
    pub fn with_rows_of(&self, other: &Self) -> Self {
        let own = |columns: &Vec<String>| other.spec.column_names().eq(columns.iter().map(String::as_str));
        // That table was made with the columns that this one has, or had before it was altered.
        let shape = self.spec.earlier.iter().rposition(own).unwrap_or(usize::MAX);
        let beside = other.files.iter().map(|file| Arc::new(FileEntry { shape, ..file.as_ref().clone() }));
        Self {
            name: self.name.clone(),
            version: self.version,
            spec: self.spec.clone(),
            schema: Arc::clone(&self.schema),
            files: self.files.iter().cloned().chain(beside).collect(),
            state: self.state.clone(),
            log: Arc::clone(&self.log),
        }
    }

    /// Reads the newest version, or `version`. `before` is an older snapshot of the same table whose work is reused.
    pub(super) async fn read(
        name: &TableName,
        log: LogStoreRef,
        before: Option<Arc<Self>>,
        version: Option<Version>,
    ) -> Result<Self, LakeError> {
        let state = match &before {
            None => DeltaTableState::try_new(log.as_ref(), version).await?,
            Some(before) => {
                let mut state = before.state.clone();
                state.update(log.as_ref(), version).await?;
                state
            }
        };
        refuse_unknown_features(name, &state)?;
        // What is known of files is known of the columns that the table had.
        let before = before.filter(|before| before.state.metadata() == state.metadata());
        let (schema, spec) = match &before {
            Some(before) => (Arc::clone(&before.schema), before.spec.clone()),
            None => stored_schema(name, &state)?,
        };
        let known: HashMap<&str, &Arc<FileEntry>> =
            before.iter().flat_map(|before| &before.files).map(|file| (file.name.as_str(), file)).collect();
        // Row by row the table of statistics and the log's views tell of the same files.
        let statistics = state.add_actions_table(false)?;
        let mut files = Vec::with_capacity(statistics.num_rows());
        for (row, view) in state.log_data().iter().enumerate() {
            let file = match known.get(view.path().as_ref()) {
                Some(file) => Arc::clone(file),
                None => Arc::new(entry(name, &view, (&statistics, row), &schema, &spec)?),
            };
            files.push(file);
        }
        files.sort_by(|left, right| left.partition.cmp(&right.partition).then_with(|| left.name.cmp(&right.name)));
        Ok(Self { name: name.clone(), version: state.version(), spec, schema, files, state, log })
    }
}

fn refuse_unknown_features(name: &TableName, state: &DeltaTableState) -> Result<(), LakeError> {
    let features = state.protocol().reader_features().unwrap_or_default();
    let unknown = features.iter().map(ToString::to_string).find(|feature| feature != "timestampNtz");
    match unknown {
        Some(feature) => Err(LakeError::FeatureUnknown { table: name.to_string(), feature }),
        None => Ok(()),
    }
}

fn stored_schema(name: &TableName, state: &DeltaTableState) -> Result<(SchemaRef, TableSpec), LakeError> {
    let whole: Schema = state.schema().as_ref().try_into_arrow()?;
    let shown = whole.fields().iter().filter(|field| field.name() != MONTH).cloned();
    let schema = Arc::new(Schema::new(shown.collect::<Vec<_>>()));
    let spec = TableSpec::from_properties(&schema, state.metadata().configuration())?;
    let partition: Vec<&str> = spec.partition.iter().map(PartitionSpec::column).collect();
    if state.metadata().partition_columns() != partition {
        let feature = format!("partitions by {:?}", state.metadata().partition_columns());
        return Err(LakeError::FeatureUnknown { table: name.to_string(), feature });
    }
    Ok((schema, spec))
}

fn entry(
    name: &TableName,
    view: &LogicalFileView,
    (statistics, row): (&RecordBatch, usize),
    schema: &Schema,
    spec: &TableSpec,
) -> Result<FileEntry, LakeError> {
    // The deprecated call is the only one that gives the tags.
    #[allow(deprecated)]
    let add: Add = view.add_action();
    let path = format!("{}/{}", name.folder(), add.path);
    let corrupt = |found: &str| LakeError::Corrupt { path: path.clone(), found: found.to_owned() };
    let tags = add.tags.unwrap_or_default();
    let tag = |key: &str| tags.get(key).cloned().flatten();
    let crc32c = tag(TAG_CHECKSUM).and_then(|text| u32::from_str_radix(&text, 16).ok());
    let rows = view.num_records().ok_or_else(|| corrupt("the log does not tell its number of rows"))?;
    let partition = spec.partition.as_ref().and_then(|by| add.partition_values.get(by.column()).cloned().flatten());
    let shape = tag(TAG_SHAPE).and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut file = FileEntry {
        bytes: u64::try_from(add.size).map_err(|_| corrupt("the log gives it a negative size"))?,
        rows: rows as u64,
        modified: DateTime::from_timestamp_millis(add.modification_time).unwrap_or_default(),
        ranges: ranges(statistics, row, schema, crc32c.is_some()),
        sorted: tag(TAG_SORTED).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        name: add.path,
        partition,
        crc32c,
        path,
        shape,
    };
    if let Some(columns) = spec.earlier.get(shape).filter(|_| crc32c.is_some()) {
        let absent = |name: &String| !columns.contains(name);
        for (range, _) in file.ranges.iter_mut().zip(schema.fields()).filter(|(_, field)| absent(field.name())) {
            *range = ColumnRange { null_count: Some(file.rows), ..ColumnRange::default() };
        }
    }
    if let Some(PartitionSpec::Column(column)) = &spec.partition {
        let index = schema.index_of(column)?;
        file.ranges[index] = partition_range(&file, schema.field(index).data_type());
    }
    Ok(file)
}

/// `own` files have exact bounds; those of other engines may have times cut to milliseconds.
fn ranges(statistics: &RecordBatch, row: usize, schema: &Schema, own: bool) -> Vec<ColumnRange> {
    let bounds = |name: &str| statistics.column_by_name(name).and_then(|column| column.as_struct_opt());
    let (mins, maxes, nulls) = (bounds("min"), bounds("max"), bounds("null_count"));
    let range = |field: &arrow::datatypes::FieldRef| {
        let max = statistics::from_log(maxes, field.name(), field.data_type(), row);
        ColumnRange {
            min: statistics::from_log(mins, field.name(), field.data_type(), row),
            max: if own { max } else { max.map(statistics::above_cut) },
            null_count: null_count(nulls, field.name(), row),
        }
    };
    schema.fields().iter().map(range).collect()
}

fn null_count(counts: Option<&StructArray>, column: &str, row: usize) -> Option<u64> {
    let counts = counts.filter(|counts| counts.is_valid(row))?;
    let counts = counts.column_by_name(column)?.as_primitive_opt::<Int64Type>()?;
    counts.is_valid(row).then(|| u64::try_from(counts.value(row)).ok()).flatten()
}

/// All rows of the file share the value of its partition column. A null and an empty text look the same to Delta.
fn partition_range(file: &FileEntry, data_type: &DataType) -> ColumnRange {
    let Some(text) = &file.partition else { return ColumnRange::default() };
    let value = ScalarValue::try_from_string(text.clone(), data_type).ok();
    ColumnRange { min: value.clone(), max: value, null_count: Some(0) }
}
