//! `dataset.toml`: what SQL cannot say of a dataset. An unknown key is an error.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::contract::{Contract, Partition, Retention, SqlType};
use super::error::DatasetError;

pub const PATH: &str = "dataset.toml";

/// What `as_of()` gives where a session sets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// The newest value of the dataset's `as_of_columns` that the caller can see.
    Latest,
    /// The clock.
    Now,
    /// The start of a day in the dataset's time zone.
    Day(NaiveDate),
}

impl std::str::FromStr for AsOf {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        match text {
            "latest" => Ok(Self::Latest),
            "now" => Ok(Self::Now),
            day => day.parse().map(Self::Day).map_err(|_| DatasetError::AsOf { text: text.to_owned() }),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub name: Option<String>,
    pub title: Option<String>,
    #[serde(default = "utc")]
    pub time_zone: String,
    #[serde(default = "now")]
    pub as_of: String,
    #[serde(default)]
    pub as_of_columns: Vec<String>,
    #[serde(default = "identity_shared_max")]
    pub identity_shared_max: usize,
    #[serde(default)]
    pub tables: BTreeMap<String, TableSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSettings {
    partition: Option<String>,
    #[serde(default)]
    sort: Vec<String>,
    version: Option<String>,
    #[serde(default)]
    statistics_off: Vec<String>,
    #[serde(default)]
    defaults: BTreeMap<String, String>,
    retention: Option<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn now() -> String {
    "now".to_owned()
}

fn identity_shared_max() -> usize {
    20
}

/// A `.toml` file of the dataset as `T`; an error names the file and the line.
pub fn read_toml<T: DeserializeOwned>(path: &str, text: &str) -> Result<T, DatasetError> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        DatasetError::Toml { path: path.to_owned(), line, message: error.message().to_owned() }
    })
}

impl TableSettings {
    /// Adds to a contract what its file cannot say. Every column named must be one of the table's.
    pub fn complete(self, contract: &mut Contract) -> Result<(), DatasetError> {
        let named = self.sort.iter().chain(&self.version).chain(&self.statistics_off).chain(self.defaults.keys());
        for column in named {
            if contract.column(column).is_none() {
                return Err(DatasetError::ColumnUnknown {
                    path: PATH.to_owned(),
                    table: contract.name.clone(),
                    column: column.clone(),
                });
            }
        }
        contract.partition = self.partition.map(|text| partition(contract, &text)).transpose()?;
        contract.sort = self.sort;
        contract.version = self.version;
        contract.statistics_off = self.statistics_off;
        contract.defaults = self.defaults;
        contract.retention = self.retention.map(|text| retention(contract, &text)).transpose()?;
        Ok(())
    }
}

/// Whether a column of this type has a place on the calendar.
pub fn is_calendar(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Date | SqlType::Timestamp | SqlType::TimestampTz)
}

/// `730 days after order_time`; without a column it is that of the table's months.
fn retention(contract: &Contract, text: &str) -> Result<Retention, DatasetError> {
    let fault = || DatasetError::Retention { table: contract.name.clone(), text: text.to_owned() };
    let words: Vec<&str> = text.split_whitespace().collect();
    let (days, column) = match (words.as_slice(), &contract.partition) {
        ([days, "day" | "days", "after", column], _) => (days, (*column).to_owned()),
        ([days, "day" | "days"], Some(Partition::Month(column))) => (days, column.clone()),
        _ => return Err(fault()),
    };
    let is_calendar = contract.column(&column).is_some_and(|column| is_calendar(&column.sql_type));
    let days = days.parse().ok().filter(|days| *days > 0 && is_calendar).ok_or_else(fault)?;
    Ok(Retention { days, column })
}

fn partition(contract: &Contract, text: &str) -> Result<Partition, DatasetError> {
    let fault = || DatasetError::Partition { table: contract.name.clone(), text: text.to_owned() };
    let words: Vec<&str> = text.split_whitespace().collect();
    let column = words.first().and_then(|name| contract.column(name)).ok_or_else(fault)?;
    match words.as_slice() {
        [name] => Ok(Partition::Column((*name).to_owned())),
        [name, "by", "month"] if is_calendar(&column.sql_type) => Ok(Partition::Month((*name).to_owned())),
        _ => Err(fault()),
    }
}
