//! Group commit: the jobs of many requests in one transaction.
//!
//! A durable commit waits for the disk, whatever it holds. So requests do not commit; they queue
//! a job. Whenever the writer is free it takes everything that waits, up to a bound, runs it in
//! one transaction, and answers all of it. Nothing waits for a group to fill: while one commits,
//! the next one gathers, and a lone request commits at once.
//!
//! What callers may rely on:
//! * An answer comes after the commit.
//! * A group that fails is taken apart and its jobs run one by one, so that a bad job fails alone.
//! * A caller that goes away cancels nothing; a job that was queued is done.
//! * A full queue answers at once.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::error::StoreError;

/// What does the work of a group.
pub(super) trait Batch: Send + 'static {
    /// One request's part.
    type Job: Send + Sync + 'static;

    /// About how many bytes a job takes in memory.
    fn cost(job: &Self::Job) -> usize;

    /// Runs the jobs in one transaction: when it returns an error, nothing of them was done.
    fn run(&mut self, jobs: &[Self::Job]) -> impl Future<Output = Result<(), StoreError>> + Send;

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

/// The requests' end of the queue.
pub(super) struct Writer<Job> {
    /// Gone when the writer closes.
    queue: RwLock<Option<mpsc::Sender<Queued<Job>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
    queue_bytes: usize,
}

/// What both ends count.
#[derive(Default)]
struct Shared {
    waiting_bytes: AtomicUsize,
    groups: AtomicU64,
}

struct Queued<Job> {
    job: Job,
    cost: usize,
    reply: oneshot::Sender<Result<(), Arc<StoreError>>>,
}

impl<Job: Send + Sync + 'static> Writer<Job> {
    /// Starts the writer's task; it ends when the writer is closed or dropped.
    pub(super) fn start<B: Batch<Job = Job>>(batch: B, bounds: Bounds) -> Self {
        let (sender, receiver) = mpsc::channel(bounds.queue_jobs);
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(work(batch, receiver, bounds, Arc::clone(&shared)));
        Self {
            queue: RwLock::new(Some(sender)),
            task: Mutex::new(Some(task)),
            shared,
            queue_bytes: bounds.queue_bytes,
        }
    }

    /// Queues a job and waits until it is committed.
    pub(super) async fn submit<B>(&self, job: Job) -> Result<(), Arc<StoreError>>
    where
        B: Batch<Job = Job>,
    {
        let cost = B::cost(&job);
        let (reply, committed) = oneshot::channel();
        self.enqueue(Queued { job, cost, reply })?;
        // The task drops a reply only when its runtime goes down under it.
        committed.await.unwrap_or_else(|_| Err(Arc::new(StoreError::Closed)))
    }

    /// Queues a job that nobody waits for. It is left out when the queue is full, or closed.
    pub(super) fn post<B>(&self, job: Job)
    where
        B: Batch<Job = Job>,
    {
        let cost = B::cost(&job);
        let (reply, _) = oneshot::channel();
        let _ = self.enqueue(Queued { job, cost, reply });
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
        let (queue, task) = (RwLock::new(None), Mutex::new(None));
        Self { queue, task, shared: Arc::default(), queue_bytes: 0 }
    }

    /// How many jobs wait for the writer, or nearly so: others come and go.
    pub(super) fn waiting(&self) -> usize {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// How many transactions were committed.
    pub(super) fn groups(&self) -> u64 {
        self.shared.groups.load(Ordering::Relaxed)
    }

    /// Takes no more jobs, finishes those that were taken, and lets go of the database.
    pub(super) async fn close(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It ends by itself once the queue is empty, and catches its jobs' panics.
            let _ = task.await;
        }
    }
}

async fn work<B: Batch>(
    mut batch: B,
    mut queue: mpsc::Receiver<Queued<B::Job>>,
    bounds: Bounds,
    shared: Arc<Shared>,
) {
    while let Some(first) = queue.recv().await {
        let mut group = Group::of(first);
        while group.has_room(bounds) {
            let Ok(next) = queue.try_recv() else { break };
            group.push(next);
        }
        let bytes = group.bytes;
        commit(&mut batch, group, &shared.groups).await;
        shared.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
    batch.close().await;
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

async fn commit<B: Batch>(batch: &mut B, mut group: Group<B::Job>, groups: &AtomicU64) {
    let together = run(batch, &group.jobs, groups).await;
    let apart =
        group.jobs.len() > 1 && together.as_ref().is_err_and(StoreError::may_be_one_jobs_fault);
    if !apart {
        return group.answer(&together.map_err(Arc::new));
    }
    for job in &group.jobs {
        let alone = run(batch, std::slice::from_ref(job), groups).await;
        if let Some(reply) = group.replies.pop_front() {
            let _ = reply.send(alone.map_err(Arc::new));
        }
    }
}

async fn run<B: Batch>(
    batch: &mut B,
    jobs: &[B::Job],
    groups: &AtomicU64,
) -> Result<(), StoreError> {
    // A panic leaves nothing behind but the batch, which opens a new connection after it.
    let outcome = AssertUnwindSafe(batch.run(jobs)).catch_unwind().await;
    let outcome = outcome.unwrap_or(Err(StoreError::Panicked));
    if outcome.is_ok() {
        groups.fetch_add(1, Ordering::Relaxed);
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
mod tests {
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[derive(Clone, Copy, PartialEq)]
    enum Job {
        Good,
        Bad,
        Panicking,
    }

    /// Notes how many jobs each committed run had; waits for a permit before every run.
    #[derive(Clone)]
    struct Notes {
        gate: Arc<Semaphore>,
        committed: Arc<Mutex<Vec<usize>>>,
    }

    impl Batch for Notes {
        type Job = Job;

        fn cost(_: &Job) -> usize {
            10
        }

        async fn run(&mut self, jobs: &[Job]) -> Result<(), StoreError> {
            self.gate.acquire().await.expect("never closed").forget();
            assert!(!jobs.contains(&Job::Panicking), "a job that panics");
            if jobs.contains(&Job::Bad) {
                return Err(StoreError::Corrupt { column: "bad" });
            }
            self.committed.lock().expect("no panic while held").push(jobs.len());
            Ok(())
        }

        async fn close(self) {}
    }

    const BOUNDS: Bounds =
        Bounds { queue_jobs: 8, queue_bytes: 1000, group_jobs: 8, group_bytes: 1000 };

    fn start(bounds: Bounds) -> (Writer<Job>, Notes) {
        let notes = Notes { gate: Arc::new(Semaphore::new(0)), committed: Arc::default() };
        (Writer::start(notes.clone(), bounds), notes)
    }

    impl Notes {
        fn open(&self) {
            self.gate.add_permits(1000);
        }

        fn committed(&self) -> Vec<usize> {
            self.committed.lock().expect("no panic while held").clone()
        }
    }

    fn reason(result: &Result<(), Arc<StoreError>>) -> Option<&StoreError> {
        result.as_ref().err().map(AsRef::as_ref)
    }

    /// Queues all jobs before any of them runs, then lets the writer go.
    async fn submit_all(
        writer: &Writer<Job>,
        notes: &Notes,
        jobs: &[Job],
    ) -> Vec<Result<(), Arc<StoreError>>> {
        let submissions = join_all(jobs.iter().map(|job| writer.submit::<Notes>(*job)));
        let (results, ()) = tokio::join!(submissions, async { notes.open() });
        results
    }

    #[tokio::test]
    async fn jobs_that_wait_together_share_a_transaction() {
        let (writer, notes) = start(BOUNDS);
        let results = submit_all(&writer, &notes, &[Job::Good; 5]).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!((notes.committed(), writer.groups()), (vec![5], 1));
    }

    #[tokio::test]
    async fn a_group_takes_no_more_than_its_bounds() {
        let (writer, notes) = start(Bounds { group_jobs: 3, ..BOUNDS });
        submit_all(&writer, &notes, &[Job::Good; 5]).await;
        assert_eq!(notes.committed(), [3, 2]);

        let (writer, notes) = start(Bounds { group_bytes: 20, ..BOUNDS });
        submit_all(&writer, &notes, &[Job::Good; 5]).await;
        assert_eq!(notes.committed(), [2, 2, 1]);
    }

    #[tokio::test]
    async fn a_bad_job_fails_alone() {
        let (writer, notes) = start(BOUNDS);
        let jobs = [Job::Good, Job::Bad, Job::Good, Job::Panicking, Job::Good];
        let results = submit_all(&writer, &notes, &jobs).await;
        let failed: Vec<_> = results.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, true, false, true, false]);
        assert!(matches!(reason(&results[3]), Some(StoreError::Panicked)));
        assert_eq!(notes.committed(), [1, 1, 1]);
    }

    #[tokio::test]
    async fn a_full_queue_answers_at_once() {
        for bounds in [Bounds { queue_jobs: 2, ..BOUNDS }, Bounds { queue_bytes: 25, ..BOUNDS }] {
            let (writer, notes) = start(bounds);
            let results = submit_all(&writer, &notes, &[Job::Good; 4]).await;
            let taken = results.iter().filter(|result| result.is_ok()).count();
            assert_eq!((taken, notes.committed()), (2, vec![2]));
            assert!(writer.submit::<Notes>(Job::Good).await.is_ok(), "there is room again");
        }
    }

    #[tokio::test]
    async fn a_job_larger_than_the_queue_may_be_the_only_one() {
        let (writer, notes) = start(Bounds { queue_bytes: 5, ..BOUNDS });
        let results = submit_all(&writer, &notes, &[Job::Good]).await;
        assert!(results[0].is_ok());
    }

    #[tokio::test]
    async fn closing_finishes_the_jobs_of_callers_that_went_away() {
        let (writer, notes) = start(BOUNDS);
        assert!(writer.submit::<Notes>(Job::Good).now_or_never().is_none());
        notes.open();
        writer.close().await;
        assert_eq!(notes.committed(), [1]);
        let late = writer.submit::<Notes>(Job::Good).await;
        assert!(matches!(reason(&late), Some(StoreError::Closed)));
    }
}
