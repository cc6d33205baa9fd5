//! EXPLAIN as PostgreSQL lays it out: one column, `QUERY PLAN`, a line a node.

use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt;

use super::failure::failure;
use crate::access::SecureScanExec;
use crate::error::{Error, Reason, Result};

/// What was asked of EXPLAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analyze {
    /// Show the plan.
    Plan,
    /// Run it, and show what each node did.
    Run,
}

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("QUERY PLAN", DataType::Utf8, false)]))
}

/// What EXPLAIN ANALYZE tells above a wall. How many batches and bytes pass through a plan follows how the visible rows lie
/// among the hidden ones.
const TOLD_ABOVE_A_WALL: [&str; 2] = ["output_rows", "elapsed_compute"];

/// The lines of a plan. File names are left out: they tell of the machine, and nothing of the query.
pub fn lines(plan: &Arc<dyn ExecutionPlan>, analyze: Analyze) -> Result<RecordBatch> {
    let shown = match analyze {
        Analyze::Plan => DisplayableExecutionPlan::new(plan.as_ref()),
        Analyze::Run if holds_wall(plan) => DisplayableExecutionPlan::with_metrics(plan.as_ref())
            .set_metric_names(TOLD_ABOVE_A_WALL.map(str::to_owned).to_vec()),
        Analyze::Run => DisplayableExecutionPlan::with_metrics(plan.as_ref()),
    };
    let text = shown.indent(false).to_string();
    let mut lines: Vec<String> = text.lines().map(without_files).collect();
    if !reads(plan.as_ref()) {
        lines.push(NOTHING_READ.to_owned());
    }
    RecordBatch::try_new(schema(), vec![Arc::new(StringArray::from(lines))])
        .map_err(|error| Error::of(Reason::Internal, error))
}

/// Says of an answer that statistics or the statement alone give where it comes from.
const NOTHING_READ: &str = "The plan reads no table: what it gives is known.";

/// Whether rows come from somewhere.
fn reads(plan: &dyn ExecutionPlan) -> bool {
    let children = plan.children();
    match children.as_slice() {
        [] => !["PlaceholderRowExec", "EmptyExec"].contains(&plan.name()),
        children => children.iter().any(|child| reads(child.as_ref())),
    }
}

/// Reads a stream to its end and keeps nothing; gives the number of rows.
pub async fn drain(mut stream: SendableRecordBatchStream) -> Result<usize> {
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        rows += batch.map_err(failure)?.num_rows();
    }
    Ok(rows)
}

pub(super) fn holds_wall(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<SecureScanExec>() || plan.children().into_iter().any(holds_wall)
}

fn without_files(line: &str) -> String {
    let Some(start) = line.find("file_groups={") else { return line.to_owned() };
    let Some(groups) = line[start..].find(": [").map(|offset| start + offset) else { return line.to_owned() };
    match line[groups..].find("]}") {
        Some(end) => format!("{}{}", &line[..groups], &line[groups + end + 1..]),
        None => line[..groups].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_left_out_of_a_plan() {
        let line = "  DataSourceExec: file_groups={2 groups: [[a/b.parquet:0..10], [c.parquet]]}, projection=[x]";
        assert_eq!(without_files(line), "  DataSourceExec: file_groups={2 groups}, projection=[x]");
    }
}
