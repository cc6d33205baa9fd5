//! What a table of the lake is: its name, columns, key and layout.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::error::LakeError;

/// The folder of all tables.
pub(super) const TABLES: &str = "tables";
/// The hidden partition column of [`PartitionSpec::Month`].
pub(super) const MONTH: &str = "_month";
/// Where the spec stands among the properties of the Delta table.
const SPEC_PROPERTY: &str = "henna.spec";

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

    /// The table's folder, from the root of the lake.
    pub(super) fn folder(&self) -> Path {
        Path::from_iter([TABLES, &folder_name(&self.schema), &folder_name(&self.table)])
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// Any text as a name that every object store and URL takes as it is: bytes other than `A-Z a-z 0-9 _ -` become `+XX`.
pub(super) fn folder_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            other => name.push_str(&format!("+{other:02X}")),
        }
    }
    if name.is_empty() { "+".to_owned() } else { name }
}

/// The text that [`folder_name`] made `name` of; `None` where it made it of none.
pub(super) fn folder_text(name: &str) -> Option<String> {
    if name == "+" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'+' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail.get(2..)?;
    }
    String::from_utf8(bytes).ok()
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
    /// By the value of a text, integer or date column.
    Column(String),
    /// By the UTC calendar month of a date or timestamp column, in a hidden column `_month`.
    Month(String),
}

impl PartitionSpec {
    /// The column that the partition is made of.
    pub fn source(&self) -> &str {
        match self {
            Self::Column(column) | Self::Month(column) => column,
        }
    }

    /// The partition column as the log names it.
    pub(super) fn column(&self) -> &str {
        match self {
            Self::Column(column) => column,
            Self::Month(_) => MONTH,
        }
    }
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
    /// The order of the rows within each file; empty is that of the key.
    pub sort: Vec<String>,
    /// Columns whose minimum and maximum stay out of the log (personal data).
    pub statistics_off: Vec<String>,
    /// The columns that the table had before it was altered, the oldest first: files of that time have those, in that order.
    pub earlier: Vec<Vec<String>>,
}

/// The part of a spec that Delta has no place for.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SpecProperty {
    key: Vec<String>,
    version: Option<String>,
    partition: Option<PartitionSpec>,
    sort: Vec<String>,
    statistics_off: Vec<String>,
    dictionary_off: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Vec<String>>,
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

    pub(super) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.field.name().as_str())
    }

    /// The order of the rows within each file: the key, where nothing is said.
    pub(super) fn order(&self) -> &[String] {
        if self.sort.is_empty() { &self.key } else { &self.sort }
    }

    /// The properties to keep beside the Delta schema.
    pub(super) fn properties(&self) -> Vec<(String, Option<String>)> {
        let dictionary_off = self.columns.iter().filter(|column| !column.dictionary);
        let property = SpecProperty {
            key: self.key.clone(),
            version: self.version.clone(),
            partition: self.partition.clone(),
            sort: self.sort.clone(),
            statistics_off: self.statistics_off.clone(),
            dictionary_off: dictionary_off.map(|column| column.field.name().clone()).collect(),
            earlier: self.earlier.clone(),
        };
        vec![(SPEC_PROPERTY.to_owned(), serde_json::to_string(&property).ok())]
    }

    /// The spec of a table with this schema (hidden columns taken away) and these properties.
    pub(super) fn from_properties(schema: &Schema, properties: &HashMap<String, String>) -> Result<Self, LakeError> {
        let property: SpecProperty = match properties.get(SPEC_PROPERTY) {
            None => SpecProperty::default(),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| LakeError::Corrupt { path: SPEC_PROPERTY.to_owned(), found: error.to_string() })?,
        };
        let columns = schema.fields().iter().map(|field| StoredColumn {
            field: field.as_ref().clone(),
            dictionary: !property.dictionary_off.contains(field.name()),
        });
        Ok(Self {
            columns: columns.collect(),
            key: property.key,
            version: property.version,
            partition: property.partition,
            sort: property.sort,
            statistics_off: property.statistics_off,
            earlier: property.earlier,
        })
    }

    /// Refuses what could not be written or read back.
    pub(super) fn validate(&self, name: &TableName) -> Result<(), LakeError> {
        let refuse = |rule: String| Err(LakeError::SpecInvalid { table: name.to_string(), rule });
        let schema = self.schema();
        if schema.fields().is_empty() {
            return refuse("it has no columns".to_owned());
        }
        for (index, field) in schema.fields().iter().enumerate() {
            if field.name() == MONTH || schema.index_of(field.name()).ok() != Some(index) {
                return refuse(format!("column \"{}\" is taken", field.name()));
            }
            if !storable(field.data_type()) {
                return refuse(format!("column \"{}\" has type {}", field.name(), field.data_type()));
            }
        }
        let named = self.key.iter().chain(&self.version).chain(&self.sort).chain(&self.statistics_off);
        for column in named.map(String::as_str).chain(self.partition.iter().map(PartitionSpec::source)) {
            if schema.field_with_name(column).is_err() {
                return refuse(format!("column \"{column}\" is absent"));
            }
        }
        let type_of = |column: &str| schema.field_with_name(column).map(|field| field.data_type().clone());
        if let Some(version) = &self.version
            && !type_of(version).is_ok_and(|data_type| countable(&data_type))
        {
            return refuse(format!("version \"{version}\" is not an integer, date or timestamp"));
        }
        let fits = match &self.partition {
            None => true,
            Some(PartitionSpec::Month(column)) => {
                type_of(column).is_ok_and(|found| matches!(found, DataType::Date32 | DataType::Timestamp(_, _)))
            }
            Some(PartitionSpec::Column(column)) => type_of(column).is_ok_and(|found| {
                matches!(found, DataType::Utf8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32)
            }),
        };
        if fits { Ok(()) } else { refuse("its partition column has a type that does not partition".to_owned()) }
    }
}

/// Whether values compare as `i64`.
fn countable(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(_, _)
    )
}

/// Whether Delta has the type, so that it reads back as it was.
fn storable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(_, _)
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32
        | DataType::Timestamp(TimeUnit::Microsecond, None) => true,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => zone.as_ref() == "UTC",
        DataType::List(item) => storable(item.data_type()),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_a_folder_and_comes_back() {
        for name in ["orders", "订单", "a b", "", "+", "A/b", "..", "%41"] {
            let folder = folder_name(name);
            assert!(folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+".contains(&byte)), "{folder}");
            assert_eq!(folder_text(&folder).as_deref(), Some(name));
        }
        assert_eq!(folder_text("+4"), None);
    }

    #[test]
    fn a_spec_survives_its_properties() {
        let schema =
            Schema::new(vec![Field::new("id", DataType::Utf8, false), Field::new("day", DataType::Date32, true)]);
        let mut spec = TableSpec::plain(&schema);
        spec.columns[0].dictionary = false;
        spec.key = vec!["id".into()];
        spec.partition = Some(PartitionSpec::Month("day".into()));
        let properties = spec.properties().into_iter().map(|(key, value)| (key, value.unwrap())).collect();
        assert_eq!(TableSpec::from_properties(&schema, &properties).unwrap(), spec);
    }

    #[test]
    fn a_spec_that_names_an_absent_column_is_refused() {
        let mut spec = TableSpec::plain(&Schema::new(vec![Field::new("id", DataType::Utf8, false)]));
        spec.sort = vec!["time".into()];
        let refused = spec.validate(&TableName::new("public", "t")).unwrap_err();
        assert_eq!(refused.to_string(), "table \"public.t\" cannot be stored: column \"time\" is absent");
    }

    #[test]
    fn a_type_that_delta_has_not_is_refused() {
        let field = Field::new("t", DataType::Time64(TimeUnit::Microsecond), true);
        assert!(TableSpec::plain(&Schema::new(vec![field])).validate(&TableName::new("public", "t")).is_err());
    }
}
