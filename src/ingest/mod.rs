//! Files in: read, checked against a contract, given one identity per customer, written in one commit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dataset::{Contract, Dataset};
use crate::error::Result;
use crate::lake::{Snapshot, Store, TableName, TableSpec};

/// The contracts of the tables of schema `henna` that loads write.
pub fn system_contracts() -> Result<Vec<Contract>> {
    Ok(Vec::new())
}

/// How a table of this contract lies in the lake.
pub fn table_spec(contract: &Contract) -> TableSpec {
    let schema = contract.stored_schema();
    TableSpec {
        key: contract.primary_key.clone(),
        version: contract.version.clone(),
        sort: contract.sort.clone(),
        statistics_off: contract.statistics_off.clone(),
        ..TableSpec::plain(&schema)
    }
}

/// What a new lake needs beside its tables: the key of the identifiers' hashes.
pub async fn found(_store: &Store) -> Result<()> {
    Ok(())
}

/// The column of a table that names its row's person.
pub fn person_column(contract: &Contract) -> Option<&str> {
    contract.column("one_id").map(|column| column.name.as_str())
}

/// Where the dataset keeps identities.
pub fn identities_table(dataset: &Dataset) -> Option<TableName> {
    let known = dataset.contracts.iter().any(|contract| contract.name == "identities");
    known.then(|| TableName::new("public", "identities"))
}

/// Merged identities: from the one that is gone to the one that stays.
pub async fn merges(_store: &Store, _identities: &Arc<Snapshot>) -> Result<HashMap<i64, i64>> {
    Ok(HashMap::new())
}
