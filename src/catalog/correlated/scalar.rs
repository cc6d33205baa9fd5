//! Sub-queries in the place of a value, and EXISTS in the place of one.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality, ScalarValue};
use datafusion::error::Result;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::expr_fn::{array_agg, count, first_value};
use datafusion::functions_nested::expr_fn::array_has;
use datafusion::logical_expr::expr::{AggregateFunction, Exists, InSubquery};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, LogicalPlan, LogicalPlanBuilder, Projection, SortExpr, Subquery, lit, when,
};

use super::domain::{Domain, Free, fresh, leans};
use super::native::is_native;
use super::single_value::single_value;
use super::unanswered::unanswered;

/// Makes joins of the sub-queries in a projection, a filter or an aggregate that the engine cannot.
pub fn decorrelate(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let exprs = node.expressions();
    let wants = |expr: &Expr| expr.exists(|expr| Ok(candidate(expr, &node)?.is_some())).unwrap_or(false);
    if !exprs.iter().any(wants) {
        return Ok(Transformed::no(node));
    }
    match &node {
        LogicalPlan::Projection(projection) => {
            let mut input = projection.input.as_ref().clone();
            let rewritten = replace_all(&exprs, &mut input, &node)?;
            Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(rewritten, Arc::new(input))?)))
        }
        LogicalPlan::Filter(filter) => {
            let mut input = filter.input.as_ref().clone();
            let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
            let predicate = replace(filter.predicate.clone(), &mut input, &node)?;
            let filtered = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?);
            Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(filtered))?)))
        }
        LogicalPlan::Aggregate(aggregate) => {
            let mut input = aggregate.input.as_ref().clone();
            let groups = replace_all(&aggregate.group_expr, &mut input, &node)?;
            let aggregates = replace_all(&aggregate.aggr_expr, &mut input, &node)?;
            Ok(Transformed::yes(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), groups, aggregates)?)))
        }
        _ => Ok(Transformed::no(node)),
    }
}

/// The same for each of a node's output expressions, which keep their names.
fn replace_all(exprs: &[Expr], input: &mut LogicalPlan, node: &LogicalPlan) -> Result<Vec<Expr>> {
    let mut rewritten = Vec::with_capacity(exprs.len());
    for expr in exprs {
        let (relation, name) = expr.qualified_name();
        let replaced = replace(expr.clone(), input, node)?;
        let renamed = replaced.qualified_name() != (relation.clone(), name.clone());
        rewritten.push(if renamed { replaced.alias_qualified(relation, name) } else { replaced });
    }
    Ok(rewritten)
}

/// The sub-query to be replaced, if the expression is one.
fn candidate<'a>(expr: &'a Expr, node: &LogicalPlan) -> Result<Option<&'a Subquery>> {
    Ok(match expr {
        Expr::ScalarSubquery(subquery) if leans(&subquery.subquery) && !is_native(&subquery.subquery)? => {
            Some(subquery)
        }
        // In a filter the engine makes a semi-join of it.
        Expr::Exists(Exists { subquery, .. }) | Expr::InSubquery(InSubquery { subquery, .. })
            if !matches!(node, LogicalPlan::Filter(_)) =>
        {
            Some(subquery)
        }
        _ => None,
    })
}

/// Puts each sub-query's result in its place and joins what gives it to `input`.
fn replace(expr: Expr, input: &mut LogicalPlan, node: &LogicalPlan) -> Result<Expr> {
    let replaced = expr.transform_down(|expr| {
        let Some(subquery) = candidate(&expr, node)? else { return Ok(Transformed::no(expr)) };
        let value = match &expr {
            Expr::Exists(exists) => existence(subquery, exists.negated, input)?,
            Expr::InSubquery(membership) => Some(contains(membership)?),
            _ => value(subquery, input)?,
        };
        Ok(match value {
            Some(value) => Transformed::yes(value),
            None => Transformed::no(expr),
        })
    })?;
    Ok(replaced.data)
}

/// The value of a sub-query for each row of `input`, which is joined to what gives it.
fn value(subquery: &Subquery, input: &mut LogicalPlan) -> Result<Option<Expr>> {
    let Some(domain) = Domain::of(&subquery.subquery, input)? else { return Ok(None) };
    if let Some((outputs, aggregate)) = aggregated(&subquery.subquery) {
        return aggregate_value(&domain, outputs, aggregate, input);
    }
    let (plan, pick) = picked(&subquery.subquery);
    let Some(free) = domain.free(plan)? else {
        let output = subquery.subquery.schema().fields().first().map(|field| field.data_type().clone());
        return Ok(output.map(unanswered));
    };
    // The domain's columns come first or anywhere; the value is the one that is not among them.
    let mut columns = free.plan.schema().columns().into_iter().filter(|column| !free.keys.contains(column));
    let (Some(column), None) = (columns.next(), columns.next()) else { return Ok(None) };
    let picked = match pick {
        Pick::Only => single_value(Expr::Column(column)),
        Pick::First(order) => {
            let resolve = |item: SortExpr| Ok(SortExpr { expr: domain.resolve(item.expr, &free.keys)?, ..item });
            let order = order.into_iter().map(resolve).collect::<Result<Vec<_>>>()?;
            first_value(Expr::Column(column), order)
        }
    };
    let columns = attach(&domain, free, vec![picked], input)?;
    Ok(columns.into_iter().next().map(Expr::Column))
}

/// Which of its rows gives the value of a sub-query.
enum Pick {
    /// The one that it has.
    Only,
    First(Vec<SortExpr>),
}

/// LIMIT 1 taken off, with the order by which it picks where that can be told beneath the projection.
fn picked(plan: &LogicalPlan) -> (&LogicalPlan, Pick) {
    let LogicalPlan::Limit(limit) = plan else { return (plan, Pick::Only) };
    let is_one =
        limit.skip.is_none() && matches!(limit.fetch.as_deref(), Some(Expr::Literal(ScalarValue::Int64(Some(1)), _)));
    if !is_one {
        return (plan, Pick::Only);
    }
    match limit.input.as_ref() {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() && !sort.expr.iter().any(|item| item.expr.contains_outer()) => {
            let outputs = sort.input.schema();
            let shown = |item: &SortExpr| item.expr.column_refs().iter().all(|column| outputs.has_column(column));
            if outputs.fields().len() == 1 && sort.expr.iter().all(shown) {
                return (&sort.input, Pick::First(sort.expr.clone()));
            }
            (plan, Pick::Only)
        }
        other => (other, Pick::First(Vec::new())),
    }
}

/// The one expression over an aggregate without groups, where the sub-query is that.
fn aggregated(plan: &LogicalPlan) -> Option<(Expr, &Aggregate)> {
    match plan {
        LogicalPlan::Projection(projection) => match (projection.expr.as_slice(), projection.input.as_ref()) {
            ([expr], LogicalPlan::Aggregate(aggregate)) if aggregate.group_expr.is_empty() => {
                Some((expr.clone().unalias(), aggregate))
            }
            _ => None,
        },
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
            aggregate.schema.columns().into_iter().next().map(|column| (Expr::Column(column), aggregate))
        }
        _ => None,
    }
}

/// The aggregates are joined; what is made of them is made outside, where a count of no rows is 0 and not NULL.
fn aggregate_value(
    domain: &Domain,
    output: Expr,
    aggregate: &Aggregate,
    input: &mut LogicalPlan,
) -> Result<Option<Expr>> {
    let Some(free) = domain.free(&aggregate.input)? else { return Ok(None) };
    let exprs = aggregate.aggr_expr.iter().map(|expr| domain.resolve(expr.clone(), &free.keys));
    let exprs = exprs.collect::<Result<_>>()?;
    let columns = attach(domain, free, exprs, input)?;
    let mut values = Vec::with_capacity(columns.len());
    for (column, expr) in columns.into_iter().zip(&aggregate.aggr_expr) {
        let value = Expr::Column(column);
        values.push(if is_count(expr) { when(value.clone().is_null(), lit(0_i64)).otherwise(value)? } else { value });
    }
    let names = aggregate.schema.columns();
    let replaced = output.transform_down(|expr| {
        let found = match &expr {
            Expr::Column(column) => names.iter().position(|name| name == column).and_then(|place| values.get(place)),
            Expr::OuterReferenceColumn(_, column) => return Ok(Transformed::yes(Expr::Column(column.clone()))),
            _ => None,
        };
        Ok(match found {
            Some(value) => {
                Transformed::new(value.clone(), true, datafusion::common::tree_node::TreeNodeRecursion::Jump)
            }
            None => Transformed::no(expr),
        })
    })?;
    Ok(Some(replaced.data))
}

fn is_count(expr: &Expr) -> bool {
    matches!(expr.clone().unalias(), Expr::AggregateFunction(AggregateFunction { func, .. }) if func == count_udaf())
}

/// Whether the sub-query has a row, for each row of `input`.
fn existence(subquery: &Subquery, negated: bool, input: &mut LogicalPlan) -> Result<Option<Expr>> {
    if !leans(&subquery.subquery) {
        return constant_existence(subquery, negated).map(Some);
    }
    let Some(domain) = Domain::of(&subquery.subquery, input)? else { return Ok(None) };
    let Some(free) = domain.free(&subquery.subquery)? else { return Ok(None) };
    let columns = attach(&domain, free, vec![count(lit(1_i64))], input)?;
    let Some(column) = columns.into_iter().next() else { return Ok(None) };
    let missing = Expr::Column(column).is_null();
    Ok(Some(if negated { missing } else { Expr::Not(Box::new(missing)) }))
}

/// The same for a sub-query that takes nothing from outside: whether it counts a first row.
fn constant_existence(subquery: &Subquery, negated: bool) -> Result<Expr> {
    let first = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).limit(0, Some(1))?;
    let counted = first.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?.build()?;
    let counted = Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(counted),
        outer_ref_columns: Vec::new(),
        spans: subquery.spans.clone(),
    });
    Ok(if negated { counted.eq(lit(0_i64)) } else { counted.gt(lit(0_i64)) })
}

/// Whether the value is among those of the sub-query, gathered in an array; NULL where SQL does not know.
fn contains(membership: &InSubquery) -> Result<Expr> {
    let plan = || LogicalPlanBuilder::from(membership.subquery.subquery.as_ref().clone());
    let scalar =
        |plan: LogicalPlan| Expr::ScalarSubquery(Subquery { subquery: Arc::new(plan), ..membership.subquery.clone() });
    let columns = membership.subquery.subquery.schema().columns();
    let Some(item) = columns.into_iter().next().map(Expr::Column) else { return Ok(lit(false)) };
    let gathered = scalar(plan().aggregate(Vec::<Expr>::new(), vec![array_agg(item.clone())])?.build()?);
    let nulls = plan().filter(item.is_null())?.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?.build()?;
    let (value, unknown) = (membership.expr.as_ref().clone(), lit(ScalarValue::Boolean(None)));
    let found = when(gathered.clone().is_null(), lit(false))
        .when(value.clone().is_null(), unknown.clone())
        .when(array_has(gathered, value), lit(true))
        .when(scalar(nulls).gt(lit(0_i64)), unknown)
        .otherwise(lit(false))?;
    Ok(if membership.negated { Expr::Not(Box::new(found)) } else { found })
}

/// Groups the freed plan by the domain and joins it to `input`; gives the columns that hold the aggregates.
fn attach(domain: &Domain, free: Free, aggregates: Vec<Expr>, input: &mut LogicalPlan) -> Result<Vec<Column>> {
    let groups: Vec<Expr> = free.keys.iter().cloned().map(Expr::Column).collect();
    let grouped = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(free.plan), groups, aggregates)?);
    let name = |_| Column::new_unqualified(fresh("value"));
    let columns = grouped.schema().columns();
    let (keys, values) = columns.split_at(free.keys.len());
    let key_names: Vec<Column> = keys.iter().map(|_| Column::new_unqualified(fresh("key"))).collect();
    let value_names: Vec<Column> = values.iter().map(name).collect();
    let named = columns
        .iter()
        .zip(key_names.iter().chain(&value_names))
        .map(|(column, name)| Expr::Column(column.clone()).alias(&name.name))
        .collect();
    let right = LogicalPlan::Projection(Projection::try_new(named, Arc::new(grouped))?);
    let joined = LogicalPlanBuilder::from(input.clone()).join_detailed(
        right,
        JoinType::Left,
        (domain.columns.clone(), key_names),
        None,
        NullEquality::NullEqualsNull,
    )?;
    *input = joined.build()?;
    Ok(value_names)
}
