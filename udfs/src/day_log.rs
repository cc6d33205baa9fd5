//! Per group and day one cell: what came in on the same day is folded together.

use std::fmt::Debug;

use datafusion_common::Result;

use crate::row_log::RowLog;

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
/// And when there are so many for each that the last folding left: more where it found few to fold, as where hardly a customer comes twice a day.
const FOLD_GROWTH: usize = 2;
const FOLD_GROWTH_IN_VAIN: usize = 4;

/// Cells of (group, day). Grows with the number of distinct days of each group, up to four cells each; a day is a number since 1970-01-01.
#[derive(Debug)]
pub(crate) struct DayLog<C> {
    function: &'static str,
    cells: RowLog<(i32, C)>,
    /// Cells at the last folding, of which no two were of one group and day.
    folded: usize,
    /// With this many it is time to fold.
    fold_at: usize,
}

impl<C: DayCell> DayLog<C> {
    /// `function` names the SQL function in errors.
    pub fn new(function: &'static str) -> Self {
        Self { function, cells: RowLog::new(), folded: 0, fold_at: FOLD_CELLS_MIN }
    }

    pub fn grow(&mut self, groups: usize) {
        self.cells.grow(groups);
    }

    #[inline]
    pub fn push(&mut self, group: usize, day: i32, cell: C) -> Result<()> {
        self.cells.push(self.function, group, (day, cell))?;
        if self.cells.rows().len() >= self.fold_at {
            self.fold()?;
        }
        Ok(())
    }

    /// Takes the first `groups` groups away; the rest moves down.
    pub fn take(&mut self, groups: usize) -> Result<Self> {
        self.fold()?;
        let cells = self.cells.take(groups);
        self.folded = self.cells.rows().len();
        let (folded, fold_at) = (cells.rows().len(), self.fold_at);
        Ok(Self { function: self.function, cells, folded, fold_at })
    }

    /// Calls `each` for every group with its cells in order of day.
    pub fn for_each_group(&mut self, mut each: impl FnMut(&[(i32, C)]) -> Result<()>) -> Result<()> {
        self.fold()?;
        for own in self.cells.by_group() {
            each(own)?;
        }
        Ok(())
    }

    pub fn cells(&self) -> usize {
        self.cells.rows().len()
    }

    pub fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    fn fold(&mut self) -> Result<()> {
        if self.folded < self.cells.rows().len() {
            let cells = self.cells.rows().len();
            self.cells.condense(one_a_day)?;
            self.folded = self.cells.rows().len();
            let growth = if self.folded > cells / 2 { FOLD_GROWTH_IN_VAIN } else { FOLD_GROWTH };
            self.fold_at = growth * self.folded + FOLD_CELLS_MIN;
        }
        Ok(())
    }
}

/// Sorts a group's cells by day and folds those of one day in the order in which they came; the number of days.
fn one_a_day<C: DayCell>(cells: &mut [(i32, C)]) -> Result<usize> {
    cells.sort_by_key(|(day, _)| *day);
    let mut days = 0;
    for next in 0..cells.len() {
        let (day, cell) = cells[next];
        match cells[..days].last_mut() {
            Some((last, known)) if *last == day => known.fold(&cell)?,
            _ => {
                cells[days] = (day, cell);
                days += 1;
            }
        }
    }
    Ok(days)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn days(log: &mut DayLog<()>) -> Vec<Vec<i32>> {
        let mut all = Vec::new();
        log.for_each_group(|cells| {
            all.push(cells.iter().map(|(day, ())| *day).collect());
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn a_day_is_kept_once_and_days_before_1970_sort_first() {
        let mut log = DayLog::new("f");
        log.grow(3);
        for (group, day) in [(2, 5), (0, 3), (0, -4), (2, 5), (0, 3)] {
            log.push(group, day, ()).unwrap();
        }
        assert_eq!(days(&mut log), vec![vec![-4, 3], vec![], vec![5]]);
    }

    #[test]
    fn the_groups_left_behind_move_down() {
        let mut log = DayLog::new("f");
        log.grow(3);
        for group in 0..3 {
            log.push(group, group as i32, ()).unwrap();
        }
        assert_eq!(days(&mut log.take(1).unwrap()), vec![vec![0]]);
        assert_eq!(days(&mut log), vec![vec![1], vec![2]]);
    }

    #[test]
    fn days_that_come_again_and_again_take_no_room() {
        let mut log = DayLog::new("f");
        log.grow(1);
        for day in 0..1_000_000 {
            log.push(0, day % 7, ()).unwrap();
        }
        assert_eq!(days(&mut log), vec![(0..7).collect::<Vec<_>>()]);
        assert!(log.bytes() < 2_000_000, "{} bytes", log.bytes());
    }
}
