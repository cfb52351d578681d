//! Forgetting ids whose time is over: whole runs, and the oldest of the newest.

use sqlx::query;

use super::SeenWriter;
use super::index::Change;
use super::ledger::{Record, State};
use super::{newest, records};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::storage::batch::Answer;
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::SqliteStore;
use crate::storage::sqlite::connection::WriterConnection;
use crate::storage::sqlite::writer::Job;

/// What the writer is asked.
pub(in super::super) struct ForgetJob {
    pub before: Timestamp,
    pub limit: u32,
    pub answer: Answer<u64>,
}

/// How many rows of the newest are read at a time.
const GROUPS: i64 = 64;

/// Whether there may be something to forget, so that nothing is written otherwise.
pub(super) const ANY_OLD: &str = "
    SELECT 1 WHERE EXISTS (
        SELECT 1 FROM seen_runs
        WHERE merged_into IS NULL AND (newest_at < ?1 OR state = 'dropped')
    ) OR (SELECT newest_at FROM seen_newest ORDER BY number LIMIT 1) < ?1";

impl SqliteStore {
    /// Forgets about `limit` ids that were accepted before `before`, if there are any.
    pub(in super::super) async fn forget_seen_ids(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Fault> {
        let any = query(ANY_OLD).bind(before.as_micros()).fetch_optional(&self.readers).await;
        if any.map_err(during("looking for old message ids"))?.is_none() {
            return Ok(0);
        }
        self.ask(|answer| Job::Forget(ForgetJob { before, limit, answer })).await
    }
}

impl SeenWriter {
    /// Forgets what these ask for.
    pub(in super::super) async fn forget(
        &mut self,
        connection: &mut WriterConnection,
        jobs: &[&ForgetJob],
    ) -> Result<(), StoreError> {
        for job in jobs {
            let limit = usize::try_from(job.limit).unwrap_or(usize::MAX);
            let gone = self.forget_before(connection, job.before.as_micros(), limit).await?;
            job.answer.set(gone as u64);
        }
        Ok(())
    }

    /// Forgets about `limit` ids, and returns how many it were; less than that when there are no
    /// more.
    pub(super) async fn forget_before(
        &mut self,
        connection: &mut WriterConnection,
        before: i64,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let old = |it: &&Record| it.merged_into.is_none() && it.newest_at < before;
        let old: Vec<Record> = self.pending.ledger.records().filter(old).cloned().collect();
        let mut gone = 0;
        for run in old {
            gone += self.forget_run(connection, run, limit.saturating_sub(gone))?;
        }
        if gone < limit {
            gone += self.forget_newest(connection, before, limit - gone).await?;
        }
        Ok(gone)
    }

    /// A run goes step by step: what it was made of, if that is still there, then its own ids.
    fn forget_run(
        &mut self,
        connection: &WriterConnection,
        mut run: Record,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut gone = 0;
        if run.state == State::Writing {
            // What it has not got yet is as old as the rest.
            self.make_whole(connection, run.clone())?;
            run.state = State::Clearing;
        }
        if run.state == State::Clearing && gone < limit {
            gone += self.clear_sources(connection, run.clone(), limit)?;
        }
        let now = self.pending.ledger.record(run.number).cloned();
        let Some(mut run) = now else { return Ok(gone) };
        if run.state == State::Done {
            run.state = State::Dropped;
            records::put(connection, &run)?;
            self.pending.changes.push(Change::Dropped { run: run.number });
            self.pending.ledger.put(run.clone());
        }
        if run.state == State::Dropped && gone < limit {
            gone += self.clear_run(connection, run.number, limit - gone)?.0;
        }
        Ok(gone)
    }

    async fn forget_newest(
        &mut self,
        connection: &mut WriterConnection,
        before: i64,
        limit: usize,
    ) -> Result<usize, StoreError> {
        // What is being moved into a run goes with the run.
        let fold = self.pending.ledger.job(0).and_then(|it| it.folds_to).unwrap_or(i64::MIN);
        let (mut keys, mut first, mut last) = (Vec::new(), None, fold);
        'all: loop {
            let groups = newest::after(connection, last, GROUPS, self.secret).await?;
            let is_end = groups.is_empty();
            for group in groups {
                let has_room = keys.is_empty() || keys.len() + group.entries.len() <= limit;
                if group.newest_at >= before || !has_room {
                    break 'all;
                }
                first = first.or(Some(group.number));
                last = group.number;
                keys.extend(group.entries.iter().map(|it| it.key));
            }
            if is_end {
                break;
            }
        }
        if let Some(first) = first {
            newest::remove(connection, first, last)?;
        }
        let gone = keys.len();
        self.pending.ledger.newest.ids = self.pending.ledger.newest.ids.saturating_sub(gone);
        self.pending.changes.push(Change::Forgot(keys));
        Ok(gone)
    }
}
