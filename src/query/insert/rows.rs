//! The rows of an INSERT as a plan that gives the table's columns, in order and in their types.
//!
//! VALUES are planned by the engine's own INSERT, which gives parameters the types of their columns. It takes every VALUES
//! within a SELECT for rows of the table, too, so a SELECT is planned by itself.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::assignment::Assignment;
use super::target::{Columns, Target};
use crate::catalog;
use crate::dataset::{Column as ContractColumn, Contract};
use crate::error::{Error, Reason, Result};
use crate::query::columns::require_columns;
use crate::query::failure::failure;
use crate::query::judge::judge;
use crate::query::names::TARGET;
use crate::query::session::Session;
use crate::query::viewpoint::Viewpoint;

impl Session {
    pub(super) async fn plan_rows(
        &self,
        insert: &ast::Insert,
        contract: &Contract,
        columns: Columns,
        target: Arc<Target>,
    ) -> Result<LogicalPlan> {
        let zone = self.time_zone();
        let assignment = Assignment { contract, zone: &zone };
        let source = match &insert.source {
            Some(source) => source.clone(),
            None => default_values(contract)?,
        };
        if !matches!(source.body.as_ref(), ast::SetExpr::Values(_)) {
            let plan = self.query_plan(&ast::Statement::Query(source)).await?;
            return assignment.assigned(assigned(plan, columns, target.as_ref())?, None);
        }
        let (statement, columns) = values(insert, source, columns, contract)?;
        let own = Viewpoint::of(self.principal().clone());
        let state = self.names().state_at(own.with_target(&contract.name, target))?;
        let planning = async move {
            let statement = DfStatement::Statement(Box::new(ast::Statement::Insert(statement)));
            state.statement_to_plan(statement).await.map_err(failure)
        };
        let plan = match self.lake().pool().run(planning).await? {
            LogicalPlan::Dml(plan) => assignment.assigned(plan.input.as_ref().clone(), Some(&columns))?,
            _ => return Err(Error::new(Reason::Internal, "an INSERT was planned as something else")),
        };
        judge(&plan)?;
        require_columns(&plan)?;
        Ok(plan)
    }
}

impl Session {
    /// An error where a DEFAULT does not give a value of its column: all of them are worked out once.
    pub(in crate::query) async fn prove_defaults(&self, contract: &Contract) -> Result<()> {
        let zone = self.time_zone();
        let target = Target::new(contract.schema(&zone), self.defaults_of(contract)?);
        let row = LogicalPlanBuilder::empty(true).build().map_err(failure)?;
        let plan = assigned(row, Columns::none(), &target)?;
        let plan = Assignment { contract, zone: &zone }.assigned(plan, None)?;
        self.physical(plan).await.map(|_| ())
    }
}

/// The columns of a query, each cast to that of the table which it goes into; the others get their defaults.
pub(in crate::query) fn assigned(plan: LogicalPlan, columns: Columns, target: &Target) -> Result<LogicalPlan> {
    let columns = columns.fitted(plan.schema().fields().len())?;
    let schema = target.schema();
    let mut outputs = Vec::with_capacity(schema.fields().len());
    for (position, field) in schema.fields().iter().enumerate() {
        let value = match columns.value_of(position) {
            Some(value) => output(&plan, value),
            None => match target.get_column_default(field.name()) {
                Some(default) => default.clone(),
                None => Expr::Literal(ScalarValue::Null, None),
            },
        };
        let value = value.cast_to(field.data_type(), plan.schema()).map_err(failure)?;
        outputs.push(value.alias(field.name()));
    }
    LogicalPlanBuilder::from(plan).project(outputs).and_then(LogicalPlanBuilder::build).map_err(failure)
}

/// A column of the query; where it is nothing but a literal, that literal, whose type the table's column decides.
fn output(plan: &LogicalPlan, position: usize) -> Expr {
    if let LogicalPlan::Projection(projection) = plan
        && let Some(Expr::Literal(value, metadata)) = projection.expr.get(position).map(|expr| expr.clone().unalias())
    {
        return Expr::Literal(value, metadata);
    }
    Expr::Column(Column::from(plan.schema().qualified_field(position)))
}

/// The statement as the engine plans it: onto the target's own name, all columns named, every DEFAULT written out. With it
/// the columns that its rows give.
fn values(
    insert: &ast::Insert,
    mut source: Box<ast::Query>,
    columns: Columns,
    contract: &Contract,
) -> Result<(ast::Insert, Columns)> {
    let ident = |name: &str| ast::Ident::with_quote('"', name);
    let ast::SetExpr::Values(values) = source.body.as_mut() else {
        return Err(Error::new(Reason::Internal, "the rows of an INSERT are no VALUES"));
    };
    let width = values.rows.first().map_or(0, |row| row.content.len());
    if values.rows.iter().any(|row| row.content.len() != width) {
        return Err(Error::new(Reason::Syntax, "VALUES lists must all be the same length"));
    }
    let columns = columns.fitted(width)?;
    for row in &mut values.rows {
        for (cell, column) in row.content.iter_mut().zip(columns.of(&contract.columns)) {
            write_default(cell, column)?;
        }
    }
    let named = columns.given(contract).into_iter();
    let named = named.map(|name| ast::ObjectName::from(vec![ident(name)])).collect();
    let mut query = ast::Statement::Query(source);
    catalog::rewrite(&mut query);
    let ast::Statement::Query(source) = query else {
        return Err(Error::new(Reason::Internal, "the rows of an INSERT are no query"));
    };
    let table = ast::TableObject::TableName(ast::ObjectName::from(vec![ident(TARGET), ident(&contract.name)]));
    Ok((ast::Insert { table, columns: named, source: Some(source), ..insert.clone() }, columns))
}

/// `VALUES (DEFAULT, ...)` for every column.
fn default_values(contract: &Contract) -> Result<Box<ast::Query>> {
    let text = format!("VALUES ({})", vec!["DEFAULT"; contract.columns.len()].join(", "));
    let failed = |_| Error::new(Reason::Internal, "DEFAULT VALUES does not parse");
    Parser::new(&PostgreSqlDialect {}).try_with_sql(&text).map_err(failed)?.parse_query().map_err(failed)
}

/// Puts the column's default in the place of the word DEFAULT.
fn write_default(cell: &mut ast::Expr, column: &ContractColumn) -> Result<()> {
    let is_default = match cell {
        ast::Expr::Identifier(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default"),
        _ => false,
    };
    if is_default {
        let text = column.default.as_deref().unwrap_or("NULL");
        let failed = |_| Error::new(Reason::Corrupt, format!("DEFAULT of column \"{}\" does not parse", column.name));
        *cell = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).map_err(failed)?.parse_expr().map_err(failed)?;
    }
    Ok(())
}
