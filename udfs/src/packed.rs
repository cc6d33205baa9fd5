//! Partial states as bytes: the engine hands a byte string on for a fraction of what a list of structs costs it.

use std::sync::Arc;

use arrow::array::{ArrayRef, LargeBinaryArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::DataType;
use datafusion_common::Result;

/// Pieces of one width after another, a byte string a group. Offsets are of 64 bits, so that no number of rows is too much.
#[derive(Debug)]
pub(crate) struct Packing {
    bytes: Vec<u8>,
    offsets: Vec<i64>,
}

impl Packing {
    pub const TYPE: DataType = DataType::LargeBinary;

    pub fn with_capacity(groups: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(groups + 1);
        offsets.push(0);
        Self { bytes: Vec::with_capacity(bytes), offsets }
    }

    /// Adds a piece to the group that is being written.
    #[inline]
    pub fn push<const WIDTH: usize>(&mut self, piece: [u8; WIDTH]) {
        self.bytes.extend_from_slice(&piece);
    }

    #[inline]
    pub fn end_group(&mut self) {
        self.offsets.push(self.bytes.len() as i64);
    }

    pub fn finish(self) -> Result<ArrayRef> {
        packed(self.offsets, self.bytes)
    }
}

/// A byte string a group: `offsets` says where each begins, and where the last one ends.
pub(crate) fn packed(offsets: Vec<i64>, bytes: Vec<u8>) -> Result<ArrayRef> {
    Ok(Arc::new(LargeBinaryArray::try_new(OffsetBuffer::new(offsets.into()), Buffer::from_vec(bytes), None)?))
}

/// The pieces of a byte string that `Packing` wrote.
#[inline]
pub(crate) fn unpack<const WIDTH: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; WIDTH]> {
    bytes.as_chunks().0.iter().copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::AsArray;

    use super::*;

    #[test]
    fn pieces_come_back_by_group() {
        let mut packing = Packing::with_capacity(3, 0);
        packing.push(7i32.to_le_bytes());
        packing.push((-1i32).to_le_bytes());
        packing.end_group();
        packing.end_group();
        packing.push(i32::MIN.to_le_bytes());
        packing.end_group();
        let packed = packing.finish().unwrap();
        let groups: Vec<Vec<i32>> = packed
            .as_binary::<i64>()
            .iter()
            .map(|bytes| unpack(bytes.unwrap()).map(i32::from_le_bytes).collect())
            .collect();
        assert_eq!(groups, vec![vec![7, -1], vec![], vec![i32::MIN]]);
    }
}
