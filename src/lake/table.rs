//! What a table of the lake is: its name, columns, key and layout.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

/// Names a table by schema and table, both as the user wrote them; any text is a legal name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    pub schema: String,
    pub table: String,
}

impl TableName {
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A column in its stored type: instants in UTC microseconds, text as `Utf8`, a time of day as `Int64` microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredColumn {
    pub field: Field,
    /// Off for columns whose values hardly repeat (ids): a dictionary would only cost.
    pub dictionary: bool,
}

impl StoredColumn {
    pub fn new(field: Field) -> Self {
        Self { field, dictionary: true }
    }
}

/// How rows are spread over folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionSpec {
    /// By the value of a column.
    Column(String),
    /// By the UTC calendar month of a date or timestamp column, in a hidden column `_month`.
    Month(String),
}

/// What [`Store::create_table`](super::Store::create_table) needs to know; it is kept in the table's own metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableSpec {
    pub columns: Vec<StoredColumn>,
    /// Empty where rows are only ever added.
    pub key: Vec<String>,
    /// Of two rows with one key the one with the greater value here stays. An integer, date or timestamp.
    pub version: Option<String>,
    pub partition: Option<PartitionSpec>,
    /// The order of the rows within each file.
    pub sort: Vec<String>,
    /// Columns whose minimum and maximum stay out of the log (personal data).
    pub statistics_off: Vec<String>,
}

impl TableSpec {
    /// A table without key, partition or order.
    pub fn plain(schema: &Schema) -> Self {
        let columns = schema.fields().iter().map(|field| StoredColumn::new(field.as_ref().clone())).collect();
        Self { columns, ..Self::default() }
    }

    /// The schema of the rows that a write takes.
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self.columns.iter().map(|column| column.field.clone()).collect();
        Arc::new(Schema::new(fields))
    }
}
