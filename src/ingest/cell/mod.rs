//! Cell texts -> a typed column, in the input forms of PostgreSQL. A cell that cannot be read is NULL and a fault of its row.

mod array;
mod calendar;
mod fault;
mod number;
mod text;
pub mod typed;
pub mod zone;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanBuilder, LargeStringArray, PrimitiveBuilder,
    StringArray, StringBuilder, StringViewArray,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

pub use self::fault::{CellFault, FaultMap, Faults, RowFaults};
use self::zone::ZoneClock;
use super::reader::TextRows;
use crate::dataset::SqlType;

/// The cells of one column.
pub trait Cells {
    fn len(&self) -> usize;
    /// `None` is NULL.
    fn get(&self, row: usize) -> Option<&str>;
}

/// A column of text rows.
pub struct TextCells<'a> {
    pub rows: &'a TextRows,
    pub column: usize,
}

impl Cells for TextCells<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn get(&self, row: usize) -> Option<&str> {
        self.rows.cell(row, self.column)
    }
}

impl Cells for StringArray {
    fn len(&self) -> usize {
        Array::len(self)
    }

    fn get(&self, row: usize) -> Option<&str> {
        self.is_valid(row).then(|| self.value(row))
    }
}

impl Cells for LargeStringArray {
    fn len(&self) -> usize {
        Array::len(self)
    }

    fn get(&self, row: usize) -> Option<&str> {
        self.is_valid(row).then(|| self.value(row))
    }
}

impl Cells for StringViewArray {
    fn len(&self) -> usize {
        Array::len(self)
    }

    fn get(&self, row: usize) -> Option<&str> {
        self.is_valid(row).then(|| self.value(row))
    }
}

/// The cells as a column of the stored type of `sql_type`. An empty text is NULL except where the type is a text.
/// Times without a zone are of the clock's.
pub fn column(sql_type: &SqlType, clock: &mut ZoneClock, cells: &impl Cells, faults: &mut Faults<'_>) -> ArrayRef {
    match sql_type {
        SqlType::Boolean => booleans(cells, faults),
        SqlType::SmallInt => primitives::<Int16Type>(cells, faults, number::small_int),
        SqlType::Integer => primitives::<Int32Type>(cells, faults, number::integer),
        SqlType::BigInt => primitives::<Int64Type>(cells, faults, number::big_int),
        SqlType::Real => primitives::<Float32Type>(cells, faults, number::real),
        SqlType::Double => primitives::<Float64Type>(cells, faults, number::double),
        SqlType::Numeric { precision, scale } => {
            let (precision, scale) = (*precision, scale.unsigned_abs());
            let typed =
                PrimitiveBuilder::<Decimal128Type>::with_capacity(cells.len()).with_data_type(sql_type.stored());
            filled(typed, cells, faults, |text| number::numeric(text, precision, scale))
        }
        SqlType::Date => primitives::<Date32Type>(cells, faults, calendar::date),
        SqlType::Time => primitives::<Int64Type>(cells, faults, calendar::time),
        SqlType::Timestamp => primitives::<TimestampMicrosecondType>(cells, faults, calendar::timestamp),
        SqlType::TimestampTz => {
            let typed = PrimitiveBuilder::<TimestampMicrosecondType>::with_capacity(cells.len()).with_timezone("UTC");
            filled(typed, cells, faults, |text| calendar::timestamp_tz(text, clock))
        }
        SqlType::Text | SqlType::Varchar(None) => strings(cells, faults, text::text),
        SqlType::Varchar(Some(length)) | SqlType::Char(length) => {
            strings(cells, faults, |value| text::limited(value, *length, sql_type))
        }
        SqlType::Json | SqlType::Jsonb => strings(cells, faults, text::json),
        SqlType::Uuid => uuids(cells, faults),
        SqlType::Bytea => bytea(cells, faults),
        SqlType::Array(item) => array::arrays(item, clock, cells, faults),
    }
}

fn primitives<T: ArrowPrimitiveType>(
    cells: &impl Cells,
    faults: &mut Faults<'_>,
    read: impl FnMut(&str) -> Result<T::Native, CellFault>,
) -> ArrayRef {
    filled(PrimitiveBuilder::<T>::with_capacity(cells.len()), cells, faults, read)
}

fn filled<T: ArrowPrimitiveType>(
    mut values: PrimitiveBuilder<T>,
    cells: &impl Cells,
    faults: &mut Faults<'_>,
    mut read: impl FnMut(&str) -> Result<T::Native, CellFault>,
) -> ArrayRef {
    for row in 0..cells.len() {
        let text = cells.get(row).map(str::trim_ascii).filter(|text| !text.is_empty());
        match text.map(&mut read) {
            None => values.append_null(),
            Some(Ok(value)) => values.append_value(value),
            Some(Err(fault)) => {
                faults.add(row, fault);
                values.append_null();
            }
        }
    }
    Arc::new(values.finish())
}

fn booleans(cells: &impl Cells, faults: &mut Faults<'_>) -> ArrayRef {
    let mut values = BooleanBuilder::with_capacity(cells.len());
    for row in 0..cells.len() {
        let text = cells.get(row).map(str::trim_ascii).filter(|text| !text.is_empty());
        let value = text.and_then(|text| text::boolean(text).map_err(|fault| faults.add(row, fault)).ok());
        values.append_option(value);
    }
    Arc::new(values.finish())
}

fn strings(
    cells: &impl Cells,
    faults: &mut Faults<'_>,
    read: impl Fn(&str) -> Result<Option<&str>, CellFault>,
) -> ArrayRef {
    let mut values = StringBuilder::with_capacity(cells.len(), cells.len() * 8);
    for row in 0..cells.len() {
        let value = cells.get(row).and_then(|text| read(text).map_err(|fault| faults.add(row, fault)).ok().flatten());
        values.append_option(value);
    }
    Arc::new(values.finish())
}

fn uuids(cells: &impl Cells, faults: &mut Faults<'_>) -> ArrayRef {
    let mut values = StringBuilder::with_capacity(cells.len(), cells.len() * 36);
    for row in 0..cells.len() {
        let text = cells.get(row).map(str::trim_ascii).filter(|text| !text.is_empty());
        let value = text.and_then(|text| text::uuid(text).map_err(|fault| faults.add(row, fault)).ok());
        values.append_option(value);
    }
    Arc::new(values.finish())
}

fn bytea(cells: &impl Cells, faults: &mut Faults<'_>) -> ArrayRef {
    let mut values = BinaryBuilder::with_capacity(cells.len(), cells.len() * 8);
    for row in 0..cells.len() {
        let value = cells.get(row).and_then(|text| text::bytea(text).map_err(|fault| faults.add(row, fault)).ok());
        values.append_option(value);
    }
    Arc::new(values.finish())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::AsArray;
    use arrow::util::display::array_value_to_string;

    use super::*;

    fn read(sql_type: &SqlType, zone: &str, texts: &[Option<&str>]) -> (Vec<String>, Vec<String>) {
        let cells = StringArray::from(texts.to_vec());
        let mut clock = ZoneClock::new(zone.parse().unwrap());
        let mut found = Default::default();
        let array = column(sql_type, &mut clock, &cells, &mut Faults::new(&mut found, 0));
        assert_eq!(array.data_type(), &sql_type.stored());
        let shown = (0..array.len()).map(|row| array_value_to_string(&array, row).unwrap()).collect();
        (shown, found.into_values().map(|fault| fault.reason.to_string()).collect())
    }

    fn values(sql_type: &SqlType, texts: &[&str]) -> Vec<String> {
        let (shown, faults) =
            read(sql_type, "Asia/Shanghai", &texts.iter().map(|text| Some(*text)).collect::<Vec<_>>());
        assert_eq!(faults, Vec::<String>::new());
        shown
    }

    fn refusals(sql_type: &SqlType, texts: &[&str]) -> Vec<String> {
        read(sql_type, "Asia/Shanghai", &texts.iter().map(|text| Some(*text)).collect::<Vec<_>>()).1
    }

    /// Expected values are what PostgreSQL 15 answers to `SELECT text::type`.
    #[test]
    fn cells_are_read_as_postgresql_reads_them() {
        assert_eq!(
            values(&SqlType::Boolean, &["t", "TRUE", "yes", "on", "1", "f", "No", "off", "0", " tru "]),
            ["true", "true", "true", "true", "true", "false", "false", "false", "false", "true"]
        );
        assert_eq!(values(&SqlType::SmallInt, &["-32768", " +7 "]), ["-32768", "7"]);
        assert_eq!(values(&SqlType::BigInt, &["9223372036854775807"]), ["9223372036854775807"]);
        let money = SqlType::Numeric { precision: 6, scale: 2 };
        assert_eq!(
            values(&money, &["1.005", "-1.005", "12", ".5", "1e3", "9999.994", "-0", "12345e-3"]),
            ["1.01", "-1.01", "12.00", "0.50", "1000.00", "9999.99", "0.00", "12.35"]
        );
        assert_eq!(values(&SqlType::Double, &["1e-3", "Infinity"]), ["0.001", "inf"]);
        assert_eq!(
            values(&SqlType::Date, &["2024-02-29", "2024/3/1", "20240301", "0999-12-31"]),
            ["2024-02-29", "2024-03-01", "2024-03-01", "0999-12-31"]
        );
        let stamps = values(&SqlType::Timestamp, &["2024-02-29 13:14:15.1234567", "2024-02-29T13:14", "2024-02-29"]);
        assert_eq!(stamps, ["2024-02-29T13:14:15.123457", "2024-02-29T13:14:00", "2024-02-29T00:00:00"]);
        assert_eq!(values(&SqlType::Varchar(Some(3)), &["中文字", "abc  "]), ["中文字", "abc"]);
        assert_eq!(
            values(&SqlType::Uuid, &["{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"]),
            ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]
        );
        assert_eq!(values(&SqlType::Bytea, &["\\xDEad", "a\\\\b\\001"]), ["dead", "615c6201"]);
        assert_eq!(values(&SqlType::Time, &["23:59:59.5", "24:00"]), ["86399500000", "86400000000"]);
    }

    #[test]
    fn an_instant_is_read_in_its_zone_or_in_that_of_the_file() {
        let texts = [
            "2024-01-01 08:00:00",
            "2024-01-01 08:00:00+00",
            "2024-01-01T08:00:00Z",
            "2024-01-01 08:00:00 -0530",
            "2024-01-01 08:00:00.5+05:30",
            "2024-01-01 08:00 Europe/London",
            "2024-01-01",
        ];
        assert_eq!(
            values(&SqlType::TimestampTz, &texts),
            [
                "2024-01-01T00:00:00Z",
                "2024-01-01T08:00:00Z",
                "2024-01-01T08:00:00Z",
                "2024-01-01T13:30:00Z",
                "2024-01-01T02:30:00.500Z",
                "2024-01-01T08:00:00Z",
                "2023-12-31T16:00:00Z",
            ]
        );
    }

    /// PostgreSQL 15 with `SET TimeZone = 'Europe/London'`: the hour that does not exist is read by the offset before it,
    /// the hour that comes twice as the later one.
    #[test]
    fn odd_hours_are_read_as_postgresql_reads_them() {
        let texts = [Some("2024-03-31 01:30:00"), Some("2024-10-27 01:30:00"), Some("2024-07-01 12:00:00")];
        let (shown, _) = read(&SqlType::TimestampTz, "Europe/London", &texts);
        assert_eq!(shown, ["2024-03-31T01:30:00Z", "2024-10-27T01:30:00Z", "2024-07-01T11:00:00Z"]);
    }

    #[test]
    fn arrays_have_postgresqls_text_form_or_that_of_json() {
        let text = SqlType::Array(Box::new(SqlType::Text));
        let texts = ["{a,\"b c\",NULL,\"NULL\",\"q\\\"\\\\\"}", "{}", "[\"x\", null, \"y\"]", "{ a , b }"];
        let cells = StringArray::from(texts.to_vec());
        let mut found = Default::default();
        let mut clock = ZoneClock::new(chrono_tz::UTC);
        let array = column(&text, &mut clock, &cells, &mut Faults::new(&mut found, 0));
        let lists = array.as_list::<i32>();
        let shown: Vec<Vec<Option<String>>> = (0..4)
            .map(|row| lists.value(row).as_string::<i32>().iter().map(|item| item.map(str::to_owned)).collect())
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(shown[0], [some("a"), some("b c"), None, some("NULL"), some("q\"\\")]);
        assert_eq!(shown[1], []);
        assert_eq!(shown[2], [some("x"), None, some("y")]);
        assert_eq!(shown[3], [some("a"), some("b")]);
        assert!(found.is_empty());
        assert_eq!(values(&SqlType::Array(Box::new(SqlType::Integer)), &["{1,NULL,-3}"]), ["[1, , -3]"]);
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_with_its_reason() {
        assert_eq!(
            refusals(&SqlType::Integer, &["12a", "1.0", "2147483648"]),
            [
                "invalid input syntax for type integer: \"12a\"",
                "invalid input syntax for type integer: \"1.0\"",
                "value \"2147483648\" is out of range for type integer",
            ]
        );
        assert_eq!(
            refusals(&SqlType::Numeric { precision: 5, scale: 2 }, &["999.995", "1,000", "NaN"]),
            [
                "value \"999.995\" is out of range for type numeric(5,2)",
                "invalid input syntax for type numeric(5,2): \"1,000\"",
                "invalid input syntax for type numeric(5,2): \"NaN\"",
            ]
        );
        assert_eq!(refusals(&SqlType::Date, &["2023-02-29", "soon", "1/2/2024"]).len(), 3);
        assert_eq!(refusals(&SqlType::TimestampTz, &["2024-01-01 25:00", "2024-01-01 10:00 Mars/Base"]).len(), 2);
        assert_eq!(refusals(&SqlType::Boolean, &["maybe", "o"]).len(), 2);
        assert_eq!(refusals(&SqlType::Varchar(Some(3)), &["abcd"]), ["value too long for type character varying(3)"]);
        assert_eq!(refusals(&SqlType::Json, &["{\"a\":", "plain"]).len(), 2);
        assert_eq!(refusals(&SqlType::Uuid, &["a0eebc99"]).len(), 1);
        assert_eq!(refusals(&SqlType::Bytea, &["\\xabc", "\\z"]).len(), 2);
        assert_eq!(refusals(&SqlType::Array(Box::new(SqlType::Integer)), &["{1,x}", "1,2", "{{1}}", "{1"]).len(), 4);
        assert_eq!(refusals(&SqlType::Text, &["a\0b"]), ["a text may not contain the character 0"]);
    }

    #[test]
    fn an_empty_text_is_null_except_for_a_text() {
        let (numbers, faults) = read(&SqlType::Integer, "UTC", &[Some(""), Some("  "), None]);
        assert_eq!((numbers, faults.len()), (vec![String::new(); 3], 0));
        let cells = StringArray::from(vec![Some(""), None]);
        let mut found = Default::default();
        let array =
            column(&SqlType::Text, &mut ZoneClock::new(chrono_tz::UTC), &cells, &mut Faults::new(&mut found, 0));
        assert!(array.is_valid(0) && array.is_null(1));
    }
}
