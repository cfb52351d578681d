//! Copying the log into the database beside the writer.
//!
//! A commit stands in the log first; now and then the log's pages are copied to their places in the
//! database, so that the log can begin anew. SQLite lets a commit do that when the log has become
//! long, and until all of it is on the disk, a sixth of a second for 64 MiB, nobody writes. So a
//! connection of its own copies while the writer goes on, again and again until little is left. Only
//! a log that nobody appends to is ever copied to its end, so that little is the writer's, between
//! two groups. While a reader needs the old pages the log grows on; at [`LONGEST`] each commit tries
//! to copy it as well, of which SQLite says nothing if it fails.
//!
//! A page that was copied and whose sync failed is clean for the system and copied for SQLite: neither
//! would write it again, and the log that still has it would begin anew. So whoever learns of that
//! ends the process at once. The next start finds the log and copies all of it.
//!
//! Copying beside others needs SQLite 3.51.3 or later: versions before could lose pages where a log
//! began anew at that very moment (<https://sqlite.org/wal.html#walresetbug>).

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection, SqliteConnection, query};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::known::Known;
use super::rows::value;
use crate::domain::error::chain;
use crate::storage::error::{StoreError, during};

/// A commit copies the log by itself when it is so long, in pages (256 MiB).
pub(super) const LONGEST: &str = "64000";

/// How long a log may be, in pages, and when it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// After jobs of so many bytes.
    pub look_bytes: usize,
    /// Copying begins.
    pub due: i64,
    /// So few are left to the writer.
    pub little: i64,
}

impl Lengths {
    /// For a store: 64 MiB, since copying more often writes the same pages again and again, which
    /// cost a quarter to a half of the throughput; and what is copied in a few milliseconds.
    pub(super) const STORE: Self = Self { look_bytes: 2 * 1024 * 1024, due: 16_000, little: 1_000 };
}

/// Who has not got near the end after so many passes is slower than the writer, who does the rest then.
const MOST_PASSES: usize = 4;

/// What a group counts for at least, in bytes: little jobs may change many pages.
const LEAST_GROUP: usize = 64 * 1024;

/// SQLite's code for a sync that failed.
const SYNC_FAILED: &str = "1034";

/// Copies what no reader needs the old pages of, and waits for nobody.
const PASS: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Only says how far that is.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";

/// The writer's side: has the log copied.
pub(super) struct Log {
    look_bytes: usize,
    /// What was written since it was last looked at, about.
    written: usize,
    wake: mpsc::Sender<()>,
    is_nearly_copied: Arc<AtomicBool>,
    copying: JoinHandle<()>,
}

impl Log {
    /// The log of the database at `path`, which `connection` copies.
    pub(super) fn new(
        path: &Path,
        connection: SqliteConnection,
        lengths: Lengths,
        known: Arc<Known>,
    ) -> Self {
        let is_nearly_copied = Arc::new(AtomicBool::new(false));
        let (wake, woken) = mpsc::channel(1);
        let copier = Copier { path: path.to_owned(), connection, lengths, known, file: None };
        let copying = tokio::spawn(copier.run(woken, Arc::clone(&is_nearly_copied)));
        let Lengths { look_bytes, .. } = lengths;
        Self { look_bytes, written: 0, wake, is_nearly_copied, copying }
    }

    /// Between two groups: copies the end of the log if that is all that is left of it, so that it
    /// begins anew with the next group, unless a reader is at it just then.
    pub(super) async fn finish(&mut self, writer: &mut SqliteConnection) {
        if self.is_nearly_copied.swap(false, Ordering::Acquire)
            && let Err(error) = ask(writer, PASS).await
        {
            tell(&error);
        }
    }

    /// A group of about so many bytes was written.
    pub(super) fn grew(&mut self, bytes: usize) {
        self.written += bytes.max(LEAST_GROUP);
        if self.written >= self.look_bytes {
            self.written = 0;
            // If it is being copied already, the next look is early enough.
            let _ = self.wake.try_send(());
        }
    }

    /// Lets go of the connection, so that the writer's is the last one.
    pub(super) async fn close(self) {
        drop(self.wake);
        // It ends by itself; a panic in it has nothing to do with those who wait here.
        let _ = self.copying.await;
    }
}

/// The other side, which copies.
struct Copier {
    path: PathBuf,
    connection: SqliteConnection,
    lengths: Lengths,
    known: Arc<Known>,
    /// The database's file, once there was something to copy.
    file: Option<&'static File>,
}

impl Copier {
    async fn run(mut self, mut woken: mpsc::Receiver<()>, is_nearly_copied: Arc<AtomicBool>) {
        while woken.recv().await.is_some() {
            match self.copy().await {
                Ok(is_nearly) => is_nearly_copied.store(is_nearly, Ordering::Release),
                Err(error) => tell(&error),
            }
        }
        // It has nothing to lose.
        let _ = self.connection.close().await;
    }

    /// Copies most of a log that has become long; gives whether the rest is for the writer.
    async fn copy(&mut self) -> Result<bool, StoreError> {
        let mut log = ask(&mut self.connection, LOOK).await?;
        if log.length < self.lengths.due {
            self.known.let_stay(true);
            return Ok(false);
        }
        for _ in 0..MOST_PASSES {
            if log.left() <= self.lengths.little {
                // The log begins anew only when nobody reads what it said last.
                self.known.let_stay(false);
                return Ok(true);
            }
            let before = log.copied;
            ask(&mut self.connection, PASS).await?;
            log = ask(&mut self.connection, LOOK).await?;
            if log.copied <= before {
                // A reader needs the old pages.
                self.known.let_stay(false);
                return Ok(false);
            }
            self.sync().await.map_err(|error| during(SYNCING)(error.into()))?;
        }
        self.known.let_stay(false);
        Ok(log.left() < self.lengths.due)
    }

    /// Gets what was copied onto the disk, which SQLite itself does at the end of the log alone.
    async fn sync(&mut self) -> io::Result<()> {
        let (path, file) = (self.path.clone(), self.file);
        let synced = spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                // Never closed: that would end all locks that the process has on the database, as
                // POSIX wants it, and another process could take it for abandoned.
                None => Box::leak(Box::new(OpenOptions::new().append(true).open(path)?)),
            };
            match file.sync_data() {
                Ok(()) => io::Result::Ok(file),
                Err(error) => end(&error),
            }
        });
        self.file = Some(synced.await??);
        Ok(())
    }
}

/// Says what went wrong with copying; the log grows on, and it is tried again.
fn tell(error: &StoreError) {
    if let StoreError::Database { source: sqlx::Error::Database(source), .. } = error
        && source.code().is_some_and(|code| code == SYNC_FAILED)
    {
        end(error);
    }
    tracing::warn!("the log of the database grows on: {}", chain(error));
}

/// Ends the process as a power cut would.
fn end(error: &dyn Error) -> ! {
    tracing::error!("the disk may have lost what was copied from the log: {}", chain(error));
    std::process::abort()
}

/// How far copying is, in pages.
struct Place {
    length: i64,
    copied: i64,
}

impl Place {
    fn left(&self) -> i64 {
        self.length - self.copied
    }
}

const COPYING: &str = "copying the log";
const SYNCING: &str = "syncing what was copied from the log";

async fn ask(connection: &mut SqliteConnection, what: &'static str) -> Result<Place, StoreError> {
    let row = query(what).fetch_one(connection).await.map_err(during(COPYING))?;
    Ok(Place { length: value(&row, "log")?, copied: value(&row, "checkpointed")? })
}

#[cfg(test)]
mod tests;
