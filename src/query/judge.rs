//! Which plans a session may run: reads, and nothing else. Everything that writes has its own path.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::calls::calls;
use super::failure::failure;
use crate::access::Pseudonym;
use crate::error::{Error, Reason, Result};

/// Refuses a plan that holds anything but reads, in its sub-queries too, or asks for a pseudonym: whoever could ask for
/// those of values of his own would find the people behind the tokens.
pub fn judge(plan: &LogicalPlan) -> Result<()> {
    judge_mask(plan)?;
    if calls(plan, Pseudonym::NAME).map_err(failure)? {
        return Err(Pseudonym::refusal().into());
    }
    Ok(())
}

/// The same for a mask, which may show pseudonyms.
pub fn judge_mask(plan: &LogicalPlan) -> Result<()> {
    let mut refused = None;
    plan.apply_with_subqueries(|node| {
        refused = refusal(node);
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })
    .map_err(failure)?;
    match refused {
        Some(what) => Err(Error::new(Reason::Unsupported, format!("{what} is not supported"))),
        None => Ok(()),
    }
}

fn refusal(node: &LogicalPlan) -> Option<&'static str> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => None,
        LogicalPlan::Statement(_) => Some("this statement within a query"),
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => Some("EXPLAIN within a query"),
        LogicalPlan::Extension(_) => Some("an extension of the planner"),
        LogicalPlan::Dml(_) => Some("changing rows by this statement"),
        LogicalPlan::Ddl(_) => Some("this form of CREATE, ALTER or DROP"),
        LogicalPlan::Copy(_) => Some("COPY to a file"),
        LogicalPlan::DescribeTable(_) => Some("DESCRIBE"),
    }
}
