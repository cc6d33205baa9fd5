//! A typed column of a Parquet file -> the stored type of its contract, exact or a fault.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, PrimitiveArray, StringArray};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::column;
use super::fault::{CellFault, Faults};
use super::zone::{DAY_US, ZoneClock};
use crate::dataset::SqlType;

const SAFE: CastOptions<'_> = CastOptions { safe: true, format_options: FormatOptions::new() };

/// Whether a column of type `from` can become `to` at all.
pub fn is_castable(from: &DataType, to: &SqlType) -> bool {
    match (from, to) {
        (DataType::Null, _) => true,
        (DataType::Dictionary(_, values), _) => is_castable(values, to),
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, _) => true,
        (DataType::List(from) | DataType::LargeList(from), SqlType::Array(to)) => is_castable(from.data_type(), to),
        (DataType::Struct(_) | DataType::Map(..) | DataType::List(_) | DataType::LargeList(_), _) => false,
        (DataType::Boolean, to) => matches!(to, SqlType::Boolean | SqlType::Text | SqlType::Varchar(_)),
        (DataType::Timestamp(..) | DataType::Date32 | DataType::Date64, SqlType::TimestampTz) => true,
        (_, SqlType::Array(_) | SqlType::Boolean) => false,
        (from, to) => can_cast_types(from, &to.stored()),
    }
}

/// `array` as a column of the stored type. Of a value that does not fit the row gets a fault and a NULL.
pub fn stored(
    sql_type: &SqlType,
    clock: &mut ZoneClock,
    array: &ArrayRef,
    faults: &mut Faults<'_>,
) -> Result<ArrayRef, ArrowError> {
    let target = sql_type.stored();
    match (array.data_type(), sql_type) {
        (DataType::Dictionary(_, values), _) => {
            let plain = cast_with_options(array, values, &SAFE)?;
            stored(sql_type, clock, &plain, faults)
        }
        (DataType::Utf8, _) => Ok(column(sql_type, clock, array.as_string::<i32>(), faults)),
        (DataType::LargeUtf8, _) => Ok(column(sql_type, clock, array.as_string::<i64>(), faults)),
        (DataType::Utf8View, _) => Ok(column(sql_type, clock, array.as_string_view(), faults)),
        (from, _) if *from == target => Ok(Arc::clone(array)),
        (DataType::LargeList(item), SqlType::Array(_)) => {
            let list = cast_with_options(array, &DataType::List(Arc::clone(item)), &SAFE)?;
            stored(sql_type, clock, &list, faults)
        }
        (DataType::List(_), SqlType::Array(item)) => lists(item, clock, array.as_list(), faults),
        (DataType::Float32 | DataType::Float64, SqlType::SmallInt | SqlType::Integer | SqlType::BigInt) => {
            let faulty = fractions(array)?;
            for row in faulty {
                faults.add(row, CellFault::syntax(sql_type.clone(), &shown(array, row)));
            }
            checked(array, &target, sql_type, faults)
        }
        (DataType::Float32 | DataType::Float64, SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_)) => {
            let texts = float_texts(array)?;
            Ok(column(sql_type, clock, &texts, faults))
        }
        (DataType::Timestamp(_, None), SqlType::TimestampTz) => {
            let wall = cast_with_options(array, &DataType::Timestamp(TimeUnit::Microsecond, None), &SAFE)?;
            let wall: &PrimitiveArray<TimestampMicrosecondType> = wall.as_primitive();
            Ok(Arc::new(instants(wall, clock, sql_type, faults).with_timezone("UTC")))
        }
        (DataType::Date32 | DataType::Date64, SqlType::TimestampTz) => {
            let days = cast_with_options(array, &DataType::Date32, &SAFE)?;
            let days: &PrimitiveArray<Date32Type> = days.as_primitive();
            let wall: PrimitiveArray<TimestampMicrosecondType> = days.unary(|day| i64::from(day) * DAY_US);
            Ok(Arc::new(instants(&wall, clock, sql_type, faults).with_timezone("UTC")))
        }
        (DataType::Timestamp(_, Some(_)), SqlType::Timestamp | SqlType::Date | SqlType::Time) => {
            // A cast that drops the zone would keep UTC's clock.
            let instants =
                cast_with_options(array, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), &SAFE)?;
            let instants: &PrimitiveArray<TimestampMicrosecondType> = instants.as_primitive();
            let wall: PrimitiveArray<TimestampMicrosecondType> =
                instants.iter().map(|instant| instant.and_then(|instant| clock.wall(instant))).collect();
            let wall: ArrayRef = Arc::new(wall);
            stored(sql_type, clock, &wall, faults)
        }
        (DataType::Time32(_) | DataType::Time64(_), SqlType::Time) => {
            let time = cast_with_options(array, &DataType::Time64(TimeUnit::Microsecond), &SAFE)?;
            checked(&time, &target, sql_type, faults)
        }
        (_, SqlType::Time) => {
            let time = cast_with_options(array, &DataType::Time64(TimeUnit::Microsecond), &SAFE)?;
            stored(sql_type, clock, &time, faults)
        }
        (DataType::Null, _) => Ok(arrow::array::new_null_array(&target, array.len())),
        (_, SqlType::Varchar(_) | SqlType::Char(_) | SqlType::Json | SqlType::Jsonb | SqlType::Uuid) => {
            let texts = cast_with_options(array, &DataType::Utf8, &SAFE)?;
            Ok(column(sql_type, clock, texts.as_string::<i32>(), faults))
        }
        _ => checked(array, &target, sql_type, faults),
    }
}

/// A cast whose failures are faults.
fn checked(
    array: &ArrayRef,
    target: &DataType,
    sql_type: &SqlType,
    faults: &mut Faults<'_>,
) -> Result<ArrayRef, ArrowError> {
    let cast = cast_with_options(array, target, &SAFE)?;
    if cast.null_count() > array.null_count() {
        for row in (0..array.len()).filter(|row| array.is_valid(*row) && cast.is_null(*row)) {
            faults.add(row, CellFault::range(sql_type.clone(), &shown(array, row)));
        }
    }
    Ok(cast)
}

/// The value of a row as a text.
pub fn shown(array: &ArrayRef, row: usize) -> String {
    let formatter = ArrayFormatter::try_new(array, &SAFE.format_options);
    formatter.map_or(String::new(), |formatter| formatter.value(row).to_string())
}

fn fractions(array: &ArrayRef) -> Result<Vec<usize>, ArrowError> {
    let doubles = cast_with_options(array, &DataType::Float64, &SAFE)?;
    let doubles: &PrimitiveArray<Float64Type> = doubles.as_primitive();
    let faulty = |value: Option<f64>| value.is_some_and(|value| value.is_finite() && value.fract() != 0.0);
    Ok(doubles.iter().enumerate().filter(|(_, value)| faulty(*value)).map(|(row, _)| row).collect())
}

/// As PostgreSQL writes floats: the shortest digits that give the value, and no point where it is whole.
pub fn float_texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    Ok(match array.data_type() {
        DataType::Float32 => texts::<Float32Type>(array),
        _ => texts::<Float64Type>(&cast_with_options(array, &DataType::Float64, &SAFE)?),
    })
}

fn texts<T: ArrowPrimitiveType>(array: &ArrayRef) -> StringArray
where
    T::Native: std::fmt::Display,
{
    array.as_primitive::<T>().iter().map(|value| value.map(|value| value.to_string())).collect()
}

fn instants(
    wall: &PrimitiveArray<TimestampMicrosecondType>,
    clock: &mut ZoneClock,
    sql_type: &SqlType,
    faults: &mut Faults<'_>,
) -> PrimitiveArray<TimestampMicrosecondType> {
    let instant = |(row, wall): (usize, Option<i64>)| {
        let instant = clock.instant(wall?);
        if instant.is_none() {
            faults.add(row, CellFault::range(sql_type.clone(), "out of the calendar"));
        }
        instant
    };
    wall.iter().enumerate().map(instant).collect()
}

fn lists(
    item: &SqlType,
    clock: &mut ZoneClock,
    list: &ListArray,
    faults: &mut Faults<'_>,
) -> Result<ArrayRef, ArrowError> {
    let offsets = list.offsets();
    let mut rows = vec![0; list.values().len()];
    for row in 0..list.len() {
        rows[offsets[row] as usize..offsets[row + 1] as usize].fill(row);
    }
    let values = stored(item, clock, list.values(), &mut faults.within(&rows))?;
    let field = Arc::new(Field::new("element", item.stored(), true));
    Ok(Arc::new(ListArray::try_new(field, offsets.clone(), values, list.nulls().cloned())?))
}

/// Any column as texts, for identifiers and for `extras`.
pub fn as_texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    match array.data_type() {
        DataType::Float32 | DataType::Float64 => float_texts(array),
        DataType::Utf8 => Ok(array.as_string::<i32>().clone()),
        from if can_cast_types(from, &DataType::Utf8) => {
            Ok(cast_with_options(array, &DataType::Utf8, &SAFE)?.as_string::<i32>().clone())
        }
        _ => Ok((0..array.len()).map(|row| array.is_valid(row).then(|| shown(array, row))).collect()),
    }
}

/// A column of whole numbers, where it can be read as one.
pub fn as_numbers(array: &ArrayRef) -> Result<PrimitiveArray<Int64Type>, ArrowError> {
    Ok(cast_with_options(array, &DataType::Int64, &SAFE)?.as_primitive::<Int64Type>().clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, TimestampNanosecondArray};

    use super::*;

    fn stored_as(sql_type: &SqlType, array: ArrayRef) -> (Vec<String>, Vec<usize>) {
        let mut found = Default::default();
        let mut clock = ZoneClock::new("Asia/Shanghai".parse().unwrap());
        assert!(is_castable(array.data_type(), sql_type));
        let typed = stored(sql_type, &mut clock, &array, &mut Faults::new(&mut found, 0)).unwrap();
        assert_eq!(typed.data_type(), &sql_type.stored());
        ((0..typed.len()).map(|row| shown(&typed, row)).collect(), found.into_keys().collect())
    }

    #[test]
    fn a_number_that_does_not_fit_is_a_fault() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), Some(40_000), None]));
        assert_eq!(stored_as(&SqlType::SmallInt, numbers), (vec!["7".into(), "".into(), "".into()], vec![1]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![3.0, 2.5, 1e30]));
        assert_eq!(stored_as(&SqlType::Integer, Arc::clone(&floats)).1, [1, 2]);
        let (texts, _) = stored_as(&SqlType::Text, floats);
        assert_eq!(texts[..2], ["3", "2.5"]);
    }

    #[test]
    fn money_from_floats_is_rounded_to_its_scale() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![2.55, -0.1]));
        let money = SqlType::Numeric { precision: 18, scale: 2 };
        assert_eq!(stored_as(&money, floats).0, ["2.55", "-0.10"]);
    }

    #[test]
    fn a_time_without_a_zone_is_of_the_clocks_zone() {
        let wall: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_704_067_200_000_000_000]));
        assert_eq!(stored_as(&SqlType::TimestampTz, Arc::clone(&wall)).0, ["2023-12-31T16:00:00Z"]);
        let instant: ArrayRef =
            Arc::new(TimestampNanosecondArray::from(vec![1_704_067_200_000_000_000]).with_timezone("UTC"));
        assert_eq!(stored_as(&SqlType::TimestampTz, Arc::clone(&instant)).0, ["2024-01-01T00:00:00Z"]);
        assert_eq!(stored_as(&SqlType::Timestamp, Arc::clone(&instant)).0, ["2024-01-01T08:00:00"]);
        let evening: ArrayRef =
            Arc::new(TimestampNanosecondArray::from(vec![1_704_038_400_000_000_000]).with_timezone("UTC"));
        assert_eq!(stored_as(&SqlType::Date, evening).0, ["2024-01-01"]);
    }
}
