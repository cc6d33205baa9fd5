//! Merged identities read as their survivors: a column rewritten through a map above the scan.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

/// Rewrites a `BIGINT` column on read: a value in the map reads as what the map gives for it, others stay.
#[derive(Debug, Clone)]
pub struct Remap {
    pub column: String,
    pub survivors: Arc<HashMap<i64, i64>>,
}

impl Remap {
    /// All stored values that read as `value`: itself, unless it was merged away, and those merged into it.
    pub fn stored(&self, value: i64) -> Vec<i64> {
        let merged = self.survivors.iter().filter(|(_, survivor)| **survivor == value).map(|(merged, _)| *merged);
        let itself = (!self.survivors.contains_key(&value)).then_some(value);
        merged.chain(itself).collect()
    }
}

/// The rewriting as an expression over the scanned column.
#[derive(Debug, Clone)]
pub struct RemapExpr {
    pub input: Arc<dyn PhysicalExpr>,
    pub remap: Remap,
}

impl PartialEq for RemapExpr {
    fn eq(&self, other: &Self) -> bool {
        self.input.eq(&other.input) && Arc::ptr_eq(&self.remap.survivors, &other.remap.survivors)
    }
}

impl Eq for RemapExpr {}

impl Hash for RemapExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        Arc::as_ptr(&self.remap.survivors).hash(state);
    }
}

impl fmt::Display for RemapExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "survivor({})", self.input)
    }
}

impl PhysicalExpr for RemapExpr {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.input.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let survivor = |value: i64| self.remap.survivors.get(&value).copied().unwrap_or(value);
        match self.input.evaluate(batch)? {
            ColumnarValue::Scalar(ScalarValue::Int64(value)) => {
                Ok(ColumnarValue::Scalar(ScalarValue::Int64(value.map(survivor))))
            }
            ColumnarValue::Array(values) => match values.as_primitive_opt::<Int64Type>() {
                Some(values) => {
                    let mapped: Int64Array = values.unary(survivor);
                    Ok(ColumnarValue::Array(Arc::new(mapped)))
                }
                None => exec_err!("survivors are of type Int64, the column of type {}", values.data_type()),
            },
            ColumnarValue::Scalar(value) => exec_err!("survivors are of type Int64, the value is {value}"),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(Self { input, remap: self.remap.clone() })),
            None => Ok(self),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_is_found_under_all_its_stored_values_and_a_merged_one_under_none() {
        let remap = Remap { column: "one_id".into(), survivors: Arc::new(HashMap::from([(2, 1), (3, 1)])) };
        let mut stored = remap.stored(1);
        stored.sort_unstable();
        assert_eq!(stored, [1, 2, 3]);
        assert_eq!(remap.stored(2), [] as [i64; 0]);
        assert_eq!(remap.stored(9), [9]);
    }
}
