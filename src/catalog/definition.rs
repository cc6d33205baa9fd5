//! What is kept of a schema, view or table that a user made: the text beside its owner and grants in the security log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access::{ObjectId, TableId};
use crate::dataset::{Column, Contract};
use crate::error::{Error, Reason, Result};

/// Longest text of one object; the log and every open lake hold it.
const DEFINITION_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Definition {
    Schema(SchemaDefinition),
    Table(TableDefinition),
    View(ViewDefinition),
    /// Of the lake itself.
    Dataset(DatasetDefinition),
}

/// Which text of its dataset a lake goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetDefinition {
    /// Where the texts lie in the lake.
    pub folder: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaDefinition {
    pub comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDefinition {
    /// A CREATE TABLE as a dataset's file has it.
    pub sql: String,
    /// The name in it. A renamed table keeps it, and its constraints keep the names that were made of it.
    pub name: String,
    /// Its place in the lake, which no other table ever had.
    pub folder: TableId,
    pub comments: Comments,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewDefinition {
    /// The SELECT; every relation in it has its full name.
    pub select: String,
    /// Its columns as a CREATE TABLE, for their names and types.
    pub columns: String,
    /// Which column of the SELECT each of them is.
    pub sources: Vec<String>,
    /// The relations that it names.
    pub reads: Vec<TableId>,
    /// Read with the rights of who asks; otherwise with those of its owner.
    pub security_invoker: bool,
    pub comments: Comments,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comments {
    pub own: Option<String>,
    pub columns: BTreeMap<String, String>,
}

impl Definition {
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::of(Reason::Corrupt, error))
    }

    /// The text that is kept; an error where it is too long to be.
    pub fn text(&self) -> Result<String> {
        let text = serde_json::to_string(self).map_err(|error| Error::of(Reason::Internal, error))?;
        if text.len() > DEFINITION_BYTES_MAX {
            let message = format!("the definition of an object may have {DEFINITION_BYTES_MAX} bytes");
            return Err(Error::new(Reason::LimitExceeded, message));
        }
        Ok(text)
    }

    pub fn comments_mut(&mut self) -> Option<&mut Comments> {
        match self {
            Self::Schema(_) | Self::Dataset(_) => None,
            Self::Table(table) => Some(&mut table.comments),
            Self::View(view) => Some(&mut view.comments),
        }
    }
}

impl TableDefinition {
    /// What the table promises, under the name that it has now.
    pub fn contract(&self, name: &str) -> Result<Contract> {
        let mut contract = crate::dataset::contract(name, &self.name, &self.sql)?;
        contract.name = name.to_owned();
        contract.comment.clone_from(&self.comments.own);
        comment(&mut contract.columns, &self.comments);
        Ok(contract)
    }
}

impl ViewDefinition {
    pub fn columns(&self) -> Result<Vec<Column>> {
        let mut columns = crate::dataset::contract("view", SHAPE, &self.columns)?.columns;
        comment(&mut columns, &self.comments);
        Ok(columns)
    }
}

/// The name of the table that stands for a view's columns.
const SHAPE: &str = "shape";

/// Columns as a CREATE TABLE named `table`, for [`crate::dataset::contract`] to read.
pub fn create_table(table: &str, columns: &[Column]) -> String {
    let column = |column: &Column| {
        let null = if column.nullable { "" } else { " NOT NULL" };
        format!("{} {}{null}", always_quoted(&column.name), column.sql_type)
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    format!("CREATE TABLE {} ({})", always_quoted(table), columns.join(", "))
}

/// The columns of a view as [`ViewDefinition::columns`] keeps them.
pub fn shape(columns: &[Column]) -> String {
    create_table(SHAPE, columns)
}

fn always_quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn comment(columns: &mut [Column], comments: &Comments) {
    for column in columns {
        column.comment = comments.columns.get(&column.name).cloned();
    }
}

/// The definition that a snapshot keeps of an object; None where it has none, or is not there.
pub fn kept(snapshot: &crate::access::SecuritySnapshot, object: &ObjectId) -> Result<Option<Definition>> {
    let text = match object {
        ObjectId::Database => snapshot.definition(),
        ObjectId::Schema(name) => snapshot.schema(name).and_then(|schema| schema.definition.as_deref()),
        ObjectId::Relation(id) => snapshot.relation(id).and_then(|relation| relation.definition.as_deref()),
    };
    text.map(Definition::parse).transpose()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::dataset::SqlType;

    #[test]
    fn the_columns_of_a_view_come_back_as_they_were() {
        let types = [
            SqlType::Boolean,
            SqlType::Numeric { precision: 38, scale: 10 },
            SqlType::Varchar(Some(3)),
            SqlType::TimestampTz,
            SqlType::Time,
            SqlType::Jsonb,
            SqlType::Array(Box::new(SqlType::Text)),
        ];
        let column = |(nth, sql_type): (usize, &SqlType)| Column {
            name: format!("Order \"{nth}\""),
            sql_type: sql_type.clone(),
            nullable: true,
            default: None,
            comment: None,
        };
        let columns: Vec<Column> = types.iter().enumerate().map(column).collect();
        let view = ViewDefinition {
            select: "SELECT 1".into(),
            columns: shape(&columns),
            sources: Vec::new(),
            reads: Vec::new(),
            security_invoker: true,
            comments: Comments::default(),
        };
        let text = Definition::View(view.clone()).text().unwrap();
        assert_eq!(Definition::parse(&text).unwrap(), Definition::View(view.clone()));
        assert_eq!(view.columns().unwrap(), columns);
    }

    #[test]
    fn a_renamed_table_keeps_the_names_of_its_constraints() {
        let table = TableDefinition {
            sql: "CREATE TABLE \"old\" (a int CHECK (a > 0))".into(),
            name: "old".into(),
            folder: TableId::new("s", "old-1"),
            comments: Comments::default(),
        };
        let contract = table.contract("new").unwrap();
        assert_eq!((contract.name.as_str(), contract.checks[0].name.as_str()), ("new", "old_a_check"));
    }

    #[test]
    fn what_a_later_program_wrote_is_not_read_half() {
        let text = r#"{"view":{"select":"","columns":"","sources":[],"reads":[],"security_invoker":true,"comments":{"own":null,"columns":{}},"barrier":true}}"#;
        assert_eq!(Definition::parse(text).unwrap_err().reason(), Reason::Corrupt);
    }

    #[test]
    fn a_definition_has_a_longest_text() {
        let schema = SchemaDefinition { comment: Some("x".repeat(DEFINITION_BYTES_MAX)) };
        assert_eq!(Definition::Schema(schema).text().unwrap_err().reason(), Reason::LimitExceeded);
    }
}
