//! What exists in a lake: its tables and views by name, with oids that do not change between restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{DataType, Field, TimeUnit};

use super::definition::{Definition, TableDefinition, ViewDefinition};
use crate::access::{SecuritySnapshot, TableId};
use crate::dataset::contract::TYPE_KEY;
use crate::dataset::{Column, Contract, Dataset, SqlType, ViewFile};
use crate::error::Result;
use crate::lake::TableName;

/// The schema of a dataset's tables, and the one where the house shows itself.
pub const PUBLIC: &str = "public";
pub const HOUSE: &str = "henna";

/// Oids below are PostgreSQL's own.
const OID_FIRST: u32 = 16_384;
/// Oids above would be negative in clients that hold them in an `int4`.
const OID_LAST: u32 = i32::MAX as u32;

/// Every table and view, by schema and name.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    relations: BTreeMap<(String, String), Arc<Relation>>,
    schemas: BTreeMap<String, Schema>,
    taken: BTreeSet<u32>,
}

#[derive(Debug, Clone)]
pub struct Schema {
    pub oid: u32,
    pub origin: Origin,
    pub comment: Option<String>,
}

/// Who brought an object into the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The dataset or the house: it stays.
    Founded,
    /// A user, who may take it away.
    Authored,
}

/// A table or view that exists.
#[derive(Debug)]
pub struct Relation {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub body: Body,
    pub origin: Origin,
    /// Where a table of the lake lies.
    pub folder: TableName,
}

#[derive(Debug)]
pub enum Body {
    /// Lies in the lake.
    Table(Contract),
    /// Made by the process when it is read.
    Virtual(Contract),
    /// Its columns are known once it was planned for the first time.
    View { file: ViewFile, columns: OnceLock<Vec<Column>>, terms: ViewTerms },
}

/// How a view is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ViewTerms {
    /// Bare names are those of the dataset; its tables are the caller's.
    #[default]
    Dataset,
    /// Every name in it is full.
    Authored {
        /// Which column of the SELECT each of its columns is.
        sources: Vec<String>,
        reads: Vec<TableId>,
        rights: ViewRights,
    },
}

/// Whose tables a view reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewRights {
    Caller,
    Owner,
}

impl Relation {
    pub fn id(&self) -> TableId {
        TableId::new(&self.schema, &self.name)
    }

    /// The relations that a user's view names; a dataset's has none that a user could take away.
    pub fn reads(&self) -> &[TableId] {
        match &self.body {
            Body::View { terms: ViewTerms::Authored { reads, .. }, .. } => reads,
            _ => &[],
        }
    }

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
        if let Body::View { file, columns, .. } = &self.body {
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
            let body = Body::View { file: file.clone(), columns: OnceLock::new(), terms: ViewTerms::Dataset };
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

    pub fn schemas(&self) -> impl Iterator<Item = (&str, &Schema)> {
        self.schemas.iter().map(|(name, schema)| (name.as_str(), schema))
    }

    pub fn schema(&self, name: &str) -> Option<&Schema> {
        self.schemas.get(name)
    }

    pub fn has_schema(&self, name: &str) -> bool {
        self.schemas.contains_key(name)
    }

    /// The same with what users made, as the snapshot knows it. An object whose definition cannot be read is left out:
    /// nobody can name it, and its name stays taken.
    pub fn with_authored(&self, security: &SecuritySnapshot) -> Self {
        let mut inventory = self.clone();
        for (name, schema) in security.schemas() {
            let Some(Ok(Definition::Schema(kept))) = schema.definition.as_deref().map(Definition::parse) else {
                continue;
            };
            let oid = oid_of(name, &mut inventory.taken);
            let schema = Schema { oid, origin: Origin::Authored, comment: kept.comment };
            inventory.schemas.entry(name.clone()).or_insert(schema);
        }
        for (id, relation) in security.relations() {
            let Some(text) = relation.definition.as_deref() else { continue };
            match authored(id, text) {
                Ok(mut relation) => {
                    relation.oid = oid_of(&format!("{}.{}", id.schema, id.table), &mut inventory.taken);
                    let key = (id.schema.clone(), id.table.clone());
                    inventory.relations.entry(key).or_insert_with(|| Arc::new(relation));
                }
                Err(error) => tracing::error!(relation = %id, %error, "the definition of a relation cannot be read"),
            }
        }
        inventory
    }

    fn insert(&mut self, schema: &str, name: &str, body: Body) {
        let relation = Relation {
            oid: 0,
            schema: schema.to_owned(),
            name: name.to_owned(),
            body,
            origin: Origin::Founded,
            folder: TableName::new(schema, name),
        };
        self.relations.insert((schema.to_owned(), name.to_owned()), Arc::new(relation));
    }

    /// Gives each schema and relation the oid that its name stands for.
    fn number(&mut self) {
        let mut taken = BTreeSet::new();
        let schemas: BTreeSet<&String> = self.relations.keys().map(|(schema, _)| schema).collect();
        let schema = |oid| Schema { oid, origin: Origin::Founded, comment: None };
        self.schemas = schemas.into_iter().map(|name| (name.clone(), schema(oid_of(name, &mut taken)))).collect();
        for ((schema, name), relation) in &mut self.relations {
            if let Some(relation) = Arc::get_mut(relation) {
                relation.oid = oid_of(&format!("{schema}.{name}"), &mut taken);
            }
        }
        self.taken = taken;
    }
}

/// A relation as its definition has it, without an oid.
fn authored(id: &TableId, text: &str) -> Result<Relation> {
    let (body, folder) = match Definition::parse(text)? {
        Definition::Table(table) => table_body(id, &table)?,
        Definition::View(view) => view_body(id, view)?,
        Definition::Schema(_) | Definition::Dataset(_) => {
            return Err(crate::Error::new(crate::Reason::Corrupt, "a relation is defined as something else"));
        }
    };
    let (schema, name) = (id.schema.clone(), id.table.clone());
    Ok(Relation { oid: 0, schema, name, body, origin: Origin::Authored, folder })
}

fn table_body(id: &TableId, table: &TableDefinition) -> Result<(Body, TableName)> {
    let folder = TableName::new(&table.folder.schema, &table.folder.table);
    Ok((Body::Table(table.contract(&id.table)?), folder))
}

fn view_body(id: &TableId, view: ViewDefinition) -> Result<(Body, TableName)> {
    let columns = view.columns()?;
    let rights = if view.security_invoker { ViewRights::Caller } else { ViewRights::Owner };
    let file = ViewFile {
        schema: id.schema.clone(),
        name: id.table.clone(),
        sql: view.select,
        comment: view.comments.own,
        column_comments: view.comments.columns,
    };
    let terms = ViewTerms::Authored { sources: view.sources, reads: view.reads, rights };
    let folder = TableName::new(&id.schema, &id.table);
    Ok((Body::View { file, columns: OnceLock::from(columns), terms }, folder))
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
