//! What one version of `identities` says of single persons: looked up, never held as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::prelude::{Expr, SessionContext, col, lit};
use futures::TryStreamExt;

use super::super::check::ONE_ID;
use super::super::error::IngestError;
use super::super::identity::{self, IDENTITIES, Row, parsed_hash, shown_hash};
use super::super::load::{Loader, PUBLIC};
use super::super::scan::scan;
use super::super::system;
use crate::dataset::Contract;
use crate::error::Result;
use crate::lake::{Snapshot, Store, TableName};

/// How an operator names a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Number(i64),
    /// By an identifier as files have it, or by its keyed hash as `identities` has it.
    Identifier {
        id_type: String,
        value: String,
    },
}

/// Identities at one version.
pub struct Known<'a> {
    store: &'a Store,
    pub contract: &'a Contract,
    pub snapshot: Arc<Snapshot>,
    /// Old and surviving numbers; see [`identity::steps`].
    steps: HashMap<i64, i64>,
}

/// How many rows a table has of each stored number.
pub type RowsByNumber = BTreeMap<i64, u64>;

impl Loader {
    pub(super) async fn known(&self) -> Result<Known<'_>> {
        let contract = self.dataset.contract(IDENTITIES).filter(|contract| identity::keeps_identities(contract));
        let contract = contract.ok_or(IngestError::IdentitiesAbsent)?;
        self.make_system_tables().await?;
        let snapshot = self.store.snapshot(&TableName::new(PUBLIC, IDENTITIES)).await?;
        let steps = identity::steps(&self.store, contract, Arc::clone(&snapshot)).await?;
        Ok(Known { store: &self.store, contract, snapshot, steps })
    }

    /// The stored values that an identifier may have; a person's identifier, or why it can be none.
    pub(super) async fn values_of(&self, id_type: &str, value: &str) -> Result<Vec<String>> {
        let key = self.identity_key().await?.ok_or(IngestError::IdentitiesAbsent)?;
        let hashed = key.hashed(id_type, value).map(shown_hash);
        let values: Vec<String> =
            hashed.into_iter().chain(parsed_hash(value).is_some().then(|| value.to_owned())).collect();
        if values.is_empty() {
            let (id_type, value) = (id_type.to_owned(), value.to_owned());
            return Err(IngestError::IdentifierInvalid { id_type, value }.into());
        }
        Ok(values)
    }

    /// The row of an identifier; an error where nobody has it.
    pub(super) async fn identifier(&self, known: &Known<'_>, id_type: &str, value: &str) -> Result<Row<'static>> {
        let values = self.values_of(id_type, value).await?;
        let is_it = || col("id_type").eq(lit(id_type)).and(in_texts("id_value", &values));
        if let Some(row) = known.rows(is_it()).await?.pop() {
            return Ok(row);
        }
        let (id_type, value) = (id_type.to_owned(), value.to_owned());
        Err(match self.shared(is_it()).await?.into_values().next() {
            Some(others) => IngestError::IdentifierShared { id_type, value, others },
            None => IngestError::IdentifierUnknown { id_type, value },
        }
        .into())
    }

    /// Of shared identifiers, by their hashes, how many others they would join at least.
    pub(super) async fn shared(&self, kept: Expr) -> Result<HashMap<String, i64>> {
        let snapshot = self.store.snapshot(&TableName::new(system::SCHEMA, system::CONFLICTS)).await?;
        let contract = system::contract(system::CONFLICTS)?;
        let mut shared = HashMap::new();
        let columns = ["id_type", "id_value", "others"];
        scan(&self.store, &contract, snapshot, &columns, Some(kept), |batch| {
            let (values, others) = (batch.column(1).as_string::<i32>(), batch.column(2).as_primitive::<Int64Type>());
            shared.extend((0..batch.num_rows()).map(|row| (values.value(row).to_owned(), others.value(row))));
        })
        .await?;
        Ok(shared)
    }

    /// The rows of each table that names persons, by the number under which they are stored.
    pub(super) async fn rows_of(&self, numbers: &BTreeSet<i64>) -> Result<BTreeMap<TableName, RowsByNumber>> {
        let mut rows = BTreeMap::new();
        for name in self.store.tables().await?.into_iter().filter(|name| *name != TableName::new(PUBLIC, IDENTITIES)) {
            let snapshot = self.store.snapshot(&name).await?;
            let names_persons =
                snapshot.schema.field_with_name(ONE_ID).is_ok_and(|field| *field.data_type() == DataType::Int64);
            if !names_persons || snapshot.files.is_empty() {
                continue;
            }
            let context = SessionContext::new();
            self.store.register(&context.runtime_env())?;
            let shape = Arc::clone(&snapshot.schema);
            let frame = context.read_table(snapshot.provider(shape, None)).map_err(IngestError::from)?;
            let frame = frame.filter(in_numbers(numbers)).and_then(|frame| frame.select_columns(&[ONE_ID]));
            let mut stream = frame.map_err(IngestError::from)?.execute_stream().await.map_err(IngestError::from)?;
            let mut found = RowsByNumber::new();
            while let Some(batch) = stream.try_next().await.map_err(IngestError::from)? {
                for number in batch.column(0).as_primitive::<Int64Type>().iter().flatten() {
                    *found.entry(number).or_default() += 1;
                }
            }
            if !found.is_empty() {
                rows.insert(name, found);
            }
        }
        Ok(rows)
    }

    /// The person whom an operator names; an error where there is none.
    pub(super) async fn person_named(&self, known: &Known<'_>, who: &Who) -> Result<i64> {
        match who {
            Who::Identifier { id_type, value } => Ok(known.now(self.identifier(known, id_type, value).await?.person)),
            Who::Number(number) if known.steps.contains_key(number) => Ok(known.now(*number)),
            Who::Number(number) => {
                let numbers = BTreeSet::from([*number]);
                let is_known =
                    !known.identifiers(&numbers).await?.is_empty() || !self.rows_of(&numbers).await?.is_empty();
                is_known.then_some(*number).ok_or_else(|| IngestError::PersonUnknown { number: *number }.into())
            }
        }
    }
}

impl Known<'_> {
    /// The person that a number is after all merges.
    pub fn now(&self, number: i64) -> i64 {
        let mut at = number;
        while let Some(next) = self.steps.get(&at).filter(|next| **next < at) {
            at = *next;
        }
        at
    }

    /// A number and all that were merged into it, at once or by way of others.
    pub fn beneath(&self, number: i64) -> BTreeSet<i64> {
        let leads = |start: i64| {
            let mut at = start;
            while at > number {
                match self.steps.get(&at).filter(|next| **next < at) {
                    Some(next) => at = *next,
                    None => break,
                }
            }
            at == number
        };
        self.steps.keys().copied().filter(|old| leads(*old)).chain([number]).collect()
    }

    /// Greater than every number that a merge names.
    pub fn after_merges(&self) -> i64 {
        self.steps.keys().max().map_or(1, |greatest| greatest + 1)
    }

    /// The identifiers that are stored under some numbers.
    pub async fn identifiers(&self, numbers: &BTreeSet<i64>) -> Result<Vec<Row<'static>>> {
        let mut rows = self.rows(in_numbers(numbers)).await?;
        rows.retain(|row| parsed_hash(&row.id_value).is_some());
        rows.sort_by(|one, other| {
            (&one.id_type, one.first_seen_us, &one.id_value).cmp(&(
                &other.id_type,
                other.first_seen_us,
                &other.id_value,
            ))
        });
        Ok(rows)
    }

    /// The rows of `identities` for which a condition holds.
    pub async fn rows(&self, kept: Expr) -> Result<Vec<Row<'static>>> {
        let columns = ["id_type", "id_value", "one_id", "first_seen", "last_seen", "source"];
        let mut rows = Vec::new();
        let take = |batch: &RecordBatch| rows.extend(rows_in(batch));
        scan(self.store, self.contract, Arc::clone(&self.snapshot), &columns, Some(kept), take).await?;
        Ok(rows)
    }
}

fn rows_in(batch: &RecordBatch) -> Vec<Row<'static>> {
    let texts = |column: usize| batch.column(column).as_string::<i32>();
    let times = |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>();
    let (types, values, sources) = (texts(0), texts(1), texts(5));
    let (persons, first_seen, last_seen) = (batch.column(2).as_primitive::<Int64Type>(), times(3), times(4));
    let row = |row: usize| Row {
        id_type: types.value(row).to_owned().into(),
        id_value: values.value(row).to_owned(),
        person: persons.value(row),
        first_seen_us: first_seen.is_valid(row).then(|| first_seen.value(row)),
        last_seen_us: last_seen.is_valid(row).then(|| last_seen.value(row)),
        source: sources.is_valid(row).then(|| sources.value(row).to_owned().into()),
    };
    (0..batch.num_rows()).map(row).collect()
}

fn in_numbers(numbers: &BTreeSet<i64>) -> Expr {
    col(ONE_ID).in_list(numbers.iter().map(|number| lit(*number)).collect(), false)
}

pub fn in_texts(column: &str, texts: &[String]) -> Expr {
    if texts.is_empty() {
        return lit(false);
    }
    col(column).in_list(texts.iter().map(|text| lit(text.as_str())).collect(), false)
}
