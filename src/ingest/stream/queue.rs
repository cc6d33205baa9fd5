//! Where loads wait: a queue a table, all of them bounded by the bytes that they hold.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;

use super::super::error::IngestError;
use super::super::load::Loader;
use super::super::request::LoadReport;
use super::body::{self, Target};
use super::group::Group;
use super::member::{Member, StreamRequest, digest, fresh_id, keyed_id};
use crate::dataset::{Contract, Dataset};
use crate::error::{Error, Reason, Result};
use crate::lake::TableName;

/// Bodies that wait or are being committed, in all.
const WAITING_BYTES_MAX: usize = 64 << 20;
const UNIT_BYTES: usize = 1 << 10;
/// Loads that wait for one table.
const WAITING_MAX: usize = 1024;
/// What is committed at once.
const GROUP_BYTES_MAX: usize = 32 << 20;
/// A table gets no more than so many versions of small loads: each is files to be read and gathered again.
const COMMIT_EVERY: Duration = Duration::from_millis(200);
/// How long a commit waits for loads that are being read.
const ARRIVING_MAX: Duration = Duration::from_millis(250);
const ARRIVING_POLL: Duration = Duration::from_millis(2);

/// The queues of a lake. Clones share them.
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
}

struct Shared {
    loader: Loader,
    /// Where commits are worked out.
    runtime: Handle,
    room: Arc<Semaphore>,
    /// Bodies that are being read into rows.
    arriving: Arc<AtomicUsize>,
    queues: Mutex<HashMap<TableName, Queue>>,
}

struct Queue {
    waiting: mpsc::Sender<Member>,
    _worker: AbortOnDropHandle<()>,
}

/// The right to let a body wait; given back when its load is answered.
#[derive(Debug)]
pub struct Room {
    _place: OwnedSemaphorePermit,
}

/// Too much waits: come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl Streams {
    /// `runtime` works the commits out.
    pub fn new(loader: Loader, runtime: Handle) -> Self {
        let shared = Shared {
            loader,
            runtime,
            room: Arc::new(Semaphore::new(WAITING_BYTES_MAX / UNIT_BYTES)),
            arriving: Arc::default(),
            queues: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Room for a body of so many bytes, asked for before it is read.
    pub fn room(&self, bytes: usize) -> Result<Room, Busy> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).map_err(|_| Busy)?;
        let place = Arc::clone(&self.shared.room).try_acquire_many_owned(units).map_err(|_| Busy)?;
        Ok(Room { _place: place })
    }

    /// Of bodies that wait or are being committed.
    pub fn waiting_bytes(&self) -> usize {
        WAITING_BYTES_MAX - self.shared.room.available_permits() * UNIT_BYTES
    }

    /// Whether rows of a table have persons that the lake knows by their identifiers.
    pub fn identifies(&self, contract: &Contract) -> bool {
        self.shared.loader.identifies(contract)
    }

    /// Loads the rows of a body; returns when they are durable.
    pub async fn load(&self, request: StreamRequest) -> Result<LoadReport> {
        let arriving = Arriving::new(&self.shared.arriving);
        let (reply, answered) = oneshot::channel();
        let table = request.table.clone();
        let dataset = Arc::clone(&self.shared.loader.dataset);
        let member = spawn_blocking(move || member(request, &dataset, reply));
        let member = member.await.map_err(|_| IngestError::ThreadEnded)??;
        self.queue(&table).try_send(member).map_err(|_| busy())?;
        drop(arriving);
        answered.await.map_err(|_| Error::from(IngestError::ThreadEnded))?
    }

    fn queue(&self, table: &TableName) -> mpsc::Sender<Member> {
        let mut queues = self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that failed has closed its queue.
        if let Some(queue) = queues.get(table).filter(|queue| !queue.waiting.is_closed()) {
            return queue.waiting.clone();
        }
        let (waiting, members) = mpsc::channel(WAITING_MAX);
        let group = Group::new(self.shared.loader.clone(), table.clone());
        let working = self.shared.runtime.spawn(work(members, group, Arc::clone(&self.shared.arriving)));
        let queue = Queue { waiting: waiting.clone(), _worker: AbortOnDropHandle::new(working) };
        queues.insert(table.clone(), queue);
        waiting
    }
}

fn busy() -> Error {
    Error::new(Reason::TooBusy, "too many loads wait for this table").with_hint("send it again in a second")
}

/// Counts a body while it is read.
struct Arriving(Arc<AtomicUsize>);

impl Arriving {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn member(request: StreamRequest, dataset: &Dataset, reply: oneshot::Sender<Result<LoadReport>>) -> Result<Member> {
    let started = Instant::now();
    let now_us = chrono::Utc::now().timestamp_micros();
    let StreamRequest { table, contract, identified, user, key, bound, body, kind, is_fed, .. } = request;
    let id = key.as_ref().map_or_else(|| fresh_id(now_us), |key| keyed_id(&table, &user, key));
    let file = format!("HTTP {id}").into();
    let target = Target { contract: &contract, identified, dataset: is_fed.then_some(dataset) };
    let read = body::read(&body, &kind, &file, &target)?;
    Ok(Member {
        id,
        is_keyed: key.is_some(),
        digest: if key.is_some() { digest(&body) } else { String::new() },
        file,
        identified,
        contract,
        bound: bound.map(|bound| (user, bound)),
        body: Arc::new(read),
        bytes: body.len(),
        on_reject: request.on_reject,
        reject_share_max: request.reject_share_max,
        started,
        now_us,
        reply,
        _room: request.room,
    })
}

/// Commits what waits for one table, again and again.
async fn work(mut members: mpsc::Receiver<Member>, mut group: Group, arriving: Arc<AtomicUsize>) {
    let mut waiting = VecDeque::new();
    loop {
        let first = match waiting.pop_front() {
            Some(first) => first,
            None => match members.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let begun = tokio::time::Instant::now();
        while arriving.load(Ordering::Relaxed) > 0 && begun.elapsed() < ARRIVING_MAX {
            tokio::time::sleep(ARRIVING_POLL).await;
        }
        while let Ok(member) = members.try_recv() {
            waiting.push_back(member);
        }
        group.commit(companions(first, &mut waiting)).await;
        tokio::time::sleep_until(begun + COMMIT_EVERY).await;
    }
}

/// The loads that may be committed with the first, in the order in which they came; the others stay.
fn companions(first: Member, waiting: &mut VecDeque<Member>) -> Vec<Member> {
    let mut bytes = first.bytes;
    let mut members = vec![first];
    for member in std::mem::take(waiting) {
        // What must come after one that stays behind stays behind as well.
        let fits = waiting.is_empty() || waiting.iter().all(|other| other.id != member.id);
        if fits && bytes + member.bytes <= GROUP_BYTES_MAX && members.iter().all(|other| other.may_join(&member)) {
            bytes += member.bytes;
            members.push(member);
        } else {
            waiting.push_back(member);
        }
    }
    members
}
