//! The second pass of a load: rows read, checked and handed over in batches, on a thread of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use tokio::sync::mpsc::Sender;

use super::ahead::Ahead;
use super::check::{Checker, Mapping};
use super::error::IngestError;
use super::identity::Resolved;
use super::reader::{Format, Input, Reader};
use super::reject::{Reject, RejectSpool};
use super::request::{OnReject, Phase, Progress, ProgressSink};

/// What a pass needs.
pub struct Pass {
    pub inputs: Vec<Input>,
    pub checker: Checker,
    /// The persons of the rows; `None` where the files identify nobody.
    pub resolved: Option<Resolved>,
    /// Whether the lake resolves identities at all.
    pub identified: bool,
    pub rejects: RejectSpool,
    pub on_reject: OnReject,
    pub progress: Option<ProgressSink>,
    pub bytes_total: u64,
}

/// What a pass found.
pub struct Passed {
    pub rows_read: u64,
    pub rejects: RejectSpool,
    pub resolved: Option<Resolved>,
    pub ignored_columns: Vec<String>,
    /// Why it ended early.
    pub ended: Option<IngestError>,
}

impl Pass {
    /// Reads all files. Ends early where the receiver is gone or a file or row stops the load; the rejects found until
    /// then are there in any case.
    pub fn run(mut self, rows: &Sender<RecordBatch>) -> Passed {
        let mut passed = Counts::default();
        let ended = self.files(rows, &mut passed).err();
        Passed {
            rows_read: passed.rows,
            rejects: self.rejects,
            resolved: self.resolved,
            ignored_columns: passed.ignored.into_iter().collect(),
            ended,
        }
    }

    fn files(&mut self, rows: &Sender<RecordBatch>, counts: &mut Counts) -> Result<(), IngestError> {
        counts.rows = self.rejects.count;
        for input in self.inputs.clone() {
            if !self.file(&input, rows, counts)? {
                return Err(IngestError::ThreadEnded);
            }
        }
        Ok(())
    }

    /// `false` where nobody wants the rows any more.
    fn file(&mut self, input: &Input, rows: &Sender<RecordBatch>, counts: &mut Counts) -> Result<bool, IngestError> {
        let mut reader = Reader::open(input, None, &counts.bytes)?;
        let contract = Arc::clone(self.checker.contract());
        let mut names: Option<Arc<[String]>> = None;
        let mut mapping = Mapping::default();
        if let Some(header) = reader.header() {
            mapping = Mapping::of(header, &contract, &input.name, self.identified)?;
            mapping.require(&contract, &input.name)?;
            counts.ignored.extend(mapping.ignored.iter().cloned());
            names = Some(Arc::clone(header));
        }
        let mut chunks = Ahead::new(move || reader.next())?;
        while let Some(chunk) = chunks.next()? {
            if names.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &chunk.names)) {
                mapping = Mapping::of(&chunk.names, &contract, &input.name, self.identified)?;
                counts.ignored.extend(mapping.ignored.iter().cloned());
                names = Some(Arc::clone(&chunk.names));
            }
            let persons = self.resolved.as_mut().map(|resolved| resolved.persons(chunk.rows.len())).transpose()?;
            let persons = persons.filter(|_| !mapping.ids.is_empty());
            let checked = self.checker.check(&input.name, &chunk, &mapping, persons)?;
            counts.rows += chunk.rows.len() as u64;
            self.keep(checked.rejects)?;
            if checked.kept.num_rows() > 0 && rows.blocking_send(checked.kept).is_err() {
                return Ok(false);
            }
            self.tell(counts);
        }
        if input.format == Format::Parquet {
            counts.bytes.fetch_add(input.bytes_len(), Ordering::Relaxed);
            self.tell(counts);
        }
        Ok(true)
    }

    fn keep(&mut self, rejects: Vec<Reject>) -> Result<(), IngestError> {
        let first = rejects.first().filter(|_| self.on_reject == OnReject::Stop).cloned();
        if let Some(reject) = first {
            self.rejects.add(vec![reject.clone()])?;
            let (file, line, reason) = (reject.file.to_string(), reject.line, reject.message());
            return Err(IngestError::RowRefused { file, line, reason });
        }
        if rejects.is_empty() { Ok(()) } else { self.rejects.add(rejects) }
    }

    fn tell(&self, counts: &Counts) {
        if let Some(progress) = &self.progress {
            progress(Progress {
                phase: Phase::Rows,
                rows: counts.rows,
                bytes: counts.bytes.load(Ordering::Relaxed),
                bytes_total: self.bytes_total,
            });
        }
    }
}

#[derive(Default)]
struct Counts {
    rows: u64,
    bytes: Arc<AtomicU64>,
    ignored: BTreeSet<String>,
}
