//! Whether the parts of a dataset fit together.

use std::collections::HashSet;

use super::contract::{Contract, ForeignKey};
use super::error::{DatasetError, LayoutFault};
use super::folder::Dataset;
use super::settings::{self, AsOf, is_calendar};
use super::source::{Feed, Source};

/// `table.column` texts as pairs; each must be a date or time column of the dataset.
pub fn as_of_columns(dataset: &Dataset, texts: &[String]) -> Result<Vec<(String, String)>, DatasetError> {
    if dataset.as_of == AsOf::Latest && texts.is_empty() {
        return Err(DatasetError::AsOfColumnsAbsent);
    }
    texts
        .iter()
        .map(|text| {
            let (table, column) = text.split_once('.').unwrap_or((text, ""));
            dataset
                .contract(table)
                .and_then(|contract| contract.column(column))
                .filter(|column| is_calendar(&column.sql_type))
                .map(|column| (table.to_owned(), column.name.clone()))
                .ok_or_else(|| DatasetError::AsOfColumn { text: text.clone() })
        })
        .collect()
}

/// Refuses a dataset whose names do not meet.
pub fn fits(dataset: &Dataset) -> Result<(), DatasetError> {
    if dataset.contracts.is_empty() {
        return Err(DatasetError::NoTables { name: dataset.name.clone() });
    }
    if dataset.time_zone.parse::<chrono_tz::Tz>().is_err() {
        let (path, zone) = (settings::PATH.to_owned(), dataset.time_zone.clone());
        return Err(DatasetError::TimeZone { path, zone });
    }
    relations_are_unique(dataset)?;
    for contract in &dataset.contracts {
        for key in &contract.foreign_keys {
            foreign_key_meets(dataset, contract, key)?;
        }
    }
    let sampled = dataset.sample.iter().filter_map(|query| Some((query.path.clone(), query.table()?)));
    let mapped = dataset
        .sources
        .iter()
        .flat_map(|source| source.tables.keys().map(move |table| (format!("sources/{}", source.name), table.as_str())));
    for (path, table) in sampled.chain(mapped) {
        if dataset.contract(table).is_none() {
            return Err(DatasetError::TableUnknown { path, table: table.to_owned() });
        }
    }
    dataset.sources.iter().try_for_each(|source| columns_meet(dataset, source))
}

/// A column that a source gives a table as it stands is one of the table's, or an identifier.
fn columns_meet(dataset: &Dataset, source: &Source) -> Result<(), DatasetError> {
    let fed = source.tables.iter().filter(|(_, feed)| **feed == Feed::Columns);
    for contract in fed.filter_map(|(table, _)| dataset.contract(table)) {
        let known = |name: &str| contract.column(name).is_some() || contract.column("extras").is_some();
        let stray = source.layout.columns.iter().find(|column| !known(&column.name) && !column.name.starts_with("id_"));
        if let Some(column) = stray {
            let (table, column) = (contract.name.clone(), column.name.clone());
            let path = format!("sources/{}.toml", source.name);
            return Err(DatasetError::Layout { path, fault: LayoutFault::ColumnUnknown { table, column } });
        }
    }
    Ok(())
}

fn relations_are_unique(dataset: &Dataset) -> Result<(), DatasetError> {
    let tables = dataset.contracts.iter().map(|contract| ("public", contract.name.as_str()));
    let views = dataset.views.iter().map(|view| (view.schema.as_str(), view.name.as_str()));
    let mut seen = HashSet::new();
    for (schema, name) in tables.chain(views) {
        if !seen.insert((schema, name)) {
            return Err(DatasetError::Twice { schema: schema.to_owned(), name: name.to_owned() });
        }
    }
    Ok(())
}

fn foreign_key_meets(dataset: &Dataset, contract: &Contract, key: &ForeignKey) -> Result<(), DatasetError> {
    let path = format!("tables/{}.sql", contract.name);
    let Some(other) = dataset.contract(&key.table) else {
        return Err(DatasetError::TableUnknown { path, table: key.table.clone() });
    };
    if let Some(column) = key.table_columns.iter().find(|column| other.column(column).is_none()) {
        return Err(DatasetError::ColumnUnknown { path, table: other.name.clone(), column: column.clone() });
    }
    let width = if key.table_columns.is_empty() { other.primary_key.len() } else { key.table_columns.len() };
    if width != key.columns.len() {
        return Err(DatasetError::ForeignKeyWidth {
            table: contract.name.clone(),
            key: key.name.clone(),
            columns: key.columns.len(),
            other: other.name.clone(),
            key_columns: width,
        });
    }
    Ok(())
}
