//! Erasure: every row of a person, found by one identifier, leaves every table, and the files that held it go.
//!
//! The identities go last but for the files, so that an erasure which was cut off finds the person again. A row of type
//! [`FORGOTTEN`] stays: it says that the number is not to be given to anybody else, and nothing more.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type};

use super::check::ONE_ID;
use super::error::IngestError;
use super::identity::{self, FORGOTTEN, IDENTITIES, identity_rows_of, normal, shown_hash};
use super::load::{Loader, PUBLIC, stream_of};
use super::system;
use crate::error::Result;
use crate::lake::{TableName, WriteRequest};

/// What stands between the cells of a raw row.
const CELL_ENDS: [char; 7] = [',', ';', '\t', '"', ':', '{', '}'];

/// What an erasure took away.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// The numbers under which the person was known; none where nobody has the identifier.
    pub persons: BTreeSet<i64>,
    /// Rows by table, where there were some.
    pub rows: Vec<(TableName, u64)>,
    /// Files of earlier versions that went.
    pub files: u64,
}

impl Loader {
    /// Erases the person who has an identifier; of a lake without it, what quotes the value. Returns when the bytes are gone, and
    /// what logs of tables told of them.
    pub async fn forget(&self, id_type: &str, value: &str) -> Result<Forgotten> {
        let invalid = || IngestError::IdentifierInvalid { id_type: id_type.to_owned(), value: value.to_owned() };
        let plain = normal(id_type, value).ok_or_else(invalid)?.into_owned();
        let quotes = |raw: &str| {
            let is_it = |cell: &str| normal(id_type, cell).is_some_and(|found| *found == *plain);
            raw.contains(&plain) || raw.contains(value) || raw.split(CELL_ENDS).any(is_it)
        };
        self.make_system_tables().await?;
        let mut forgotten = Forgotten::default();
        let mut hashes = HashSet::new();
        if let Some((key, identities)) = self.identity_key().await?.zip(self.identities(None).await?) {
            let hash = key.hashed(id_type, value).ok_or_else(invalid)?;
            hashes.insert(shown_hash(hash));
            if let Some(person) = identities.stored.person(hash) {
                let snapshot = self.store.snapshot(&identity_table()).await?;
                let merges = identity::merges(&self.store, &identities.contract, snapshot).await?;
                forgotten.persons.insert(person);
                forgotten
                    .persons
                    .extend(merges.iter().filter(|(_, survivor)| **survivor == person).map(|(old, _)| *old));
                hashes.extend(identities.stored.hashes_of(person).map(shown_hash));
            }
            self.erase_rows(&mut forgotten).await?;
            self.erase_texts(&mut forgotten, system::REJECTS, "raw", &quotes).await?;
            self.erase_texts(&mut forgotten, system::CONFLICTS, "id_value", &|hash| hashes.contains(hash)).await?;
            self.erase_identities(&mut forgotten, &identities.contract).await?;
            // What the next load knows is read anew.
            drop(identities);
        } else {
            self.erase_texts(&mut forgotten, system::REJECTS, "raw", &quotes).await?;
        }
        // Of tables from which nothing was taken, too: an erasure before may have been cut off here.
        for name in self.store.tables().await? {
            forgotten.files += self.store.vacuum(&name, Duration::ZERO).await?;
            self.store.clear_traces(&name).await?;
        }
        Ok(forgotten)
    }

    /// The person's rows in every table that names persons.
    async fn erase_rows(&self, forgotten: &mut Forgotten) -> Result<()> {
        let persons = forgotten.persons.clone();
        if persons.is_empty() {
            return Ok(());
        }
        let named = self.store.tables().await?.into_iter().filter(|name| *name != identity_table());
        for name in named {
            let schema = std::sync::Arc::clone(&self.store.snapshot(&name).await?.schema);
            if schema.field_with_name(ONE_ID).is_ok_and(|field| *field.data_type() == DataType::Int64) {
                let doomed = |batch: &RecordBatch| Ok(marked(batch, ONE_ID, &persons));
                let removed = self.store.delete_rows(&name, &doomed).await?.rows_removed;
                tell(forgotten, name, removed);
            }
        }
        Ok(())
    }

    /// Rows of a table of the house whose text tells of the person.
    async fn erase_texts(
        &self,
        forgotten: &mut Forgotten,
        table: &str,
        column: &str,
        tells: &(dyn Fn(&str) -> bool + Send + Sync),
    ) -> Result<()> {
        let name = TableName::new(system::SCHEMA, table);
        let doomed = |batch: &RecordBatch| {
            let texts = batch.column_by_name(column).and_then(|column| column.as_string_opt::<i32>());
            let mark = |texts: &StringArray| texts.iter().map(|text| Some(text.is_some_and(tells))).collect();
            Ok(texts.map_or_else(|| BooleanArray::from(vec![false; batch.num_rows()]), mark))
        };
        let removed = self.store.delete_rows(&name, &doomed).await?.rows_removed;
        tell(forgotten, name, removed);
        Ok(())
    }

    async fn erase_identities(&self, forgotten: &mut Forgotten, contract: &crate::dataset::Contract) -> Result<()> {
        let persons = forgotten.persons.clone();
        if persons.is_empty() {
            return Ok(());
        }
        let now_us = chrono::Utc::now().timestamp_micros();
        let schema = contract.stored_schema();
        let kept = identity_rows_of(&schema, FORGOTTEN, &persons, now_us)?;
        let request = WriteRequest {
            load_id: String::new(),
            rows: stream_of(vec![kept], schema),
            notes: std::collections::BTreeMap::new(),
        };
        self.store.write(&identity_table(), request).await?;
        let doomed = |batch: &RecordBatch| {
            let types = batch.column_by_name("id_type").and_then(|column| column.as_string_opt::<i32>());
            let own = marked(batch, ONE_ID, &persons);
            let kept = |row: usize| types.is_some_and(|types| types.value(row) == FORGOTTEN);
            Ok((0..batch.num_rows()).map(|row| Some(own.value(row) && !kept(row))).collect())
        };
        let removed = self.store.delete_rows(&identity_table(), &doomed).await?.rows_removed;
        tell(forgotten, identity_table(), removed);
        Ok(())
    }
}

fn identity_table() -> TableName {
    TableName::new(PUBLIC, IDENTITIES)
}

fn tell(forgotten: &mut Forgotten, name: TableName, rows: u64) {
    if rows > 0 {
        forgotten.rows.push((name, rows));
    }
}

/// The rows whose column has one of the persons.
fn marked(batch: &RecordBatch, column: &str, persons: &BTreeSet<i64>) -> BooleanArray {
    let none = || BooleanArray::from(vec![false; batch.num_rows()]);
    let found: Option<&ArrayRef> = batch.column_by_name(column);
    found.and_then(|column| column.as_primitive_opt::<Int64Type>()).map_or_else(none, |numbers| {
        numbers.iter().map(|number| Some(number.is_some_and(|number| persons.contains(&number)))).collect()
    })
}
