//! Rows of many groups, kept as they come and brought together by group when they are asked for.

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_datafusion_err};

use crate::packed::packed;

/// Grows by 4 bytes and the row itself with each row; bringing rows together takes them once more for a while.
#[derive(Debug)]
pub(crate) struct RowLog<R> {
    rows: Vec<R>,
    /// The group of each row.
    owners: Vec<u32>,
    groups: usize,
    /// Whether owners never fall.
    is_gathered: bool,
}

impl<R: Copy> RowLog<R> {
    pub fn new() -> Self {
        Self { rows: Vec::new(), owners: Vec::new(), groups: 0, is_gathered: true }
    }

    pub fn grow(&mut self, groups: usize) {
        self.groups = self.groups.max(groups);
    }

    /// `function` names the SQL function in the error that a group beyond 2^32 gets.
    #[inline]
    pub fn push(&mut self, function: &str, group: usize, row: R) -> Result<()> {
        let owner = u32::try_from(group)
            .map_err(|_| exec_datafusion_err!("{function}: more than 2^32 groups in one partition"))?;
        self.push_owned(owner, row);
        Ok(())
    }

    #[inline]
    fn push_owned(&mut self, owner: u32, row: R) {
        self.is_gathered = self.is_gathered && self.owners.last().is_none_or(|last| *last <= owner);
        self.owners.push(owner);
        self.rows.push(row);
    }

    /// All rows, in the order of their groups once `by_group` was called.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    pub fn rows_mut(&mut self) -> &mut [R] {
        &mut self.rows
    }

    /// How many rows each group has.
    pub fn lengths(&self) -> Vec<usize> {
        let mut lengths = vec![0; self.groups];
        for owner in &self.owners {
            lengths[*owner as usize] += 1;
        }
        lengths
    }

    /// The rows of each group, in the order in which they came or were arranged.
    pub fn by_group(&mut self) -> impl Iterator<Item = &mut [R]> {
        let lengths = self.gather();
        let mut rest = self.rows.as_mut_slice();
        lengths.into_iter().map(move |length| {
            let (own, others) = std::mem::take(&mut rest).split_at_mut(length);
            rest = others;
            own
        })
    }

    /// The rows of each group as a byte string, in the order in which they came. They go there at once, without being brought together first.
    pub fn pack<const WIDTH: usize>(&self, to_bytes: impl Fn(R) -> [u8; WIDTH]) -> Result<ArrayRef> {
        let mut places = starts(&self.lengths());
        let offsets = places.iter().chain([&self.rows.len()]).map(|row| (row * WIDTH) as i64).collect();
        let mut bytes = vec![0; self.rows.len() * WIDTH];
        let (pieces, _) = bytes.as_chunks_mut();
        for (owner, row) in self.owners.iter().zip(&self.rows) {
            let place = &mut places[*owner as usize];
            pieces[*place] = to_bytes(*row);
            *place += 1;
        }
        packed(offsets, bytes)
    }

    /// Keeps the first rows of each group: as many as `keep` says once it has arranged them.
    pub fn condense(&mut self, mut keep: impl FnMut(&mut [R]) -> Result<usize>) -> Result<()> {
        let lengths = self.gather();
        let (mut from, mut to) = (0, 0);
        for (owner, length) in lengths.into_iter().enumerate() {
            let kept = keep(&mut self.rows[from..from + length])?;
            self.rows.copy_within(from..from + kept, to);
            self.owners[to..to + kept].fill(owner as u32);
            (from, to) = (from + length, to + kept);
        }
        self.rows.truncate(to);
        self.owners.truncate(to);
        Ok(())
    }

    /// Takes the rows of the first `groups` groups away; the other groups move down.
    pub fn take(&mut self, groups: usize) -> Self {
        let (mut taken, mut kept) = (Self::new(), Self::new());
        taken.grow(groups);
        kept.grow(self.groups.saturating_sub(groups));
        for (owner, row) in self.owners.iter().zip(&self.rows) {
            match (*owner as usize).checked_sub(groups) {
                Some(owner) => kept.push_owned(owner as u32, *row),
                None => taken.push_owned(*owner, *row),
            }
        }
        *self = kept;
        taken
    }

    pub fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<R>() + self.owners.capacity() * size_of::<u32>()
    }

    /// Brings rows together by counting them; the number of rows of each group.
    fn gather(&mut self) -> Vec<usize> {
        let lengths = self.lengths();
        if self.is_gathered {
            return lengths;
        }
        let mut places = starts(&lengths);
        let mut gathered = self.rows.clone();
        for (owner, row) in self.owners.iter().zip(&self.rows) {
            let place = &mut places[*owner as usize];
            gathered[*place] = *row;
            *place += 1;
        }
        self.rows = gathered;
        self.owners.clear();
        for (owner, length) in lengths.iter().enumerate() {
            self.owners.extend(std::iter::repeat_n(owner as u32, *length));
        }
        self.is_gathered = true;
        lengths
    }
}

/// Where each group begins.
fn starts(lengths: &[usize]) -> Vec<usize> {
    let mut end = 0;
    lengths
        .iter()
        .map(|length| {
            let start = end;
            end += length;
            start
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::AsArray;

    use super::*;
    use crate::packed::unpack;

    fn log(rows: &[(usize, i32)]) -> RowLog<i32> {
        let mut log = RowLog::new();
        log.grow(4);
        for (group, row) in rows {
            log.push("f", *group, *row).unwrap();
        }
        log
    }

    fn groups(log: &mut RowLog<i32>) -> Vec<Vec<i32>> {
        log.by_group().map(|own| own.to_vec()).collect()
    }

    #[test]
    fn rows_come_together_in_the_order_in_which_they_came() {
        let mut log = log(&[(2, 5), (0, 3), (2, 4), (0, 9)]);
        assert_eq!(groups(&mut log), vec![vec![3, 9], vec![], vec![5, 4], vec![]]);
        log.push("f", 0, 1).unwrap();
        log.push("f", 3, 2).unwrap();
        assert_eq!(groups(&mut log), vec![vec![3, 9, 1], vec![], vec![5, 4], vec![2]]);
    }

    #[test]
    fn rows_are_packed_by_group_in_the_order_in_which_they_came() {
        let log = log(&[(2, 5), (0, 3), (2, 4), (0, 9)]);
        let packed = log.pack(i32::to_le_bytes).unwrap();
        let packed = packed.as_binary::<i64>();
        let own = |group: usize| unpack(packed.value(group)).map(i32::from_le_bytes).collect::<Vec<_>>();
        assert_eq!((0..4).map(own).collect::<Vec<_>>(), vec![vec![3, 9], vec![], vec![5, 4], vec![]]);
    }

    #[test]
    fn the_groups_left_behind_move_down() {
        let mut log = log(&[(1, 5), (0, 3), (3, 4)]);
        assert_eq!(groups(&mut log.take(2)), vec![vec![3], vec![5]]);
        assert_eq!(groups(&mut log), vec![vec![], vec![4]]);
    }

    #[test]
    fn what_is_not_kept_is_gone() {
        let mut log = log(&[(1, 5), (0, 3), (1, 5), (3, 4), (3, 1)]);
        log.condense(|own| Ok(own.len().min(1))).unwrap();
        assert_eq!(groups(&mut log), vec![vec![3], vec![5], vec![], vec![4]]);
    }

    #[test]
    fn a_group_beyond_32_bits_is_refused() {
        assert!(log(&[]).push("f", 1 << 32, 0).unwrap_err().to_string().contains("f: more than 2^32 groups"));
    }
}
