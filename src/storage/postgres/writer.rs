//! The connections that write: what they can be asked, and the transaction around a group.
//!
//! A group's transaction reads what is committed. That is enough: an acknowledgement or a release
//! names its rows, and [`super::accept`] says why it is enough there.
//!
//! A connection that breaks is replaced. What had not come to its commit by then is undone by the
//! server, so the group is done once more. When it breaks during the commit, nobody knows what
//! became of it: the requests are told that the database is out of reach. They may come again,
//! since whatever they ask for is the same when it is done twice: an id that was accepted is a
//! duplicate, a row that was deleted is not there, and a lease that ended ends no other one. While
//! the server is gone, the first group waits for it as long as it may, and those behind it are
//! answered quickly.
//!
//! The first statement of a group may be its commit, so a connection that was idle for a while is
//! asked whether it is alive before it is trusted with one.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use super::PostgresStore;
use super::accept::{self, Decided};
use super::claims::{self, ReleaseJob, RowsJob};
use super::link::{Link, Statements, begin};
use super::rooms::Rooms;
use super::seen::Seen;
use super::silence::silence;
use crate::domain::Fault;
use crate::storage::acceptance::AcceptJob;
use crate::storage::batch::{Answer, Batch, Pace};
use crate::storage::error::{StoreError, during};

/// What the writers can be asked. Everything rare is a transaction of its own ([`super::change`]).
pub(super) enum Job {
    /// Store messages.
    Accept(AcceptJob),
    /// Let go of rows that a reader holds.
    Release(ReleaseJob),
    /// Delete rows that a reader is done with.
    Acknowledge(RowsJob),
}

impl PostgresStore {
    /// Queues a job and waits until it is on disk.
    pub(super) async fn submit(&self, job: Job) -> Result<(), Fault> {
        self.writer.submit::<PgWriter>(job).await.map_err(Fault::from)
    }

    /// Queues a job that leaves an answer, and waits until it is on disk.
    pub(super) async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, Fault> {
        let answer = Answer::default();
        self.submit(job(answer.clone())).await?;
        answer.take().ok_or_else(|| Fault::internal("reading the writer's answer", NO_ANSWER))
    }
}

const NO_ANSWER: &str = "the job left none";

/// A group that takes longer has lost its server, whatever the connection says.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// A connection that was used so recently is taken for alive.
const FRESH: Duration = Duration::from_secs(1);

/// The wait between two attempts to reach a server that is gone.
const PAUSE: Duration = Duration::from_millis(100);

/// One writer's end of the queue.
pub(super) struct PgWriter {
    options: PgConnectOptions,
    statements: Statements,
    /// How long to wait for a server that is gone.
    patience: Duration,
    /// Missing at first, and after a failure.
    connection: Option<PgConnection>,
    /// When that was used last.
    used_at: Instant,
    /// Whether the last attempt to connect was in vain.
    gone: bool,
    memory: Arc<Memory>,
}

/// What all writers of this process know, and share.
#[derive(Default)]
pub(super) struct Memory {
    /// The room in inboxes.
    pub rooms: Rooms,
    /// The eras of message ids.
    pub seen: Seen,
}

impl PgWriter {
    /// A writer that opens connections by `options`.
    pub(super) fn new(
        options: PgConnectOptions,
        statements: Statements,
        patience: Duration,
        memory: Arc<Memory>,
    ) -> Self {
        let used_at = Instant::now();
        Self { options, statements, patience, connection: None, used_at, gone: false, memory }
    }

    /// The connection at hand, or a new one.
    async fn connection(&mut self) -> Result<PgConnection, StoreError> {
        let mut at_hand = self.connection.take();
        if self.used_at.elapsed() > FRESH {
            at_hand = alive(at_hand, self.patience).await;
        }
        if let Some(connection) = at_hand {
            return Ok(connection);
        }
        let patience = if self.gone { Duration::ZERO } else { self.patience };
        let deadline = Instant::now() + patience;
        loop {
            let connected = timeout(self.patience, self.options.connect()).await;
            let connected = connected.unwrap_or_else(|_| Err(silence()));
            self.gone = connected.is_err();
            if !self.gone {
                return connected.map_err(during(CONNECTING));
            }
            sleep(PAUSE).await;
            if Instant::now() >= deadline {
                return connected.map_err(during(CONNECTING));
            }
        }
    }

    async fn attempt(&mut self, jobs: &[Job], pace: Pace) -> Result<(), Failed> {
        let mut connection = self.connection().await.map_err(Failed::undone)?;
        let how = (self.statements, pace);
        let group = run(&mut connection, how, &self.memory, jobs);
        let outcome = timeout(LONGEST, group).await.unwrap_or_else(|_| {
            let error = StoreError::Database { doing: "waiting for the server", source: silence() };
            Err(Failed::committing(error))
        });
        match &outcome {
            Ok(()) => self.connection = Some(connection),
            // An answer to a ping comes after a transaction that was left open is undone.
            Err(failed) if !failed.error.out_of_reach() => {
                self.connection = alive(Some(connection), LONGEST).await;
            }
            // The server notices that nobody is there, and undoes what is left.
            Err(_) => drop(connection),
        }
        self.used_at = Instant::now();
        outcome
    }
}

const CONNECTING: &str = "connecting to the server";

/// The connection, if the server answers on it in time.
async fn alive(connection: Option<PgConnection>, within: Duration) -> Option<PgConnection> {
    let mut connection = connection?;
    let answered = timeout(within, connection.ping()).await;
    matches!(answered, Ok(Ok(()))).then_some(connection)
}

/// Why a group was not done.
struct Failed {
    error: StoreError,
    /// Whether it may have been done all the same.
    committing: bool,
}

impl Failed {
    fn undone(error: StoreError) -> Self {
        Self { error, committing: false }
    }

    fn committing(error: StoreError) -> Self {
        Self { error, committing: true }
    }
}

impl Batch for PgWriter {
    type Job = Job;

    fn cost(job: &Job) -> usize {
        match job {
            Job::Accept(job) => job.cost(),
            Job::Release(job) => job.cost(),
            Job::Acknowledge(job) => job.cost(),
        }
    }

    async fn run(&mut self, jobs: &[Job], pace: Pace) -> Result<(), StoreError> {
        let was_open = self.connection.is_some();
        let outcome = match self.attempt(jobs, pace).await {
            // An idle connection may have been dead for long.
            Err(failed) if was_open && !failed.committing && failed.error.out_of_reach() => {
                self.attempt(jobs, pace).await
            }
            outcome => outcome,
        };
        outcome.map_err(|failed| failed.error)
    }

    async fn close(self) {
        if let Some(connection) = self.connection {
            // Everything is committed; the server notices by itself that nobody is there.
            let _ = timeout(PAUSE, connection.close()).await;
        }
    }
}

/// The jobs of a group by their kinds.
#[derive(Default)]
struct Kinds<'a> {
    accept: Vec<&'a AcceptJob>,
    acknowledge: Vec<&'a RowsJob>,
    release: Vec<&'a ReleaseJob>,
}

impl<'a> Kinds<'a> {
    fn of(jobs: &'a [Job]) -> Self {
        let mut kinds = Self::default();
        for job in jobs {
            match job {
                Job::Accept(job) => kinds.accept.push(job),
                Job::Acknowledge(job) => kinds.acknowledge.push(job),
                Job::Release(job) => kinds.release.push(job),
            }
        }
        kinds
    }
}

async fn run(
    connection: &mut PgConnection,
    (statements, pace): (Statements, Pace),
    memory: &Memory,
    jobs: &[Job],
) -> Result<(), Failed> {
    let Memory { rooms, seen } = memory;
    let kinds = Kinds::of(jobs);
    let messages_alone = kinds.acknowledge.is_empty() && kinds.release.is_empty();
    let mut decided = None;
    // A statement without a name has to be in a transaction, see [`Link`].
    if messages_alone && statements == Statements::Kept && pace == Pace::Usual {
        let mut link = Link::outside(&mut *connection, statements);
        link.wait_for(LONGEST);
        if let Some(new) = accept::expect_new(rooms, seen.eras(), &kinds.accept) {
            let numbers = new.store_new(&mut link).await.map_err(Failed::committing)?;
            if let Some(numbers) = numbers {
                new.finish(rooms, seen, numbers);
                return Ok(());
            }
        }
        let plain = accept::decide(&mut link, rooms, seen, &kinds.accept).await;
        let plain = plain.map_err(Failed::undone)?;
        if plain.is_plain() {
            let numbers = plain.store(&mut link, seen).await.map_err(Failed::committing)?;
            plain.finish(rooms, seen, numbers);
            return Ok(());
        }
        decided = Some(plain);
    }
    let begin = match (pace, statements) {
        (Pace::Hurried, _) => BEGIN_HURRIED,
        (Pace::Usual, Statements::Kept) => "BEGIN",
        (Pace::Usual, Statements::Unnamed) => BEGIN,
    };
    let begun = connection.begin_with(begin).await.map_err(during("beginning a transaction"));
    let mut link = Link::within(begun.map_err(Failed::undone)?, statements);
    link.wait_for(LONGEST);
    let outcome = steps(&mut link, memory, &kinds, decided).await;
    let (decided, numbers) = outcome.map_err(Failed::undone)?;
    link.commit().await.map_err(Failed::committing)?;
    decided.finish(rooms, seen, numbers);
    rooms.emptied(kinds.acknowledge.iter().map(|job| job.inbox));
    Ok(())
}

/// Where nothing can be set for a connection.
const BEGIN: &str = concat!(
    begin!("READ COMMITTED"),
    "; SET LOCAL statement_timeout = '20s'; SET LOCAL lock_timeout = '2s'"
);

const BEGIN_HURRIED: &str = concat!(
    begin!("READ COMMITTED"),
    "; SET LOCAL statement_timeout = '20s'; SET LOCAL lock_timeout = '100ms'"
);

/// Jobs of a group are concurrent, so any order among the kinds is right. It is always the same, so
/// that two writers do not wait for each other: first rows of inboxes in the order of their keys,
/// then message ids in the order of theirs, and after that nothing is waited for.
async fn steps<'a>(
    link: &mut Link<'_>,
    Memory { rooms, seen }: &Memory,
    kinds: &'a Kinds<'a>,
    decided: Option<Decided<'a>>,
) -> Result<(Decided<'a>, Vec<i64>), StoreError> {
    claims::let_go(link, &kinds.acknowledge, &kinds.release).await?;
    let mut decided = match decided {
        Some(decided) => decided,
        None => accept::decide(link, rooms, seen, &kinds.accept).await?,
    };
    let numbers = decided.store(link, seen).await?;
    decided.follow(link, &numbers).await?;
    Ok((decided, numbers))
}
