//! Files that cannot hold a row of the answer are left out before the scan starts.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use super::snapshot::FileEntry;
use super::statistics::ColumnRange;

/// The files for which `predicate` (over columns of `shape`) may hold. All of them where nothing can be said. `stored` is the
/// schema of their snapshot.
pub fn surviving(
    files: &[Arc<FileEntry>],
    stored: &SchemaRef,
    shape: &SchemaRef,
    predicate: Arc<dyn PhysicalExpr>,
) -> Vec<Arc<FileEntry>> {
    let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(shape));
    let Some(pruning) = builder.build(predicate) else { return files.to_vec() };
    match pruning.prune(&FileStatistics { files, stored, shape }) {
        Ok(keep) => files.iter().zip(keep).filter(|(_, keep)| *keep).map(|(file, _)| Arc::clone(file)).collect(),
        Err(_) => files.to_vec(),
    }
}

/// The log's ranges in the types of `shape`, a file a row.
struct FileStatistics<'a> {
    files: &'a [Arc<FileEntry>],
    stored: &'a SchemaRef,
    shape: &'a SchemaRef,
}

impl FileStatistics<'_> {
    fn bounds(&self, column: &Column, bound: impl Fn(&ColumnRange) -> &Option<ScalarValue>) -> Option<ArrayRef> {
        let index = self.shape.index_of(&column.name).ok()?;
        let data_type = self.shape.field(index).data_type();
        let unknown = ScalarValue::try_from(data_type).ok()?;
        let value = |file: &Arc<FileEntry>| {
            let value = file.range(self.stored, &column.name).and_then(|range| bound(range).clone());
            value.and_then(|value| seen_as(value, data_type)).unwrap_or_else(|| unknown.clone())
        };
        ScalarValue::iter_to_array(self.files.iter().map(value)).ok()
    }
}

/// A stored value in the type of a session: the same instant in its zone, the same text as a view.
pub fn seen_as(value: ScalarValue, data_type: &DataType) -> Option<ScalarValue> {
    if value.data_type() == *data_type { Some(value) } else { value.cast_to(data_type).ok() }
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |range| &range.min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |range| &range.max)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let count = |file: &Arc<FileEntry>| file.range(self.stored, &column.name).and_then(|range| range.null_count);
        let counts = self.files.iter().map(count);
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter_values(self.files.iter().map(|file| file.rows))))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
