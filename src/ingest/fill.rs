//! What rows that are there get in a new column: the value of its DEFAULT, as rows that come get it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};

use super::check::{Checker, Mapping};
use super::error::IngestError;
use super::load::parsed;
use super::reader::{Chunk, Rows};
use crate::dataset::{Column, Contract};
use crate::error::{Error, Reason, Result};

/// By column, one element of the stored type each; columns without a DEFAULT are left out. `zone` is that of times without one.
pub fn fills<'a>(columns: impl IntoIterator<Item = &'a Column>, zone: &str) -> Result<HashMap<String, ArrayRef>> {
    let columns = columns.into_iter().filter(|column| column.default.is_some());
    let columns: Vec<Column> = columns.map(|column| Column { nullable: true, ..column.clone() }).collect();
    if columns.is_empty() {
        return Ok(HashMap::new());
    }
    let contract = Arc::new(Contract { columns: columns.clone(), ..Contract::empty() });
    let mut checker = Checker::new(contract, parsed(zone), zone)?.of_any_year();
    // One row, of which no column is given.
    let field = Field::new("row", DataType::Int32, false);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(Int32Array::from(vec![1]))]);
    let batch = batch.map_err(IngestError::from)?;
    let chunk = Chunk { names: ["row".to_owned()].into(), rows: Rows::Typed { batch, first: 1 } };
    let mapping = Mapping { columns: vec![None; columns.len()], ..Mapping::default() };
    let (row, faults) = checker.split(&"DEFAULT".into(), &chunk, &mapping, None)?;
    if let Some(fault) = faults.into_values().next() {
        let column = fault.column.and_then(|nth| columns.get(nth)).map_or("", |column| column.name.as_str());
        let text = format!("DEFAULT of column \"{column}\": {}", fault.reason);
        return Err(Error::new(Reason::InvalidDefinition, text));
    }
    Ok(columns.into_iter().map(|column| column.name).zip(row.columns().iter().cloned()).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};

    use super::*;

    #[test]
    fn a_default_is_worked_out_once_in_the_stored_type() {
        let text = "CREATE TABLE t (a text, n numeric(18,2) NOT NULL DEFAULT 1.5, at timestamptz DEFAULT '2026-01-01', \
                    b boolean DEFAULT true)";
        let contract = crate::dataset::contract("t", "t", text).unwrap();
        let found = fills(&contract.columns, "Asia/Shanghai").unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found["n"].as_primitive::<Decimal128Type>().value(0), 150);
        // 2025-12-31T16:00:00Z
        assert_eq!(found["at"].as_primitive::<TimestampMicrosecondType>().value(0), 1_767_196_800_000_000);
        assert!(found["b"].as_boolean().value(0));
        let wrong = crate::dataset::contract("t", "t", "CREATE TABLE t (a integer DEFAULT 'x')").unwrap();
        assert!(fills(&wrong.columns, "UTC").is_err());
    }
}
