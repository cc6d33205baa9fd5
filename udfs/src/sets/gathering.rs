//! Aggregates whose state and result are one set a group, as bytes: bitmaps, and sketches of sets.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::DataType;
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err};
use datafusion_expr::Documentation;
use datafusion_expr::function::AccumulatorArgs;

use crate::definition::AggregateDefinition;
use crate::groups::{GroupStates, Rows};

/// A set, or a sketch of one.
pub(crate) trait Gathered: Debug + Send + Sync + Sized + 'static {
    /// The bytes that others read.
    fn write(&mut self, function: &str) -> Result<Vec<u8>>;
    /// Bytes held, without `Self`.
    fn bytes(&self) -> usize;
}

/// What an aggregate gathers from its one argument.
pub(crate) trait Gathering: Debug + Send + Sync + 'static {
    const NAME: &'static str;
    type Set: Gathered;

    fn documentation() -> &'static Documentation;
    /// The type that the argument is read in; refuses a wrong one.
    fn coerce(argument: &DataType) -> Result<DataType>;
    /// Joins what `Gathered::write` wrote to the set of a group, which is None before the first row; an error where the bytes are none of it.
    fn join(group: &mut Option<Self::Set>, bytes: &[u8]) -> Result<()>;

    /// Adds rows to the sets of their groups; NULL adds nothing.
    fn add(column: &ArrayRef, rows: Rows<'_>, groups: &mut [Option<Self::Set>]) -> Result<()> {
        join_each(column, rows, groups, Self::join)
    }
}

/// The aggregate of the gathering G.
pub(super) struct Gather<G>(PhantomData<G>);

impl<G: Gathering> AggregateDefinition for Gather<G> {
    const NAME: &'static str = G::NAME;
    type States = Sets<G>;

    fn documentation() -> &'static Documentation {
        G::documentation()
    }

    fn coerce(types: &[DataType]) -> Result<Vec<DataType>> {
        let [argument] = take_function_args(G::NAME, types)?;
        Ok(vec![G::coerce(argument)?])
    }

    fn result(_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn partials(_types: &[DataType]) -> Result<Vec<(&'static str, DataType)>> {
        Ok(vec![("set", DataType::Binary)])
    }

    fn states(_args: &AccumulatorArgs) -> Result<Self::States> {
        Ok(Sets::new(Vec::new()))
    }
}

fn join_each<S>(
    sets: &ArrayRef,
    rows: Rows<'_>,
    groups: &mut [Option<S>],
    join: impl Fn(&mut Option<S>, &[u8]) -> Result<()>,
) -> Result<()> {
    let sets = sets.as_binary::<i32>();
    for (row, &group) in rows.groups.iter().enumerate() {
        if rows.passes(row) && sets.is_valid(row) {
            join(&mut groups[group], sets.value(row))?;
        }
    }
    Ok(())
}

/// Appends the bytes of a set or a sketch, NULL for None.
pub(super) fn append(function: &str, sets: &mut BinaryBuilder, bytes: Option<Vec<u8>>) -> Result<()> {
    let length = bytes.as_ref().map_or(0, Vec::len);
    if i32::try_from(sets.values_slice().len() + length).is_err() {
        return exec_err!("{function}: more than 2^31 bytes of sets in one batch or partition");
    }
    sets.append_option(bytes);
    Ok(())
}

/// One set a group.
#[derive(Debug)]
pub(crate) struct Sets<G: Gathering> {
    /// None before the first row.
    groups: Vec<Option<G::Set>>,
    /// Bytes of all sets when they were measured last, of how many groups, and of the rows that came in since.
    measured: usize,
    measured_groups: usize,
    unmeasured: usize,
}

impl<G: Gathering> Sets<G> {
    fn new(groups: Vec<Option<G::Set>>) -> Self {
        let mut sets = Self { groups, measured: 0, measured_groups: 0, unmeasured: 0 };
        sets.measure();
        sets
    }

    fn measure(&mut self) {
        self.measured = self.groups.iter().flatten().map(Gathered::bytes).sum();
        self.measured_groups = self.groups.len();
        self.unmeasured = 0;
    }

    /// Measuring looks at every group, so it waits until some bytes a group came in.
    fn came_in(&mut self, column: &ArrayRef) {
        self.unmeasured += column.to_data().get_slice_memory_size().unwrap_or(0);
        if self.unmeasured >= size_of::<u64>() * self.groups.len() {
            self.measure();
        }
    }

    fn written(&mut self) -> Result<ArrayRef> {
        let mut sets = BinaryBuilder::new();
        for group in &mut self.groups {
            let bytes = group.as_mut().map(|set| set.write(G::NAME)).transpose()?;
            append(G::NAME, &mut sets, bytes)?;
        }
        Ok(Arc::new(sets.finish()))
    }
}

impl<G: Gathering> GroupStates for Sets<G> {
    fn fresh(&self) -> Self {
        Self::new(Vec::new())
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, || None);
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [column] = take_function_args(G::NAME, columns)?;
        G::add(column, rows, &mut self.groups)?;
        self.came_in(column);
        Ok(())
    }

    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [sets] = take_function_args(G::NAME, partials)?;
        join_each(sets, rows, &mut self.groups, G::join)?;
        self.came_in(sets);
        Ok(())
    }

    fn take(&mut self, groups: usize) -> Result<Self> {
        let rest = self.groups.split_off(groups);
        let taken = Self::new(std::mem::replace(&mut self.groups, rest));
        self.measure();
        Ok(taken)
    }

    fn partials(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.written()?])
    }

    fn values(&mut self) -> Result<ArrayRef> {
        self.written()
    }

    fn bytes(&self) -> usize {
        // Groups that are new since are taken for as large as the others.
        let new = self.groups.len().saturating_sub(self.measured_groups);
        let held = self.measured + self.measured.checked_div(self.measured_groups).unwrap_or(0) * new;
        self.groups.capacity() * size_of::<Option<G::Set>>() + held + self.unmeasured
    }
}
