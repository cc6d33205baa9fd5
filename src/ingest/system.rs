//! The tables of schema `henna` that loads write to, and contracts as tables of the lake.

use arrow::datatypes::SchemaRef;

use super::error::IngestError;
use super::identity::{IDENTITIES, keeps_identities};
use crate::dataset::{Column, Contract, Partition, SqlType};
use crate::error::Result;
use crate::lake::{PartitionSpec, Store, StoredColumn, TableName, TableSpec};

pub const SCHEMA: &str = "henna";
pub const LOADS: &str = "loads";
pub const REJECTS: &str = "rejects";
pub const CONFLICTS: &str = "identity_conflicts";
pub const REJECT_FILES: &str = "reject_files";
pub const CORRECTIONS: &str = "corrections";

const TEXTS: [(&str, &str); 5] = [
    (LOADS, include_str!("system/loads.sql")),
    (REJECTS, include_str!("system/rejects.sql")),
    (CONFLICTS, include_str!("system/identity_conflicts.sql")),
    (REJECT_FILES, include_str!("system/reject_files.sql")),
    (CORRECTIONS, include_str!("system/corrections.sql")),
];

/// The contracts of the tables that loads write to.
pub fn contracts() -> Result<Vec<Contract>> {
    let mut contracts = Vec::with_capacity(TEXTS.len());
    for (name, text) in TEXTS {
        let mut contract = crate::dataset::contract(&format!("system/{name}.sql"), name, text)?;
        if name == REJECTS {
            // They quote the rows, and the log keeps the least and greatest of what it has statistics of.
            contract.statistics_off = ["reason", "raw"].map(str::to_owned).to_vec();
        }
        contracts.push(contract);
    }
    Ok(contracts)
}

/// The contract of one of them.
pub fn contract(name: &str) -> Result<Contract> {
    let found = contracts()?.into_iter().find(|contract| contract.name == name);
    found.ok_or_else(|| IngestError::TableUnknown { table: format!("{SCHEMA}.{name}") }.into())
}

/// The stored schema of one of them.
pub fn schema(name: &str) -> Result<SchemaRef> {
    Ok(contract(name)?.stored_schema())
}

/// Makes those of the system's tables that the lake lacks.
pub async fn create_tables(store: &Store) -> Result<()> {
    let known = store.tables().await?;
    for contract in contracts()? {
        let name = TableName::new(SCHEMA, &contract.name);
        if !known.contains(&name) {
            store.create_table(&name, &table_spec(&contract)).await?;
        }
    }
    Ok(())
}

/// Tables that lakes lack which were made before there were corrections.
const LATER: [&str; 2] = [REJECT_FILES, CORRECTIONS];

/// Makes those of the system's tables that a lake of an earlier version of the program lacks.
pub async fn complete(store: &Store) -> Result<()> {
    let known = store.tables().await?;
    for name in LATER {
        let table = TableName::new(SCHEMA, name);
        if !known.contains(&table) && known.contains(&TableName::new(SCHEMA, LOADS)) {
            store.create_table(&table, &table_spec(&contract(name)?)).await?;
        }
    }
    Ok(())
}

/// The column of identifiers' hashes.
const ID_VALUE: &str = "id_value";

/// Documents may hold what no column is for, and nothing is found by their least and greatest.
fn without_statistics(contract: &Contract) -> Vec<String> {
    let is_document = |column: &&Column| matches!(column.sql_type, SqlType::Json | SqlType::Jsonb);
    let documents = contract.columns.iter().filter(is_document).map(|column| column.name.clone());
    // The log outlives a person who is erased.
    let hashes = (contract.name == IDENTITIES && keeps_identities(contract)).then(|| ID_VALUE.to_owned());
    let mut off = contract.statistics_off.clone();
    off.extend(documents.chain(hashes).filter(|name| !contract.statistics_off.contains(name)));
    off
}

/// A contract as the lake lays it out. Key columns hardly repeat, so they get no dictionary unless the rows are sorted by them first; a key
/// of one column never repeats.
pub fn table_spec(contract: &Contract) -> TableSpec {
    let schema = contract.stored_schema();
    let leading = contract.sort.first();
    let key = &contract.primary_key;
    let repeats = |name: &String| !key.contains(name) || leading == Some(name) && key.len() > 1;
    let columns = schema
        .fields()
        .iter()
        .map(|field| StoredColumn { field: field.as_ref().clone(), dictionary: repeats(field.name()) });
    TableSpec {
        columns: columns.collect(),
        key: contract.primary_key.clone(),
        version: contract.version.clone(),
        partition: contract.partition.as_ref().map(|partition| match partition {
            Partition::Column(column) => PartitionSpec::Column(column.clone()),
            Partition::Month(column) => PartitionSpec::Month(column.clone()),
        }),
        sort: contract.sort.clone(),
        statistics_off: without_statistics(contract),
        ..TableSpec::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tables_have_contracts() {
        let names: Vec<String> = contracts().unwrap().into_iter().map(|contract| contract.name).collect();
        assert_eq!(names, ["loads", "rejects", "identity_conflicts", "reject_files", "corrections"]);
    }
}
