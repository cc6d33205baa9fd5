//! A snapshot as a DataFusion table: one plain Parquet scan over the files that the filters leave.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetFileReaderFactory, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType, lit};
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::projection::ProjectionExec;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::decided::{is_decided, satisfying};
use super::footers::WholeFooters;
use super::prune::{seen_as, surviving};
use super::remap::{Remap, RemapExpr};
use super::snapshot::{FileEntry, Snapshot};
use super::store::STORE_URL;
use super::table::PartitionSpec;

/// See [`Snapshot::provider`].
pub struct RawTable {
    snapshot: Arc<Snapshot>,
    shape: SchemaRef,
    remap: Option<Remap>,
}

impl std::fmt::Debug for RawTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawTable({} at version {})", self.snapshot.name, self.snapshot.version)
    }
}

#[async_trait]
impl TableProvider for RawTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.shape)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let judge = |filter: &&Expr| match self.is_decided(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(judge).collect())
    }

    fn statistics(&self) -> Option<Statistics> {
        self.merged(&self.files(&self.snapshot.files)).ok()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (decided, open): (Vec<&Expr>, Vec<&Expr>) = filters.iter().partition(|filter| self.is_decided(filter));
        let mut kept = self.snapshot.files.clone();
        let by = self.partition_column().unwrap_or_default();
        for filter in decided {
            kept = satisfying(&kept, filter, by, (&self.snapshot.schema, &self.shape))?;
        }
        let predicate = self.predicate(state, &open)?;
        if let Some(predicate) = &predicate {
            kept = surviving(&kept, &self.snapshot.schema, &self.shape, Arc::clone(predicate));
        }
        if kept.is_empty() {
            let columns = projection.map_or_else(|| Ok(self.shape.as_ref().clone()), |ids| self.shape.project(ids))?;
            return Ok(Arc::new(EmptyExec::new(Arc::new(columns))));
        }
        let source = self.source(state, predicate, &kept, filters)?;
        let counter = |name: &'static str| MetricBuilder::new(source.metrics()).global_counter(name);
        counter("files_pruned_by_log").add(self.snapshot.files.len() - kept.len());
        counter("files_scanned").add(kept.len());
        let limit = if open.is_empty() { limit } else { None };
        let scan = self.scan_of(state, source, &kept, projection, limit)?;
        self.remapped(scan)
    }
}

impl RawTable {
    pub fn new(snapshot: Arc<Snapshot>, shape: SchemaRef, remap: Option<Remap>) -> Self {
        let remap = remap.filter(|remap| !remap.survivors.is_empty() && shape.index_of(&remap.column).is_ok());
        let shape = without_promises(shape, &snapshot.schema);
        Self { snapshot, shape, remap }
    }

    /// The column by whose values the files are divided.
    fn partition_column(&self) -> Option<&str> {
        match self.snapshot.spec.partition.as_ref()? {
            PartitionSpec::Column(column) => Some(column),
            PartitionSpec::Month(_) => None,
        }
    }

    /// Whether the filter is asked of no row, because the partition of a file decides it.
    fn is_decided(&self, filter: &Expr) -> bool {
        let by = self.partition_column().filter(|by| self.remap.as_ref().is_none_or(|remap| remap.column != *by));
        by.is_some_and(|by| is_decided(filter, by, &self.shape))
    }

    /// What the scan may use of the filters, over stored values.
    fn predicate(&self, state: &dyn Session, filters: &[&Expr]) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let usable = filters.iter().filter_map(|filter| self.on_stored(filter));
        let Some(whole) = conjunction(usable) else { return Ok(None) };
        let schema = DFSchema::try_from(Arc::clone(&self.shape))?;
        state.create_physical_expr(unnormalize_col(whole), &schema).map(Some)
    }

    /// A filter as it holds for stored values: one on the remapped column is widened to all values that read as its
    /// own, or left to the plan above.
    fn on_stored(&self, filter: &Expr) -> Option<Expr> {
        let Some(remap) = &self.remap else { return Some(filter.clone()) };
        if !filter.column_refs().iter().any(|column| column.name == remap.column) {
            return Some(filter.clone());
        }
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else { return None };
        let (Expr::Column(_), Expr::Literal(ScalarValue::Int64(Some(value)), _)) = (left.as_ref(), right.as_ref())
        else {
            return None;
        };
        let stored = remap.stored(*value).into_iter().map(lit).collect();
        Some(left.as_ref().clone().in_list(stored, false))
    }

    /// The columns of which no two rows have the same values; empty where there are none such.
    pub fn key(&self) -> &[String] {
        // Several persons may read as one.
        let is_remapped = |column: &String| self.remap.as_ref().is_some_and(|remap| remap.column == *column);
        let key = &self.snapshot.spec.key;
        if key.iter().any(is_remapped) { &[] } else { key }
    }

    /// Whether filters name the key of a row, and all of these files are sorted by nothing else.
    fn names_place(&self, filters: &[Expr], files: &[Arc<FileEntry>]) -> bool {
        let [key] = self.key() else { return false };
        let is_named = filters.iter().any(|filter| equal_to_one(filter) == Some(key));
        is_named && files.iter().all(|file| file.sorted.first() == Some(key))
    }

    fn source(
        &self,
        state: &dyn Session,
        predicate: Option<Arc<dyn PhysicalExpr>>,
        kept: &[Arc<FileEntry>],
        filters: &[Expr],
    ) -> Result<ParquetSource> {
        let url = ObjectStoreUrl::parse(STORE_URL)?;
        let runtime = state.runtime_env();
        let reader = CachedParquetFileReaderFactory::new(
            runtime.object_store(&url)?,
            runtime.cache_manager.get_file_metadata_cache(),
        );
        // Files of this program have page indexes.
        let reader: Arc<dyn ParquetFileReaderFactory> = match kept.iter().all(|file| file.crc32c.is_some()) {
            true => Arc::new(WholeFooters(reader)),
            false => Arc::new(reader),
        };
        let mut global = state.config_options().execution.parquet.clone();
        if self.names_place(filters, kept) {
            // The order of the rows leads to the page: filters of half a megabyte have nothing to add.
            global.bloom_filter_on_read = false;
        }
        let options = TableParquetOptions { global, ..Default::default() };
        let source = ParquetSource::new(Arc::clone(&self.shape))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(reader);
        Ok(match predicate {
            Some(predicate) => source.with_predicate(predicate),
            None => source,
        })
    }

    fn scan_of(
        &self,
        state: &dyn Session,
        source: ParquetSource,
        kept: &[Arc<FileEntry>],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files(kept);
        let statistics = self.merged(&files)?;
        let target = state.config().target_partitions().max(1);
        let mut groups = FileGroup::new(files).split_files(target);
        let mut ordering = Vec::new();
        if state.config_options().execution.split_file_groups_by_statistics
            && let Some(order) = self.ordering(kept)
            && let Ok(ordered) =
                FileScanConfig::split_groups_by_statistics_with_target_partitions(&self.shape, &groups, &order, target)
            && ordered.len() <= target
        {
            groups = ordered;
            ordering.push(order);
        }
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_output_ordering(ordering)
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// The order that all of the files share.
    fn ordering(&self, files: &[Arc<FileEntry>]) -> Option<LexOrdering> {
        let (first, rest) = files.split_first()?;
        if rest.iter().any(|file| file.sorted != first.sorted) {
            return None;
        }
        let options = arrow::compute::SortOptions { descending: false, nulls_first: false };
        let column = |name: &String| PhysicalColumn::new_with_schema(name, &self.shape).ok();
        let columns: Option<Vec<_>> = first.sorted.iter().map(column).collect();
        LexOrdering::new(columns?.into_iter().map(|column| PhysicalSortExpr::new(Arc::new(column), options)))
    }

    fn files(&self, kept: &[Arc<FileEntry>]) -> Vec<PartitionedFile> {
        let mut shapes: HashMap<usize, SchemaRef> = HashMap::new();
        let file = |file: &Arc<FileEntry>| {
            let meta = ObjectMeta {
                location: Path::from(file.path.as_str()),
                last_modified: file.modified,
                size: file.bytes,
                e_tag: None,
                version: None,
            };
            let listed = PartitionedFile::new_from_meta(meta).with_statistics(Arc::new(self.file_statistics(file)));
            // A file of this program holds exactly the stored columns, so its reader may give them the session's types
            // at once; files of other engines are adapted column by column.
            if file.crc32c.is_none() {
                return listed;
            }
            let physical = shapes.entry(file.shape).or_insert_with(|| self.physical_schema(file.shape));
            listed.with_arrow_schema(Arc::clone(physical))
        };
        kept.iter().map(file).collect()
    }

    /// The columns of files of a shape in the types of the session, as far as the Parquet reader can give them without a cast.
    fn physical_schema(&self, shape: usize) -> SchemaRef {
        let schema = &self.snapshot.schema;
        let columns: Vec<&Field> = match self.snapshot.spec.earlier.get(shape) {
            None => schema.fields().iter().map(AsRef::as_ref).collect(),
            Some(names) => names.iter().filter_map(|name| schema.field_with_name(name).ok()).collect(),
        };
        let fields = columns.into_iter().map(|stored| {
            let seen = self.shape.field_with_name(stored.name()).ok();
            let data_type = match (stored.data_type(), seen.map(Field::data_type)) {
                (DataType::Timestamp(_, Some(_)), Some(seen @ DataType::Timestamp(_, Some(_))))
                | (DataType::Utf8, Some(seen @ DataType::Utf8View))
                | (DataType::Binary, Some(seen @ DataType::BinaryView))
                | (DataType::Int64, Some(seen @ DataType::Time64(_))) => seen.clone(),
                (stored, _) => stored.clone(),
            };
            Field::new(stored.name(), data_type, stored.is_nullable())
        });
        Arc::new(Schema::new(fields.collect::<Fields>()))
    }

    fn file_statistics(&self, file: &FileEntry) -> Statistics {
        let columns = self.shape.fields().iter().map(|field| {
            let remapped = self.remap.as_ref().is_some_and(|remap| remap.column == *field.name());
            let Some(range) = file.range(&self.snapshot.schema, field.name()) else {
                return ColumnStatistics::new_unknown();
            };
            let null_count = precision(range.null_count.and_then(|count| usize::try_from(count).ok()), Some(()));
            if remapped {
                return ColumnStatistics { null_count, ..ColumnStatistics::new_unknown() };
            }
            // The bound of a text may be cut short, and other engines round theirs.
            let exact = (file.crc32c.is_some() && *field.data_type() != DataType::Utf8View).then_some(());
            let bound = |value: &Option<ScalarValue>| {
                precision(value.clone().and_then(|value| seen_as(value, field.data_type())), exact)
            };
            ColumnStatistics {
                null_count,
                min_value: bound(&range.min),
                max_value: bound(&range.max),
                ..ColumnStatistics::new_unknown()
            }
        });
        Statistics {
            num_rows: precision(usize::try_from(file.rows).ok(), Some(())),
            total_byte_size: Precision::Absent,
            column_statistics: columns.collect(),
        }
    }

    fn merged(&self, files: &[PartitionedFile]) -> Result<Statistics> {
        let statistics: Vec<&Statistics> = files.iter().filter_map(|file| file.statistics.as_deref()).collect();
        if statistics.is_empty() {
            let empty = Statistics::new_unknown(&self.shape);
            return Ok(Statistics { num_rows: Precision::Exact(0), ..empty });
        }
        Statistics::try_merge_iter(statistics, &self.shape)
    }

    /// The scan with the remapped column rewritten.
    fn remapped(&self, scan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(remap) = &self.remap else { return Ok(scan) };
        let schema = scan.schema();
        if schema.index_of(&remap.column).is_err() {
            return Ok(scan);
        }
        let column = |(index, field): (usize, &Arc<Field>)| {
            let input = Arc::new(PhysicalColumn::new(field.name(), index)) as Arc<dyn PhysicalExpr>;
            let rewritten = *field.name() == remap.column;
            let expr = if rewritten { Arc::new(RemapExpr { input, remap: remap.clone() }) as _ } else { input };
            (expr, field.name().clone())
        };
        let columns: Vec<(Arc<dyn PhysicalExpr>, String)> = schema.fields().iter().enumerate().map(column).collect();
        Ok(Arc::new(ProjectionExec::try_new(columns, scan)?))
    }
}

/// The shape, in which what the table has not (it is of an earlier version) is null.
fn without_promises(shape: SchemaRef, stored: &Schema) -> SchemaRef {
    let is_promised = |field: &Field| !field.is_nullable() && stored.index_of(field.name()).is_err();
    if !shape.fields().iter().any(|field| is_promised(field)) {
        return shape;
    }
    let kept = |field: &Arc<Field>| field.as_ref().clone().with_nullable(field.is_nullable() || is_promised(field));
    Arc::new(Schema::new_with_metadata(shape.fields().iter().map(kept).collect::<Fields>(), shape.metadata().clone()))
}

/// The column that must be one value.
fn equal_to_one(filter: &Expr) -> Option<&String> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else { return None };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(..)) | (Expr::Literal(..), Expr::Column(column)) => Some(&column.name),
        _ => None,
    }
}

fn precision<T: std::fmt::Debug + Clone + PartialEq + Eq + PartialOrd>(
    value: Option<T>,
    exact: Option<()>,
) -> Precision<T> {
    match (value, exact) {
        (Some(value), Some(())) => Precision::Exact(value),
        (Some(value), None) => Precision::Inexact(value),
        (None, _) => Precision::Absent,
    }
}
