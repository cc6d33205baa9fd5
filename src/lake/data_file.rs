//! Writes one partition's sorted rows as Parquet files of a good size, each with what the log will say of it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use tokio::io::AsyncWriteExt;

use deltalake::kernel::Add;

use super::error::LakeError;
use super::snapshot::{TAG_CHECKSUM, TAG_SHAPE, TAG_SORTED};
use super::statistics::{self, ColumnRange};
use super::table::{PartitionSpec, TableName, TableSpec, folder_name};

/// A file is closed when it has grown to this size.
pub const FILE_BYTES_MAX: usize = 128 << 20;
const GROUP_ROWS: usize = 256 << 10;
/// What is read for one row: a page of each column. Small pages cost a scan next to nothing.
const PAGE_ROWS: usize = 4096;
/// A dictionary that grows beyond this is given up. All of it is read for one row, and values so many hardly repeat.
const DICTIONARY_BYTES_MAX: usize = 128 << 10;

/// A file that is written and durable, and that no commit names yet.
#[derive(Debug, Clone)]
pub struct Written {
    /// From the table's folder.
    pub name: String,
    pub bytes: u64,
    pub rows: u64,
    pub partition: Option<String>,
    ranges: Vec<ColumnRange>,
    crc32c: u32,
    sorted: Vec<String>,
}

/// Where and how the files of one table are written.
#[derive(Debug, Clone)]
pub struct Layout {
    objects: Arc<dyn ObjectStore>,
    table: TableName,
    pub spec: TableSpec,
    pub schema: SchemaRef,
    properties: WriterProperties,
    file_bytes_max: usize,
}

impl Layout {
    pub fn new(objects: Arc<dyn ObjectStore>, table: &TableName, spec: &TableSpec) -> Result<Self, LakeError> {
        let schema = spec.schema();
        let properties = properties(spec)?;
        let (table, spec) = (table.clone(), spec.clone());
        Ok(Self { objects, table, spec, schema, properties, file_bytes_max: FILE_BYTES_MAX })
    }

    /// The action that makes a file part of the table.
    pub fn add(&self, file: &Written, data_change: bool) -> Add {
        let stats = statistics::to_json(file.rows, &file.ranges, &self.schema, &self.spec.statistics_off);
        let sorted = serde_json::to_string(&file.sorted).ok();
        let mut tags =
            vec![(TAG_CHECKSUM.to_owned(), Some(format!("{:08x}", file.crc32c))), (TAG_SORTED.to_owned(), sorted)];
        if !self.spec.earlier.is_empty() {
            tags.push((TAG_SHAPE.to_owned(), Some(self.spec.earlier.len().to_string())));
        }
        Add {
            path: file.name.clone(),
            partition_values: partition_values(&self.spec, file.partition.as_ref()),
            size: file.bytes.cast_signed(),
            modification_time: chrono::Utc::now().timestamp_millis(),
            data_change,
            stats: Some(stats),
            tags: Some(tags.into_iter().collect()),
            ..Add::default()
        }
    }

    fn name(&self, partition: Option<&String>) -> String {
        let file = format!("{}.parquet", uuid::Uuid::new_v4());
        match &self.spec.partition {
            None => file,
            Some(by) => {
                let value = partition.map_or_else(|| "+null".to_owned(), |value| folder_name(value));
                format!("{}={value}/{file}", folder_name(by.column()))
            }
        }
    }
}

pub fn partition_values(spec: &TableSpec, partition: Option<&String>) -> HashMap<String, Option<String>> {
    spec.partition.iter().map(|by: &PartitionSpec| (by.column().to_owned(), partition.cloned())).collect()
}

fn properties(spec: &TableSpec) -> Result<WriterProperties, LakeError> {
    let schema = spec.schema();
    let sorting = spec.order().iter().map(|name| {
        let column_idx = i32::try_from(leaf_index(&schema, name)).unwrap_or_default();
        SortingColumn { column_idx, descending: false, nulls_first: false }
    });
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("henna {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns((!spec.order().is_empty()).then(|| sorting.collect()));
    for column in spec.columns.iter().filter(|column| !column.dictionary) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column.field.name().as_str()), false);
    }
    for key in &spec.key {
        let column = ColumnPath::new(vec![key.clone()]);
        properties = properties
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_max_ndv(column, GROUP_ROWS as u64);
    }
    Ok(properties.build())
}

/// Parquet counts leaves; each column before a sort column is one, as lists have one leaf here.
fn leaf_index(schema: &SchemaRef, name: &str) -> usize {
    schema.index_of(name).unwrap_or_default()
}

/// Takes the rows of one partition after another.
pub struct FileWriter {
    layout: Layout,
    sorted: Vec<String>,
    open: Option<OpenFile>,
    done: Vec<Written>,
}

struct OpenFile {
    writer: AsyncArrowWriter<Checksummed>,
    name: String,
    partition: Option<String>,
}

impl FileWriter {
    /// `sorted` names the columns by which the rows will come.
    pub fn new(layout: Layout, sorted: Vec<String>) -> Self {
        Self { layout, sorted, open: None, done: Vec::new() }
    }

    /// Rows of a later call come after these; a new partition begins a new file.
    pub async fn write(&mut self, partition: Option<&String>, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.open.as_ref().is_some_and(|open| open.partition.as_ref() != partition) {
            self.close().await?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(open_file(&self.layout, partition)?),
        };
        open.writer.write(batch).await?;
        if open.writer.bytes_written() + open.writer.in_progress_size() >= self.layout.file_bytes_max {
            self.close().await?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), LakeError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let footer: ParquetMetaData = open.writer.finish().await?;
        let sink = open.writer.into_inner();
        self.done.push(Written {
            name: open.name,
            bytes: sink.bytes,
            rows: u64::try_from(footer.file_metadata().num_rows()).unwrap_or_default(),
            partition: open.partition,
            ranges: statistics::from_footer(&footer, &self.layout.schema)?,
            crc32c: sink.crc32c,
            sorted: self.sorted.clone(),
        });
        Ok(())
    }

    /// The files, all of them durable.
    pub async fn finish(mut self) -> Result<Vec<Written>, LakeError> {
        self.close().await?;
        Ok(self.done)
    }
}

fn open_file(layout: &Layout, partition: Option<&String>) -> Result<OpenFile, LakeError> {
    let name = layout.name(partition);
    let path = Path::from(format!("{}/{name}", layout.table.folder()));
    let sink = Checksummed { sink: BufWriter::new(Arc::clone(&layout.objects), path), bytes: 0, crc32c: 0 };
    let mut writer = AsyncArrowWriter::try_new(sink, Arc::clone(&layout.schema), Some(layout.properties.clone()))?;
    writer.append_key_value_metadata(KeyValue::new("henna.table".to_owned(), layout.table.to_string()));
    Ok(OpenFile { writer, name, partition: partition.cloned() })
}

/// Counts and sums the bytes on their way to the store.
struct Checksummed {
    sink: BufWriter,
    bytes: u64,
    crc32c: u32,
}

impl AsyncFileWriter for Checksummed {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), ParquetError>> {
        self.bytes += bytes.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes);
        Box::pin(async move { self.sink.put(bytes).await.map_err(|error| ParquetError::External(Box::new(error))) })
    }

    fn complete(&mut self) -> BoxFuture<'_, Result<(), ParquetError>> {
        Box::pin(async move { self.sink.shutdown().await.map_err(|error| ParquetError::External(Box::new(error))) })
    }
}
