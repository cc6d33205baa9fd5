//! What exists in a lake: its tables and views by name, with oids that do not change between restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::dataset::contract::TYPE_KEY;
use crate::dataset::{Column, Contract, Dataset, SqlType, ViewFile};

/// The schema of a dataset's tables, and the one where the house shows itself.
pub const PUBLIC: &str = "public";
pub const HOUSE: &str = "henna";

/// Oids below are PostgreSQL's own.
const OID_FIRST: u32 = 16_384;
/// Oids above would be negative in clients that hold them in an `int4`.
const OID_LAST: u32 = i32::MAX as u32;

/// Every table and view, by schema and name.
#[derive(Debug, Default)]
pub struct Inventory {
    relations: BTreeMap<(String, String), Arc<Relation>>,
    schemas: BTreeMap<String, u32>,
}

/// A table or view that exists.
#[derive(Debug)]
pub struct Relation {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub body: Body,
}

#[derive(Debug)]
pub enum Body {
    /// Lies in the lake.
    Table(Contract),
    /// Made by the process when it is read.
    Virtual(Contract),
    /// Its columns are known once it was planned for the first time.
    View { file: ViewFile, columns: OnceLock<Vec<Column>> },
}

impl Relation {
    pub fn is_view(&self) -> bool {
        matches!(self.body, Body::View { .. })
    }

    pub fn columns(&self) -> &[Column] {
        match &self.body {
            Body::Table(contract) | Body::Virtual(contract) => &contract.columns,
            Body::View { columns, .. } => columns.get().map_or(&[], Vec::as_slice),
        }
    }

    pub fn comment(&self) -> Option<&str> {
        match &self.body {
            Body::Table(contract) | Body::Virtual(contract) => contract.comment.as_deref(),
            Body::View { file, .. } => file.comment.as_deref(),
        }
    }

    /// Remembers what planning found out about a view; the first finding stays.
    pub fn set_view_columns<'a>(&self, fields: impl Iterator<Item = &'a Field>) {
        if let Body::View { file, columns } = &self.body {
            let found = fields.map(|field| Column {
                name: field.name().clone(),
                sql_type: sql_type_of(field),
                nullable: true,
                default: None,
                comment: file.column_comments.get(field.name()).cloned(),
            });
            // Two sessions may plan a view at once; both find the same.
            let _ = columns.set(found.collect());
        }
    }
}

impl Inventory {
    /// The tables and views of a dataset, and those of the house.
    pub fn of(dataset: &Dataset, house_tables: Vec<Contract>, house_virtual: Vec<Contract>) -> Self {
        let mut inventory = Self::default();
        for contract in &dataset.contracts {
            inventory.insert(PUBLIC, &contract.name, Body::Table(contract.clone()));
        }
        for file in &dataset.views {
            let body = Body::View { file: file.clone(), columns: OnceLock::new() };
            inventory.insert(&file.schema, &file.name, body);
        }
        for contract in house_tables {
            let name = contract.name.clone();
            inventory.insert(HOUSE, &name, Body::Table(contract));
        }
        for contract in house_virtual {
            let name = contract.name.clone();
            inventory.insert(HOUSE, &name, Body::Virtual(contract));
        }
        inventory.number();
        inventory
    }

    pub fn find(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        self.relations.get(&(schema.to_owned(), name.to_owned()))
    }

    /// In order of schema and name.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// Name and oid of each schema.
    pub fn schemas(&self) -> impl Iterator<Item = (&str, u32)> {
        self.schemas.iter().map(|(name, oid)| (name.as_str(), *oid))
    }

    pub fn has_schema(&self, name: &str) -> bool {
        self.schemas.contains_key(name)
    }

    fn insert(&mut self, schema: &str, name: &str, body: Body) {
        let relation = Relation { oid: 0, schema: schema.to_owned(), name: name.to_owned(), body };
        self.relations.insert((schema.to_owned(), name.to_owned()), Arc::new(relation));
    }

    /// Gives each schema and relation the oid that its name stands for.
    fn number(&mut self) {
        let mut taken = BTreeSet::new();
        let schemas: BTreeSet<&String> = self.relations.keys().map(|(schema, _)| schema).collect();
        self.schemas = schemas.into_iter().map(|name| (name.clone(), oid_of(name, &mut taken))).collect();
        for ((schema, name), relation) in &mut self.relations {
            if let Some(relation) = Arc::get_mut(relation) {
                relation.oid = oid_of(&format!("{schema}.{name}"), &mut taken);
            }
        }
    }
}

/// An oid from a name: the same in every process. Two names that meet give the later one the next free number.
pub fn oid_of(name: &str, taken: &mut BTreeSet<u32>) -> u32 {
    let mut oid = OID_FIRST + crc32c::crc32c(name.as_bytes()) % (OID_LAST - OID_FIRST);
    while !taken.insert(oid) {
        oid = if oid == OID_LAST { OID_FIRST } else { oid + 1 };
    }
    oid
}

/// The SQL type that a column of a view shows.
pub fn sql_type_of(field: &Field) -> SqlType {
    match field.metadata().get(TYPE_KEY).map(String::as_str) {
        Some("json") => return SqlType::Json,
        Some("jsonb") => return SqlType::Jsonb,
        Some("uuid") => return SqlType::Uuid,
        _ => {}
    }
    match field.data_type() {
        DataType::Boolean => SqlType::Boolean,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => SqlType::SmallInt,
        DataType::UInt16 | DataType::Int32 => SqlType::Integer,
        DataType::UInt32 | DataType::Int64 => SqlType::BigInt,
        DataType::UInt64 => SqlType::Numeric { precision: 20, scale: 0 },
        DataType::Float16 | DataType::Float32 => SqlType::Real,
        DataType::Float64 => SqlType::Double,
        DataType::Decimal128(precision, scale) => SqlType::Numeric { precision: *precision, scale: *scale },
        DataType::Date32 | DataType::Date64 => SqlType::Date,
        DataType::Time32(_) | DataType::Time64(_) => SqlType::Time,
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            zone,
        ) => {
            if zone.is_some() {
                SqlType::TimestampTz
            } else {
                SqlType::Timestamp
            }
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            SqlType::Bytea
        }
        DataType::List(item) | DataType::LargeList(item) if !is_nested(item) => {
            SqlType::Array(Box::new(sql_type_of(item)))
        }
        DataType::Struct(_) | DataType::List(_) | DataType::LargeList(_) | DataType::Map(..) => SqlType::Json,
        DataType::Dictionary(_, value) => sql_type_of(&Field::new("", value.as_ref().clone(), true)),
        _ => SqlType::Text,
    }
}

fn is_nested(item: &Field) -> bool {
    matches!(item.data_type(), DataType::Struct(_) | DataType::List(_) | DataType::LargeList(_) | DataType::Map(..))
}
