//! HyperLogLog sketches: how many different values there were, in a few kilobytes.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::DataType;
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err, exec_err, plan_err};
use datasketches::hll::{HllSketch, HllType, HllUnion};

use crate::groups::{GroupStates, Rows};

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

/// What an aggregate of sketches makes of a row.
pub(crate) trait Gathering: Debug + Send + Sync + 'static {
    const NAME: &'static str;

    /// Adds a row to the sketch of its group; None for NULL.
    fn add(column: &ArrayRef, row: usize, group: &mut Option<HllSketch>) -> Result<()>;
}

/// Adds the sketch of a row; an error where the bytes are none.
pub(super) fn add_sketch(function: &str, column: &ArrayRef, row: usize, group: &mut Option<HllSketch>) -> Result<()> {
    let sketches = column.as_binary::<i32>();
    if sketches.is_null(row) {
        return Ok(());
    }
    let Some(sketch) = read(sketches.value(row)) else {
        return exec_err!("{function}: a value of {} bytes is no sketch of hll_build", sketches.value(row).len());
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

/// One sketch a group.
#[derive(Debug)]
pub(crate) struct States<G> {
    /// None before the first row.
    groups: Vec<Option<HllSketch>>,
    gathering: PhantomData<G>,
}

impl<G: Gathering> States<G> {
    pub fn none() -> Self {
        Self { groups: Vec::new(), gathering: PhantomData }
    }

    fn sketches(&self) -> Result<ArrayRef> {
        let mut sketches = BinaryBuilder::new();
        for group in &self.groups {
            let bytes = group.as_ref().map(HllSketch::serialize);
            let length = bytes.as_ref().map_or(0, Vec::len);
            if i32::try_from(sketches.values_slice().len() + length).is_err() {
                return exec_err!("{}: more than 2^31 bytes of sketches in one batch", G::NAME);
            }
            sketches.append_option(bytes);
        }
        Ok(Arc::new(sketches.finish()))
    }
}

pub(super) fn sketch_partials() -> Vec<(&'static str, DataType)> {
    vec![("sketch", DataType::Binary)]
}

impl<G: Gathering> GroupStates for States<G> {
    fn fresh(&self) -> Self {
        Self::none()
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, || None);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [column] = take_function_args(G::NAME, columns)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) {
                G::add(column, row, &mut self.groups[group])?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [sketches] = take_function_args(G::NAME, partials)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            add_sketch(G::NAME, sketches, row, &mut self.groups[group])?;
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        Ok(Self { groups: std::mem::replace(&mut self.groups, rest), gathering: PhantomData })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.sketches()?])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        self.sketches()
    }

    fn bytes(&self) -> usize {
        let sketches: usize = self.groups.iter().flatten().map(HllSketch::estimated_size).sum();
        self.groups.capacity() * size_of::<Option<HllSketch>>() + sketches
    }
}
