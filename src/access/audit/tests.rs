//! A log over a store in memory: what it keeps, what it counts, and what its check finds.

use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use bytes::Bytes;

use super::segments::{SEGMENT_RECORDS, Segment};
use super::*;
use crate::access::store::log::{LogStore, LogStoreError, PutOutcome};
use crate::access::store::memory::{Fault, MemoryLog};
use crate::access::{RoleId, store::seal};

fn event(rows: u64) -> AuditEvent {
    AuditEvent { rows: Some(rows), sqlstate: Some("00000".into()), ..AuditEvent::now(AuditKind::Statement) }
}

/// A log with `count` records, written one a segment.
async fn written(count: u64) -> (Arc<MemoryLog>, AuditLog) {
    let store = Arc::new(MemoryLog::default());
    let log = AuditLog::start(store.clone(), None).unwrap();
    for rows in 1..=count {
        log.record(event(rows));
        log.flush().await;
    }
    (store, log)
}

/// Writes a batch past the queue, whose length is for statements.
async fn fill(store: &Arc<MemoryLog>, count: u64, at_us: i64) {
    let segments = Segments::new(store.clone());
    let mut events: Vec<AuditEvent> = (0..count).map(|rows| AuditEvent { at_us, ..event(rows) }).collect();
    let mut head = None;
    while !events.is_empty() {
        let written = segments.append(&mut head, &events).await.unwrap();
        events.drain(..written);
    }
}

async fn rows(log: &AuditLog) -> Vec<u64> {
    let mut reader = log.reader();
    let mut rows = Vec::new();
    while let Some(entries) = reader.next().await.unwrap() {
        rows.extend(entries.iter().filter_map(|entry| entry.record.as_ref()?.event.rows));
    }
    rows
}

async fn faults(log: &AuditLog) -> Vec<String> {
    log.check().await.unwrap().faults
}

fn open(first: u64) -> String {
    Segment::open(first).path()
}

#[tokio::test]
async fn records_come_back_in_order_and_their_chain_is_whole() {
    let (_, log) = written(5).await;
    assert_eq!(rows(&log).await, [1, 2, 3, 4, 5]);
    let found = log.check().await.unwrap();
    assert_eq!((found.records, found.head.number, found.faults), (5, 5, Vec::new()));
}

#[tokio::test]
async fn a_changed_record_is_named() {
    let (store, log) = written(4).await;
    let line = store.content(&open(2)).unwrap();
    let text = String::from_utf8(line.to_vec()).unwrap();
    store.tamper(&open(2), Some(text.replace("\"rows\":2", "\"rows\":9").into()));
    assert_eq!(faults(&log).await, ["record 2 is not what was written"]);
    // One that was sealed anew is found by the record that follows it.
    let mut record: AuditRecord = seal::open(&line).unwrap();
    record.event.rows = Some(9);
    store.tamper(&open(2), Some(seal::seal(&record).unwrap().into()));
    assert_eq!(faults(&log).await, ["record 2 is not the one that record 3 follows"]);
    store.tamper(&open(2), Some(line));
    assert_eq!(faults(&log).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_removed_record_is_named_also_at_either_end() {
    for (removed, told) in [(1, "record 1 is missing"), (2, "record 2 is missing"), (4, "record 4 is missing")] {
        let (store, log) = written(4).await;
        store.tamper(&open(removed), None);
        assert_eq!(faults(&log).await, [told]);
    }
    let (store, log) = written(4).await;
    (1..=4).for_each(|number| store.tamper(&open(number), None));
    assert_eq!(faults(&log).await, ["records 1 to 4 are missing"]);
}

#[tokio::test]
async fn records_that_changed_places_are_named() {
    let (store, log) = written(4).await;
    let (two, three) = (store.content(&open(2)), store.content(&open(3)));
    store.tamper(&open(2), three);
    store.tamper(&open(3), two);
    assert_eq!(faults(&log).await, ["record 2 is missing", "record 2 stands after record 3"]);
}

#[tokio::test]
async fn a_mark_that_is_gone_or_damaged_is_told() {
    let (store, log) = written(2).await;
    let mark = store.content("audit/head.json").unwrap();
    store.tamper("audit/head.json", None);
    assert_eq!(faults(&log).await, ["the mark of the newest record is missing"]);
    store.tamper("audit/head.json", Some(mark.slice(1..)));
    assert_eq!(faults(&log).await, ["the mark of the newest record is not what was written"]);
}

#[tokio::test]
async fn a_damaged_record_is_followed_by_new_ones() {
    let (store, log) = written(2).await;
    drop(log);
    store.tamper(&open(2), Some(Bytes::from_static(b"rot\n")));
    let log = AuditLog::start(store.clone(), None).unwrap();
    log.record(event(3));
    log.flush().await;
    assert_eq!(rows(&log).await, [1, 3]);
    assert_eq!(faults(&log).await, ["record 2 is not what was written"]);
}

#[tokio::test]
async fn two_processes_take_turns_in_one_chain() {
    let store = Arc::new(MemoryLog::default());
    let one = AuditLog::start(store.clone(), None).unwrap();
    let two = AuditLog::start(store.clone(), None).unwrap();
    for round in 0..10 {
        one.record(event(2 * round));
        two.record(event(2 * round + 1));
        tokio::join!(one.flush(), two.flush());
    }
    let mut found = rows(&one).await;
    found.sort_unstable();
    assert_eq!(found, (0..20).collect::<Vec<_>>());
    assert_eq!(faults(&two).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_full_range_becomes_one_closed_segment() {
    let store = Arc::new(MemoryLog::default());
    fill(&store, SEGMENT_RECORDS + 3, now_us()).await;
    let log = AuditLog::start(store.clone(), None).unwrap();
    let left_over = store.content(&open(1)).unwrap();
    log.record(event(1));
    log.flush().await;
    assert!(store.content(&Segment::closed(1).path()).is_some());
    assert_eq!(store.content(&open(1)), None);
    assert_eq!(rows(&log).await.len() as u64, SEGMENT_RECORDS + 4);
    // What a crash left of the open ones is not read twice.
    store.tamper(&open(1), Some(left_over));
    assert_eq!(rows(&log).await.len() as u64, SEGMENT_RECORDS + 4);
    assert_eq!(faults(&log).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_record_out_of_the_middle_of_a_closed_segment_is_missed() {
    let store = Arc::new(MemoryLog::default());
    fill(&store, SEGMENT_RECORDS, now_us()).await;
    let segments = Segments::new(store.clone());
    segments.close(SEGMENT_RECORDS).await.unwrap();
    let path = Segment::closed(1).path();
    let text = String::from_utf8(store.content(&path).unwrap().to_vec()).unwrap();
    let kept: String =
        text.split_inclusive('\n').enumerate().filter(|(at, _)| *at != 99).map(|(_, line)| line).collect();
    store.tamper(&path, Some(kept.into()));
    let log = AuditLog::start(store, None).unwrap();
    assert_eq!(faults(&log).await, ["record 100 is missing"]);
}

#[tokio::test]
async fn retention_takes_old_segments_and_says_so() {
    let store = Arc::new(MemoryLog::default());
    fill(&store, 2 * SEGMENT_RECORDS, 1_000_000).await;
    let segments = Segments::new(store.clone());
    segments.close(SEGMENT_RECORDS).await.unwrap();
    segments.close(2 * SEGMENT_RECORDS).await.unwrap();
    let log = AuditLog::start(store.clone(), Some(Duration::from_secs(60))).unwrap();
    log.record(event(7));
    log.flush().await;
    assert_eq!(store.content(&Segment::closed(1).path()), None);
    assert_eq!(rows(&log).await, [7]);
    let found = log.check().await.unwrap();
    assert_eq!((found.faults, found.head.number), (Vec::new(), 2 * SEGMENT_RECORDS + 2));
    // What retention did not take is missed.
    store.tamper(&open(2 * SEGMENT_RECORDS + 1), None);
    assert_eq!(faults(&log).await, [format!("record {} is missing", 2 * SEGMENT_RECORDS + 1)]);
}

#[tokio::test]
async fn what_waits_is_written_when_the_log_is_dropped() {
    let store = Arc::new(MemoryLog::default());
    let log = AuditLog::start(store.clone(), None).unwrap();
    (0..100).for_each(|rows| log.record(event(rows)));
    drop(log);
    let log = AuditLog::start(store, None).unwrap();
    assert_eq!(rows(&log).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_login_that_repeats_is_one_record_with_a_count() {
    let store = Arc::new(MemoryLog::default());
    let log = AuditLog::start(store.clone(), None).unwrap();
    let login = |user: u32| AuditEvent {
        user: Some(AuditUser { id: RoleId(user), name: user.to_string() }),
        sqlstate: Some("28P01".into()),
        ..AuditEvent::now(AuditKind::Login)
    };
    (0..1000).for_each(|_| log.record(login(1)));
    log.record(login(2));
    log.flush().await;
    let mut reader = log.reader();
    let mut counts = std::collections::BTreeMap::new();
    let mut records = 0;
    while let Some(entries) = reader.next().await.unwrap() {
        for event in entries.into_iter().filter_map(|entry| Some(entry.record?.event)) {
            records += 1;
            *counts.entry(event.user.as_ref().unwrap().id.0).or_insert(0) += event.count();
        }
    }
    assert_eq!(counts, [(1, 1000), (2, 1)].into());
    assert!(records < 100, "{records}");
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_leaves_the_chain_whole() {
    let (store, log) = written(1).await;
    for fault in [Fault::Before, Fault::After] {
        store.fail_next_put(fault);
        log.record(event(2));
        log.flush().await;
        log.flush().await;
    }
    // What may have been written is written again: an event is never lost.
    assert_eq!(rows(&log).await, [1, 2, 2, 2]);
    assert_eq!(faults(&log).await, Vec::<String>::new());
}

/// A store that refuses to write while it is broken.
#[derive(Debug, Default)]
struct Breakable {
    inner: MemoryLog,
    is_broken: AtomicBool,
}

#[async_trait]
impl LogStore for Breakable {
    async fn put_if_absent(&self, path: &str, content: Bytes) -> Result<PutOutcome, LogStoreError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(LogStoreError("the disk is full".into()));
        }
        self.inner.put_if_absent(path, content).await
    }

    async fn put(&self, path: &str, content: Bytes) -> Result<(), LogStoreError> {
        self.inner.put(path, content).await
    }

    async fn get(&self, path: &str) -> Result<Option<Bytes>, LogStoreError> {
        self.inner.get(path).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, LogStoreError> {
        self.inner.list(prefix).await
    }
}

#[async_trait]
impl AuditStore for Breakable {
    async fn remove(&self, paths: &[String]) -> Result<(), LogStoreError> {
        self.inner.remove(paths).await
    }
}

#[tokio::test]
async fn every_event_is_recorded_or_counted_as_lost() {
    const EVENTS: u64 = 20_000;
    let store = Arc::new(Breakable::default());
    store.is_broken.store(true, Ordering::SeqCst);
    let log = AuditLog::start_with_queue(store.clone(), None, 16).unwrap();
    (0..EVENTS).for_each(|rows| log.record(event(rows)));
    let lost = log.lost();
    assert!(lost > 0 && lost < EVENTS, "{lost}");
    store.is_broken.store(false, Ordering::SeqCst);
    log.flush().await;
    assert_eq!(log.lost(), 0);
    let mut reader = log.reader();
    let (mut kept, mut told) = (0, 0);
    while let Some(entries) = reader.next().await.unwrap() {
        for event in entries.into_iter().filter_map(|entry| Some(entry.record?.event)) {
            match event.kind {
                AuditKind::Loss => told += event.count(),
                _ => kept += 1,
            }
        }
    }
    assert_eq!((told > 0, kept + told), (true, EVENTS));
    assert_eq!(faults(&log).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_log_that_cannot_be_written_does_not_hold_the_end_back() {
    let store = Arc::new(Breakable::default());
    store.is_broken.store(true, Ordering::SeqCst);
    let log = AuditLog::start(store.clone(), None).unwrap();
    (0..5_000).for_each(|rows| log.record(event(rows)));
    drop(log);
    assert!(store.list("audit/").await.unwrap().is_empty());
}

/// The `times` of all records of a log.
async fn counts(log: &AuditLog) -> Vec<u64> {
    let mut reader = log.reader();
    let mut counts = Vec::new();
    while let Some(entries) = reader.next().await.unwrap() {
        counts.extend(entries.iter().filter_map(|entry| Some(entry.record.as_ref()?.event.count())));
    }
    counts
}

#[tokio::test]
async fn equal_statements_without_a_table_are_one_record_with_a_count_and_others_are_not() {
    let store = Arc::new(MemoryLog::default());
    let log = AuditLog::start(store.clone(), None).unwrap();
    let alive = |session: i32| AuditEvent { session: Some(session), statement: Some("1f".into()), ..event(1) };
    (0..1000).for_each(|round| log.record(alive(round % 2)));
    log.flush().await;
    assert_eq!(counts(&log).await.iter().sum::<u64>(), 1000);
    assert!(counts(&log).await.len() < 100);
    let store = Arc::new(MemoryLog::default());
    let log = AuditLog::start(store.clone(), None).unwrap();
    let reading = AuditEvent { tables: vec!["public.orders".into()], ..alive(1) };
    let denied = AuditEvent { kind: AuditKind::Denial, ..alive(1) };
    for other in [reading, denied] {
        (0..10).for_each(|_| log.record(other.clone()));
    }
    log.record(AuditEvent { rows: Some(2), ..alive(1) });
    log.record(AuditEvent { sqlstate: Some("22012".into()), ..alive(1) });
    log.flush().await;
    assert_eq!(counts(&log).await, [1; 22]);
}

#[tokio::test]
async fn a_flush_is_answered_although_events_keep_coming() {
    let log = Arc::new(AuditLog::start(Arc::new(MemoryLog::default()), None).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let (busy, until) = (Arc::clone(&log), Arc::clone(&stop));
    let busy = std::thread::spawn(move || {
        let mut rows = 0;
        while !until.load(Ordering::Relaxed) {
            busy.record(event(rows));
            rows += 1;
        }
    });
    for _ in 0..20 {
        let flushed = tokio::time::timeout(Duration::from_secs(5), log.flush()).await;
        assert!(flushed.is_ok());
    }
    stop.store(true, Ordering::Relaxed);
    busy.join().unwrap();
}
