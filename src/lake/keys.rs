//! The keys of one load, each with the row of the load that stands for it.
//!
//! Of two rows with one key the one with the greater version stays, and of equal versions the later one. Keys are held as
//! 128-bit hashes, contents as 64-bit hashes: about 50 bytes a row in memory, whatever the width of the key.

use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt32Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::common::hash_utils::{QualityRandomState, create_hashes};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use hashbrown::HashTable;

use super::error::LakeError;
use super::parts::Part;
use super::snapshot::FileEntry;
use super::table::TableSpec;
use super::write::Commit;

/// The position of a row within its load, on its way through the sort.
const ARRIVAL: &str = "_arrival";
/// Bounds the memory of one load.
const KEYS_MAX: usize = 20_000_000;

pub type Key = [u8; 16];

/// Half of a key.
pub fn hash_of(key: &Key) -> u64 {
    key.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// What becomes of a key's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// No stored row has the key.
    New,
    /// It takes the place of a stored row.
    Update,
    /// A stored row is the same.
    Duplicate,
    /// A stored row is newer.
    Stale,
}

#[derive(Debug, Clone, Copy)]
pub struct Winner {
    key: Key,
    pub version: i64,
    pub content: u64,
    arrival: u32,
    pub fate: Fate,
}

/// Whether a file may hold keys that lie within bounds.
pub fn may_touch(bounds: &[(ScalarValue, ScalarValue)], file: &FileEntry, spec: &TableSpec) -> bool {
    let schema = spec.schema();
    let apart = |(name, (least, greatest)): (&String, &(ScalarValue, ScalarValue))| {
        let Some(range) = file.range(&schema, name) else { return false };
        // Values of unlike types do not compare, and then nothing is said.
        range.max.as_ref().is_some_and(|max| max < least) || range.min.as_ref().is_some_and(|min| min > greatest)
    };
    !bounds.is_empty() && !spec.key.iter().zip(bounds).any(apart)
}

/// Tells rows of one table apart by key, version and content.
#[derive(Debug)]
pub struct Fingerprint {
    key: Vec<usize>,
    version: Option<usize>,
    content: Vec<usize>,
    keys: RowConverter,
}

impl Fingerprint {
    /// For batches that begin with the columns of the spec, in order.
    pub fn new(spec: &TableSpec) -> Result<Self, LakeError> {
        Self::over(&spec.schema(), spec)
    }

    /// For batches of `schema`, some of the columns of the spec.
    pub fn over(schema: &Schema, spec: &TableSpec) -> Result<Self, LakeError> {
        let key = spec.key.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let version = spec.version.as_ref().map(|name| schema.index_of(name)).transpose()?;
        let content: Vec<usize> = (0..schema.fields().len()).filter(|index| !key.contains(index)).collect();
        let fields = key.iter().map(|index| SortField::new(schema.field(*index).data_type().clone()));
        Ok(Self { keys: RowConverter::new(fields.collect())?, key, version, content })
    }

    pub fn keys(&self, batch: &RecordBatch) -> Result<Vec<Key>, LakeError> {
        let rows = self.keys.convert_columns(&columns(batch, &self.key))?;
        let key = |bytes: &[u8]| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&hashed(0, bytes).to_le_bytes());
            key[8..].copy_from_slice(&hashed(1, bytes).to_le_bytes());
            key
        };
        Ok(rows.iter().map(|row| key(row.as_ref())).collect())
    }

    /// All columns but the key. Each counts by its place: a value beside a null is another content than a null beside it.
    pub fn contents(&self, batch: &RecordBatch) -> Result<Vec<u64>, LakeError> {
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let (mut contents, mut hashes) = (vec![0_u64; batch.num_rows()], vec![0; batch.num_rows()]);
        for index in &self.content {
            hashes.fill(0);
            create_hashes([batch.column(*index)], &QualityRandomState::with_seed(SPREAD), &mut hashes)?;
            for (content, hash) in contents.iter_mut().zip(&hashes) {
                *content = (content.rotate_left(29) ^ hash).wrapping_mul(SPREAD);
            }
        }
        Ok(contents)
    }

    /// A null is older than all; without a version column all rows are of one age.
    pub fn versions(&self, batch: &RecordBatch) -> Result<Vec<i64>, LakeError> {
        let Some(index) = self.version else { return Ok(vec![0; batch.num_rows()]) };
        let column = batch.column(index);
        let column = match column.data_type() {
            DataType::Date32 => cast(&cast(column, &DataType::Int32)?, &DataType::Int64)?,
            _ => cast(column, &DataType::Int64)?,
        };
        let numbers = column.as_primitive::<Int64Type>();
        Ok(numbers.iter().map(|number| number.unwrap_or(i64::MIN)).collect())
    }
}

/// The part in which a row came, by the ends of the parts.
fn part_of(ends: &[u64], arrival: u32) -> usize {
    ends.partition_point(|end| *end <= u64::from(arrival))
}

fn columns(batch: &RecordBatch, indices: &[usize]) -> Vec<ArrayRef> {
    indices.iter().map(|index| Arc::clone(batch.column(*index))).collect()
}

/// Not kept on disk, so the function may change with the toolchain.
fn hashed(purpose: u8, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(purpose);
    hasher.write(bytes);
    hasher.finish()
}

/// See the module.
#[derive(Debug, Default)]
pub struct Keys {
    winners: Vec<Winner>,
    /// Places in `winners`, by key.
    index: HashTable<u32>,
    /// The least and greatest value of each key column.
    bounds: Vec<(MinAccumulator, MaxAccumulator)>,
    arrivals: u32,
}

impl Keys {
    fn take(&mut self, batch: &RecordBatch, fingerprint: &Fingerprint, table: &str) -> Result<UInt32Array, LakeError> {
        let exceeded = || LakeError::KeysExceeded { table: table.to_owned(), limit: KEYS_MAX };
        if self.winners.len() + batch.num_rows() > KEYS_MAX {
            return Err(exceeded());
        }
        let first = self.arrivals;
        let rows = u32::try_from(batch.num_rows()).map_err(|_| exceeded())?;
        self.arrivals = first.checked_add(rows).ok_or_else(exceeded)?;
        let (keys, versions) = (fingerprint.keys(batch)?, fingerprint.versions(batch)?);
        let contents = fingerprint.contents(batch)?;
        for (((arrival, key), version), content) in (first..).zip(keys).zip(versions).zip(contents) {
            let row = Winner { key, version, content, arrival, fate: Fate::New };
            match self.get_mut(&key) {
                Some(best) if row.version >= best.version => *best = row,
                Some(_) => {}
                None => self.add(row),
            }
        }
        self.widen(batch, fingerprint)?;
        Ok(UInt32Array::from_iter_values(first..self.arrivals))
    }

    fn add(&mut self, row: Winner) {
        let winners = &mut self.winners;
        // Bounded by KEYS_MAX.
        let nth = winners.len() as u32;
        winners.push(row);
        self.index.insert_unique(hash_of(&row.key), nth, |nth| hash_of(&winners[*nth as usize].key));
    }

    fn widen(&mut self, batch: &RecordBatch, fingerprint: &Fingerprint) -> Result<(), LakeError> {
        for (place, index) in fingerprint.key.iter().enumerate() {
            let column = batch.column(*index);
            if place == self.bounds.len() {
                let data_type = column.data_type();
                self.bounds.push((MinAccumulator::try_new(data_type)?, MaxAccumulator::try_new(data_type)?));
            }
            let (least, greatest) = &mut self.bounds[place];
            least.update_batch(std::slice::from_ref(column))?;
            greatest.update_batch(std::slice::from_ref(column))?;
        }
        Ok(())
    }

    /// Of all keys, ascending.
    pub fn hashes(&self) -> Vec<u64> {
        let mut hashes: Vec<u64> = self.winners.iter().map(|winner| hash_of(&winner.key)).collect();
        hashes.sort_unstable();
        hashes
    }

    /// The least and greatest value of each key column; null where there is none.
    pub fn bounds(&mut self) -> Result<Vec<(ScalarValue, ScalarValue)>, LakeError> {
        let bounds = self.bounds.iter_mut().map(|(least, greatest)| Ok((least.evaluate()?, greatest.evaluate()?)));
        bounds.collect()
    }

    fn place(&self, key: &Key) -> Option<usize> {
        let found = self.index.find(hash_of(key), |nth| self.winners[*nth as usize].key == *key);
        found.map(|nth| *nth as usize)
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Winner> {
        self.place(key).map(|nth| &mut self.winners[nth])
    }

    /// Whether no key stands twice in the load, nor in the table.
    pub fn are_new(&self) -> bool {
        self.beaten() == 0 && self.winners.iter().all(|winner| winner.fate == Fate::New)
    }

    /// How many rows of the load share each fate, and how many lost to another row of the load.
    pub fn count(&self, fate: Fate) -> u64 {
        self.winners.iter().filter(|winner| winner.fate == fate).count() as u64
    }

    /// What became of each part's rows.
    pub fn tallies(&self, parts: &[Part]) -> Vec<Commit> {
        if parts.is_empty() {
            return Vec::new();
        }
        let ends: Vec<u64> = parts
            .iter()
            .scan(0, |end, part| {
                *end += part.rows;
                Some(*end)
            })
            .collect();
        let mut tallies: Vec<Commit> =
            parts.iter().map(|part| Commit { rows_duplicate: part.rows, ..Commit::default() }).collect();
        for winner in &self.winners {
            let Some(tally) = tallies.get_mut(part_of(&ends, winner.arrival)) else { continue };
            // What no winner stands for was beaten.
            tally.rows_duplicate -= 1;
            *match winner.fate {
                Fate::New => &mut tally.rows_added,
                Fate::Update => &mut tally.rows_updated,
                Fate::Duplicate => &mut tally.rows_duplicate,
                Fate::Stale => &mut tally.rows_stale,
            } += 1;
        }
        tallies
    }

    /// The part whose row takes the place of the stored row of a key.
    pub fn owner(&self, key: &Key, parts: &[Part]) -> Option<usize> {
        let arrival = u64::from(self.winners[self.place(key)?].arrival);
        let mut end = 0;
        parts.iter().position(|part| {
            end += part.rows;
            arrival < end
        })
    }

    pub fn beaten(&self) -> u64 {
        u64::from(self.arrivals) - self.winners.len() as u64
    }

    /// The rows that belong into the table, as far as their fates are decided.
    pub fn chosen(&self) -> Chosen {
        let mut chosen = BooleanBufferBuilder::new(self.arrivals as usize);
        chosen.append_n(self.arrivals as usize, false);
        for winner in self.winners.iter().filter(|winner| matches!(winner.fate, Fate::New | Fate::Update)) {
            chosen.set_bit(winner.arrival as usize, true);
        }
        Chosen(chosen.finish())
    }
}

/// The rows of a load that belong into the table, by their arrival.
pub struct Chosen(BooleanBuffer);

impl Chosen {
    /// Those of a batch from [`taken`].
    pub fn of(&self, batch: &RecordBatch) -> Result<BooleanArray, LakeError> {
        let arrivals = batch.column(batch.schema().index_of(ARRIVAL)?).as_primitive::<UInt32Type>();
        Ok(BooleanBuffer::collect_bool(arrivals.len(), |row| self.0.value(arrivals.value(row) as usize)).into())
    }
}

/// The keys of a stream, filled while it is read.
#[derive(Debug, Clone, Default)]
pub struct Taken(Arc<Mutex<Keys>>);

impl Taken {
    pub fn lock(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows, each with its arrival, and their keys: complete once the stream is.
pub fn taken(
    rows: SendableRecordBatchStream,
    spec: &TableSpec,
    table: String,
) -> Result<(SendableRecordBatchStream, Taken), LakeError> {
    let fingerprint = Fingerprint::new(spec)?;
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(ARRIVAL, DataType::UInt32, false)));
    let schema = Arc::new(Schema::new(fields));
    let (target, taken) = (Arc::clone(&schema), Taken::default());
    let keys = taken.clone();
    let stream = rows.map(move |batch| {
        let batch = batch?;
        let arrivals = keys.lock().take(&batch, &fingerprint, &table);
        let arrivals = arrivals.map_err(|error| DataFusionError::External(Box::new(crate::Error::from(error))))?;
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(arrivals));
        Ok(RecordBatch::try_new(Arc::clone(&target), columns)?)
    });
    Ok((Box::pin(RecordBatchStreamAdapter::new(schema, stream)), taken))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn pairs(rows: &[(Option<&str>, Option<&str>, i64)]) -> (RecordBatch, TableSpec) {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::Utf8, true),
            Field::new("v", DataType::Int64, true),
        ]);
        let mut spec = TableSpec::plain(&schema);
        spec.key = vec!["a".into(), "b".into()];
        spec.version = Some("v".into());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>()),
            Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()),
        ];
        (RecordBatch::try_new(Arc::new(schema), columns).unwrap(), spec)
    }

    #[test]
    fn keys_differ_where_their_parts_differ() {
        let rows = [
            (Some("ab"), Some("c"), 0),
            (Some("a"), Some("bc"), 0),
            (Some("x"), None, 0),
            (None, Some("x"), 0),
            (Some(""), None, 0),
            (None, None, 0),
        ];
        let (batch, spec) = pairs(&rows);
        let keys = Fingerprint::new(&spec).unwrap().keys(&batch).unwrap();
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), rows.len());
    }

    #[test]
    fn contents_differ_where_a_value_changes_its_column() {
        let (batch, mut spec) =
            pairs(&[(Some("x"), None, 0), (None, Some("x"), 0), (None, None, 0), (Some("x"), None, 0)]);
        spec.key = Vec::new();
        let contents = Fingerprint::new(&spec).unwrap().contents(&batch).unwrap();
        let distinct: std::collections::HashSet<_> = contents.iter().collect();
        assert_eq!((distinct.len(), contents[0]), (3, contents[3]));
    }

    #[test]
    fn the_greater_version_wins_and_then_the_later_row() {
        let rows = [
            (Some("k"), Some("1"), 5),
            (Some("k"), Some("1"), 7),
            (Some("k"), Some("1"), 7),
            (Some("k"), Some("1"), 6),
        ];
        let (batch, spec) = pairs(&rows);
        let mut keys = Keys::default();
        keys.take(&batch, &Fingerprint::new(&spec).unwrap(), "t").unwrap();
        let winners: Vec<_> = keys.winners.iter().map(|winner| (winner.arrival, winner.version)).collect();
        assert_eq!((winners, keys.beaten()), (vec![(2, 7)], 3));
    }
}
