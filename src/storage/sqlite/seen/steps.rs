//! Moving ids on: from the newest into a run, and from runs into longer ones, a stretch at a time.
//!
//! Each level has one job at most, and each job is paid by the ids that come in: it moves
//! [`Sizes::pace`] times as many. It writes a run and removes what that was made of, which is twice
//! the ids; as many have to come in before the next job of its level is due, so it is done by then
//! with a pace of more than two.

use super::SeenWriter;
use super::index::{Change, between};
use super::ledger::{Newest, Record, State};
use super::{newest, records, runs};
use crate::storage::error::StoreError;
use crate::storage::sqlite::connection::WriterConnection;

impl SeenWriter {
    /// Moves ids on, in proportion to those that the transaction stores.
    pub(in super::super) fn step(
        &mut self,
        connection: &WriterConnection,
    ) -> Result<(), StoreError> {
        let accepted = self.pending.accepted;
        if accepted == 0 {
            return Ok(());
        }
        self.begin_jobs(connection)?;
        for level in 0..=self.sizes.levels {
            let Some(number) = self.pending.ledger.job(level).map(|job| job.number) else {
                continue;
            };
            let credits = &mut self.pending.ledger.credits;
            let mut credit = credits.remove(&level).unwrap_or(0) + self.sizes.pace * accepted;
            while credit >= self.sizes.stretch && self.work(connection, number)? {
                credit -= self.sizes.stretch;
            }
            self.pending.ledger.credits.insert(level, credit.min(self.sizes.stretch));
        }
        Ok(())
    }

    fn begin_jobs(&mut self, connection: &WriterConnection) -> Result<(), StoreError> {
        if let Some(run) = self.pending.ledger.due_fold(&self.sizes) {
            self.pending.changes.push(Change::Froze);
            self.pending.ledger.newest = Newest::NONE;
            self.put(connection, run)?;
        }
        for level in 1..=self.sizes.levels {
            if let Some((run, sources)) = self.pending.ledger.due_merge(level, &self.sizes) {
                self.put(connection, run)?;
                for source in sources {
                    self.put(connection, source)?;
                }
            }
        }
        Ok(())
    }

    /// Does a stretch of a job; returns whether there was any to do.
    fn work(&mut self, connection: &WriterConnection, number: i64) -> Result<bool, StoreError> {
        let Some(job) = self.pending.ledger.record(number).cloned() else { return Ok(false) };
        match job.state {
            State::Writing if self.froze_just_now(&job) => return Ok(false),
            State::Writing => self.write(connection, job)?,
            State::Clearing => {
                self.clear_sources(connection, job, self.sizes.stretch)?;
            }
            State::Done | State::Dropped => return Ok(false),
        }
        Ok(true)
    }

    /// What this transaction froze is frozen in memory after its commit.
    fn froze_just_now(&self, job: &Record) -> bool {
        job.level == 0 && self.pending.changes.iter().any(|it| matches!(it, Change::Froze))
    }

    fn write(&mut self, connection: &WriterConnection, mut job: Record) -> Result<(), StoreError> {
        let sources = self.pending.ledger.sources(job.number);
        let frozen = self.shared.frozen();
        let all = match job.folds_to {
            Some(_) => frozen.len(),
            None => sources.iter().map(|it| it.ids).sum(),
        };
        let to = end_of_stretch(job.written_to, self.sizes.stretch, all);
        let entries = match job.folds_to {
            Some(_) => between(&frozen, job.written_to, to),
            None => runs::read_stretch(connection, &sources, (job.written_to, to), self.secret)?,
        };
        let stretch = runs::write_stretch(connection, job.number, &entries, self.sizes.chunk)?;
        if let Some((first, filter)) = stretch {
            self.pending.changes.push(Change::Grew { run: job.number, first, filter });
        }
        job.written_to = to;
        job.ids += entries.len();
        if to == i64::MAX {
            return self.make_whole(connection, job);
        }
        self.put(connection, job)
    }

    /// From the commit on, a run is asked in place of what it was made of.
    pub(super) fn make_whole(
        &mut self,
        connection: &WriterConnection,
        mut job: Record,
    ) -> Result<(), StoreError> {
        job.state = State::Clearing;
        job.written_to = i64::MAX;
        let (run, ids) = (job.number, job.ids);
        self.pending.changes.push(match job.folds_to {
            Some(_) => Change::Folded { run, ids },
            None => {
                let sources = self.pending.ledger.sources(run);
                Change::Merged { run, ids, sources: sources.iter().map(|it| it.number).collect() }
            }
        });
        self.put(connection, job)
    }

    /// Removes about so many ids of what a run was made of; returns how many went.
    pub(super) fn clear_sources(
        &mut self,
        connection: &WriterConnection,
        mut job: Record,
        ids: usize,
    ) -> Result<usize, StoreError> {
        let (mut gone, mut is_done) = (0, true);
        if let Some(folds_to) = job.folds_to {
            (gone, is_done) = newest::remove_first(connection, folds_to, ids)?;
        }
        let sources = self.pending.ledger.sources(job.number);
        let sources: Vec<i64> = sources.iter().map(|it| it.number).collect();
        for source in sources {
            if gone >= ids {
                is_done = false;
                break;
            }
            let (some, is_clear) = self.clear_run(connection, source, ids - gone)?;
            gone += some;
            is_done &= is_clear;
        }
        if is_done {
            job.state = State::Done;
            job.folds_to = None;
            self.put(connection, job)?;
        }
        Ok(gone)
    }

    /// Removes about so many ids of a run, and the run itself with the last of them. Returns how
    /// many went, and whether it did.
    pub(super) fn clear_run(
        &mut self,
        connection: &WriterConnection,
        run: i64,
        ids: usize,
    ) -> Result<(usize, bool), StoreError> {
        let (gone, is_clear) = runs::clear(connection, run, ids / self.sizes.chunk)?;
        if is_clear {
            records::remove(connection, run)?;
            self.pending.ledger.remove(run);
        }
        Ok((gone, is_clear))
    }

    fn put(&mut self, connection: &WriterConnection, record: Record) -> Result<(), StoreError> {
        records::put(connection, &record)?;
        self.pending.ledger.put(record);
        Ok(())
    }
}

/// The place up to which `stretch` of `all` ids are to be expected after another one: they are
/// spread evenly. The last stretch may be half as long again, so that there is no crumb behind it.
fn end_of_stretch(after: i64, stretch: usize, all: usize) -> i64 {
    let width = i128::from(i64::MAX) * stretch as i128 / all.max(1) as i128;
    let (end, last) = (i128::from(after) + width.max(1), i128::from(i64::MAX));
    i64::try_from(if last - end < width / 2 { last } else { end }).unwrap_or(i64::MAX)
}
