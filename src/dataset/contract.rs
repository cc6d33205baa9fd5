//! What a table promises: its columns and types, its key, its checks, and how it lies on disk.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The metadata key of an Arrow field that names its PostgreSQL type where Arrow has none of its own (json, jsonb, uuid, varchar(n), ...).
pub const TYPE_KEY: &str = "henna.type";

/// A PostgreSQL column type that a contract may use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SqlType {
    Boolean,
    SmallInt,
    Integer,
    BigInt,
    Real,
    Double,
    /// Precision 1 to 38 and scale 0 to precision. `numeric` without either is held as (38, 10).
    Numeric {
        precision: u8,
        scale: i8,
    },
    Text,
    Varchar(Option<u32>),
    Char(u32),
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    Bytea,
    Json,
    Jsonb,
    /// One dimension; never an array of arrays.
    Array(Box<SqlType>),
}

impl SqlType {
    /// The Arrow type in which a session of time zone `zone` sees the column.
    pub fn arrow(&self, zone: &str) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::SmallInt => DataType::Int16,
            Self::Integer => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Numeric { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Uuid | Self::Json | Self::Jsonb => DataType::Utf8View,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into())),
            Self::Bytea => DataType::BinaryView,
            Self::Array(item) => DataType::List(Arc::new(item.field("item", zone, true))),
        }
    }

    /// The Arrow type in which the column lies in its Parquet files: Delta has no time of day, and keeps every instant in UTC.
    pub fn stored(&self) -> DataType {
        match self {
            Self::Time => DataType::Int64,
            Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Uuid | Self::Json | Self::Jsonb => DataType::Utf8,
            Self::Bytea => DataType::Binary,
            Self::Array(item) => DataType::List(Arc::new(Field::new("element", item.stored(), true))),
            other => other.arrow("UTC"),
        }
    }

    /// A field of this type; its metadata names the PostgreSQL type where Arrow's type does not say it.
    pub fn field(&self, name: &str, zone: &str, nullable: bool) -> Field {
        let field = Field::new(name, self.arrow(zone), nullable);
        match self {
            Self::Varchar(_) | Self::Char(_) | Self::Uuid | Self::Json | Self::Jsonb => {
                field.with_metadata([(TYPE_KEY.to_owned(), self.to_string())].into())
            }
            _ => field,
        }
    }
}

/// The name as `format_type` of PostgreSQL writes it.
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::BigInt => f.write_str("bigint"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double precision"),
            Self::Numeric { precision, scale } => write!(f, "numeric({precision},{scale})"),
            Self::Text => f.write_str("text"),
            Self::Varchar(None) => f.write_str("character varying"),
            Self::Varchar(Some(length)) => write!(f, "character varying({length})"),
            Self::Char(length) => write!(f, "character({length})"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time without time zone"),
            Self::Timestamp => f.write_str("timestamp without time zone"),
            Self::TimestampTz => f.write_str("timestamp with time zone"),
            Self::Uuid => f.write_str("uuid"),
            Self::Bytea => f.write_str("bytea"),
            Self::Json => f.write_str("json"),
            Self::Jsonb => f.write_str("jsonb"),
            Self::Array(item) => write!(f, "{item}[]"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub sql_type: SqlType,
    pub nullable: bool,
    /// The SQL text of DEFAULT.
    pub default: Option<String>,
    pub comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// The SQL text of the condition; a row is refused where it is false.
    pub condition: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: String,
    pub columns: Vec<String>,
    pub table: String,
    /// Empty where the text names none: the key of `table`.
    pub table_columns: Vec<String>,
}

/// How rows are spread over folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partition {
    /// By the value of a column.
    Column(String),
    /// By the UTC calendar month of a date or time column.
    Month(String),
}

/// A table as its dataset declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    pub name: String,
    pub columns: Vec<Column>,
    /// Empty where the table has no key: rows are then only ever added.
    pub primary_key: Vec<String>,
    pub checks: Vec<Check>,
    pub foreign_keys: Vec<ForeignKey>,
    pub comment: Option<String>,
    pub partition: Option<Partition>,
    pub sort: Vec<String>,
    /// Of two rows with one key the one with the greater value here wins; without it, the later load's.
    pub version: Option<String>,
    /// SQL expressions over the row, by the column they fill where the file gives no value.
    pub defaults: BTreeMap<String, String>,
    /// Columns whose minimum and maximum are not written to the log (personal data).
    pub statistics_off: Vec<String>,
    /// How long rows are kept; `None` is for ever.
    pub retention: Option<Retention>,
}

/// Rows whose date or time is so many days ago are taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    pub days: u32,
    pub column: String,
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} days after {}", self.days, self.column)
    }
}

impl Contract {
    /// A contract without name, columns or rules.
    pub fn empty() -> Self {
        Self {
            name: String::new(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            comment: None,
            partition: None,
            sort: Vec::new(),
            version: None,
            defaults: BTreeMap::new(),
            statistics_off: Vec::new(),
            retention: None,
        }
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The schema in which a session of time zone `zone` sees the table.
    pub fn schema(&self, zone: &str) -> SchemaRef {
        let fields: Vec<Field> =
            self.columns.iter().map(|column| column.sql_type.field(&column.name, zone, column.nullable)).collect();
        Arc::new(Schema::new(fields))
    }

    /// The schema of its Parquet files.
    pub fn stored_schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|column| Field::new(&column.name, column.sql_type.stored(), column.nullable))
            .collect();
        Arc::new(Schema::new(fields))
    }
}
