//! A table whose columns change: new ones come, none of those that are there is lost or gets another type.
//!
//! Files that are there stay as they are, and a column that they lack is null in their rows. Where the rows are to have a
//! value in a new column the files are written anew in the same commit, so that every engine reads the same rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, SchemaRef};
use deltalake::DeltaTableError;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake::kernel::{Action, MetadataExt as _, Protocol, StructField, StructType};
use deltalake::protocol::DeltaOperation;
use futures::StreamExt;
use serde_json::json;

use super::data_file::{FileWriter, Layout, Written};
use super::error::LakeError;
use super::snapshot::{FileEntry, Snapshot};
use super::store::{Store, delta_schema};
use super::stored::{Rows, read, remove};
use super::table::{TableName, TableSpec};
use super::write::{Load, Outcome};
use crate::error::Result;

/// The feature of Delta that a column of times without a zone needs.
const TIMES_WITHOUT_ZONE: &str = "timestampNtz";

/// What an alteration did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Altered {
    /// The table's version after it.
    pub version: u64,
    /// Columns that the table did not have before.
    pub added: Vec<String>,
    /// Files that were written anew because their rows got a value in a new column.
    pub files: u64,
}

impl Store {
    /// Gives a table the columns and the layout of `spec`, in one commit; nothing is written where it has them already. `fills`
    /// are the values (of one element, of the stored type) that the rows which are there get in new columns.
    pub async fn alter_table(
        &self,
        name: &TableName,
        spec: &TableSpec,
        fills: &HashMap<String, ArrayRef>,
    ) -> Result<Altered> {
        spec.validate(name)?;
        Ok(self.altered(name, spec, fills).await?)
    }

    async fn altered(
        &self,
        name: &TableName,
        spec: &TableSpec,
        fills: &HashMap<String, ArrayRef>,
    ) -> Result<Altered, LakeError> {
        let _turn = self.locks().hold(name).await?;
        let snapshot = self.newest(name).await?;
        let spec = following(&snapshot.spec, spec);
        if is_same(&spec, &snapshot.spec) {
            return Ok(Altered { version: snapshot.version, ..Altered::default() });
        }
        let added = added(name, &snapshot.spec, &spec, fills)?;
        let layout = Layout::new(self.object_store(), name, &spec)?;
        let (mut actions, fields) = self.announced(&snapshot, &spec, &added)?;
        let mut files = 0;
        if added.iter().any(|column| fills.contains_key(column)) {
            for file in &snapshot.files {
                let written = self.filled(file, &snapshot.schema, &layout, fills).await?;
                files += written.len() as u64;
                actions.push(remove(file, &spec, true));
                actions.extend(written.iter().map(|file| Action::Add(layout.add(file, true))));
            }
        }
        let (load_id, notes) = (format!("alter:{}", uuid::Uuid::new_v4()), BTreeMap::new());
        let operation = DeltaOperation::AddColumn { fields };
        let load = Load { load_id: &load_id, notes: &notes, operation, onto: Some(snapshot.version), parts: &[] };
        match self.commit(&snapshot, actions, &load, &[]).await? {
            Outcome::Committed(version) => Ok(Altered { version, added, files }),
            Outcome::Overtaken => Err(LakeError::Contended { table: name.to_string(), attempts: 1 }),
        }
    }

    /// What the log is told of the columns.
    fn announced(
        &self,
        snapshot: &Snapshot,
        spec: &TableSpec,
        added: &[String],
    ) -> Result<(Vec<Action>, Vec<StructField>), LakeError> {
        let schema: StructType = (&delta_schema(spec)).try_into_kernel()?;
        let fields = schema.fields().filter(|field| added.contains(field.name())).cloned().collect();
        let mut metadata = snapshot.state.metadata().clone().with_schema(&schema).map_err(DeltaTableError::from)?;
        for (key, value) in spec.properties() {
            if let Some(value) = value {
                metadata = metadata.add_config_key(key, value).map_err(DeltaTableError::from)?;
            }
        }
        let mut actions = Vec::new();
        let without_zone = |name: &String| {
            let column = spec.columns.iter().find(|column| column.field.name() == name);
            column.is_some_and(|column| is_without_zone(column.field.data_type()))
        };
        if added.iter().any(without_zone) {
            actions.extend(with_times_without_zone(snapshot.state.protocol())?.map(Action::Protocol));
        }
        actions.push(Action::Metadata(metadata));
        Ok((actions, fields))
    }

    /// The rows of a file with their values in the new columns.
    async fn filled(
        &self,
        file: &FileEntry,
        before: &SchemaRef,
        layout: &Layout,
        fills: &HashMap<String, ArrayRef>,
    ) -> Result<Vec<Written>, LakeError> {
        let mut writer = FileWriter::new(layout.clone(), file.sorted.clone());
        let mut rows = read(&self.object_store(), &file.path, file.bytes, before, Rows::All).await?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let column = |field: &Arc<Field>| -> Result<ArrayRef, LakeError> {
                match (batch.column_by_name(field.name()), fills.get(field.name())) {
                    (Some(column), _) => Ok(Arc::clone(column)),
                    (None, Some(value)) => Ok(take(value, &UInt32Array::from(vec![0; batch.num_rows()]), None)?),
                    (None, None) => Ok(new_null_array(field.data_type(), batch.num_rows())),
                }
            };
            let columns = layout.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
            writer.write(file.partition.as_ref(), &RecordBatch::try_new(Arc::clone(&layout.schema), columns)?).await?;
        }
        writer.finish().await
    }
}

/// The spec with what is known of the shapes that the table had.
fn following(before: &TableSpec, spec: &TableSpec) -> TableSpec {
    let mut earlier = before.earlier.clone();
    if !before.column_names().eq(spec.column_names()) {
        earlier.push(before.column_names().map(str::to_owned).collect());
    }
    let mut spec = TableSpec { earlier, ..spec.clone() };
    // As Delta is told of them: the column of a partition takes nulls.
    let fields = delta_schema(&spec);
    for column in &mut spec.columns {
        if let Ok(field) = fields.field_with_name(column.field.name()) {
            column.field = field.clone();
        }
    }
    spec
}

/// Whether two specs are the same table; what the log adds to a column by itself does not count.
fn is_same(one: &TableSpec, other: &TableSpec) -> bool {
    let bare = |spec: &TableSpec| {
        let mut spec = spec.clone();
        spec.columns.iter_mut().for_each(|column| column.field.metadata_mut().clear());
        spec
    };
    bare(one) == bare(other)
}

/// The columns that `spec` adds; an error where it does more than that to columns, key or partition.
fn added(
    name: &TableName,
    before: &TableSpec,
    spec: &TableSpec,
    fills: &HashMap<String, ArrayRef>,
) -> Result<Vec<String>, LakeError> {
    let refuse = |column: &str, rule: &str| {
        Err(LakeError::AlterRefused { table: name.to_string(), column: column.to_owned(), rule: rule.to_owned() })
    };
    let schema = spec.schema();
    for column in &before.columns {
        let (field, name) = (&column.field, column.field.name());
        match schema.field_with_name(name) {
            Err(_) => return refuse(name, "cannot be taken away"),
            Ok(now) if now.data_type() != field.data_type() => return refuse(name, "cannot get another type"),
            Ok(now) if field.is_nullable() && !now.is_nullable() => {
                return refuse(name, "cannot become NOT NULL: rows that are there may have no value");
            }
            Ok(_) => {}
        }
    }
    let layout = |spec: &TableSpec| (spec.key.clone(), spec.version.clone(), spec.partition.clone());
    if layout(before) != layout(spec) {
        let rule = "is part of key, version or partition, which stay as they were made";
        let column = spec.key.first().or(spec.version.as_ref()).map_or("", String::as_str);
        return refuse(column, rule);
    }
    let known = before.schema();
    let new = schema.fields().iter().filter(|field| known.index_of(field.name()).is_err());
    let new: Vec<&Arc<Field>> = new.collect();
    if let Some(field) = new.iter().find(|field| !field.is_nullable() && !fills.contains_key(field.name())) {
        return refuse(field.name(), "is NOT NULL, and rows that are there would have no value");
    }
    Ok(new.into_iter().map(|field| field.name().clone()).collect())
}

fn is_without_zone(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(_, zone) => zone.is_none(),
        DataType::List(item) => is_without_zone(item.data_type()),
        _ => false,
    }
}

/// The protocol with the feature that times without a zone need; `None` where it has it.
fn with_times_without_zone(protocol: &Protocol) -> Result<Option<Protocol>, LakeError> {
    let (mut reader, mut writer) = (names(protocol.reader_features()), names(protocol.writer_features()));
    if reader.iter().any(|feature| feature == TIMES_WITHOUT_ZONE) {
        return Ok(None);
    }
    reader.push(TIMES_WITHOUT_ZONE.to_owned());
    writer.push(TIMES_WITHOUT_ZONE.to_owned());
    let text = json!({
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": writer,
    });
    Ok(Some(serde_json::from_value(text).map_err(DeltaTableError::generic)?))
}

fn names<T: ToString>(features: Option<&[T]>) -> Vec<String> {
    features.unwrap_or_default().iter().map(ToString::to_string).collect()
}
