//! The engine's `range` as a column, bounded: the engine makes each list whole before the first row leaves it.
//! `generate_series` has a bound of its own (`functions/series.rs`).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::{exec_datafusion_err, plan_datafusion_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use datafusion::prelude::SessionContext;

use crate::error::{Error, Reason};

/// Values of one batch: 80 MB.
const VALUES_MAX: u64 = 10_000_000;

const DAY_NS: i64 = 86_400_000_000_000;

/// Puts the bound before the function of a context.
pub fn bound(context: &SessionContext) -> Result<()> {
    let inner = context.udf("range")?;
    context.register_udf(ScalarUDF::new_from_impl(BoundedSeries { inner }));
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BoundedSeries {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for BoundedSeries {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !args.args.iter().any(|arg| arg.data_type().is_null()) {
            let rows =
                if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) { 1 } else { args.number_rows };
            let columns: Vec<ArrayRef> = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<_>>()?;
            if values(&columns, rows)? > VALUES_MAX {
                return Err(too_many(self.name()));
            }
        }
        self.inner.invoke_with_args(args)
    }
}

/// How many values the lists of a batch have together, or somewhat more.
fn values(columns: &[ArrayRef], rows: usize) -> Result<u64> {
    let (start, stop, step) = match columns {
        [stop] => (None, stop, None),
        [start, stop] => (Some(start), stop, None),
        [start, stop, step] => (Some(start), stop, Some(step)),
        _ => return Err(plan_datafusion_err!("a series has one to three arguments")),
    };
    let start = start.map(numbers).transpose()?;
    let stop = numbers(stop)?;
    let step = step.map(steps).transpose()?;
    let at = |column: &Option<ArrayRef>, absent: i64, row: usize| match column {
        Some(column) => column.is_valid(row).then(|| column.as_primitive::<Int64Type>().value(row)),
        None => Some(absent),
    };
    let stop = Some(stop);
    let mut total = 0_u64;
    for row in 0..rows {
        if let (Some(start), Some(stop), Some(step)) = (at(&start, 0, row), at(&stop, 0, row), at(&step, 1, row)) {
            let is_empty = if step < 0 { stop > start } else { start > stop };
            if !is_empty {
                let steps = stop.abs_diff(start) / step.unsigned_abs().max(1);
                total = total.saturating_add(steps).saturating_add(1);
            }
        }
    }
    Ok(total)
}

/// A bound as a number: an integer, or nanoseconds.
fn numbers(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Int64 => Ok(Arc::clone(column)),
        _ => {
            let instants = cast(column, &DataType::Timestamp(TimeUnit::Nanosecond, None))?;
            Ok(cast(&instants, &DataType::Int64)?)
        }
    }
}

/// A step as a number, an interval as the fewest nanoseconds that it can be.
fn steps(column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type() == &DataType::Int64 {
        return Ok(Arc::clone(column));
    }
    let intervals = cast(column, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = intervals
        .as_primitive_opt::<IntervalMonthDayNanoType>()
        .ok_or_else(|| exec_datafusion_err!("the step of a series must be an interval"))?;
    let nanoseconds = intervals.unary::<_, Int64Type>(|IntervalMonthDayNano { months, days, nanoseconds }| {
        let days = i64::from(months).saturating_mul(28).saturating_add(i64::from(days));
        days.saturating_mul(DAY_NS).saturating_add(nanoseconds)
    });
    Ok(Arc::new(nanoseconds))
}

fn too_many(name: &str) -> DataFusionError {
    let text = format!("{name} would give more than {VALUES_MAX} values at once");
    let error = Error::new(Reason::LimitExceeded, text).with_hint("in FROM, with constant bounds, it streams its rows");
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    async fn outcome(sql: &str) -> Result<usize, String> {
        let context = SessionContext::new();
        bound(&context).unwrap();
        let batches = async { context.sql(sql).await?.collect().await };
        batches
            .await
            .map(|batches| batches.iter().map(|batch| batch.num_rows()).sum())
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_short_series_is_as_it_was() {
        for (sql, rows) in [
            ("SELECT unnest(range(1, 11, 3))", 4),
            ("SELECT unnest(range(10, 0, -1))", 10),
            ("SELECT unnest(range(5, 1))", 0),
            ("SELECT unnest(range(3))", 3),
            ("SELECT unnest(range(DATE '2024-01-01', DATE '2024-03-02', INTERVAL '1 month'))", 2),
            ("SELECT unnest(range(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-02', INTERVAL '6 hours'))", 4),
            ("SELECT unnest(range(1, NULL))", 0),
        ] {
            assert_eq!(outcome(sql).await, Ok(rows), "{sql}");
        }
    }

    #[tokio::test]
    async fn a_series_that_would_fill_the_memory_is_refused() {
        for sql in [
            "SELECT range(9000000000)",
            "SELECT range(-9223372036854775808, 9223372036854775807)",
            "SELECT range(n, n + 5000) FROM (SELECT unnest(range(4000)) AS n)",
            "SELECT range(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-02', INTERVAL '1 microsecond')",
        ] {
            let refused = outcome(sql).await.unwrap_err();
            assert!(refused.contains("more than 10000000 values"), "{sql}: {refused}");
        }
    }
}
