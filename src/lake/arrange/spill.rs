//! Rows that wait on the disk: one file of a write, which has no name, so that nothing is left of it whatever happens.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use arrow::buffer::Buffer;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use super::super::error::LakeError;

/// Rows that are read back at once, where there are as many.
const PIECE_BYTES: usize = 4 << 20;
/// Batches with fewer rows are put together.
const ROWS_MIN: usize = 2048;
const BUFFER_BYTES: usize = 256 << 10;

#[derive(Default)]
pub struct SpillFile {
    file: Option<File>,
    length: u64,
}

/// Some batches: an Arrow stream within the file.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    start: u64,
    pub bytes: usize,
}

impl SpillFile {
    /// Writes the batches down, in pieces that are read one at a time.
    pub fn put(&mut self, batches: Vec<RecordBatch>, schema: &SchemaRef) -> Result<Vec<Piece>, LakeError> {
        let (mut pieces, mut some, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut batches = batches.into_iter().peekable();
        while let Some(batch) = batches.next() {
            bytes += batch.get_array_memory_size();
            some.push(batch);
            if bytes >= PIECE_BYTES || batches.peek().is_none() {
                // Each batch costs some kilobytes beside its rows.
                if some.iter().any(|batch| batch.num_rows() < ROWS_MIN) {
                    some = vec![concat_batches(schema, &some)?];
                }
                pieces.push(self.put_piece(&some, schema)?);
                some.clear();
                bytes = 0;
            }
        }
        Ok(pieces)
    }

    fn put_piece(&mut self, batches: &[RecordBatch], schema: &SchemaRef) -> Result<Piece, LakeError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().map_err(spilling)?),
        };
        let start = self.length;
        file.seek(SeekFrom::Start(start)).map_err(spilling)?;
        let counted = Counted { file: BufWriter::with_capacity(BUFFER_BYTES, file), bytes: 0 };
        let written = StreamWriter::try_new(counted, schema).and_then(|mut writer| {
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.into_inner()
        });
        let mut counted = written.map_err(|error| match error {
            ArrowError::IoError(_, source) => spilling(source),
            error => error.into(),
        })?;
        counted.flush().map_err(spilling)?;
        let piece = Piece { start, bytes: counted.bytes };
        self.length += piece.bytes as u64;
        Ok(piece)
    }

    #[cfg(test)]
    pub fn bytes(&self) -> u64 {
        self.length
    }

    /// The batches of a piece. They lie in one buffer, which goes with the last of them.
    pub fn read(&self, piece: Piece) -> Result<Vec<RecordBatch>, LakeError> {
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        let mut bytes = vec![0; piece.bytes];
        file.read_exact_at(&mut bytes, piece.start).map_err(spilling)?;
        let (mut buffer, mut decoder, mut batches) = (Buffer::from_vec(bytes), StreamDecoder::new(), Vec::new());
        while let Some(batch) = decoder.decode(&mut buffer)? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

struct Counted<W> {
    file: W,
    bytes: usize,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn spilling(source: io::Error) -> LakeError {
    LakeError::Spill { source }
}
