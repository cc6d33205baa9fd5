//! Which column of a file is which column of the table: by name, whatever its case, never by position.

use std::collections::{BTreeMap, HashMap};

use super::super::error::IngestError;
use crate::dataset::{Contract, SqlType};

/// A file's column of this name and a type after it identifies the row's person.
pub const ID_PREFIX: &str = "id_";
/// The table's column that holds the person.
pub const ONE_ID: &str = "one_id";
/// The table's column that takes what it has no column for.
const EXTRAS: &str = "extras";
/// A mapped source tells by these from which line of which file a row came.
pub const LINE: &str = "_line";
pub const FILE: &str = "_file";
/// A file of corrected rows tells by these which refused row each was, and why.
pub const REJECT: &str = "_reject";
pub const REASON: &str = "_reason";

/// Where the values of a table's columns stand in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// By column of the contract, the position in the file.
    pub columns: Vec<Option<usize>>,
    /// Identifier columns: type and position.
    pub ids: Vec<(String, usize)>,
    /// The column of the contract that takes unknown ones, where there are any.
    pub extras: Option<usize>,
    /// Unknown columns that go into `extras`: name and position.
    pub unknown: Vec<(String, usize)>,
    /// Unknown columns that are kept nowhere.
    pub ignored: Vec<String>,
    /// The position of `_line`.
    pub line: Option<usize>,
    /// The position of `_file`.
    pub file: Option<usize>,
}

impl Mapping {
    /// Maps a header. `identified` says that the lake resolves identities, so that `id_*` columns count.
    pub fn of(names: &[String], contract: &Contract, file: &str, identified: bool) -> Result<Self, IngestError> {
        let mut by_name: HashMap<String, usize> = HashMap::new();
        for (position, column) in contract.columns.iter().enumerate() {
            by_name.insert(column.name.to_lowercase(), position);
        }
        let extras = contract.columns.iter().position(|column| is_extras(&column.name, &column.sql_type));
        let takes_persons = by_name.contains_key(ONE_ID);
        let mut mapping = Self { columns: vec![None; contract.columns.len()], ..Self::default() };
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for (position, name) in names.iter().enumerate() {
            let lower = name.trim().to_lowercase();
            if let Some(column) = by_name.get(&lower) {
                if mapping.columns[*column].replace(position).is_some() {
                    return Err(IngestError::ColumnTwice { column: lower, file: file.to_owned() });
                }
            } else if let Some(kind) = lower.strip_prefix(ID_PREFIX).filter(|kind| !kind.is_empty()) {
                // Identifiers are personal: they are resolved or left out, and never kept as they stand.
                if identified && takes_persons {
                    ids.entry(kind.to_owned()).or_insert(position);
                } else {
                    mapping.ignored.push(name.clone());
                }
            } else if lower == LINE {
                mapping.line = Some(position);
            } else if lower == FILE {
                mapping.file = Some(position);
            } else if lower == REJECT || lower == REASON {
                // They are about the row, and no part of it.
            } else if extras.is_some() && !lower.is_empty() {
                mapping.unknown.push((name.clone(), position));
            } else if !lower.is_empty() {
                mapping.ignored.push(name.clone());
            }
        }
        mapping.extras = extras.filter(|_| !mapping.unknown.is_empty());
        mapping.ids = ids.into_iter().collect();
        Ok(mapping)
    }

    /// Refuses a file without a column that every row needs.
    pub fn require(&self, contract: &Contract, file: &str) -> Result<(), IngestError> {
        for (column, position) in contract.columns.iter().zip(&self.columns) {
            let given = position.is_some()
                || column.nullable
                || column.default.is_some()
                || contract.defaults.contains_key(&column.name)
                || (column.name == ONE_ID && !self.ids.is_empty());
            if !given {
                return Err(IngestError::ColumnAbsent {
                    column: column.name.clone(),
                    table: contract.name.clone(),
                    file: file.to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn is_extras(name: &str, sql_type: &SqlType) -> bool {
    name == EXTRAS && matches!(sql_type, SqlType::Json | SqlType::Jsonb)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn orders(columns: &str) -> Contract {
        crate::dataset::contract("t", "orders", &format!("CREATE TABLE orders ({columns})")).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn columns_are_found_by_name_whatever_their_case_and_order() {
        let contract = orders("order_id text NOT NULL, one_id bigint, extras json");
        let header = names(&["Colour", "ORDER_ID ", "id_Phone", "_line"]);
        let mapping = Mapping::of(&header, &contract, "f.csv", true).unwrap();
        assert_eq!(mapping.columns, [Some(1), None, None]);
        assert_eq!(mapping.ids, [("phone".to_owned(), 2)]);
        assert_eq!(mapping.unknown, [("Colour".to_owned(), 0)]);
        assert_eq!((mapping.extras, mapping.line), (Some(2), Some(3)));
    }

    #[test]
    fn without_extras_unknown_columns_are_named_as_ignored() {
        let mapping = Mapping::of(&names(&["a", "b", "id_phone"]), &orders("a int"), "f.csv", true).unwrap();
        assert_eq!(mapping.ignored, ["b", "id_phone"]);
    }

    #[test]
    fn a_column_that_the_table_has_is_no_identifier() {
        let mapping = Mapping::of(&names(&["id_card"]), &orders("id_card text, one_id bigint"), "f", true).unwrap();
        assert_eq!((mapping.columns[0], mapping.ids.len()), (Some(0), 0));
    }

    #[test]
    fn a_needed_column_that_is_absent_is_refused_by_name() {
        let contract = orders("id int, order_time timestamptz NOT NULL");
        let mapping = Mapping::of(&names(&["id"]), &contract, "orders.csv", true).unwrap();
        let error = mapping.require(&contract, "orders.csv").unwrap_err();
        assert_eq!(error.to_string(), "column order_time of orders is absent from orders.csv");
    }

    #[test]
    fn a_column_that_stands_twice_is_refused() {
        let error = Mapping::of(&names(&["id", "ID"]), &orders("id int"), "f.csv", true).unwrap_err();
        assert_eq!(error.to_string(), "column id stands twice in the header of f.csv");
    }
}
