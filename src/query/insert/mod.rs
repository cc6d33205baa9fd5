//! INSERT: rows planned by the engine, held against policies and contract, one durable commit a statement.

mod assignment;
pub(super) mod incoming;
pub(super) mod rows;
pub(super) mod target;
pub(super) mod together;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast;

use self::target::{Columns, Target};
use super::answer::Answer;
use super::block::Destination;
use super::ddl::shown;
use super::planning::bind;
use super::session::Session;
use super::viewpoint::Viewpoint;
use crate::access::statement::RelationName;
use crate::access::statement::names::relation_name;
use crate::access::{RawTables, SecuredTable};
use crate::catalog::inventory::{Body, Origin, Relation};
use crate::error::{Error, Reason, Result};

/// An INSERT whose rows are planned.
pub(super) struct InsertPlan {
    /// Gives the table's columns, in order.
    pub rows: LogicalPlan,
    into: Destination,
    table: SecuredTable,
}

impl Session {
    /// Plans the rows of an INSERT, once the session is known to have the right to it.
    pub(super) async fn plan_insert(&self, insert: &ast::Insert) -> Result<InsertPlan> {
        let ast::TableObject::TableName(name) = &insert.table else {
            return Err(Error::new(Reason::Unsupported, "INSERT into a function is not supported"));
        };
        let relation = self.insert_target(name)?;
        let contract = match &relation.body {
            Body::Table(contract) | Body::Virtual(contract) => Arc::new(contract.clone()),
            Body::View { .. } => return Err(into_view("insert into", &relation.name)),
        };
        let target = Arc::new(Target::new(contract.schema(&self.time_zone()), self.defaults_of(&contract)?));
        let own = Viewpoint::of(self.principal().clone());
        let shown = Arc::clone(&target) as Arc<dyn TableProvider>;
        let raw = RawTables::zoned(shown, &self.lake().dataset().time_zone);
        let table = self.names().secured(&own, relation.id(), raw);
        let columns = Columns::named(insert, &contract)?;
        let given = columns.given(&contract);
        table.require_insert(&given)?;
        refuse_founded("INSERT", &relation)?;
        refuse_other_clauses(insert)?;
        let given = given.into_iter().map(str::to_owned).collect();
        let rows = self.plan_rows(insert, &contract, columns, target).await?;
        Ok(InsertPlan { rows, into: Destination { relation, contract, columns: given }, table })
    }

    pub(super) async fn insert(&self, insert: &ast::Insert, values: Vec<ScalarValue>) -> Result<Answer> {
        self.refuse_read_only("INSERT")?;
        let InsertPlan { rows, into, table } = self.plan_insert(insert).await?;
        let physical = self.physical(bind(rows, values)?).await?;
        let rows = incoming::admitted(self, &table, physical)?;
        let added = self.put_rows(&into, rows).await?;
        Ok(Answer::Done { tag: format!("INSERT 0 {added}") })
    }

    fn insert_target(&self, name: &ast::ObjectName) -> Result<Arc<Relation>> {
        self.writable(&relation_name(name).map_err(|error| Error::new(Reason::Syntax, error.to_string()))?)
    }

    /// What the name of a statement that adds rows means.
    pub(super) fn writable(&self, given: &RelationName) -> Result<Arc<Relation>> {
        let missing = || Error::new(Reason::UndefinedTable, format!("relation \"{}\" does not exist", shown(given)));
        let id = self.names().locate(given.schema.as_deref(), &given.name).ok_or_else(missing)?;
        let denied = || Error::new(Reason::Privilege, format!("permission denied for table {}", id.table));
        // What is located and not known is a relation of the system.
        self.names().known(&id.schema, &id.table).ok_or_else(denied)
    }
}

pub(super) fn into_view(action: &str, name: &str) -> Error {
    Error::new(Reason::WrongKind, format!("cannot {action} view \"{name}\""))
}

pub(super) fn refuse_founded(statement: &str, relation: &Relation) -> Result<()> {
    if relation.origin == Origin::Authored {
        return Ok(());
    }
    let text = format!("{statement} into table {} of the dataset is not supported", relation.name);
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
    } else if !insert.assignments.is_empty() || insert.partitioned.is_some() || !insert.after_columns.is_empty() {
        "a clause of another database"
    } else {
        return Ok(());
    };
    Err(Error::new(Reason::Unsupported, format!("{clause} is not supported by INSERT")))
}
