//! Reads the data files of a snapshot in stored types, and writes them anew without some of their rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::kernel::{Action, Remove};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use super::data_file::{FileWriter, Layout, Written, partition_values};
use super::error::LakeError;
use super::parquet_bytes::ParquetBytes;
use super::snapshot::FileEntry;
use super::table::TableSpec;

/// What of a file is wanted.
pub enum Rows {
    All,
    /// Positions, ascending.
    At(Vec<u64>),
}

/// The columns of `schema` of a file, in its row order. A column that the file is too old to have is null.
pub async fn read(
    objects: &Arc<dyn ObjectStore>,
    path: &str,
    bytes: u64,
    schema: &SchemaRef,
    rows: Rows,
) -> Result<BoxStream<'static, Result<RecordBatch, LakeError>>, LakeError> {
    let mut builder = ParquetRecordBatchStreamBuilder::new(ParquetBytes::new(objects, path, bytes)).await?;
    let mut roots = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        match builder.schema().index_of(field.name()) {
            Ok(root) => roots.push(root),
            Err(_) if field.is_nullable() => {}
            Err(absent) => return Err(absent.into()),
        }
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let total = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
    if let Rows::At(positions) = rows {
        let selection = RowSelection::from_consecutive_ranges(ranges(&positions).into_iter(), total);
        builder = builder.with_row_selection(selection);
    }
    let stream = builder.with_projection(mask).build()?;
    let schema = Arc::clone(schema);
    Ok(stream.map(move |batch| conformed(&batch?, &schema)).boxed())
}

/// The columns of `schema` by their names; those that the batch has not are null. Another engine may have written a kindred type.
pub fn conformed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, LakeError> {
    let column = |field: &arrow::datatypes::FieldRef| {
        let Ok(index) = batch.schema_ref().index_of(field.name()) else {
            return Ok(new_null_array(field.data_type(), batch.num_rows()));
        };
        let column = batch.column(index);
        if column.data_type() == field.data_type() { Ok(Arc::clone(column)) } else { cast(column, field.data_type()) }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

fn ranges(positions: &[u64]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for position in positions.iter().filter_map(|position| usize::try_from(*position).ok()) {
        match ranges.last_mut() {
            Some(range) if range.end == position => range.end += 1,
            _ => ranges.push(position..position + 1),
        }
    }
    ranges
}

/// The key and version columns of a spec.
pub fn key_schema(spec: &TableSpec) -> SchemaRef {
    let schema = spec.schema();
    let wanted = |name: &String| spec.key.contains(name) || spec.version.as_ref() == Some(name);
    let fields = schema.fields().iter().filter(|field| wanted(field.name())).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of several files, one after the other, as a source of a write.
pub fn chained(
    objects: Arc<dyn ObjectStore>,
    files: Vec<(String, u64)>,
    schema: SchemaRef,
) -> SendableRecordBatchStream {
    let columns = Arc::clone(&schema);
    let rows = stream::iter(files).map(Ok::<_, LakeError>).and_then(move |(path, bytes)| {
        let (objects, columns) = (Arc::clone(&objects), Arc::clone(&columns));
        async move { read(&objects, &path, bytes, &columns, Rows::All).await }
    });
    let rows = rows.try_flatten().map_err(|error| DataFusionError::External(Box::new(crate::Error::from(error))));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// The action that takes a file out of the table.
pub fn remove(file: &FileEntry, spec: &TableSpec, data_change: bool) -> Action {
    Action::Remove(Remove {
        path: file.name.clone(),
        data_change,
        deletion_timestamp: Some(chrono::Utc::now().timestamp_millis()),
        extended_file_metadata: Some(true),
        size: Some(file.bytes.cast_signed()),
        partition_values: Some(partition_values(spec, file.partition.as_ref())),
        ..Remove::default()
    })
}

/// The file anew without the rows at `doomed` (ascending). No file where no row is left.
pub async fn without(
    objects: &Arc<dyn ObjectStore>,
    layout: &Layout,
    file: &FileEntry,
    doomed: &[u64],
) -> Result<Vec<Written>, LakeError> {
    if doomed.len() as u64 == file.rows {
        return Ok(Vec::new());
    }
    let mut writer = FileWriter::new(layout.clone(), file.sorted.clone());
    let mut rows = read(objects, &file.path, file.bytes, &layout.schema, Rows::All).await?;
    let (mut doomed, mut position) = (doomed.iter().copied().peekable(), 0);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let keep = (0..batch.num_rows()).map(|_| {
            let keeps = doomed.next_if_eq(&position).is_none();
            position += 1;
            keeps
        });
        let keep = BooleanArray::from(keep.collect::<Vec<bool>>());
        writer.write(file.partition.as_ref(), &filter_record_batch(&batch, &keep)?).await?;
    }
    writer.finish().await
}
