//! The domain of a sub-query: what it takes from outside, as a table, and how that table is put beneath it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Projection, Sort, SubqueryAlias, Unnest,
};

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A name that no statement uses.
pub fn fresh(kind: &str) -> String {
    format!("__{kind}_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The columns that a sub-query takes from `outer`, and the plan that gives them.
#[derive(Debug)]
pub struct Domain {
    outer: LogicalPlan,
    pub columns: Vec<Column>,
}

/// A plan that no longer leans on its surroundings: beside its own columns it gives those of the domain.
#[derive(Debug)]
pub struct Free {
    pub plan: LogicalPlan,
    /// The domain's columns in `plan`, in the order of [`Domain::columns`].
    pub keys: Vec<Column>,
}

impl Domain {
    /// `None` where the sub-query takes something that `outer` does not give.
    pub fn of(subquery: &LogicalPlan, outer: &LogicalPlan) -> Result<Option<Self>> {
        let mut columns = Vec::new();
        collect_outer(subquery, &mut columns)?;
        let known = columns.iter().all(|column| outer.schema().has_column(column));
        Ok((known && !columns.is_empty()).then(|| Self { outer: outer.clone(), columns }))
    }

    /// Each combination of values once, under new names.
    fn table(&self) -> Result<Free> {
        let keys: Vec<Column> = self.columns.iter().map(|_| Column::new_unqualified(fresh("outer"))).collect();
        let named = self.columns.iter().zip(&keys).map(|(column, key)| Expr::Column(column.clone()).alias(&key.name));
        let plan =
            LogicalPlanBuilder::from(self.outer.clone()).project(named.collect::<Vec<_>>())?.distinct()?.build()?;
        Ok(Free { plan, keys })
    }

    /// Puts the domain beneath `plan`; `None` where a node on the way cannot carry it.
    pub fn free(&self, plan: &LogicalPlan) -> Result<Option<Free>> {
        if !leans(plan) {
            let table = self.table()?;
            let plan = LogicalPlanBuilder::from(table.plan).cross_join(plan.clone())?.build()?;
            return Ok(Some(Free { plan, keys: table.keys }));
        }
        match plan {
            LogicalPlan::Projection(node) => self.free_projection(node),
            LogicalPlan::Filter(node) => self.free_filter(node),
            LogicalPlan::Aggregate(node) => self.free_aggregate(node),
            LogicalPlan::Sort(node) if node.fetch.is_none() => self.free_sort(node),
            LogicalPlan::SubqueryAlias(node) => self.free_alias(node),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let Some(free) = self.free(input)? else { return Ok(None) };
                let plan = LogicalPlan::Distinct(Distinct::All(Arc::new(free.plan)));
                Ok(Some(Free { plan, keys: free.keys }))
            }
            LogicalPlan::Subquery(node) => self.free(&node.subquery),
            LogicalPlan::Unnest(node) => self.free_unnest(node),
            LogicalPlan::Join(node) => self.free_join(node),
            _ => Ok(None),
        }
    }

    fn free_projection(&self, node: &Projection) -> Result<Option<Free>> {
        let Some(free) = self.free(&node.input)? else { return Ok(None) };
        let mut exprs: Vec<Expr> = free.keys.iter().cloned().map(Expr::Column).collect();
        for expr in &node.expr {
            exprs.push(self.resolve_named(expr, &free.keys)?);
        }
        let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(free.plan))?);
        Ok(Some(Free { plan, keys: free.keys }))
    }

    fn free_filter(&self, node: &Filter) -> Result<Option<Free>> {
        let Some(free) = self.free(&node.input)? else { return Ok(None) };
        let predicate = self.resolve(node.predicate.clone(), &free.keys)?;
        let plan = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(free.plan))?);
        Ok(Some(Free { plan, keys: free.keys }))
    }

    fn free_aggregate(&self, node: &Aggregate) -> Result<Option<Free>> {
        let Some(free) = self.free(&node.input)? else { return Ok(None) };
        let mut groups: Vec<Expr> = free.keys.iter().cloned().map(Expr::Column).collect();
        for expr in &node.group_expr {
            if matches!(expr, Expr::GroupingSet(_)) {
                return Ok(None);
            }
            groups.push(self.resolve_named(expr, &free.keys)?);
        }
        let aggregates =
            node.aggr_expr.iter().map(|expr| self.resolve_named(expr, &free.keys)).collect::<Result<_>>()?;
        let plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(free.plan), groups, aggregates)?);
        Ok(Some(Free { plan, keys: free.keys }))
    }

    fn free_sort(&self, node: &Sort) -> Result<Option<Free>> {
        let Some(free) = self.free(&node.input)? else { return Ok(None) };
        let mut order = node.expr.clone();
        for item in &mut order {
            item.expr = self.resolve(item.expr.clone(), &free.keys)?;
        }
        let plan = LogicalPlan::Sort(Sort { expr: order, input: Arc::new(free.plan), fetch: None });
        Ok(Some(Free { plan, keys: free.keys }))
    }

    fn free_alias(&self, node: &SubqueryAlias) -> Result<Option<Free>> {
        let Some(free) = self.free(&node.input)? else { return Ok(None) };
        let keys = free.keys.iter().map(|key| Column::new(Some(node.alias.clone()), &key.name)).collect();
        let plan = LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(free.plan), node.alias.clone())?);
        Ok(Some(Free { plan, keys }))
    }

    fn free_unnest(&self, node: &Unnest) -> Result<Option<Free>> {
        let Some(free) = self.free(&node.input)? else { return Ok(None) };
        let plan = LogicalPlan::Unnest(node.clone()).with_new_exprs(Vec::new(), vec![free.plan])?;
        Ok(Some(Free { plan, keys: free.keys }))
    }

    fn free_join(&self, node: &Join) -> Result<Option<Free>> {
        let right_leans = leans(&node.right);
        let supported = match node.join_type {
            JoinType::Inner => true,
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => !right_leans,
            _ => false,
        };
        if !supported {
            return Ok(None);
        }
        let (left, right) = if right_leans && !leans(&node.left) && !condition_leans(node) {
            let Some(right) = self.free(&node.right)? else { return Ok(None) };
            (Free { plan: node.left.as_ref().clone(), keys: Vec::new() }, right)
        } else {
            let Some(left) = self.free(&node.left)? else { return Ok(None) };
            let right = if right_leans {
                let Some(right) = self.free(&node.right)? else { return Ok(None) };
                right
            } else {
                Free { plan: node.right.as_ref().clone(), keys: Vec::new() }
            };
            (left, right)
        };
        self.rejoin(node, left, right).map(Some)
    }

    /// The join of two freed sides, which must agree on the domain where both carry it.
    fn rejoin(&self, node: &Join, left: Free, right: Free) -> Result<Free> {
        let keys = if left.keys.is_empty() { right.keys.clone() } else { left.keys.clone() };
        let mut conditions = Vec::new();
        for (a, b) in &node.on {
            let (a, b) = (self.resolve(a.clone(), &keys)?, self.resolve(b.clone(), &keys)?);
            conditions.push(match node.null_equality {
                NullEquality::NullEqualsNothing => a.eq(b),
                NullEquality::NullEqualsNull => same(a, b),
            });
        }
        if let Some(filter) = &node.filter {
            conditions.push(self.resolve(filter.clone(), &keys)?);
        }
        if !left.keys.is_empty() {
            let pairs = left.keys.iter().zip(&right.keys);
            conditions.extend(pairs.map(|(a, b)| same(Expr::Column(a.clone()), Expr::Column(b.clone()))));
        }
        let join = LogicalPlanBuilder::from(left.plan).join_on(right.plan, node.join_type, conditions)?;
        Ok(Free { plan: join.build()?, keys })
    }

    /// What was taken from outside is taken from the domain.
    pub fn resolve(&self, expr: Expr, keys: &[Column]) -> Result<Expr> {
        let places: HashMap<&Column, &Column> = self.columns.iter().zip(keys).collect();
        let resolved = expr.transform(|expr| {
            let found = match &expr {
                Expr::OuterReferenceColumn(_, column) => places.get(column),
                _ => None,
            };
            Ok(match found {
                Some(key) => Transformed::yes(Expr::Column((*key).clone())),
                None => Transformed::no(expr),
            })
        })?;
        Ok(resolved.data)
    }

    /// The same, the expression keeping the name by which nodes above know it.
    fn resolve_named(&self, expr: &Expr, keys: &[Column]) -> Result<Expr> {
        if !expr.contains_outer() {
            return Ok(expr.clone());
        }
        let (relation, name) = expr.qualified_name();
        let resolved = self.resolve(expr.clone(), keys)?;
        if resolved.qualified_name() == (relation.clone(), name.clone()) {
            return Ok(resolved);
        }
        Ok(resolved.alias_qualified(relation, name))
    }
}

/// Equal, where NULL is equal to NULL.
pub fn same(a: Expr, b: Expr) -> Expr {
    datafusion::logical_expr::binary_expr(a, datafusion::logical_expr::Operator::IsNotDistinctFrom, b)
}

fn condition_leans(node: &Join) -> bool {
    let on = node.on.iter().any(|(a, b)| a.contains_outer() || b.contains_outer());
    on || node.filter.as_ref().is_some_and(Expr::contains_outer)
}

/// Whether the plan takes anything from outside, the sub-queries in its expressions left aside.
pub fn leans(plan: &LogicalPlan) -> bool {
    if let LogicalPlan::Subquery(node) = plan {
        return leans(&node.subquery);
    }
    plan.contains_outer_reference() || plan.inputs().into_iter().any(leans)
}

fn collect_outer(plan: &LogicalPlan, columns: &mut Vec<Column>) -> Result<()> {
    if let LogicalPlan::Subquery(node) = plan {
        return collect_outer(&node.subquery, columns);
    }
    for expr in plan.expressions() {
        expr.apply(|expr| {
            if let Expr::OuterReferenceColumn(_, column) = expr
                && !columns.contains(column)
            {
                columns.push(column.clone());
            }
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        })?;
    }
    plan.inputs().into_iter().try_for_each(|input| collect_outer(input, columns))
}
