//! INSERT: rows planned by the engine, held against policies and contract, one durable commit a statement.

mod assignment;
pub(super) mod incoming;
mod rows;
mod target;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast;

use self::target::{Columns, Target};
use super::answer::Answer;
use super::session::{Session, bind};
use super::viewpoint::Viewpoint;
use crate::access::statement::names::relation_name;
use crate::access::{RawTables, SecuredTable};
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
        let contract = match &relation.body {
            Body::Table(contract) | Body::Virtual(contract) => Arc::new(contract.clone()),
            Body::View { .. } => {
                let text = format!("cannot insert into view \"{}\"", relation.name);
                return Err(Error::new(Reason::WrongKind, text));
            }
        };
        let target = Arc::new(Target::new(contract.schema(&self.time_zone()), self.defaults_of(&contract)?));
        let own = Viewpoint::of(self.principal().clone());
        let shown = Arc::clone(&target) as Arc<dyn TableProvider>;
        let raw = RawTables::zoned(shown, &self.lake().dataset().time_zone);
        let table = self.names().secured(&own, relation.id(), raw);
        let columns = Columns::named(insert, &contract)?;
        table.require_insert(&columns.given(&contract))?;
        refuse_founded(&relation)?;
        refuse_other_clauses(insert)?;
        let rows = self.plan_rows(insert, &contract, columns, target).await?;
        Ok(InsertPlan { rows, relation, contract, table })
    }

    pub(super) async fn insert(&self, insert: &ast::Insert, values: Vec<ScalarValue>) -> Result<Answer> {
        self.refuse_writes_here("INSERT")?;
        let InsertPlan { rows, relation, contract, table } = self.plan_insert(insert).await?;
        let physical = self.physical(bind(rows, values)?).await?;
        let rows = incoming::admitted(self, &table, physical)?;
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
    } else if !insert.assignments.is_empty() || insert.partitioned.is_some() || !insert.after_columns.is_empty() {
        "a clause of another database"
    } else {
        return Ok(());
    };
    Err(Error::new(Reason::Unsupported, format!("{clause} is not supported by INSERT")))
}
