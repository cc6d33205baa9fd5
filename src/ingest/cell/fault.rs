//! Why a cell cannot be read, and the faults of a batch: the first of each row counts.

use std::collections::BTreeMap;

use crate::dataset::SqlType;

/// Why a value cannot be kept. The texts are PostgreSQL's where it has one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CellFault {
    #[error("invalid input syntax for type {sql_type}: {text:?}")]
    Syntax { sql_type: SqlType, text: String },
    #[error("value {text:?} is out of range for type {sql_type}")]
    Range { sql_type: SqlType, text: String },
    #[error("value too long for type {sql_type}")]
    TooLong { sql_type: SqlType },
    #[error("a text may not contain the character 0")]
    NulCharacter,
    #[error("null value in column {column:?} violates not-null constraint")]
    Null { column: String },
    #[error("new row violates check constraint {name:?}")]
    Check { name: String },
    #[error("{rule}: {message}")]
    Evaluation { rule: String, message: String },
    #[error("{0}")]
    Row(super::super::reader::RowFault),
}

/// The longest part of a cell that a reason quotes.
const QUOTED_CHARS_MAX: usize = 80;

impl CellFault {
    pub fn syntax(sql_type: SqlType, text: &str) -> Self {
        Self::Syntax { sql_type, text: text.chars().take(QUOTED_CHARS_MAX).collect() }
    }

    pub fn range(sql_type: SqlType, text: &str) -> Self {
        Self::Range { sql_type, text: text.chars().take(QUOTED_CHARS_MAX).collect() }
    }
}

/// A fault of a row, and the column of the contract where it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct RowFaults {
    pub column: Option<usize>,
    pub reason: CellFault,
}

/// By row of the batch.
pub type FaultMap = BTreeMap<usize, RowFaults>;

/// The faults of a batch, while one of its columns is read.
pub struct Faults<'a> {
    found: &'a mut FaultMap,
    column: usize,
    /// Of each value the row that it belongs to; `None` where they are the same.
    rows: Option<&'a [usize]>,
}

impl<'a> Faults<'a> {
    pub fn new(found: &'a mut FaultMap, column: usize) -> Self {
        Self { found, column, rows: None }
    }

    /// For the items of arrays: item `n` belongs to row `rows[n]`.
    pub fn within<'b>(&'b mut self, rows: &'b [usize]) -> Faults<'b> {
        Faults { found: self.found, column: self.column, rows: Some(rows) }
    }

    pub fn add(&mut self, row: usize, reason: CellFault) {
        let row = self.rows.map_or(row, |rows| rows[row]);
        self.found.entry(row).or_insert(RowFaults { column: Some(self.column), reason });
    }
}
