//! The states of the aggregates that give a bitmap: one set a group.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use roaring::RoaringTreemap;

use super::bitmap::{bitmap_at, write};
use crate::groups::{GroupStates, Rows};

/// How rows and partial states come together.
pub(crate) trait Gathering: Debug + Send + Sync + 'static {
    const NAME: &'static str;

    /// The set that a row gives, None for NULL.
    fn set_of(column: &ArrayRef, row: usize) -> Result<Option<RoaringTreemap>>;
    /// Adds a row's set to that of the group.
    fn join(group: &mut RoaringTreemap, set: RoaringTreemap);
    /// Adds a row without making a set of it, where that is quicker. False where it was not added.
    fn add(_column: &ArrayRef, _row: usize, _group: &mut Option<RoaringTreemap>) -> Result<bool> {
        Ok(false)
    }
}

pub(super) fn set_partials() -> Vec<(&'static str, DataType)> {
    vec![("set", DataType::Binary)]
}

#[derive(Debug)]
pub(crate) struct States<G> {
    /// None before the first row.
    groups: Vec<Option<RoaringTreemap>>,
    gathering: PhantomData<G>,
}

impl<G: Gathering> States<G> {
    pub fn empty() -> Self {
        Self { groups: Vec::new(), gathering: PhantomData }
    }

    fn join(&mut self, group: usize, set: Option<RoaringTreemap>) {
        if let Some(set) = set {
            match &mut self.groups[group] {
                Some(known) => G::join(known, set),
                first => *first = Some(set),
            }
        }
    }

    fn sets(&self) -> Result<ArrayRef> {
        let mut sets = BinaryBuilder::new();
        for group in &self.groups {
            match group {
                Some(set) => write(G::NAME, set, &mut sets)?,
                None => sets.append_null(),
            }
        }
        Ok(Arc::new(sets.finish()))
    }
}

impl<G: Gathering> GroupStates for States<G> {
    fn fresh(&self) -> Self {
        Self::empty()
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize(groups, None);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [column] = take_function_args(G::NAME, columns)?;
        for (row, &group) in rows.groups.iter().enumerate() {
            if rows.passes(row) && !G::add(column, row, &mut self.groups[group])? {
                self.join(group, G::set_of(column, row)?);
            }
        }
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [sets] = take_function_args(G::NAME, partials)?;
        let sets = sets.as_binary::<i32>();
        for (row, &group) in rows.groups.iter().enumerate() {
            self.join(group, bitmap_at(G::NAME, sets, row)?);
        }
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        Ok(Self { groups: std::mem::replace(&mut self.groups, rest), gathering: PhantomData })
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.sets()?])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        self.sets()
    }

    fn bytes(&self) -> usize {
        let sets: usize = self.groups.iter().flatten().map(RoaringTreemap::serialized_size).sum();
        self.groups.capacity() * size_of::<Option<RoaringTreemap>>() + sets
    }
}
