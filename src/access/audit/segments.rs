//! In which files the records lie. A batch becomes one open segment; when the range of its records is full, one closed
//! segment with the same lines takes the place of all open ones of that range.
//!
//! ```text
//! audit/open/<first>.jsonl     lines from record <first> on, as one batch wrote them
//! audit/closed/<first>.jsonl   all lines of a range of SEGMENT_RECORDS
//! audit/head.json              the newest record: what was cut off at the end is missed
//! ```
//!
//! Segments are put if absent, so writers of several processes take turns: who comes second reads what the first wrote and
//! goes on after it. Taking an open segment's place is safe in any order of crashes: a reader that finds a closed segment
//! looks at no open one of its range.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::super::error::AccessError;
use super::super::store::log::{LogStore, LogStoreError, PutOutcome};
use super::super::store::seal;
use super::chain::{AuditRecord, Head, lines};
use super::event::AuditEvent;

/// Records of a closed segment: some megabytes, which a reader holds at once.
pub const SEGMENT_RECORDS: u64 = 8192;

const OPEN: &str = "audit/open/";
const CLOSED: &str = "audit/closed/";
const MARK: &str = "audit/head.json";
/// How often a batch is sealed again because another process was faster.
const ATTEMPTS_MAX: usize = 64;

/// Where the audit log lies: as the security log, with one right more. Only what another file holds is ever removed, or
/// what is older than it must be kept.
#[async_trait]
pub trait AuditStore: LogStore {
    /// Nothing happens where there is no such file.
    async fn remove(&self, paths: &[String]) -> Result<(), LogStoreError>;
}

/// One file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// The number of its first record.
    pub first: u64,
    pub state: SegmentState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SegmentState {
    Closed,
    Open,
}

impl Segment {
    pub fn open(first: u64) -> Self {
        Self { first, state: SegmentState::Open }
    }

    pub fn closed(first: u64) -> Self {
        Self { first, state: SegmentState::Closed }
    }

    pub fn path(self) -> String {
        let folder = match self.state {
            SegmentState::Open => OPEN,
            SegmentState::Closed => CLOSED,
        };
        format!("{folder}{:020}.jsonl", self.first)
    }

    fn of(path: &str) -> Option<Self> {
        let number = |rest: &str| rest.strip_suffix(".jsonl")?.parse().ok();
        match (path.strip_prefix(OPEN), path.strip_prefix(CLOSED)) {
            (Some(rest), _) => number(rest).map(Self::open),
            (_, Some(rest)) => number(rest).map(Self::closed),
            _ => None,
        }
    }
}

/// The first record of the range that record `number` lies in.
pub fn range_of(number: u64) -> u64 {
    number.saturating_sub(1) / SEGMENT_RECORDS * SEGMENT_RECORDS + 1
}

/// The files of one audit log.
#[derive(Debug, Clone)]
pub struct Segments {
    store: Arc<dyn AuditStore>,
}

impl Segments {
    pub fn new(store: Arc<dyn AuditStore>) -> Self {
        Self { store }
    }

    /// All segments in order of their records, without open ones whose range is closed.
    pub async fn list(&self) -> Result<Vec<Segment>, AccessError> {
        // Open ones first: one that is closed in between is found in its new place.
        let mut paths = self.store.list(OPEN).await.map_err(|error| storage("listed", &error))?;
        paths.extend(self.store.list(CLOSED).await.map_err(|error| storage("listed", &error))?);
        let mut found: Vec<Segment> = paths.iter().filter_map(|path| Segment::of(path)).collect();
        found.sort_unstable();
        let mut closed = None;
        found.retain(|segment| match segment.state {
            SegmentState::Closed => {
                closed = Some(range_of(segment.first));
                true
            }
            SegmentState::Open => closed != Some(range_of(segment.first)),
        });
        Ok(found)
    }

    /// None where it has gone, to a closed segment or for its age.
    pub async fn read(&self, segment: Segment) -> Result<Option<Bytes>, AccessError> {
        self.store.get(&segment.path()).await.map_err(|error| storage("read", &error))
    }

    /// The newest record, by the place and the bytes of its line: one that is damaged is followed all the same.
    pub async fn head(&self) -> Result<Head, AccessError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(last) = self.list().await?.pop() else { return Ok(Head::default()) };
            let Some(content) = self.read(last).await? else { continue };
            let count = lines(&content).count() as u64;
            let hash = lines(&content).next_back().map_or_else(String::new, seal::hash);
            return Ok(Head { number: (last.first + count).saturating_sub(1), hash });
        }
        Err(AccessError::AuditContended)
    }

    /// Writes as many of `events` after `head` as fit into its range, durably; tells how many. Where another process was
    /// faster, `head` becomes theirs first. After an error `head` is unknown: the batch may have been written.
    pub async fn append(&self, head: &mut Option<Head>, events: &[AuditEvent]) -> Result<usize, AccessError> {
        for _ in 0..ATTEMPTS_MAX {
            let start = match head.take() {
                Some(head) => head,
                None => self.head().await?,
            };
            let room = SEGMENT_RECORDS - start.number % SEGMENT_RECORDS;
            let count = events.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let mut next = start.clone();
            let mut content = String::new();
            for event in &events[..count] {
                content.push_str(&next.extend(event).map_err(|error| storage("written", &error))?);
            }
            let segment = Segment::open(start.number + 1);
            if self.put(segment, content.into()).await? == PutOutcome::Exists {
                continue;
            }
            if self.is_outrun(&next).await? {
                self.remove(&[segment]).await?;
                continue;
            }
            self.mark(&next).await;
            *head = Some(next);
            return Ok(count);
        }
        Err(AccessError::AuditContended)
    }

    /// Whether the range of `head` was closed without it: what lies in an open segment then is read by nobody.
    async fn is_outrun(&self, head: &Head) -> Result<bool, AccessError> {
        let first = range_of(head.number);
        let Some(content) = self.read(Segment::closed(first)).await? else { return Ok(false) };
        let place = usize::try_from(head.number - first).unwrap_or(usize::MAX);
        Ok(lines(&content).nth(place).map(seal::hash) != Some(head.hash.clone()))
    }

    /// Closes the range that ends with record `last`. One with a gap stays as it is, for the check to find.
    pub async fn close(&self, last: u64) -> Result<(), AccessError> {
        let first = range_of(last);
        let paths = self.store.list(OPEN).await.map_err(|error| storage("listed", &error))?;
        let mut open: Vec<Segment> = paths.iter().filter_map(|path| Segment::of(path)).collect();
        open.retain(|segment| range_of(segment.first) == first);
        open.sort_unstable();
        if self.read(Segment::closed(first)).await?.is_none() {
            let Some(content) = self.whole_range(first, &open).await? else { return Ok(()) };
            // Whoever was faster wrote the same bytes.
            self.put(Segment::closed(first), content).await?;
        }
        self.remove(&open).await
    }

    /// The lines of all records of a range; None unless each is there.
    async fn whole_range(&self, first: u64, open: &[Segment]) -> Result<Option<Bytes>, AccessError> {
        let (mut content, mut next) = (Vec::new(), first);
        for segment in open {
            let part = if segment.first == next { self.read(*segment).await? } else { None };
            let Some(part) = part else { return Ok(None) };
            next += lines(&part).count() as u64;
            content.extend_from_slice(&part);
        }
        Ok((next == first + SEGMENT_RECORDS).then(|| content.into()))
    }

    /// The closed segments whose newest record is older than `before_us`, oldest first, and that record.
    pub async fn expired(&self, before_us: i64) -> Result<Option<(Vec<Segment>, Head)>, AccessError> {
        let (mut expired, mut newest) = (Vec::new(), None);
        for segment in self.list().await?.into_iter().take_while(|segment| segment.state == SegmentState::Closed) {
            let Some(content) = self.read(segment).await? else { break };
            let Some(line) = lines(&content).next_back() else { break };
            let Some(record) = seal::open::<AuditRecord>(line).filter(|record| record.event.at_us < before_us) else {
                break;
            };
            newest = Some(Head { number: record.number, hash: seal::hash(line) });
            expired.push(segment);
        }
        Ok(newest.map(|head| (expired, head)))
    }

    pub async fn remove(&self, segments: &[Segment]) -> Result<(), AccessError> {
        let paths: Vec<String> = segments.iter().map(|segment| segment.path()).collect();
        self.store.remove(&paths).await.map_err(|error| storage("removed", &error))
    }

    /// The newest record as its writer knew it.
    pub async fn marked(&self) -> Result<Mark, AccessError> {
        let found = self.store.get(MARK).await.map_err(|error| storage("read", &error))?;
        Ok(found.map_or(Mark::Absent, |content| seal::open(&content).map_or(Mark::Damaged, Mark::Head)))
    }

    async fn put(&self, segment: Segment, content: Bytes) -> Result<PutOutcome, AccessError> {
        let put = self.store.put_if_absent(&segment.path(), content).await;
        put.map_err(|error| storage("written", &error))
    }

    /// A mark that is too old still does most of its work, so a failure to renew it is only told.
    async fn mark(&self, head: &Head) {
        let written = match seal::seal(head) {
            Ok(line) => self.store.put(MARK, line.into()).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = written {
            tracing::warn!(error, "the mark of the newest audit record was not written");
        }
    }
}

/// What the mark of the newest record says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mark {
    Head(Head),
    #[default]
    Absent,
    Damaged,
}

pub fn storage(action: &'static str, cause: &dyn std::fmt::Display) -> AccessError {
    AccessError::AuditStorage { action, cause: cause.to_string() }
}
