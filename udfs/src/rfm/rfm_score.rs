//! `rfm_score`: a score from 1 to n by rank within the partition.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Int32Array, PrimitiveArray, RecordBatch, make_comparator,
};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float32Type, Float64Type, Int64Type, Schema};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{ColumnarValue, Documentation, PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use crate::constants::{quoted, text};
use crate::documents::{Entry, RFM};

const NAME: &str = "rfm_score";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RFM,
        description: "Score of a value among the rows of its partition, INT from 1 (worst) to n (best). \
            'ntile' cuts the rows, worst first, into n parts as equal as possible, the first parts one row larger; \
            rows of equal value are taken in the row order of the OVER clause, so they may score differently. \
            'percentile' gives 1 + floor(n * rows that are worse / rows), so equal values share a score. \
            The whole partition counts, whatever its frame. A NULL (or NaN) value scores NULL and is not counted. \
            Source: NTILE of SQL:2003; the percentile form follows the cumulative share of worse rows.",
        syntax: "rfm_score(value anyelement, n integer, ascending boolean, method text) OVER ([PARTITION BY ...] ORDER BY key) -> integer",
        arguments: &[
            ("value", "What is scored: number, decimal, date, timestamp or text."),
            ("n", "Constant number of scores, 1 or more, usually 5."),
            ("ascending", "Constant: true when a larger value gets the larger score, false (for recency) when a smaller one does."),
            ("method", "Constant 'ntile' or 'percentile'."),
        ],
        example: "SELECT one_id, rfm_score(recency_days, 5, false, 'ntile') OVER (ORDER BY one_id) AS r FROM rfm_of_customers",
        related: &["rfm", "rfm_segment"],
    }
    .build()
});

/// The window function `rfm_score(value, n, ascending, method)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RfmScore {
    signature: Signature,
}

impl Default for RfmScore {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl WindowUDFImpl for RfmScore {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, n, ascending, method] = take_function_args(NAME, types)?;
        if value.is_nested() {
            return plan_err!("{NAME}: value must have an order, got {value}");
        }
        Ok(vec![value.clone(), n.clone(), ascending.clone(), method.clone()])
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Scorer {
            scores: scores(&constant(&args, 1, "n")?)?,
            order: order(&constant(&args, 2, "ascending")?)?,
            method: method(&constant(&args, 3, "method")?)?,
        }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int32, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

fn constant(args: &PartitionEvaluatorArgs, index: usize, argument: &str) -> Result<ScalarValue> {
    let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
    match args.input_exprs().get(index).map(|expr| expr.evaluate(&no_rows)) {
        Some(Ok(ColumnarValue::Scalar(value))) => Ok(value),
        _ => exec_err!("{NAME}: {argument} must be a constant"),
    }
}

fn scores(value: &ScalarValue) -> Result<u64> {
    match value.cast_to(&DataType::Int32) {
        Ok(ScalarValue::Int32(Some(n))) if n >= 1 && value.data_type().is_integer() => Ok(n as u64),
        _ => exec_err!("{NAME}: n must be 1 or more, got {}", quoted(value)),
    }
}

fn order(value: &ScalarValue) -> Result<SortOptions> {
    match value {
        ScalarValue::Boolean(Some(ascending)) => Ok(SortOptions { descending: !ascending, nulls_first: false }),
        other => exec_err!("{NAME}: ascending must be true or false, got {}", quoted(other)),
    }
}

fn method(value: &ScalarValue) -> Result<Method> {
    let rule = "'ntile' or 'percentile'";
    match text(value, NAME, "method", rule)?.as_str() {
        "ntile" => Ok(Method::Ntile),
        "percentile" => Ok(Method::Percentile),
        other => exec_err!("{NAME}: method must be {rule}, got {other:?}"),
    }
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Ntile,
    Percentile,
}

#[derive(Debug)]
struct Scorer {
    scores: u64,
    order: SortOptions,
    method: Method,
}

impl PartitionEvaluator for Scorer {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let Some(values) = values.first() else {
            return exec_err!("{NAME}: value is missing");
        };
        let compare = make_comparator(values, values, self.order)?;
        let worst_first = self.worst_first(values, num_rows)?;
        let rows = worst_first.len() as u64;
        let mut scored: Vec<Option<i32>> = vec![None; num_rows];
        let mut worse = 0;
        for (position, row) in worst_first.iter().enumerate() {
            let score = match self.method {
                Method::Ntile => ntile(position as u64, rows, self.scores),
                Method::Percentile => {
                    if position > 0 && compare(worst_first[position - 1], *row) != Ordering::Equal {
                        worse = position as u64;
                    }
                    1 + self.scores * worse / rows
                }
            };
            scored[*row] = i32::try_from(score).ok();
        }
        Ok(Arc::new(Int32Array::from(scored)))
    }
}

impl Scorer {
    /// The rows that have a rank, worst first, of equal ones the first; those of one n-tile in any order.
    fn worst_first(&self, values: &ArrayRef, num_rows: usize) -> Result<Vec<usize>> {
        let ranked = (0..num_rows).filter(|row| has_rank(values, *row));
        match values.data_type() {
            DataType::Decimal128(_, _) => Ok(self.sorted(values.as_primitive::<Decimal128Type>(), ranked)),
            // What fits into 64 bits with a sign.
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => self.sorted_as_int(values, ranked),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => self.sorted_as_int(values, ranked),
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) => self.sorted_as_int(values, ranked),
            _ => {
                let compare = make_comparator(values, values, self.order)?;
                let mut rows: Vec<usize> = ranked.collect();
                self.arrange(&mut rows, &|one, two| compare(*one, *two).then(one.cmp(two)));
                Ok(rows)
            }
        }
    }

    fn arrange<T>(&self, rows: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
        let count = rows.len() as u64;
        match self.method {
            Method::Ntile if count > self.scores => {
                let tiles = Tiles { size: count / self.scores, larger: count % self.scores };
                tiles.cut(rows, 0..self.scores, compare);
            }
            Method::Ntile | Method::Percentile => rows.sort_unstable_by(compare),
        }
    }

    fn sorted_as_int(&self, values: &ArrayRef, rows: impl Iterator<Item = usize>) -> Result<Vec<usize>> {
        let ints = cast(values, &DataType::Int64)?;
        Ok(self.sorted(ints.as_primitive::<Int64Type>(), rows))
    }

    /// Sorts keys beside their rows: a comparison that goes to the column for each of both misses the cache.
    fn sorted<T: ArrowPrimitiveType>(&self, values: &PrimitiveArray<T>, rows: impl Iterator<Item = usize>) -> Vec<usize>
    where
        T::Native: Ord,
    {
        let mut keyed: Vec<(T::Native, usize)> = rows.map(|row| (values.value(row), row)).collect();
        if self.order.descending {
            self.arrange(&mut keyed, &|(one, first), (two, second)| two.cmp(one).then(first.cmp(second)));
        } else {
            self.arrange(&mut keyed, &|one, two| one.cmp(two));
        }
        keyed.into_iter().map(|(_, row)| row).collect()
    }
}

/// Rows cut into parts as even as can be, the larger ones first; there are no more parts than rows.
#[derive(Debug, Clone, Copy)]
struct Tiles {
    size: u64,
    larger: u64,
}

impl Tiles {
    fn start(self, part: u64) -> u64 {
        part * self.size + part.min(self.larger)
    }

    /// Brings each row into its part. `rows` are those of `parts`; what order they have within one is left open.
    fn cut<T>(self, rows: &mut [T], parts: Range<u64>, compare: &impl Fn(&T, &T) -> Ordering) {
        if parts.end - parts.start < 2 {
            return;
        }
        let middle = parts.start.midpoint(parts.end);
        let before = (self.start(middle) - self.start(parts.start)) as usize;
        rows.select_nth_unstable_by(before, compare);
        let (lower, upper) = rows.split_at_mut(before);
        self.cut(lower, parts.start..middle, compare);
        self.cut(upper, middle..parts.end, compare);
    }
}

/// The 1-based part of the row at `position` when `rows` rows are cut into `parts`.
fn ntile(position: u64, rows: u64, parts: u64) -> u64 {
    let (size, larger) = (rows / parts, rows % parts);
    let in_larger = larger * (size + 1);
    if position < in_larger { position / (size + 1) + 1 } else { larger + (position - in_larger) / size.max(1) + 1 }
}

/// NULL and NaN have no rank.
fn has_rank(values: &ArrayRef, row: usize) -> bool {
    values.is_valid(row)
        && match values.data_type() {
            DataType::Float64 => !values.as_primitive::<Float64Type>().value(row).is_nan(),
            DataType::Float32 => !values.as_primitive::<Float32Type>().value(row).is_nan(),
            _ => true,
        }
}
