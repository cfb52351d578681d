use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::*;

#[derive(Clone, Copy, PartialEq)]
enum Job {
    Good,
    Bad,
    Busy,
    Panicking,
}

/// Notes how many jobs each committed run had; waits for a permit before every run.
#[derive(Clone)]
struct Notes {
    gate: Arc<Semaphore>,
    committed: Arc<Mutex<Vec<usize>>>,
    /// How often a busy job still meets another transaction.
    meetings: Arc<AtomicUsize>,
}

impl Batch for Notes {
    type Job = Job;

    fn cost(_: &Job) -> usize {
        10
    }

    async fn run(&mut self, jobs: &[Job], _: Pace) -> Result<(), StoreError> {
        self.gate.acquire().await.expect("never closed").forget();
        assert!(!jobs.contains(&Job::Panicking), "a job that panics");
        if jobs.contains(&Job::Bad) {
            return Err(StoreError::Corrupt { column: "bad" });
        }
        let meetings = self.meetings.load(Ordering::Relaxed);
        if jobs.contains(&Job::Busy) && meetings > 0 {
            self.meetings.store(meetings - 1, Ordering::Relaxed);
            return Err(StoreError::MetAnother { doing: "being busy" });
        }
        self.committed.lock().expect("no panic while held").push(jobs.len());
        Ok(())
    }

    async fn close(self) {}
}

const BOUNDS: Bounds =
    Bounds { queue_jobs: 8, queue_bytes: 1000, group_jobs: 8, group_bytes: 1000 };

fn start(bounds: Bounds) -> (Writer<Job>, Notes) {
    let notes = notes();
    (Writer::start_all([notes.clone()], bounds), notes)
}

fn notes() -> Notes {
    let gate = Arc::new(Semaphore::new(0));
    Notes { gate, committed: Arc::default(), meetings: Arc::default() }
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

#[tokio::test]
async fn a_writer_on_a_thread_of_its_own_does_the_same() {
    let notes = notes();
    let writer = Writer::start_apart(notes.clone(), BOUNDS).expect("a thread");
    let results = submit_all(&writer, &notes, &[Job::Good, Job::Panicking, Job::Good]).await;
    let failed: Vec<_> = results.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, false]);
    // Whether it is done by now or not, its caller does not wait.
    drop(writer.submit::<Notes>(Job::Good).now_or_never());
    writer.close().await;
    assert_eq!(notes.committed().iter().sum::<usize>(), 3);
}

#[tokio::test]
async fn a_group_that_meets_another_is_tried_again_as_a_whole() {
    let (writer, notes) = start(BOUNDS);
    notes.meetings.store(2, Ordering::Relaxed);
    let results = submit_all(&writer, &notes, &[Job::Good, Job::Busy]).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(notes.committed(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_always_meets_others_fails_alone() {
    let (writer, notes) = start(BOUNDS);
    notes.meetings.store(usize::MAX, Ordering::Relaxed);
    let results = submit_all(&writer, &notes, &[Job::Good, Job::Busy]).await;
    assert!(results[0].is_ok() && results[1].is_err());
}

#[tokio::test]
async fn while_one_writer_is_busy_another_takes_the_next_job() {
    let both = [notes(), notes()];
    let writer = Writer::start_all(both.clone(), BOUNDS);
    for _ in 0..2 {
        // Neither writer gets further than taking its job.
        assert!(writer.submit::<Notes>(Job::Good).now_or_never().is_none());
        while writer.waiting() > 0 {
            tokio::task::yield_now().await;
        }
    }
    both.iter().for_each(Notes::open);
    writer.close().await;
    assert_eq!(both.map(|notes| notes.committed()), [vec![1], vec![1]]);
}
