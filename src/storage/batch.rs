//! Group commit: the jobs of many requests in one transaction.
//!
//! A durable commit waits for the disk, whatever it holds. So requests do not commit; they queue
//! a job. Whenever a writer is free it takes everything that waits, up to a bound, runs it in
//! one transaction, and answers all of it. Nothing waits for a group to fill: while one commits,
//! the next one gathers, and a lone request commits at once. There may be several writers on one
//! queue, where the database takes several transactions at a time; each job goes to one of them.
//!
//! What callers may rely on:
//! * An answer comes after the commit.
//! * A group that met another transaction is tried again as a whole, a few times.
//! * A group that fails is taken apart and its jobs run one by one, so that a bad job fails alone,
//!   and so does one that wants what somebody else holds, who is waited for only once.
//! * A job that may have been done, but nobody knows, is never answered as done.
//! * A caller that goes away cancels nothing; a job that was queued is done.
//! * A full queue answers at once.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::error::StoreError;
use crate::domain::measures::Counter;
use crate::domain::ports::{Connections, Load};

/// How long jobs wait for a part of the database that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Usual,
    /// For a moment only.
    Hurried,
}

/// What does the work of a group.
pub(super) trait Batch: Send + 'static {
    /// One request's part.
    type Job: Send + Sync + 'static;

    /// About how many bytes a job takes in memory.
    fn cost(job: &Self::Job) -> usize;

    /// Runs the jobs in one transaction. When it returns an error that may be one job's fault, or
    /// that came of meeting another transaction ([`StoreError`]), nothing of them was done; after
    /// any other one all of them may be done, or none.
    fn run(
        &mut self,
        jobs: &[Self::Job],
        pace: Pace,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Lets go of the database.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// How much the queue and a group may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Jobs in the queue.
    pub queue_jobs: usize,
    /// Bytes in the queue, a group that is being written included.
    pub queue_bytes: usize,
    /// Jobs in a group.
    pub group_jobs: usize,
    /// Bytes after which a group takes no further job.
    pub group_bytes: usize,
}

/// How often a group is run that meets others each time.
const ATTEMPTS: u32 = 6;

/// So long jobs of a group that is taken apart may still find that somebody holds what they want; then
/// all of it is held up.
const MOST_HELD: Duration = Duration::from_secs(5);

/// The wait before its second run; it grows with each.
const PAUSE: Duration = Duration::from_millis(1);

/// The requests' end of the queue.
pub(super) struct Writer<Job> {
    /// Gone when the writer closes.
    queue: RwLock<Option<mpsc::Sender<Queued<Job>>>>,
    /// When each of those who write is done.
    ends: Mutex<Vec<oneshot::Receiver<()>>>,
    shared: Arc<Shared>,
    queue_bytes: usize,
}

/// What both ends count.
#[derive(Default)]
struct Shared {
    waiting_bytes: AtomicUsize,
    groups: Counter,
    /// The jobs in them.
    jobs: Counter,
    /// Those that failed, not counting what was tried again.
    failures: Counter,
}

struct Queued<Job> {
    job: Job,
    cost: usize,
    reply: oneshot::Sender<Result<(), Arc<StoreError>>>,
}

impl<Job: Send + Sync + 'static> Writer<Job> {
    /// Starts a writer on a thread of its own; it ends when the writer is closed or dropped.
    ///
    /// That is for those who wait for many short answers from another thread. A task of the runtime
    /// would get each of them only after the requests that its workers are at.
    ///
    /// # Errors
    /// When the system has no thread to spare.
    pub(super) fn start_apart<B: Batch<Job = Job>>(batch: B, bounds: Bounds) -> io::Result<Self> {
        let (writer, works) = Self::new([batch], bounds);
        for work in works {
            let (runtime, thread) = (Handle::current(), thread::Builder::new());
            thread.name("sealpost-writer".to_owned()).spawn(move || runtime.block_on(work))?;
        }
        Ok(writer)
    }

    /// Starts a task for each of these on the same queue; they end when the writer is closed or
    /// dropped.
    pub(super) fn start_all<B: Batch<Job = Job>>(
        batches: impl IntoIterator<Item = B>,
        bounds: Bounds,
    ) -> Self {
        let (writer, works) = Self::new(batches, bounds);
        works.into_iter().for_each(|work| drop(tokio::spawn(work)));
        writer
    }

    /// The requests' end of the queue, and what is to be done at the other one.
    fn new<B: Batch<Job = Job>>(
        batches: impl IntoIterator<Item = B>,
        bounds: Bounds,
    ) -> (Self, Vec<impl Future<Output = ()> + Send + 'static>) {
        let (sender, receiver) = mpsc::channel(bounds.queue_jobs);
        let receiver = Arc::new(QueueEnd::new(receiver));
        let shared = Arc::new(Shared::default());
        let work = |batch| {
            let (over, end) = oneshot::channel();
            let work = work(batch, Arc::clone(&receiver), bounds, Arc::clone(&shared));
            (work.map(|()| drop(over)), end)
        };
        let (works, ends): (Vec<_>, Vec<_>) = batches.into_iter().map(work).unzip();
        let (queue, ends) = (RwLock::new(Some(sender)), Mutex::new(ends));
        (Self { queue, ends, shared, queue_bytes: bounds.queue_bytes }, works)
    }

    /// Queues a job and waits until it is committed.
    pub(super) async fn submit<B>(&self, job: Job) -> Result<(), Arc<StoreError>>
    where
        B: Batch<Job = Job>,
    {
        let cost = B::cost(&job);
        let (reply, committed) = oneshot::channel();
        self.enqueue(Queued { job, cost, reply })?;
        // A reply is dropped only when a runtime goes down under it.
        committed.await.unwrap_or_else(|_| Err(Arc::new(StoreError::Closed)))
    }

    /// Queues a job that nobody waits for.
    pub(super) fn post<B>(&self, job: Job) -> Result<(), StoreError>
    where
        B: Batch<Job = Job>,
    {
        let cost = B::cost(&job);
        let (reply, _) = oneshot::channel();
        self.enqueue(Queued { job, cost, reply })
    }

    fn enqueue(&self, queued: Queued<Job>) -> Result<(), StoreError> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(StoreError::Closed)?;
        let cost = queued.cost;
        let before = self.shared.waiting_bytes.fetch_add(cost, Ordering::Relaxed);
        // A single job may be larger than the bound; it only has to be the only one.
        let sent = if before > 0 && before + cost > self.queue_bytes {
            Err(StoreError::QueueFull)
        } else {
            queue.try_send(queued).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })
        };
        if sent.is_err() {
            self.shared.waiting_bytes.fetch_sub(cost, Ordering::Relaxed);
        }
        sent
    }

    /// A writer that takes nothing.
    pub(super) fn closed() -> Self {
        let (queue, ends) = (RwLock::new(None), Mutex::default());
        Self { queue, ends, shared: Arc::default(), queue_bytes: 0 }
    }

    /// How many jobs wait for the writer, or nearly so: others come and go.
    pub(super) fn waiting(&self) -> usize {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// How many transactions were committed.
    pub(super) fn groups(&self) -> u64 {
        self.shared.groups.value()
    }

    /// What there is to do, and was done.
    pub(super) fn load(&self) -> Load {
        Load {
            waiting_writes: self.waiting() as u64,
            waiting_bytes: self.shared.waiting_bytes.load(Ordering::Relaxed) as u64,
            commit_groups: self.groups(),
            commit_requests: self.shared.jobs.value(),
            commit_failures: self.shared.failures.value(),
            connections: Connections::default(),
        }
    }

    /// Takes no more jobs, finishes those that were taken, and lets go of the database.
    pub(super) async fn close(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let ends = std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner));
        for end in ends {
            // It comes by itself once the queue is empty; nothing is ever sent.
            let _ = end.await;
        }
    }
}

/// The writers' end of the queue: whoever holds it waits for jobs, and lets go when it has some.
type QueueEnd<Job> = tokio::sync::Mutex<mpsc::Receiver<Queued<Job>>>;

async fn work<B: Batch>(
    mut batch: B,
    queue: Arc<QueueEnd<B::Job>>,
    bounds: Bounds,
    shared: Arc<Shared>,
) {
    while let Some(group) = next_group(&queue, bounds).await {
        let done = commit(&mut batch, group, &shared).await;
        shared.waiting_bytes.fetch_sub(done.bytes, Ordering::Relaxed);
        // Letting go of thousands of messages takes time, which the next group has not.
        drop(tokio::spawn(async move { drop(done) }));
    }
    batch.close().await;
}

/// Waits for a job and takes what waits behind it; `None` when there will be no more.
async fn next_group<Job>(queue: &QueueEnd<Job>, bounds: Bounds) -> Option<Group<Job>> {
    let mut queue = queue.lock().await;
    let mut group = Group::of(queue.recv().await?);
    while group.has_room(bounds) {
        let Ok(next) = queue.try_recv() else { break };
        group.push(next);
    }
    Some(group)
}

/// Jobs that share a transaction, and who waits for them, in the same order.
struct Group<Job> {
    jobs: Vec<Job>,
    replies: VecDeque<oneshot::Sender<Result<(), Arc<StoreError>>>>,
    bytes: usize,
}

impl<Job> Group<Job> {
    fn of(first: Queued<Job>) -> Self {
        let mut group = Self { jobs: Vec::new(), replies: VecDeque::new(), bytes: 0 };
        group.push(first);
        group
    }

    fn push(&mut self, next: Queued<Job>) {
        self.jobs.push(next.job);
        self.replies.push_back(next.reply);
        self.bytes += next.cost;
    }

    fn has_room(&self, bounds: Bounds) -> bool {
        self.jobs.len() < bounds.group_jobs && self.bytes < bounds.group_bytes
    }

    /// Tells the callers that have no answer yet.
    fn answer(&mut self, result: &Result<(), Arc<StoreError>>) {
        for reply in self.replies.drain(..) {
            // A caller that went away needs no answer.
            let _ = reply.send(result.clone());
        }
    }
}

/// Runs a group and answers it.
async fn commit<B: Batch>(
    batch: &mut B,
    mut group: Group<B::Job>,
    shared: &Shared,
) -> Group<B::Job> {
    let together = run(batch, &group.jobs, Pace::Usual, shared).await;
    let apart =
        group.jobs.len() > 1 && together.as_ref().is_err_and(StoreError::may_be_one_jobs_fault);
    if apart {
        let has_waited = together.as_ref().is_err_and(StoreError::waited);
        commit_apart(batch, &mut group, has_waited, shared).await;
    } else {
        group.answer(&together.map_err(Arc::new));
    }
    group
}

/// Runs the jobs of a group one by one, and answers each. Once somebody was waited for in vain, by the
/// group or by one of them, nobody is waited for any more.
async fn commit_apart<B: Batch>(
    batch: &mut B,
    group: &mut Group<B::Job>,
    mut has_waited: bool,
    shared: &Shared,
) {
    let began = Instant::now();
    for at in 0..group.jobs.len() {
        let job = std::slice::from_ref(&group.jobs[at]);
        let pace = if has_waited { Pace::Hurried } else { Pace::Usual };
        let outcome = run(batch, job, pace, shared).await;
        let is_held = outcome.as_ref().is_err_and(StoreError::waited);
        has_waited |= is_held;
        let outcome = outcome.map_err(Arc::new);
        if is_held && began.elapsed() > MOST_HELD {
            return group.answer(&outcome);
        }
        if let Some(reply) = group.replies.pop_front() {
            let _ = reply.send(outcome);
        }
    }
}

/// Runs jobs in one transaction, again if it met another one.
async fn run<B: Batch>(
    batch: &mut B,
    jobs: &[B::Job],
    pace: Pace,
    shared: &Shared,
) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        match run_once(batch, jobs, pace, shared).await {
            Err(error) if error.met_another() && attempt < ATTEMPTS => {
                sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            outcome => {
                shared.failures.add(u64::from(outcome.is_err()));
                return outcome;
            }
        }
    }
}

async fn run_once<B: Batch>(
    batch: &mut B,
    jobs: &[B::Job],
    pace: Pace,
    shared: &Shared,
) -> Result<(), StoreError> {
    // A panic leaves nothing behind but the batch, which opens a new connection after it.
    let outcome = AssertUnwindSafe(batch.run(jobs, pace)).catch_unwind().await;
    let outcome = outcome.unwrap_or(Err(StoreError::Panicked));
    if outcome.is_ok() {
        shared.groups.add(1);
        shared.jobs.add(jobs.len() as u64);
    }
    outcome
}

/// Where a job leaves its result, to be picked up by its caller after the commit.
pub(super) struct Answer<T>(Arc<Mutex<Option<T>>>);

impl<T> Answer<T> {
    /// Leaves the result; a second run of the same job replaces it.
    pub(super) fn set(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// Picks the result up.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests;
