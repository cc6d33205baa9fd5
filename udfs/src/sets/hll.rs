//! HyperLogLog sketches: how many different values there were, in a few kilobytes.

use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_datafusion_err, exec_err, plan_err};
use datasketches::hll::{HllSketch, HllType, HllUnion};

use super::gathering::Gathered;

/// 2^12 registers: a standard error of 1.6 %.
const LG_REGISTERS: u8 = 12;
/// Where the bytes of a sketch tell its kind, and what they tell of one with a byte a register.
const MODE_BYTE: usize = 7;
const MODE_OF_HLL8: u8 = 2;
/// What they tell of one that is an array of registers already, where these begin, and the most that one may hold.
const MODE_OF_ARRAY: u8 = 2;
const REGISTERS_START: usize = 40;
const REGISTER_MAX: u8 = 63;

/// The sketch that the bytes hold, None where they are none. Sketches with less than a byte a register are left to their own library: their
/// bytes can contradict themselves.
pub(super) fn read(bytes: &[u8]) -> Option<HllSketch> {
    let mode = bytes.get(MODE_BYTE)?;
    if mode >> 2 & 3 != MODE_OF_HLL8 {
        return None;
    }
    // A register counts leading zeros of 64 bits; the library shifts by it unseen.
    let is_array = mode & 3 == MODE_OF_ARRAY;
    if is_array && bytes.get(REGISTERS_START..)?.iter().any(|register| *register > REGISTER_MAX) {
        return None;
    }
    HllSketch::deserialize(bytes).ok()
}

pub(super) fn coerce_sketch(function: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null => Ok(DataType::Binary),
        other => plan_err!("{function}: sketch must be a sketch of hll_build (bytea), got {other}"),
    }
}

pub(super) fn empty(function: &str) -> Result<HllSketch> {
    HllSketch::new(LG_REGISTERS, HllType::Hll8).map_err(|error| exec_datafusion_err!("{function}: {error}"))
}

/// Joins the bytes of a sketch to that of a group; an error where they are none.
pub(super) fn join(function: &str, group: &mut Option<HllSketch>, bytes: &[u8]) -> Result<()> {
    let Some(sketch) = read(bytes) else {
        return exec_err!("{function}: a value of {} bytes is no sketch of hll_build", bytes.len());
    };
    *group = Some(match group.take() {
        None => sketch,
        Some(known) => {
            let mut union = HllUnion::new(known.lg_config_k().max(sketch.lg_config_k()))
                .map_err(|error| exec_datafusion_err!("{function}: {error}"))?;
            union.update(&known);
            union.update(&sketch);
            union.to_sketch(HllType::Hll8)
        }
    });
    Ok(())
}

impl Gathered for HllSketch {
    fn write(&mut self, _function: &str) -> Result<Vec<u8>> {
        Ok(self.serialize())
    }

    fn bytes(&self) -> usize {
        self.estimated_size()
    }
}
