//! CREATE TABLE and CREATE TABLE AS: a Delta table of the lake, with a contract as a dataset's table has.
//!
//! The folder is made and filled first and gets its name last: a cut before that leaves a folder that nobody can name.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::place::{Place, shown};
use super::view::{refuse_equal_names, refuse_parameters};
use crate::access::statement::RelationName;
use crate::access::statement::names::relation_name;
use crate::access::{ObjectChange, ObjectId, SecuritySnapshot, TableId};
use crate::catalog::definition::{Comments, Definition, TableDefinition, create_table};
use crate::catalog::inventory::sql_type_of;
use crate::catalog::shown_name;
use crate::dataset::error::SqlFault;
use crate::dataset::{Column, Contract, DatasetError};
use crate::error::{Error, Reason, Result};
use crate::ingest::RowCheck;
use crate::query::failure::failure;
use crate::query::insert::incoming;
use crate::query::session::Session;
use crate::query::unnamed::{Unnamed, discard};

impl Session {
    /// Gives the command tag.
    pub(super) async fn create_table(&self, create: &ast::CreateTable) -> Result<String> {
        let name = relation_name(&create.name).map_err(|error| Error::new(Reason::Syntax, error.to_string()))?;
        let id = self.new_name(&name)?;
        if create.if_not_exists && self.names().known(&id.schema, &id.table).is_some() {
            self.tell(format!("relation \"{}\" already exists, skipping", id.table));
            return Ok("CREATE TABLE".to_owned());
        }
        self.require_free(&id)?;
        refuse_other_clauses(create)?;
        match &create.query {
            None => {
                let sql = plain(&id.table, &create.columns, &create.constraints)?;
                let contract = self.checked_contract(&id.table, &sql).await?;
                let unnamed = Unnamed::create(self.lake().store(), &id, &contract).await?;
                self.name_table(&id, sql, unnamed, 0).await?;
                Ok("CREATE TABLE".to_owned())
            }
            Some(query) => {
                let (rows, columns) = self.rows_of_query(query).await?;
                let sql = create_table(&id.table, &columns);
                let contract = self.checked_contract(&id.table, &sql).await?;
                let unnamed = Unnamed::create(self.lake().store(), &id, &contract).await?;
                match incoming::write(self, rows, Arc::new(contract), unnamed.folder(), None).await {
                    Ok(commit) => {
                        self.name_table(&id, sql, unnamed, commit.version).await?;
                        Ok(format!("SELECT {}", commit.rows_added))
                    }
                    Err(error) => {
                        unnamed.discard().await;
                        Err(error)
                    }
                }
            }
        }
    }

    fn require_free(&self, id: &TableId) -> Result<()> {
        let principal = self.principal().get();
        self.names().at_place(&self.security().snapshot(), &principal, |place| place.require_free(id))
    }

    /// What the text promises, which calls the table `name`, once its rules are known to plan.
    pub(super) async fn checked_contract(&self, name: &str, sql: &str) -> Result<Contract> {
        let contract = crate::dataset::contract("", name, sql).map_err(told)?;
        if let Some(key) = contract.foreign_keys.first() {
            let text = format!("REFERENCES {} is not supported: nothing would keep it", key.table);
            return Err(Error::new(Reason::Unsupported, text));
        }
        let schema = DFSchema::try_from(contract.schema(&self.time_zone())).map_err(failure)?;
        for check in &contract.checks {
            self.context().state().create_logical_expr(&check.condition, &schema).map_err(failure)?;
        }
        RowCheck::new(Arc::new(contract.clone()), &self.time_zone())
            .map_err(|error| Error::new(Reason::InvalidDefinition, error.to_string()))?;
        self.prove_defaults(&contract).await?;
        Ok(contract)
    }

    async fn rows_of_query(&self, query: &ast::Query) -> Result<(incoming::Source, Vec<Column>)> {
        let plan = self.query_plan(&ast::Statement::Query(Box::new(query.clone()))).await?;
        refuse_parameters(&plan)?;
        let fields = plan.schema().fields();
        let column = |field: &Arc<Field>| Column {
            name: shown_name(field.name()).to_owned(),
            sql_type: sql_type_of(field),
            nullable: true,
            default: None,
            comment: None,
        };
        let columns: Vec<Column> = fields.iter().map(column).collect();
        refuse_equal_names(columns.iter().map(|column| column.name.as_str()))?;
        let span = |field: &&Arc<Field>| matches!(field.data_type(), DataType::Interval(_) | DataType::Duration(_));
        if let Some(field) = fields.iter().find(span) {
            let text = format!("column \"{}\" is an interval, which a table cannot hold", shown_name(field.name()));
            return Err(Error::new(Reason::Unsupported, text));
        }
        Ok((incoming::Source::Plan(self.physical(plan).await?), columns))
    }

    /// Gives a table that lies in the lake its name; `version` has its first rows.
    async fn name_table(&self, id: &TableId, sql: String, unnamed: Unnamed, version: u64) -> Result<()> {
        let folder = TableId::new(&unnamed.folder().schema, &unnamed.folder().table);
        let table = TableDefinition { sql, name: id.table.clone(), folder, comments: Comments::default() };
        let (definition, id) = (Definition::Table(table).text()?, id.clone());
        let plan = move |place: &Place<'_>| -> Result<(Vec<ObjectChange>, ())> {
            place.require_free(&id)?;
            let (object, definition) = (ObjectId::Relation(id.clone()), definition.clone());
            Ok((vec![ObjectChange::RelationCreated(id.clone()), ObjectChange::Defined { object, definition }], ()))
        };
        if self.in_block() {
            self.author("CREATE TABLE", plan).await?;
            self.keep_with_block(unnamed, version);
            return Ok(());
        }
        let (names, principal) = (Arc::clone(self.names()), self.principal().get());
        // Whoever is cut off from here on may have made the table: its folder must stay.
        let folder = unnamed.keep();
        // Not to be dropped half way, so on a task of its own.
        let naming = tokio::spawn(async move {
            let over = |security: &SecuritySnapshot| names.at_place(security, &principal, &plan);
            let named = names.lake().security().author(&principal, "CREATE TABLE", over).await;
            // Refused is not written; what failed to be stored may be there all the same.
            if named.as_ref().err().is_some_and(|error| error.reason() != Reason::Io) {
                discard(names.lake().store(), &folder).await;
            }
            named
        });
        naming.await.map_err(|fault| Error::new(Reason::Internal, format!("naming a table failed: {fault}")))?
    }
}

/// `CREATE TABLE "name" (...)` with these and nothing else.
fn plain(name: &str, columns: &[ast::ColumnDef], constraints: &[ast::TableConstraint]) -> Result<String> {
    let mut create = skeleton(name)?;
    create.columns = columns.to_vec();
    create.constraints = constraints.to_vec();
    Ok(create.to_string())
}

fn skeleton(name: &str) -> Result<ast::CreateTable> {
    let failed = || Error::new(Reason::Internal, "an empty CREATE TABLE does not parse");
    let text = create_table(name, &[]);
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&text).map_err(|_| failed())?;
    match parser.parse_statement() {
        Ok(ast::Statement::CreateTable(create)) => Ok(create),
        _ => Err(failed()),
    }
}

/// Columns, constraints and AS are what there is; of what else the parser knows nothing may be lost in silence.
fn refuse_other_clauses(create: &ast::CreateTable) -> Result<()> {
    let given = ast::CreateTable {
        name: skeleton("t")?.name,
        columns: Vec::new(),
        constraints: Vec::new(),
        query: None,
        if_not_exists: false,
        ..create.clone()
    };
    if create.query.is_some() && !(create.columns.is_empty() && create.constraints.is_empty()) {
        let text = "CREATE TABLE AS with a list of columns is not supported: name them in the SELECT";
        return Err(Error::new(Reason::Unsupported, text));
    }
    if given == skeleton("t")? {
        return Ok(());
    }
    let name = RelationName { schema: None, name: create.name.to_string() };
    let text = format!("CREATE TABLE {} has a clause that is not supported", shown(&name));
    Err(Error::new(Reason::Unsupported, text)
        .with_hint("a table has columns, NOT NULL, DEFAULT, CHECK and PRIMARY KEY"))
}

/// A CREATE TABLE as its definition keeps it, with more columns at its end.
pub(super) fn with_columns(sql: &str, columns: &[ast::ColumnDef]) -> Result<String> {
    let corrupt = || Error::new(Reason::Corrupt, "the definition of a table is no CREATE TABLE");
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).map_err(|_| corrupt())?;
    let Ok(ast::Statement::CreateTable(mut create)) = parser.parse_statement() else { return Err(corrupt()) };
    create.columns.extend_from_slice(columns);
    Ok(create.to_string())
}

/// What is wrong with the columns, without the file and line that a dataset has.
fn told(error: DatasetError) -> Error {
    let DatasetError::Sql { fault, .. } = error else { return error.into() };
    let reason = match &fault {
        SqlFault::Syntax { .. } => Reason::Syntax,
        SqlFault::ColumnTwice { .. } => Reason::DuplicateColumn,
        SqlFault::ColumnUnknown { .. } => Reason::UndefinedColumn,
        SqlFault::KeyTwice => Reason::InvalidColumns,
        SqlFault::Precision { .. } => Reason::InvalidParameter,
        _ => Reason::Unsupported,
    };
    Error::new(reason, fault.to_string())
}
