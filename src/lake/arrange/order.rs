//! The order of rows that are all in memory.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::row::{RowConverter, Rows, SortField};

use super::super::error::LakeError;
use super::super::keys::Chosen;

/// So much of a row's sort key lies beside its place; only where that is equal is the rest looked at.
const PREFIX_WORDS: usize = 3;

struct Place {
    prefix: [u64; PREFIX_WORDS],
    batch: u32,
    row: u32,
}

/// Batch and row of each row that is chosen, in order of `columns`, nulls last; rows that are equal in these in order of arrival.
pub fn order(
    batches: &[RecordBatch],
    columns: &[usize],
    chosen: Option<&Chosen>,
) -> Result<Vec<(usize, usize)>, LakeError> {
    let keys = keys(batches, columns)?;
    let mut places = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (nth, batch) in batches.iter().enumerate() {
        let of_batch = chosen.map(|chosen| chosen.of(batch)).transpose()?;
        for row in 0..batch.num_rows() {
            if of_batch.as_ref().is_none_or(|chosen| chosen.value(row)) {
                let prefix = keys.as_ref().map_or([0; PREFIX_WORDS], |keys| prefix(keys[nth].row(row).as_ref()));
                // Batches are far smaller than four thousand million rows.
                places.push(Place { prefix, batch: nth as u32, row: row as u32 });
            }
        }
    }
    let Some(keys) = keys else {
        return Ok(places.iter().map(|place| (place.batch as usize, place.row as usize)).collect());
    };
    let key = |place: &Place| keys[place.batch as usize].row(place.row as usize);
    places.sort_unstable_by(|left, right| {
        left.prefix
            .cmp(&right.prefix)
            .then_with(|| key(left).cmp(&key(right)))
            .then_with(|| (left.batch, left.row).cmp(&(right.batch, right.row)))
    });
    Ok(places.iter().map(|place| (place.batch as usize, place.row as usize)).collect())
}

/// `None` where no column orders the rows.
fn keys(batches: &[RecordBatch], columns: &[usize]) -> Result<Option<Vec<Rows>>, LakeError> {
    let Some(first) = batches.first().filter(|_| !columns.is_empty()) else { return Ok(None) };
    let options = SortOptions { descending: false, nulls_first: false };
    let field = |column: &usize| SortField::new_with_options(first.column(*column).data_type().clone(), options);
    let converter = RowConverter::new(columns.iter().map(field).collect())?;
    let keys = batches.iter().map(|batch| {
        let columns: Vec<ArrayRef> = columns.iter().map(|column| batch.column(*column).clone()).collect();
        Ok(converter.convert_columns(&columns)?)
    });
    keys.collect::<Result<_, LakeError>>().map(Some)
}

/// The first bytes of a key, as numbers that compare as they do.
fn prefix(key: &[u8]) -> [u64; PREFIX_WORDS] {
    let mut prefix = [0; PREFIX_WORDS];
    for (word, bytes) in prefix.iter_mut().zip(key.chunks(size_of::<u64>())) {
        let mut padded = [0; size_of::<u64>()];
        padded[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_be_bytes(padded);
    }
    prefix
}
