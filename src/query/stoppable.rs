//! A plan that ends when its statement does.
//!
//! Dropping a stream ends its tasks at their next await. A join can turn one batch of its input into millions of batches
//! without one: nobody would get the threads back. So each join gives way after some batches of its output, and a join
//! that tests every pair looks whether anybody waits for its rows before it tests the next.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::unnest::UnnestExec;

/// A plan, and the way to stop it.
pub struct Stoppable {
    pub plan: Arc<dyn ExecutionPlan>,
    stop: Arc<AtomicBool>,
}

/// Stops its plan when it is dropped.
pub struct StopOnDrop(Arc<AtomicBool>);

impl Stoppable {
    pub fn new(plan: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let stop = Arc::default();
        let plan = plan.transform_up(|node| {
            if node.children().len() < 2 && !node.is::<UnnestExec>() {
                return Ok(Transformed::no(node));
            }
            let node = match node.downcast_ref::<NestedLoopJoinExec>() {
                Some(join) => testing(join, &stop)?,
                None => node,
            };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
        })?;
        Ok(Self { plan: plan.data, stop })
    }

    /// To be held for as long as anybody waits for its rows.
    pub fn stop_on_drop(&self) -> StopOnDrop {
        StopOnDrop(Arc::clone(&self.stop))
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The join with a condition that fails once it is stopped.
fn testing(join: &NestedLoopJoinExec, stop: &Arc<AtomicBool>) -> Result<Arc<dyn ExecutionPlan>> {
    let filter = join.filter().map(|filter| {
        let tested = Tested { inner: Arc::clone(filter.expression()), stop: Arc::clone(stop) };
        JoinFilter::new(Arc::new(tested), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    });
    let projection = join.projection().as_ref().map(|columns| columns.to_vec());
    let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
    Ok(Arc::new(NestedLoopJoinExec::try_new(left, right, filter, join.join_type(), projection)?))
}

/// A condition that is what it was until the plan is stopped.
#[derive(Debug)]
struct Tested {
    inner: Arc<dyn PhysicalExpr>,
    stop: Arc<AtomicBool>,
}

impl PartialEq for Tested {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner) && Arc::ptr_eq(&self.stop, &other.stop)
    }
}

impl Eq for Tested {}

impl Hash for Tested {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Tested {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(DataFusionError::Execution("the statement has ended".to_owned()));
        }
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self { inner, stop: Arc::clone(&self.stop) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::time::Duration;

    use datafusion::prelude::SessionContext;
    use futures::StreamExt;

    use super::super::pool::Pool;
    use super::*;

    /// A pool of one thread is free again soon after a statement was given up, whatever that was doing.
    #[tokio::test]
    async fn a_plan_that_nobody_waits_for_gives_its_thread_back() {
        let pool = Pool::new(1).unwrap();
        let context = SessionContext::new();
        let many = "generate_series(1, 30000)";
        for sql in [
            format!(
                "SELECT count(*) FROM {many} AS a CROSS JOIN {many} AS b CROSS JOIN {many} AS c WHERE sin(a.value + b.value) > 2"
            ),
            format!(
                "SELECT sum(sin(a.value + b.value)) FROM {many} AS a CROSS JOIN {many} AS b CROSS JOIN {many} AS c"
            ),
            format!(
                "SELECT count(*) FROM {many} AS a JOIN {many} AS b ON a.value % 2 = b.value % 2 JOIN {many} AS c ON a.value % 2 = c.value % 2"
            ),
            "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t".to_owned(),
        ] {
            let plan = context.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
            let mut stream = pool.stream(&Stoppable::new(plan).unwrap(), context.task_ctx());
            let early = tokio::time::timeout(Duration::from_millis(300), stream.next()).await;
            assert!(early.is_err(), "{sql} ended by itself");
            drop(stream);
            let free = tokio::time::timeout(Duration::from_secs(20), pool.run(async { Ok(()) })).await;
            assert!(free.is_ok(), "{sql} goes on");
        }
    }
}
