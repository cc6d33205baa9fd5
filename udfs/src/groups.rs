//! One state type per aggregate serves both of DataFusion's accumulator traits.

use std::fmt::Debug;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::OffsetBuffer;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{Accumulator, EmitTo, GroupsAccumulator};

/// The states of all groups of one aggregate, kept in flat vectors indexed by group.
pub(crate) trait GroupStates: Debug + Send + Sync + Sized + 'static {
    /// The same aggregate without any group.
    fn fresh(&self) -> Self;
    /// Makes room for this many groups at least.
    fn grow(&mut self, groups: usize);
    /// Adds rows: row `i` of `columns` belongs to group `rows.groups[i]`.
    fn update(&mut self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<()>;
    /// Adds partial states that `partials` gave: row `i` belongs to group `rows.groups[i]`.
    fn merge(&mut self, partials: &[ArrayRef], rows: Rows<'_>) -> Result<()>;
    /// Takes the states of the first `groups` groups away; the rest moves down.
    fn take(&mut self, groups: usize) -> Result<Self>;
    /// The partial states, one row a group.
    fn partials(&mut self) -> Result<Vec<ArrayRef>>;
    /// The partial states of rows that are a group each: `rows.groups` counts up from 0. The engine asks for them where rows hardly share groups,
    /// so many states may do with less than to be groups first.
    fn partials_of_rows(&self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let mut each_row = self.fresh();
        each_row.grow(rows.groups.len());
        each_row.update(columns, rows)?;
        each_row.partials()
    }
    /// The results, one row a group.
    fn values(&mut self) -> Result<ArrayRef>;
    /// Bytes held, without `Self`. Asked for after every batch, so it must not look at each group.
    fn bytes(&self) -> usize;
}

/// Which rows of a batch count, for which groups.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub groups: &'a [usize],
    filter: Option<&'a BooleanArray>,
}

impl Rows<'_> {
    /// True where there is no FILTER clause or it holds.
    #[inline]
    pub fn passes(&self, row: usize) -> bool {
        self.filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
    }

    /// Calls `each` with every row that passes, and its group.
    #[inline]
    pub fn each(self, mut each: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
        match self.filter {
            None => self.groups.iter().enumerate().try_for_each(|(row, group)| each(row, *group)),
            // NULL does not pass. A filter that lets few rows pass is passed over by words.
            Some(filter) => {
                let passing = match filter.nulls() {
                    Some(valid) => filter.values() & valid.inner(),
                    None => filter.values().clone(),
                };
                passing.set_indices().try_for_each(|row| each(row, self.groups[row]))
            }
        }
    }
}

/// Offsets of a list column with rows of these lengths; an error beyond 2^31 elements in one batch.
pub(crate) fn list_offsets(function: &str, lengths: impl IntoIterator<Item = usize>) -> Result<OffsetBuffer<i32>> {
    let mut end = 0i32;
    let mut offsets = vec![end];
    for length in lengths {
        let next = i32::try_from(length).ok().and_then(|length| end.checked_add(length));
        let Some(next) = next else {
            return exec_err!("{function}: more than 2^31 elements in the groups of one partition");
        };
        end = next;
        offsets.push(end);
    }
    Ok(OffsetBuffer::new(offsets.into()))
}

/// Bytes that a B-tree map of so many entries holds, roughly: its nodes have room for 11 and hold 6 at the least.
pub(crate) fn tree_bytes<K, V>(entries: usize) -> usize {
    entries.div_ceil(6) * (11 * size_of::<(K, V)>() + 16)
}

/// Many groups at a time.
#[derive(Debug)]
pub(crate) struct Grouped<S>(pub S);

impl<S: GroupStates> Grouped<S> {
    fn emit(&mut self, emit_to: EmitTo) -> Result<S> {
        match emit_to {
            EmitTo::All => {
                let fresh = self.0.fresh();
                Ok(std::mem::replace(&mut self.0, fresh))
            }
            EmitTo::First(groups) => self.0.take(groups),
        }
    }
}

impl<S: GroupStates> GroupsAccumulator for Grouped<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.0.grow(total);
        self.0.update(values, Rows { groups, filter })
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.0.grow(total);
        self.0.merge(values, Rows { groups, filter: None })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.emit(emit_to)?.values()
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.emit(emit_to)?.partials()
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let total = values.first().map_or(0, |column| column.len());
        let groups: Vec<usize> = (0..total).collect();
        self.0.partials_of_rows(values, Rows { groups: &groups, filter })
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.bytes()
    }
}

/// One group: no GROUP BY, or a window frame.
#[derive(Debug)]
pub(crate) struct Single<S>(S);

impl<S: GroupStates> Single<S> {
    pub fn new(mut states: S) -> Self {
        states.grow(1);
        Self(states)
    }
}

impl<S: GroupStates> Accumulator for Single<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; values.first().map_or(0, |column| column.len())];
        self.0.update(values, Rows { groups: &groups, filter: None })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; states.first().map_or(0, |column| column.len())];
        self.0.merge(states, Rows { groups: &groups, filter: None })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.0.values()?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.partials()?.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.bytes()
    }
}
