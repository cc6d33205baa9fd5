//! What can be wrong with a dataset folder.

use std::io;
use std::path::PathBuf;

use datafusion::error::DataFusionError;
use thiserror::Error as ThisError;

use crate::error::{Error, Reason};

#[derive(Debug, ThisError)]
pub enum DatasetError {
    #[error("{path}:{line}: {fault}")]
    Sql {
        path: String,
        line: u64,
        #[source]
        fault: SqlFault,
    },
    #[error("{path}:{line}: {message}")]
    Toml { path: String, line: usize, message: String },
    #[error("{path} is not UTF-8 text")]
    NotText { path: String },
    #[error("folder '{}' cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("folder '{}' does not exist", path.display())]
    Absent { path: PathBuf },
    #[error("there is no dataset '{name}'; shipped are: {shipped}")]
    Unknown { name: String, shipped: String },
    #[error("'{path}' is larger than {max} bytes")]
    TooLarge { path: String, max: u64 },
    #[error("dataset '{name}' has no tables/*.sql")]
    NoTables { name: String },
    #[error("{path}: unknown time zone '{zone}'")]
    TimeZone { path: String, zone: String },
    #[error("dataset.toml: as_of is 'latest', 'now' or a date like '2026-01-31', not '{text}'")]
    AsOf { text: String },
    #[error("dataset.toml: as_of = 'latest' needs as_of_columns")]
    AsOfColumnsAbsent,
    #[error("dataset.toml: '{text}' of as_of_columns is not a date or time column of a table (table.column)")]
    AsOfColumn { text: String },
    #[error("{path}: there is no table '{table}'")]
    TableUnknown { path: String, table: String },
    #[error("{path}: table '{table}' has no column '{column}'")]
    ColumnUnknown { path: String, table: String, column: String },
    #[error(
        "dataset.toml: '{text}' of table '{table}' is not a partition: write a column, or a date or time column and 'by month'"
    )]
    Partition { table: String, text: String },
    #[error(
        "dataset.toml: '{text}' of table '{table}' is not a retention: write a number of days, such as '730 days after <date or time column>'"
    )]
    Retention { table: String, text: String },
    #[error("tables/{table}.sql: '{key}' refers to {columns} columns of '{other}', which has a key of {key_columns}")]
    ForeignKeyWidth { table: String, key: String, columns: usize, other: String, key_columns: usize },
    #[error("relation '{schema}.{name}' is defined twice")]
    Twice { schema: String, name: String },
    #[error("{path}: {fault}")]
    Layout {
        path: String,
        #[source]
        fault: LayoutFault,
    },
    #[error("{path}: the first line says '-- table: NAME' or '-- view: NAME'")]
    SampleTarget { path: String },
    #[error("{path}: {source}")]
    Sample { path: String, source: DataFusionError },
    #[error("sample file '{}': {source}", path.display())]
    SampleFile { path: PathBuf, source: io::Error },
}

/// What is wrong with the description of a source.
#[derive(Debug, ThisError)]
pub enum LayoutFault {
    #[error("encoding '{label}' is not known; write a name such as 'gb18030', 'utf-8' or 'utf-16le'")]
    Encoding { label: String },
    #[error("delimiter is one ASCII character, not '{text}'")]
    Delimiter { text: String },
    #[error(
        "rows count from 1 and the data follow the header, not header_row = {header_row} and data_row = {data_row}"
    )]
    Rows { header_row: u32, data_row: u32 },
    #[error("column '{column}' needs either from (a header, or a list of them) or value")]
    Origin { column: String },
    #[error("type '{text}' of column '{column}' is none that a table can have")]
    Type { column: String, text: String },
    #[error("together names '{column}', which is none of the source's columns")]
    Together { column: String },
    #[error("source '{source_name}' is described twice: in sources/{source_name}.toml and in its folder")]
    Twice { source_name: String },
    #[error("table '{table}' is fed twice: list it under tables or give it a SELECT")]
    FedTwice { table: String },
    #[error("table '{table}' has neither a column '{column}' nor extras")]
    ColumnUnknown { table: String, column: String },
}

/// What is wrong with a statement of a `.sql` file.
#[derive(Debug, ThisError)]
pub enum SqlFault {
    #[error("{message}")]
    Syntax { message: String },
    #[error("only {allowed} may stand here, not: {found}")]
    Statement { allowed: &'static str, found: String },
    #[error("there is no {wanted}")]
    Nothing { wanted: &'static str },
    #[error("the file is of '{wanted}', and defines '{found}'")]
    Name { wanted: String, found: String },
    #[error("'{clause}' is not supported in a table's contract")]
    Clause { clause: String },
    #[error(
        "type {found} of column '{column}' is not supported; there are boolean, smallint, integer, bigint, real, double precision, numeric(p,s), text, varchar(n), char(n), date, time, timestamp, timestamptz, uuid, bytea, json, jsonb, and arrays of the scalar ones"
    )]
    Type { column: String, found: String },
    #[error("column '{column}' is {found}: there are no sequences; declare it bigint and let the file give the value")]
    Serial { column: String, found: String },
    #[error("precision of column '{column}' is 1 to 38 and scale 0 to precision, not ({precision}, {scale})")]
    Precision { column: String, precision: u64, scale: i64 },
    #[error("column '{column}' stands twice")]
    ColumnTwice { column: String },
    #[error("there is no column '{column}'")]
    ColumnUnknown { column: String },
    #[error("a table has one primary key")]
    KeyTwice,
    #[error("a comment is on '{found}', which this file does not define")]
    CommentElsewhere { found: String },
}

impl From<DatasetError> for Error {
    fn from(error: DatasetError) -> Self {
        let reason = match &error {
            DatasetError::Sql { fault: SqlFault::Syntax { .. }, .. } => Reason::Syntax,
            DatasetError::Unreadable { .. } | DatasetError::SampleFile { .. } => Reason::Io,
            DatasetError::Absent { .. } => Reason::FileMissing,
            DatasetError::Unknown { .. } => Reason::UndefinedObject,
            _ => Reason::Configuration,
        };
        Error::of(reason, error)
    }
}
