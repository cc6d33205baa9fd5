//! Which columns a statement names, asked of its plan before the optimizer leaves out what no answer needs.
//!
//! A column grant covers every column that is named, as in PostgreSQL: `count(*)` over a sub-query that names an ungranted
//! one is refused, although nobody would read it. What a scan reads is checked once more when it is made.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::{Distinct, Expr, Join, LogicalPlan, Subquery, TableScan};

use super::failure::failure;
use crate::access::SecuredTable;
use crate::error::Result;

/// Positions in a plan's output that the plan above it names.
type Named = BTreeSet<usize>;

/// An error unless the caller may read every column that the plan names.
pub fn require_columns(plan: &LogicalPlan) -> Result<()> {
    require(plan, &all(plan)).map_err(failure)
}

fn all(plan: &LogicalPlan) -> Named {
    (0..plan.schema().fields().len()).collect()
}

fn require(plan: &LogicalPlan, named: &Named) -> DfResult<()> {
    if let LogicalPlan::TableScan(scan) = plan {
        return require_of_scan(scan, named);
    }
    plan.apply_subqueries(|subquery| {
        require(subquery, &all(subquery))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    let own = references(plan)?;
    let inputs = plan.inputs();
    for (number, input) in inputs.iter().enumerate() {
        let mut wanted = passed_on(plan, number, named);
        let schema = input.schema();
        wanted.extend(own.iter().filter_map(|column| schema.maybe_index_of_column(column)));
        require(input, &wanted)?;
    }
    Ok(())
}

/// What the plan above names of one input through this node, beside what the node's own expressions name.
fn passed_on(plan: &LogicalPlan, input: usize, named: &Named) -> Named {
    match plan {
        // Their output is made of their own expressions.
        LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(Distinct::On(_)) => Named::new(),
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::RecursiveQuery(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => named.clone(),
        LogicalPlan::Window(window) => {
            let inputs = window.input.schema().fields().len();
            named.iter().copied().filter(|position| *position < inputs).collect()
        }
        LogicalPlan::Join(join) => of_join(join, input, named),
        other => other.inputs().get(input).map(|input| all(input)).unwrap_or_default(),
    }
}

fn of_join(join: &Join, input: usize, named: &Named) -> Named {
    let left = match join.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => join.left.schema().fields().len(),
        // Only one side's columns come out of it.
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => usize::MAX,
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => 0,
    };
    let sides = named.iter().copied();
    match input {
        0 => sides.filter(|position| *position < left).collect(),
        _ => sides.filter_map(|position| position.checked_sub(left)).collect(),
    }
}

/// The columns that a node's own expressions name, and those that its sub-queries take from its row.
fn references(plan: &LogicalPlan) -> DfResult<Vec<Column>> {
    let mut found = Vec::new();
    plan.apply_expressions(|expression| {
        expression.apply(|part| {
            match part {
                Expr::Column(column) => found.push(column.clone()),
                Expr::ScalarSubquery(subquery)
                | Expr::Exists(Exists { subquery, .. })
                | Expr::InSubquery(InSubquery { subquery, .. })
                | Expr::SetComparison(SetComparison { subquery, .. }) => found.extend(outer(subquery)),
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if let LogicalPlan::Join(join) = plan {
        found.extend(lateral(&join.right));
    }
    Ok(found)
}

/// What a lateral side takes from the other.
fn lateral(side: &LogicalPlan) -> Vec<Column> {
    match side {
        LogicalPlan::Subquery(subquery) => outer(subquery).collect(),
        LogicalPlan::SubqueryAlias(alias) => lateral(&alias.input),
        _ => Vec::new(),
    }
}

fn outer(subquery: &Subquery) -> impl Iterator<Item = Column> {
    subquery.outer_ref_columns.iter().filter_map(|expression| match expression {
        Expr::OuterReferenceColumn(_, column) => Some(column.clone()),
        _ => None,
    })
}

fn require_of_scan(scan: &TableScan, named: &Named) -> DfResult<()> {
    let provider = source_as_provider(&scan.source)?;
    let Some(table) = provider.downcast_ref::<SecuredTable>() else { return Ok(()) };
    let fields = scan.projected_schema.fields();
    table.require_columns(named.iter().filter_map(|position| fields.get(*position)).map(|field| field.name().as_str()))
}
