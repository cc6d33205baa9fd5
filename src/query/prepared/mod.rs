//! Statements with a name: made by PREPARE or by the protocol's Parse, run by EXECUTE or Bind, of one session.
//!
//! What has the name is the statement, never a plan: each run finds the rights of its moment. A plan of the run before is used
//! again only where none of them has changed (`kept`).

mod statement;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::sql::sqlparser::ast::{self, Visit, Visitor};
use futures::TryStreamExt;

pub use self::statement::PreparedStatement;
use super::answer::Answer;
use super::failure::failure;
use super::judge::judge;
use super::names::lock;
use super::planning::Width;
use super::session::{Prepared, Session};
use super::statement::{StatementKind, parse};
use crate::catalog;
use crate::catalog::inventory::sql_type_of;
use crate::catalog::model::PreparedEntry;
use crate::error::{Error, Reason, Result};

/// More than any driver keeps.
const STATEMENTS_MAX: usize = 1024;
/// Of the texts of all of them; what a text is parsed into is some ten times as long.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// A statement that can be run by its name.
#[derive(Debug, Clone)]
pub struct NamedStatement {
    /// `None` is the empty statement.
    pub prepared: Option<Arc<Prepared>>,
    /// The object id of each parameter's type as the client declared it; 0, or none at all, leaves it open.
    pub declared: Vec<u32>,
    made_us: i64,
    origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Sql,
    Protocol,
}

impl NamedStatement {
    /// One that the protocol's Parse has made.
    pub fn of_protocol(prepared: Option<Arc<Prepared>>, declared: Vec<u32>) -> Self {
        let made_us = chrono::Utc::now().timestamp_micros();
        Self { prepared, declared, made_us, origin: Origin::Protocol }
    }

    fn of_sql(prepared: Arc<Prepared>) -> Self {
        Self { origin: Origin::Sql, ..Self::of_protocol(Some(prepared), Vec::new()) }
    }

    fn text(&self) -> &str {
        self.prepared.as_ref().map_or("", |prepared| prepared.statement.text.as_str())
    }
}

/// The named statements of a session. SQL and the protocol share the names.
#[derive(Debug, Default)]
pub struct NamedStatements(Mutex<BTreeMap<String, NamedStatement>>);

impl NamedStatements {
    pub fn get(&self, name: &str) -> Result<NamedStatement> {
        let unknown = || Error::new(Reason::StatementUnknown, format!("prepared statement \"{name}\" does not exist"));
        lock(&self.0).get(name).cloned().ok_or_else(unknown)
    }

    /// An error where the name is taken, or there are too many.
    pub fn require_free(&self, name: &str, text: &str) -> Result<()> {
        let statements = lock(&self.0);
        if statements.contains_key(name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(Error::new(Reason::DuplicateStatement, text));
        }
        let bytes: usize = statements.values().map(|statement| statement.text().len()).sum();
        if statements.len() < STATEMENTS_MAX && bytes + text.len() <= TEXT_BYTES_MAX {
            return Ok(());
        }
        let text =
            format!("a session may have {STATEMENTS_MAX} prepared statements, of {TEXT_BYTES_MAX} bytes together");
        Err(Error::new(Reason::LimitExceeded, text).with_hint("DEALLOCATE or close those that are no longer used"))
    }

    pub fn insert(&self, name: &str, statement: NamedStatement) -> Result<()> {
        self.require_free(name, statement.text())?;
        lock(&self.0).insert(name.to_owned(), statement);
        Ok(())
    }

    /// False where there is none of that name.
    pub fn remove(&self, name: &str) -> bool {
        lock(&self.0).remove(name).is_some()
    }

    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// For pg_prepared_statements.
    pub(super) fn entries(&self) -> Vec<PreparedEntry> {
        let sql_type = |data_type: &DataType| sql_type_of(&Field::new("", data_type.clone(), true));
        let entry = |(name, statement): (&String, &NamedStatement)| {
            let prepared = statement.prepared.as_deref();
            let columns = prepared.and_then(|prepared| prepared.columns.as_ref());
            PreparedEntry {
                name: name.clone(),
                statement: statement.text().to_owned(),
                made_us: statement.made_us,
                parameters: prepared.map_or(&[][..], |prepared| &prepared.parameters).iter().map(sql_type).collect(),
                columns: columns.map(|columns| columns.fields().iter().map(|field| sql_type_of(field)).collect()),
                from_sql: statement.origin == Origin::Sql,
            }
        };
        lock(&self.0).iter().map(entry).collect()
    }
}

impl Session {
    /// The session's named statements.
    pub fn named_statements(&self) -> &NamedStatements {
        &self.names().about.statements
    }

    /// PREPARE and DEALLOCATE.
    pub(super) async fn manage_prepared(&self, statement: &PreparedStatement) -> Result<Answer> {
        match statement {
            PreparedStatement::Prepare { name, types, statement } => {
                self.named_statements().require_free(name, &statement.text)?;
                let types = self.declared_types(types).await?;
                let prepared = self.describe(statement, &types).await?;
                self.named_statements().insert(name, NamedStatement::of_sql(prepared))?;
            }
            PreparedStatement::Deallocate { name: None } => self.named_statements().clear(),
            PreparedStatement::Deallocate { name: Some(name) } => {
                self.named_statements().get(name)?;
                self.named_statements().remove(name);
            }
            PreparedStatement::Execute { .. } => {
                return Err(Error::new(Reason::Internal, "EXECUTE is answered by what it runs"));
            }
        }
        Ok(Answer::Done { tag: statement.tag().to_owned() })
    }

    /// What an EXECUTE runs, with the values of its arguments; None is the empty statement.
    pub(super) async fn execution(
        &self,
        name: &str,
        arguments: &[ast::Expr],
    ) -> Result<Option<(Arc<Prepared>, Vec<ScalarValue>)>> {
        let Some(prepared) = self.executed(name)? else { return Ok(None) };
        let values = self.argument_values(name, arguments, &prepared.parameters).await?;
        Ok(Some((prepared, values)))
    }

    /// The statement that an EXECUTE runs; None is the empty one.
    pub(super) fn executed(&self, name: &str) -> Result<Option<Arc<Prepared>>> {
        let prepared = self.named_statements().get(name)?.prepared;
        match prepared.as_deref().map(|prepared| &prepared.statement.kind) {
            // Two that run each other would never end.
            Some(StatementKind::Prepared(_)) => {
                Err(Error::new(Reason::Unsupported, "EXECUTE of a statement that is an EXECUTE is not supported"))
            }
            _ => Ok(prepared),
        }
    }

    async fn declared_types(&self, types: &[ast::DataType]) -> Result<Vec<Option<DataType>>> {
        let mut declared = Vec::with_capacity(types.len());
        for given in types {
            let text = given.to_string();
            if text.eq_ignore_ascii_case("unknown") {
                declared.push(None);
                continue;
            }
            let query = parse(&format!("SELECT CAST(NULL AS {text})"))?.pop().map(|query| query.kind);
            let Some(StatementKind::Sql(query)) = query else {
                return Err(Error::new(Reason::Syntax, format!("\"{text}\" is not a type")));
            };
            let plan = self.query_plan(&query).await?;
            declared.push(plan.schema().fields().first().map(|field| field.data_type().clone()));
        }
        Ok(declared)
    }

    /// The arguments of an EXECUTE as values of the parameters' types. They may read no table.
    async fn argument_values(
        &self,
        name: &str,
        arguments: &[ast::Expr],
        types: &[DataType],
    ) -> Result<Vec<ScalarValue>> {
        if arguments.len() != types.len() {
            let text = format!("wrong number of parameters for prepared statement \"{name}\"");
            let detail = format!("Expected {} parameters but got {}.", types.len(), arguments.len());
            return Err(Error::new(Reason::Syntax, text).with_detail(detail));
        }
        if arguments.is_empty() {
            return Ok(Vec::new());
        }
        let state = self.planner.state(Width::All);
        let given: Vec<_> = arguments.iter().cloned().zip(types.iter().cloned()).collect();
        let planning = async move {
            let mut outputs = Vec::with_capacity(given.len());
            for (position, (argument, data_type)) in given.iter().enumerate() {
                let argument = rewritten(argument, data_type)?;
                let value = state.create_logical_expr(&argument, &DFSchema::empty()).map_err(failure)?;
                outputs.push(value.alias(format!("${}", position + 1)));
            }
            let plan = LogicalPlanBuilder::empty(true).project(outputs).and_then(LogicalPlanBuilder::build);
            let plan = plan.map_err(failure)?;
            judge(&plan)?;
            state.give_back();
            Ok(plan)
        };
        let plan = self.lake().pool().run(planning).await?;
        let plan = self.physical(plan).await?;
        let mut rows = self.lake().pool().stream(&plan, self.planner.tasks());
        let row = rows.try_next().await.map_err(failure)?;
        let row = row.ok_or_else(|| Error::new(Reason::Internal, "arguments without a row"))?;
        let value = |(column, data_type): (&arrow::array::ArrayRef, &DataType)| {
            ScalarValue::try_from_array(column, 0).and_then(|value| value.cast_to(data_type)).map_err(failure)
        };
        row.columns().iter().zip(types).map(value).collect()
    }
}

/// Finds a query within an expression.
struct HasQuery;

impl Visitor for HasQuery {
    type Break = ();

    fn pre_visit_query(&mut self, _: &ast::Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

/// An argument as the engine can plan it, cast to the type of its parameter.
fn rewritten(argument: &ast::Expr, data_type: &DataType) -> Result<String> {
    if argument.visit(&mut HasQuery).is_break() {
        return Err(Error::new(Reason::Unsupported, "cannot use subquery in EXECUTE parameter"));
    }
    let text = match data_type {
        DataType::Interval(_) | DataType::Duration(_) => format!("SELECT {argument}"),
        other => format!("SELECT CAST(({argument}) AS {})", sql_type_of(&Field::new("", other.clone(), true))),
    };
    let not_one = || Error::new(Reason::Syntax, format!("\"{argument}\" is not one expression"));
    let [parsed] = &parse(&text)?[..] else { return Err(not_one()) };
    let StatementKind::Sql(parsed) = &parsed.kind else { return Err(not_one()) };
    let mut parsed = parsed.as_ref().clone();
    catalog::rewrite(&mut parsed);
    let ast::Statement::Query(query) = parsed else { return Err(not_one()) };
    let ast::SetExpr::Select(select) = *query.body else { return Err(not_one()) };
    match &select.projection[..] {
        [ast::SelectItem::UnnamedExpr(expr) | ast::SelectItem::ExprWithAlias { expr, .. }] => Ok(expr.to_string()),
        _ => Err(not_one()),
    }
}
