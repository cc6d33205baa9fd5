//! Sets of ids as bitmaps in the portable Roaring format of 64 bits.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryBuilder};
use arrow::datatypes::DataType;
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
use roaring::RoaringTreemap;

use super::gathering::{Gathered, append};

/// Binary of any kind is read as Binary.
pub(super) fn coerce_bitmap(function: &str, argument: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null => Ok(DataType::Binary),
        other => plan_err!("{function}: {argument} must be a bitmap (bytea), got {other}"),
    }
}

pub(super) fn coerce_id(function: &str, argument: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        number if number.is_integer() || number.is_null() => Ok(DataType::Int64),
        other => plan_err!("{function}: {argument} must be a whole number, got {other}"),
    }
}

/// The set that the bytes hold, None where they are no bitmap or something follows it.
pub(super) fn read(bytes: &[u8]) -> Option<RoaringTreemap> {
    let mut rest = bytes;
    let set = RoaringTreemap::deserialize_from(&mut rest).ok()?;
    rest.is_empty().then_some(set)
}

/// The set that the bytes hold, an error that names the function where they hold none.
pub(super) fn bitmap_of(function: &str, bytes: &[u8]) -> Result<RoaringTreemap> {
    match read(bytes) {
        Some(set) => Ok(set),
        None => exec_err!("{function}: a value of {} bytes is no bitmap", bytes.len()),
    }
}

/// Adds the bytes of a set to that of a group.
pub(super) fn union(function: &str, group: &mut Option<RoaringTreemap>, bytes: &[u8]) -> Result<()> {
    let set = bitmap_of(function, bytes)?;
    match group {
        Some(known) => *known |= set,
        None => *group = Some(set),
    }
    Ok(())
}

/// What a set holds beside its ids: the node of a map of bitmaps, and in each bitmap some places for containers.
const MAP_BYTES: usize = 352;
const BITMAP_BYTES: usize = 160;
const CONTAINER_BYTES: usize = 40;

impl Gathered for RoaringTreemap {
    fn write(&mut self, function: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.serialized_size());
        self.serialize_into(&mut bytes).map_err(|error| exec_datafusion_err!("{function}: {error}"))?;
        Ok(bytes)
    }

    fn bytes(&self) -> usize {
        let bitmaps = self.bitmaps().map(|(_, bitmap)| {
            let containers = bitmap.statistics().n_containers as usize;
            BITMAP_BYTES.max(containers * CONTAINER_BYTES) + bitmap.serialized_size()
        });
        MAP_BYTES + bitmaps.sum::<usize>()
    }
}

/// Argument types of a function of two bitmaps.
pub(super) fn coerce_two(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let [one, two] = take_function_args(function, types)?;
    Ok(vec![coerce_bitmap(function, "a", one)?, coerce_bitmap(function, "b", two)?])
}

/// The bitmap that `combine` makes of the two of each row; NULL where one is NULL or no bitmap.
pub(super) fn combine(
    function: &str,
    args: ScalarFunctionArgs,
    combine: impl Fn(RoaringTreemap, RoaringTreemap) -> RoaringTreemap,
) -> Result<ColumnarValue> {
    let mut sets = BinaryBuilder::new();
    for pair in pairs(function, args)? {
        let bytes = pair.map(|(one, two)| combine(one, two).write(function)).transpose()?;
        append(function, &mut sets, bytes)?;
    }
    Ok(ColumnarValue::Array(Arc::new(sets.finish())))
}

/// Both bitmaps of each row, None where one is NULL or no bitmap.
pub(super) fn pairs(
    function: &str,
    args: ScalarFunctionArgs,
) -> Result<impl Iterator<Item = Option<(RoaringTreemap, RoaringTreemap)>>> {
    let rows = args.number_rows;
    let [one, two] = take_function_args(function, args.args)?;
    let (one, two) = (one.to_array(rows)?, two.to_array(rows)?);
    Ok((0..rows).map(move |row| {
        let (one, two) = (one.as_binary::<i32>(), two.as_binary::<i32>());
        if one.is_null(row) || two.is_null(row) { None } else { read(one.value(row)).zip(read(two.value(row))) }
    }))
}
