//! INSERT: planned by the engine, held against policies and contract, one durable commit a statement.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session as EngineSession, TableProvider};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::answer::Answer;
use super::assignment::rounded;
use super::failure::failure;
use super::incoming;
use super::judge::judge;
use super::names::TARGET;
use super::session::{Session, bind};
use super::viewpoint::Viewpoint;
use crate::access::SecuredTable;
use crate::access::statement::names::{folded, relation_name};
use crate::catalog;
use crate::catalog::inventory::{Body, Origin, Relation};
use crate::dataset::Contract;
use crate::error::{Error, Reason, Result};

/// An INSERT whose rows are planned.
pub(super) struct InsertPlan {
    /// Gives the table's columns, in order.
    pub rows: LogicalPlan,
    relation: Arc<Relation>,
    contract: Arc<Contract>,
    table: SecuredTable,
}

impl Session {
    /// Plans the rows of an INSERT, once the session is known to have the right to it.
    pub(super) async fn plan_insert(&self, insert: &ast::Insert) -> Result<InsertPlan> {
        let ast::TableObject::TableName(name) = &insert.table else {
            return Err(Error::new(Reason::Unsupported, "INSERT into a function is not supported"));
        };
        let relation = self.insert_target(name)?;
        let own = Viewpoint::of(self.principal().clone());
        let contract = match &relation.body {
            Body::Table(contract) | Body::Virtual(contract) => contract,
            Body::View { .. } => {
                let text = format!("cannot insert into view \"{}\"", relation.name);
                return Err(Error::new(Reason::WrongKind, text));
            }
        };
        let target = Arc::new(Target::new(contract.schema(&self.time_zone()), self.defaults_of(contract)?));
        let table = self.names().secured(&own, relation.id(), Arc::clone(&target) as Arc<dyn TableProvider>);
        table.require_insert(&columns_given(insert, contract))?;
        refuse_founded(&relation)?;
        refuse_other_clauses(insert)?;
        let statement = canonical(insert, contract)?;
        let state = self.names().state_at(own.with_target(&relation.name, target))?;
        let planning = async move {
            let statement = DfStatement::Statement(Box::new(ast::Statement::Insert(statement)));
            state.statement_to_plan(statement).await.map_err(failure)
        };
        let rows = match self.lake().pool().run(planning).await? {
            LogicalPlan::Dml(plan) => rounded(plan.input.as_ref().clone()).map_err(failure)?,
            _ => return Err(Error::new(Reason::Internal, "an INSERT was planned as something else")),
        };
        judge(&rows)?;
        Ok(InsertPlan { rows, contract: Arc::new(contract.clone()), table, relation: Arc::clone(&relation) })
    }

    pub(super) async fn insert(&self, insert: &ast::Insert, values: Vec<ScalarValue>) -> Result<Answer> {
        self.refuse_writes_here("INSERT")?;
        let InsertPlan { rows, relation, contract, table } = self.plan_insert(insert).await?;
        let physical = self.physical(bind(rows, values)?).await?;
        let rows = incoming::admitted(self, &table, physical).await?;
        let commit = incoming::write(self, rows, contract, &relation.folder).await?;
        Ok(Answer::Done { tag: format!("INSERT 0 {}", commit.rows_added) })
    }

    fn insert_target(&self, name: &ast::ObjectName) -> Result<Arc<Relation>> {
        let given = relation_name(name).map_err(|error| Error::new(Reason::Syntax, error.to_string()))?;
        let missing = || Error::new(Reason::UndefinedTable, format!("relation \"{name}\" does not exist"));
        let id = self.names().locate(given.schema.as_deref(), &given.name).ok_or_else(missing)?;
        let denied = || Error::new(Reason::Privilege, format!("permission denied for table {}", id.table));
        // What is located and not known is a relation of the system.
        self.names().known(&id.schema, &id.table).ok_or_else(denied)
    }

    /// The DEFAULT of each column that has one, as the engine evaluates it.
    pub(super) fn defaults_of(&self, contract: &Contract) -> Result<HashMap<String, Expr>> {
        let state = self.context().state();
        let mut defaults = HashMap::new();
        for column in &contract.columns {
            let Some(text) = &column.default else { continue };
            let refused = |error| {
                let error = failure(error);
                Error::new(error.reason(), format!("DEFAULT of column \"{}\": {error}", column.name))
            };
            let expression = state.create_logical_expr(text, &DFSchema::empty()).map_err(refused)?;
            let target = column.sql_type.arrow(&self.time_zone());
            let expression = expression.cast_to(&target, &DFSchema::empty()).map_err(refused)?;
            defaults.insert(column.name.clone(), expression);
        }
        Ok(defaults)
    }
}

fn refuse_founded(relation: &Relation) -> Result<()> {
    if relation.origin == Origin::Authored {
        return Ok(());
    }
    let text = format!("INSERT into table {} of the dataset is not supported", relation.name);
    Err(Error::new(Reason::Unsupported, text)
        .with_hint("load it with henna load: its rows have identifiers to be resolved and keys that supersede"))
}

/// What the parser knows beyond `INSERT INTO name [(columns)] rows`.
fn refuse_other_clauses(insert: &ast::Insert) -> Result<()> {
    let clause = if insert.on.is_some() {
        "ON CONFLICT"
    } else if insert.returning.is_some() {
        "RETURNING"
    } else if insert.overwrite || insert.replace_into || insert.ignore || insert.or.is_some() {
        "this kind of INSERT"
    } else if insert.table_alias.is_some() {
        "an alias of the table"
    } else {
        return Ok(());
    };
    Err(Error::new(Reason::Unsupported, format!("{clause} is not supported by INSERT")))
}

/// The columns that the statement gives values for: those it names, else all.
fn columns_given<'a>(insert: &ast::Insert, contract: &'a Contract) -> Vec<&'a str> {
    let named = |name: &str| {
        let wanted = |column: &&ast::ObjectName| column_name(column).as_deref() == Some(name);
        insert.columns.is_empty() || insert.columns.iter().any(|column| wanted(&column))
    };
    let columns = contract.columns.iter().map(|column| column.name.as_str());
    columns.filter(|name| named(name)).collect()
}

fn column_name(name: &ast::ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part.as_ident().cloned().map(folded),
        _ => None,
    }
}

/// The statement as the engine plans it: onto the target's own name, every DEFAULT written out, bare rows cut to columns.
fn canonical(insert: &ast::Insert, contract: &Contract) -> Result<ast::Insert> {
    let mut insert = insert.clone();
    let ident = |name: &str| ast::Ident::with_quote('"', name);
    insert.table = ast::TableObject::TableName(ast::ObjectName::from(vec![ident(TARGET), ident(&contract.name)]));
    let mut source = match insert.source.take() {
        Some(source) => source,
        None => default_values(contract)?,
    };
    if let ast::SetExpr::Values(values) = source.body.as_mut() {
        let width = values.rows.iter().map(|row| row.content.len()).max().unwrap_or(0);
        let columns: Vec<String> = match insert.columns.is_empty() {
            // Columns at the end may be left out.
            true => contract.columns.iter().take(width).map(|column| column.name.clone()).collect(),
            false => insert.columns.iter().filter_map(column_name).collect(),
        };
        let many =
            if width > columns.len() { "expressions than target columns" } else { "target columns than expressions" };
        if values.rows.iter().any(|row| row.content.len() != columns.len()) {
            return Err(Error::new(Reason::Syntax, format!("INSERT has more {many}")));
        }
        for row in &mut values.rows {
            for (cell, name) in row.content.iter_mut().zip(&columns) {
                write_default(cell, name, contract)?;
            }
        }
        insert.columns = columns.iter().map(|name| ast::ObjectName::from(vec![ident(name)])).collect();
    }
    let mut query = ast::Statement::Query(source);
    catalog::rewrite(&mut query);
    let ast::Statement::Query(source) = query else {
        return Err(Error::new(Reason::Internal, "the rows of an INSERT are no query"));
    };
    insert.source = Some(source);
    Ok(insert)
}

/// `VALUES (DEFAULT, ...)` for every column.
fn default_values(contract: &Contract) -> Result<Box<ast::Query>> {
    let text = format!("VALUES ({})", vec!["DEFAULT"; contract.columns.len()].join(", "));
    let failed = |_| Error::new(Reason::Internal, "DEFAULT VALUES does not parse");
    Parser::new(&PostgreSqlDialect {}).try_with_sql(&text).map_err(failed)?.parse_query().map_err(failed)
}

/// Puts the column's default in the place of the word DEFAULT.
fn write_default(cell: &mut ast::Expr, column: &str, contract: &Contract) -> Result<()> {
    let is_default = matches!(cell, ast::Expr::Identifier(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default"));
    if is_default {
        let text = contract.column(column).and_then(|column| column.default.as_deref()).unwrap_or("NULL");
        let failed = |_| Error::new(Reason::Corrupt, format!("DEFAULT of column \"{column}\" does not parse"));
        *cell = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).map_err(failed)?.parse_expr().map_err(failed)?;
    }
    Ok(())
}

/// The table that an INSERT writes to, while it is planned: columns and defaults, and nothing to read.
struct Target {
    schema: SchemaRef,
    defaults: HashMap<String, Expr>,
}

impl Target {
    /// Every column may be null here; the contract is asked of the rows themselves.
    fn new(schema: SchemaRef, defaults: HashMap<String, Expr>) -> Self {
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
        Self { schema, defaults }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target")
    }
}

#[async_trait]
impl TableProvider for Target {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.defaults.get(column)
    }

    async fn scan(
        &self,
        _: &dyn EngineSession,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Err(DataFusionError::Plan("the target of an INSERT cannot be read".to_owned()))
    }
}
