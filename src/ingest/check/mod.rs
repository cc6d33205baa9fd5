//! Batches as they were read -> rows that keep the contract, and rejects.
//!
//! `mapping` finds the file's column for each of the table's, `rules` are the contract's SQL: defaults and checks;
//! `extras` gathers the columns that the table does not have.

mod extras;
mod mapping;
mod rules;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, PrimitiveArray, RecordBatch, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, SchemaRef, TimeUnit, TimestampMicrosecondType};

pub use self::extras::objects;
pub use self::mapping::{FILE, ID_PREFIX, LINE, Mapping, ONE_ID, REASON, REJECT};
use self::rules::Rules;
use super::cell::zone::ZoneClock;
use super::cell::{CellFault, FaultMap, Faults, RowFaults, TextCells, column, typed};
use super::error::IngestError;
use super::reader::{Chunk, Rows};
use super::reject::Reject;
use crate::dataset::{Contract, SqlType};

/// Checks the batches of one file after another against a contract.
pub struct Checker {
    contract: Arc<Contract>,
    schema: SchemaRef,
    clock: ZoneClock,
    rules: Rules,
    years: Years,
}

/// Which years a row may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Years {
    /// Those that every client can show: what lies beyond is a slip of whoever wrote the file.
    FourDigits,
    Any,
}

const DAY_LAST: i32 = 2_932_896;
const INSTANT_LAST_US: i64 = 253_402_300_799_999_999;

/// What became of a batch.
pub struct Checked {
    /// In the table's stored schema.
    pub kept: RecordBatch,
    pub rejects: Vec<Reject>,
}

impl Checker {
    /// `zone` is that of times without one. Refuses rules that do not plan.
    pub fn new(contract: Arc<Contract>, zone: chrono_tz::Tz, session_zone: &str) -> Result<Self, IngestError> {
        let rules = Rules::plan(&contract, session_zone)?;
        Ok(Self {
            schema: contract.stored_schema(),
            clock: ZoneClock::new(zone),
            rules,
            contract,
            years: Years::FourDigits,
        })
    }

    /// Takes any year, as SQL does.
    pub fn of_any_year(self) -> Self {
        Self { years: Years::Any, ..self }
    }

    pub fn contract(&self) -> &Arc<Contract> {
        &self.contract
    }

    /// Checks a batch of `file`. `persons` are the rows' one_id, where identity resolution gives them.
    pub fn check(
        &mut self,
        file: &Arc<str>,
        chunk: &Chunk,
        mapping: &Mapping,
        persons: Option<Int64Array>,
    ) -> Result<Checked, IngestError> {
        let (kept, faults) = self.split(file, chunk, mapping, persons)?;
        let rejects = faults.into_iter().map(|(row, found)| self.reject(file, chunk, mapping, row, found)).collect();
        Ok(Checked { kept, rejects })
    }

    /// The rows of a batch that keep the contract, in the stored schema, and what is wrong with the others.
    pub fn split(
        &mut self,
        file: &Arc<str>,
        chunk: &Chunk,
        mapping: &Mapping,
        persons: Option<Int64Array>,
    ) -> Result<(RecordBatch, FaultMap), IngestError> {
        let mut faults = row_faults(&chunk.rows);
        let mut columns = self.columns(file, chunk, mapping, persons, &mut faults)?;
        self.rules.fill(&mut columns, mapping, &mut faults)?;
        self.require_values(&columns, &mut faults);
        self.rules.check(&columns, &mut faults)?;
        // A faulty row may hold a NULL where the schema allows none; it leaves before the batch gets that schema.
        let fields: Vec<_> =
            self.schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let rows = chunk.rows.len();
        let loose = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), columns)?;
        let loose = if faults.is_empty() {
            loose
        } else {
            let keep: BooleanArray = (0..rows).map(|row| Some(!faults.contains_key(&row))).collect();
            filter_record_batch(&loose, &keep)?
        };
        let kept = RecordBatch::try_new(Arc::clone(&self.schema), loose.columns().to_vec())?;
        Ok((kept, faults))
    }

    fn columns(
        &mut self,
        file: &Arc<str>,
        chunk: &Chunk,
        mapping: &Mapping,
        persons: Option<Int64Array>,
        faults: &mut FaultMap,
    ) -> Result<Vec<ArrayRef>, IngestError> {
        let rows = chunk.rows.len();
        let contract = Arc::clone(&self.contract);
        let mut columns = Vec::with_capacity(contract.columns.len());
        for (nth, wanted) in contract.columns.iter().enumerate() {
            let array: ArrayRef = if wanted.name == ONE_ID && persons.is_some() {
                persons.clone().map_or_else(|| new_null_array(&wanted.sql_type.stored(), rows), |ids| Arc::new(ids))
            } else if mapping.extras == Some(nth) {
                extras::column(chunk, mapping, nth)?
            } else if let Some(position) = mapping.columns[nth] {
                self.column(file, &wanted.sql_type, chunk, position, &mut Faults::new(faults, nth))?
            } else {
                new_null_array(&wanted.sql_type.stored(), rows)
            };
            if self.years == Years::FourDigits {
                refuse_far_years(&array, &wanted.sql_type, &mut Faults::new(faults, nth));
            }
            columns.push(array);
        }
        Ok(columns)
    }

    fn column(
        &mut self,
        file: &Arc<str>,
        sql_type: &SqlType,
        chunk: &Chunk,
        position: usize,
        faults: &mut Faults<'_>,
    ) -> Result<ArrayRef, IngestError> {
        match &chunk.rows {
            Rows::Text(rows) => Ok(column(sql_type, &mut self.clock, &TextCells { rows, column: position }, faults)),
            Rows::Typed { batch, .. } => {
                let array = batch.column(position);
                if !typed::is_castable(array.data_type(), sql_type) {
                    return Err(IngestError::ColumnType {
                        column: chunk.names[position].clone(),
                        file: file.to_string(),
                        found: array.data_type().clone(),
                        wanted: sql_type.to_string(),
                    });
                }
                Ok(typed::stored(sql_type, &mut self.clock, array, faults)?)
            }
        }
    }

    fn require_values(&self, columns: &[ArrayRef], faults: &mut FaultMap) {
        for (nth, (column, array)) in self.contract.columns.iter().zip(columns).enumerate() {
            if column.nullable || array.null_count() == 0 {
                continue;
            }
            for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                Faults::new(faults, nth).add(row, CellFault::Null { column: column.name.clone() });
            }
        }
    }

    fn reject(&self, file: &Arc<str>, chunk: &Chunk, mapping: &Mapping, row: usize, found: RowFaults) -> Reject {
        let (line, raw) = match &chunk.rows {
            Rows::Text(rows) => (rows.row(row).line, rows.raw(row).to_owned()),
            Rows::Typed { batch, first } => {
                let line = mapping.line.and_then(|position| {
                    let lines = typed::as_numbers(batch.column(position)).ok()?;
                    lines.is_valid(row).then(|| lines.value(row).unsigned_abs())
                });
                (line.unwrap_or(first + row as u64), raw_row(batch, row))
            }
        };
        let column = found.column.map(|column| self.contract.columns[column].name.clone());
        let file = match (&chunk.rows, mapping.file) {
            (Rows::Typed { batch, .. }, Some(position)) => typed::shown(batch.column(position), row).into(),
            _ => Arc::clone(file),
        };
        Reject { file, line, column, reason: found.reason.to_string(), raw }
    }
}

/// A fault for each row whose date or time has a year of five digits.
fn refuse_far_years(array: &ArrayRef, sql_type: &SqlType, faults: &mut Faults<'_>) {
    let far: Vec<usize> = match array.data_type() {
        DataType::Date32 => {
            let days: &PrimitiveArray<Date32Type> = array.as_primitive();
            (0..days.len()).filter(|row| days.is_valid(*row) && days.value(*row) > DAY_LAST).collect()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let instants: &PrimitiveArray<TimestampMicrosecondType> = array.as_primitive();
            (0..instants.len())
                .filter(|row| instants.is_valid(*row) && instants.value(*row) > INSTANT_LAST_US)
                .collect()
        }
        _ => return,
    };
    for row in far {
        faults.add(row, CellFault::range(sql_type.clone(), &typed::shown(array, row)));
    }
}

/// The faults of rows as a whole.
fn row_faults(rows: &Rows) -> FaultMap {
    let Rows::Text(rows) = rows else { return FaultMap::new() };
    let faulty = (0..rows.len()).filter_map(|row| Some((row, rows.row(row).fault.clone()?)));
    faulty.map(|(row, fault)| (row, RowFaults { column: None, reason: CellFault::Row(fault) })).collect()
}

/// The row of a typed batch as a JSON object of texts.
pub fn raw_row(batch: &RecordBatch, row: usize) -> String {
    let schema = batch.schema();
    let cells = schema.fields().iter().zip(batch.columns()).filter(|(_, array)| array.is_valid(row));
    let object: serde_json::Map<String, serde_json::Value> =
        cells.map(|(field, array)| (field.name().clone(), typed::shown(array, row).into())).collect();
    serde_json::Value::Object(object).to_string()
}
