//! Rows of SQL against the contract of their table: the first that breaks it is the statement's error.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::cell::zone::ZoneClock;
use super::cell::{CellFault, FaultMap, Faults, RowFaults, column};
use super::check::{Checker, Mapping};
use super::reader::{Chunk, Rows};
use crate::dataset::{Contract, SqlType};
use crate::error::{Error, Reason, Result};

/// Checks one batch after another.
pub struct RowCheck {
    checker: Checker,
    mapping: Mapping,
    names: Arc<[String]>,
    file: Arc<str>,
}

impl RowCheck {
    /// `zone` is the session's: CHECK constraints see its days. Refuses rules that do not plan.
    pub fn new(contract: Arc<Contract>, zone: &str) -> Result<Self> {
        // Every column is given by then, its DEFAULT too.
        let mut contract = Arc::unwrap_or_clone(contract);
        contract.columns.iter_mut().for_each(|column| column.default = None);
        let contract = Arc::new(contract);
        let names: Arc<[String]> = contract.columns.iter().map(|column| column.name.clone()).collect();
        let columns = (0..names.len()).map(Some).collect();
        let mapping = Mapping { columns, ..Mapping::default() };
        let checker = Checker::new(contract, zone.parse().unwrap_or(chrono_tz::UTC), zone)?.of_any_year();
        Ok(Self { checker, mapping, names, file: "INSERT".into() })
    }

    /// The rows in the table's stored types. `batch` has the table's columns in order, in the types of a session.
    pub fn check(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        let chunk = Chunk { names: Arc::clone(&self.names), rows: Rows::Typed { batch, first: 1 } };
        let (kept, faults) = self.checker.split(&self.file, &chunk, &self.mapping, None)?;
        match faults.into_values().next() {
            None => Ok(kept),
            Some(fault) => Err(self.refusal(&fault)),
        }
    }

    fn refusal(&self, fault: &RowFaults) -> Error {
        let contract = self.checker.contract();
        let table = &contract.name;
        match &fault.reason {
            CellFault::Null { column } => {
                let text =
                    format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint");
                Error::new(Reason::NotNull, text)
            }
            CellFault::Check { name } => {
                let text = format!("new row for relation \"{table}\" violates check constraint \"{name}\"");
                Error::new(Reason::Check, text)
            }
            other => Error::new(reason(other), other.to_string()),
        }
    }
}

/// The value of a literal text as a column's input form reads it, in the stored type: one element. `zone` is that of times
/// without one.
pub fn literal(sql_type: &SqlType, text: &str, zone: &str) -> Result<ArrayRef> {
    let mut found = FaultMap::new();
    let mut clock = ZoneClock::new(zone.parse().unwrap_or(chrono_tz::UTC));
    let value = column(sql_type, &mut clock, &StringArray::from(vec![text]), &mut Faults::new(&mut found, 0));
    match found.into_values().next() {
        None => Ok(value),
        Some(fault) => Err(Error::new(reason(&fault.reason), fault.reason.to_string())),
    }
}

fn reason(fault: &CellFault) -> Reason {
    match fault {
        CellFault::Syntax { sql_type, .. } => match sql_type {
            SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz => Reason::InvalidDatetime,
            _ => Reason::InvalidText,
        },
        CellFault::Range { .. } => Reason::OutOfRange,
        CellFault::TooLong { .. } => Reason::TooLong,
        CellFault::NulCharacter => Reason::InvalidText,
        CellFault::Null { .. } => Reason::NotNull,
        CellFault::Check { .. } => Reason::Check,
        CellFault::Evaluation { .. } => Reason::InvalidParameter,
        CellFault::Row(_) => Reason::InvalidRow,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{Int32Array, StringViewArray};

    use super::*;

    fn check(a: Option<i32>, b: &str) -> Result<RecordBatch> {
        let text = "CREATE TABLE t (a int NOT NULL CHECK (a < 10), b varchar(2))";
        let contract = Arc::new(crate::dataset::contract("t", "t", text).unwrap());
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int32Array::from(vec![a])), Arc::new(StringViewArray::from(vec![b]))];
        let names = ["a", "b"].into_iter().map(str::to_owned);
        let batch =
            RecordBatch::try_from_iter_with_nullable(names.zip(columns).map(|(name, array)| (name, array, true)));
        RowCheck::new(contract, "Asia/Shanghai")?.check(batch.unwrap())
    }

    #[test]
    fn a_row_that_breaks_the_contract_is_an_error_of_its_own_kind() {
        assert_eq!(check(Some(1), "ab").unwrap().num_rows(), 1);
        let refused = |a, b| check(a, b).unwrap_err();
        let null = refused(None, "a");
        assert_eq!(null.reason(), Reason::NotNull);
        assert_eq!(null.to_string(), "null value in column \"a\" of relation \"t\" violates not-null constraint");
        let checked = refused(Some(10), "a");
        assert_eq!(checked.reason(), Reason::Check);
        assert_eq!(checked.to_string(), "new row for relation \"t\" violates check constraint \"t_a_check\"");
        assert_eq!(refused(Some(1), "abc").reason(), Reason::TooLong);
    }
}
