//! The "now" that a dataset states: the clock, a day, or the newest event that the caller can see.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::failure::failure;
use super::names::Names;
use super::pool::Pool;
use super::session::instant;
use super::stoppable::Stoppable;
use crate::dataset::AsOf;
use crate::error::Result;

impl Names {
    /// The instant in microseconds since 1970 UTC; `None` where it is the newest event and the caller sees none.
    /// The newest event is the caller's own: that of hidden rows would tell of them.
    pub(super) async fn dataset_as_of(&self, context: &SessionContext, pool: &Pool, zone: &str) -> Result<Option<i64>> {
        let dataset = self.lake().dataset();
        match &dataset.as_of {
            AsOf::Now => Ok(Some(chrono::Utc::now().timestamp_micros())),
            AsOf::Day(day) => instant(&day.to_string(), zone).map(Some),
            AsOf::Latest => {
                let mut newest = None;
                for (table, column) in &dataset.as_of_columns {
                    newest = newest.max(latest(context, pool, table, column).await?);
                }
                Ok(newest)
            }
        }
    }
}

/// The newest value of a date or time column among the rows that the caller sees.
async fn latest(context: &SessionContext, pool: &Pool, table: &str, column: &str) -> Result<Option<i64>> {
    let sql = format!("SELECT max(\"{column}\") FROM public.\"{table}\"");
    let plan_context = context.clone();
    let planning = async move {
        let state = plan_context.state();
        let plan = state.create_logical_plan(&sql).await.map_err(failure)?;
        state.create_physical_plan(&plan).await.map_err(failure)
    };
    let plan = pool.run(planning).await?;
    let batches: Vec<RecordBatch> = pool
        .stream(&Stoppable::new(plan).map_err(failure)?, context.task_ctx())
        .try_collect()
        .await
        .map_err(failure)?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(None) };
    let zone = match batch.column(0).data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let micros = cast(batch.column(0), &DataType::Timestamp(TimeUnit::Microsecond, zone))
        .map_err(|error| failure(error.into()))?;
    Ok(micros.as_primitive::<TimestampMicrosecondType>().iter().next().flatten())
}
