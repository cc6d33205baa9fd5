//! Per group and day one cell, in one flat vector that folds duplicates as it grows.

use std::fmt::Debug;

use datafusion_common::Result;

/// What is kept for one group on one day.
pub(crate) trait DayCell: Copy + Debug + Send + Sync + 'static {
    /// Folds a second cell of the same day in.
    fn fold(&mut self, other: &Self) -> Result<()>;
}

impl DayCell for () {
    fn fold(&mut self, _other: &Self) -> Result<()> {
        Ok(())
    }
}

/// Folding starts when this many cells came in since the last folding, at the least.
const FOLD_CELLS_MIN: usize = 65_536;

/// Cells of (group, day). Grows with the number of distinct days of each group; a group or day is 32 bits.
#[derive(Debug)]
pub(crate) struct DayLog<C> {
    /// Key: group in the upper half, day (shifted to sort as unsigned) in the lower half.
    cells: Vec<(u64, C)>,
    /// Cells before this index are sorted and distinct.
    folded: usize,
    groups: usize,
}

impl<C: DayCell> DayLog<C> {
    pub fn new() -> Self {
        Self { cells: Vec::new(), folded: 0, groups: 0 }
    }

    pub fn grow(&mut self, groups: usize) {
        self.groups = self.groups.max(groups);
    }

    #[inline]
    pub fn push(&mut self, group: usize, day: i32, cell: C) -> Result<()> {
        self.cells.push((key(group, day), cell));
        if self.cells.len() >= 2 * self.folded + FOLD_CELLS_MIN {
            self.fold()?;
        }
        Ok(())
    }

    /// Takes the first `groups` groups away; the rest moves down.
    pub fn take(&mut self, groups: usize) -> Result<Self> {
        self.fold()?;
        let split = self.cells.partition_point(|(cell_key, _)| group_of(*cell_key) < groups);
        let rest: Vec<_> = self
            .cells
            .split_off(split)
            .into_iter()
            .map(|(cell_key, cell)| (cell_key - ((groups as u64) << 32), cell))
            .collect();
        let taken = Self { folded: split, cells: std::mem::replace(&mut self.cells, rest), groups };
        self.folded = self.cells.len();
        self.groups = self.groups.saturating_sub(groups);
        Ok(taken)
    }

    /// Calls `each` for every group with its cells in order of day.
    pub fn for_each_group(&mut self, mut each: impl FnMut(&[(u64, C)]) -> Result<()>) -> Result<()> {
        self.fold()?;
        let mut rest = self.cells.as_slice();
        for group in 0..self.groups {
            let length = rest.iter().take_while(|(cell_key, _)| group_of(*cell_key) == group).count();
            let (own, others) = rest.split_at(length);
            each(own)?;
            rest = others;
        }
        Ok(())
    }

    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    pub fn bytes(&self) -> usize {
        self.cells.capacity() * size_of::<(u64, C)>()
    }

    fn fold(&mut self) -> Result<()> {
        if self.folded == self.cells.len() {
            return Ok(());
        }
        // Stable, and quick on the part that is sorted already.
        self.cells.sort_by_key(|(cell_key, _)| *cell_key);
        let mut kept = 0;
        for next in 1..self.cells.len() {
            let (cell_key, cell) = self.cells[next];
            if self.cells[kept].0 == cell_key {
                self.cells[kept].1.fold(&cell)?;
            } else {
                kept += 1;
                self.cells[kept] = (cell_key, cell);
            }
        }
        self.cells.truncate(kept + 1);
        self.folded = self.cells.len();
        Ok(())
    }
}

/// The day of a cell's key.
#[inline]
pub(crate) fn day_of(cell_key: u64) -> i32 {
    ((cell_key as u32) ^ (1 << 31)) as i32
}

#[inline]
fn key(group: usize, day: i32) -> u64 {
    ((group as u64) << 32) | u64::from((day as u32) ^ (1 << 31))
}

fn group_of(cell_key: u64) -> usize {
    (cell_key >> 32) as usize
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn days(log: &mut DayLog<()>) -> Vec<Vec<i32>> {
        let mut all = Vec::new();
        log.for_each_group(|cells| {
            all.push(cells.iter().map(|(cell_key, ())| day_of(*cell_key)).collect());
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn a_day_is_kept_once_and_days_before_1970_sort_first() {
        let mut log = DayLog::new();
        log.grow(3);
        for (group, day) in [(2, 5), (0, 3), (0, -4), (2, 5), (0, 3)] {
            log.push(group, day, ()).unwrap();
        }
        assert_eq!(days(&mut log), vec![vec![-4, 3], vec![], vec![5]]);
    }

    #[test]
    fn the_groups_left_behind_move_down() {
        let mut log = DayLog::new();
        log.grow(3);
        for group in 0..3 {
            log.push(group, group as i32, ()).unwrap();
        }
        assert_eq!(days(&mut log.take(1).unwrap()), vec![vec![0]]);
        assert_eq!(days(&mut log), vec![vec![1], vec![2]]);
    }
}
