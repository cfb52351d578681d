//! The one connection that writes: what it can be asked, and the transaction around a group.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::task::spawn_blocking;

use super::super::acceptance::AcceptJob;
use super::super::batch::{Answer, Batch, Pace};
use super::super::error::StoreError;
use super::accept;
use super::claims::{self, ClaimJob, ReleaseJob, RowsJob};
use super::connection::WriterConnection;
use super::fresh::{Draft, Fresh};
use super::inboxes::Inboxes;
use super::known::Known;
use super::log::Log;
use super::rooms::Rooms;
use super::seen::{ForgetJob, SeenWriter};
use super::set_aside::{self, SetAsideJob};
use super::settle;
use crate::domain::Fault;

/// So many rows get ready sooner than another thread wakes up.
const FEW_ROWS: usize = 128;

/// What the writer can be asked. The frequent kinds are named, so that those of a whole group
/// share their statements; everything rare is a [`Change`].
pub(super) enum Job {
    /// Store messages.
    Accept(AcceptJob),
    /// Note in the rows that a reader holds them.
    Claim(ClaimJob),
    /// Set rows aside that no reader gets past.
    SetAside(SetAsideJob),
    /// Let go of rows that a reader holds.
    Release(ReleaseJob),
    /// Delete rows that a reader is done with.
    Acknowledge(RowsJob),
    /// Forget accepted ids whose time is over.
    Forget(ForgetJob),
    /// Anything else.
    Change(Box<dyn Change>),
}

/// A step that needs no company in its statements.
#[async_trait]
pub(super) trait Change: Send + Sync {
    /// Does the step inside the group's transaction.
    async fn apply(
        &self,
        connection: &mut WriterConnection,
        inboxes: &mut Inboxes,
    ) -> Result<(), StoreError>;

    /// About what it takes.
    fn cost(&self) -> usize {
        1024
    }
}

/// What a step does. A [`Fault`] is the step's own answer, which leaves the group alone: the step
/// must not have written anything then.
pub(super) type Apply<I, T> = for<'a> fn(
    &'a I,
    &'a mut WriterConnection,
) -> BoxFuture<'a, Result<Result<T, Fault>, StoreError>>;

/// A [`Change`] made of its input and a function.
pub(super) struct Step<I, T> {
    pub input: I,
    pub apply: Apply<I, T>,
    pub answer: Answer<Result<T, Fault>>,
}

#[async_trait]
impl<I: Send + Sync, T: Send> Change for Step<I, T> {
    async fn apply(
        &self,
        connection: &mut WriterConnection,
        _inboxes: &mut Inboxes,
    ) -> Result<(), StoreError> {
        let outcome = (self.apply)(&self.input, connection).await?;
        self.answer.set(outcome);
        Ok(())
    }
}

/// What a step does that has to do with rows of inboxes; otherwise as [`Apply`].
pub(super) type Fill<I, T> = for<'a> fn(
    &'a I,
    &'a mut WriterConnection,
    &'a mut Inboxes,
) -> BoxFuture<'a, Result<Result<T, Fault>, StoreError>>;

/// A [`Change`] that puts rows into inboxes, or needs them in their table.
pub(super) struct FillingStep<I, T> {
    pub input: I,
    /// About what it takes.
    pub cost: usize,
    pub apply: Fill<I, T>,
    pub answer: Answer<Result<T, Fault>>,
}

#[async_trait]
impl<I: Send + Sync, T: Send> Change for FillingStep<I, T> {
    async fn apply(
        &self,
        connection: &mut WriterConnection,
        inboxes: &mut Inboxes,
    ) -> Result<(), StoreError> {
        let outcome = (self.apply)(&self.input, connection, inboxes).await?;
        self.answer.set(outcome);
        Ok(())
    }

    fn cost(&self) -> usize {
        1024 + self.cost
    }
}

/// The writer's end of the queue.
pub(super) struct SqliteWriter {
    options: SqliteConnectOptions,
    /// Missing after a failure: whatever happened to it, a new connection knows nothing of it.
    connection: Option<WriterConnection>,
    rooms: Rooms,
    known: Arc<Known>,
    fresh: Arc<Fresh>,
    seen: SeenWriter,
    log: Log,
    /// Whether nobody knows what became of the last transaction.
    is_uncertain: bool,
}

impl SqliteWriter {
    /// A writer that begins with `connection` and opens others by `options`.
    pub(super) fn new(
        options: SqliteConnectOptions,
        connection: WriterConnection,
        (known, fresh): (Arc<Known>, Arc<Fresh>),
        seen: SeenWriter,
        log: Log,
    ) -> Self {
        let (connection, rooms, is_uncertain) = (Some(connection), Rooms::default(), false);
        Self { options, connection, rooms, known, fresh, seen, log, is_uncertain }
    }
}

impl Batch for SqliteWriter {
    type Job = Job;

    fn cost(job: &Job) -> usize {
        match job {
            Job::Accept(job) => job.cost(),
            Job::Claim(job) => job.cost(),
            Job::SetAside(job) => 1024 + 64 * job.hopeless.rows.len(),
            Job::Release(job) => job.cost(),
            Job::Acknowledge(job) => job.cost(),
            Job::Forget(_) => 1024,
            Job::Change(change) => change.cost(),
        }
    }

    async fn run(&mut self, jobs: &[Job], _: Pace) -> Result<(), StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => WriterConnection::open(&self.options).await?,
        };
        if self.is_uncertain {
            self.fresh.replace(settle::load(&mut connection).await?);
            self.is_uncertain = false;
        }
        self.log.finish(&mut connection).await;
        let makes_changes = jobs.iter().any(|job| matches!(job, Job::Change(_)));
        let changing = makes_changes.then(|| self.known.change());
        // Only what a transaction that succeeds has left may be relied upon.
        let rooms = std::mem::take(&mut self.rooms);
        let mut inboxes = Inboxes { rooms, rows: Draft::new(Arc::clone(&self.fresh)) };
        let memory = (&mut inboxes, &mut self.seen, &*self.known);
        let mut outcome = transaction(&mut connection, memory, jobs).await;
        if outcome.is_ok() {
            // It stays so if there is a panic before the end is known.
            self.is_uncertain = true;
            outcome = commit(&mut connection, &inboxes.rows).await;
            self.is_uncertain = outcome.as_ref().is_err_and(|error| !error.is_surely_undone());
        }
        if let Some(changing) = changing.filter(|_| !self.is_uncertain) {
            changing.end();
        }
        match &outcome {
            Ok(()) => self.seen.committed(),
            Err(error) => self.seen.undone(error),
        }
        if outcome.is_ok() {
            self.log.grew(jobs.iter().map(Self::cost).sum());
            self.connection = Some(connection);
            self.rooms = inboxes.rooms;
            inboxes.rows.apply();
        } else {
            inboxes.rows.undo();
            // Closing rolls back what is left of the transaction. A failure to close adds nothing
            // to the one at hand.
            let _ = connection.close_hard().await;
        }
        outcome
    }

    async fn close(self) {
        self.log.close().await;
        if let Some(connection) = self.connection {
            // All that could be lost is the last checkpoint, which the next start makes up for.
            let _ = connection.close().await;
        }
    }
}

/// Jobs of a group are concurrent, so any order among the kinds is right, with one exception: nobody
/// waits for a claim, so what was asked for after it may be in its group. Claims come first, so that
/// nothing takes a row away that a reader holds. Changes come before messages, so that none slips past
/// a roster that moves in the same group.
async fn transaction(
    connection: &mut WriterConnection,
    (inboxes, seen, known): (&mut Inboxes, &mut SeenWriter, &Known),
    jobs: &[Job],
) -> Result<(), StoreError> {
    connection.run("BEGIN IMMEDIATE", [], "beginning a transaction")?;
    seen.begin(connection).await?;
    let mut kinds = Kinds::default();
    for job in jobs {
        match job {
            Job::Change(change) => kinds.change.push(change.as_ref()),
            Job::Accept(job) => kinds.accept.push(job),
            Job::Acknowledge(job) => kinds.acknowledge.push(job),
            Job::Release(job) => kinds.release.push(job),
            Job::Claim(job) => kinds.claim.push(job),
            Job::SetAside(job) => kinds.set_aside.push(job),
            Job::Forget(job) => kinds.forget.push(job),
        }
    }
    claims::claim(connection, &mut inboxes.rows, &kinds.claim)?;
    for change in &kinds.change {
        inboxes.rooms.unsure();
        change.apply(connection, inboxes).await?;
    }
    if !kinds.change.is_empty() {
        inboxes.rooms.unsure();
    }
    accept::accept(connection, inboxes, seen, known, &kinds.accept).await?;
    claims::acknowledge(connection, &mut inboxes.rows, &kinds.acknowledge)?;
    inboxes.rooms.emptied(kinds.acknowledge.iter().map(|job| job.inbox));
    claims::release(connection, &mut inboxes.rows, &kinds.release)?;
    set_aside::set_aside(connection, &mut inboxes.rows, &kinds.set_aside).await?;
    if !kinds.set_aside.is_empty() {
        inboxes.rooms.unsure();
    }
    settle::keep_up(connection, &mut inboxes.rows)?;
    settle::note(connection, &inboxes.rows)?;
    seen.forget(connection, &kinds.forget).await?;
    seen.step(connection)?;
    Ok(())
}

/// Commits on this thread: where all processors are busy, another one would wait for its turn. What is
/// in memory gets ready meanwhile, elsewhere if it is much.
async fn commit(connection: &mut WriterConnection, rows: &Draft) -> Result<(), StoreError> {
    let staging = rows.staging();
    let elsewhere = (rows.added() > FEW_ROWS).then(|| spawn_blocking(staging.clone()));
    if elsewhere.is_none() {
        staging();
    }
    let outcome = connection.run("COMMIT", [], "committing");
    if let Some(staged) = elsewhere
        && staged.await.is_err()
    {
        // A runtime that goes down leaves it undone.
        staging();
    }
    outcome.map(drop)
}

#[derive(Default)]
struct Kinds<'a> {
    change: Vec<&'a dyn Change>,
    accept: Vec<&'a AcceptJob>,
    acknowledge: Vec<&'a RowsJob>,
    release: Vec<&'a ReleaseJob>,
    claim: Vec<&'a ClaimJob>,
    set_aside: Vec<&'a SetAsideJob>,
    forget: Vec<&'a ForgetJob>,
}
