//! Copying the log into the database beside the writer.
//!
//! A commit stands in the log first; now and then the log's pages are copied to their places in the
//! database, so that the log can begin anew. SQLite lets a commit do that when the log has become
//! long, and until all of it is on the disk, a sixth of a second for 64 MiB, nobody writes. So a
//! connection of its own copies while the writer goes on, again and again until little is left. Only
//! a log that nobody appends to is ever copied to its end, so that little is the writer's, between
//! two groups. Where the copying cannot be done, the log grows to [`LONGEST`], and commits do it.
//!
//! Copying beside others needs SQLite 3.51.3 or later: versions before could lose pages where a log
//! began anew at that very moment (<https://sqlite.org/wal.html#the_wal_reset_bug>).

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection, SqliteConnection, query};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::rows::value;
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

/// Whoever has not got to the end after so many passes is slower than the writer.
const MOST_PASSES: usize = 4;

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
    pub(super) fn new(path: &Path, connection: SqliteConnection, lengths: Lengths) -> Self {
        let is_nearly_copied = Arc::new(AtomicBool::new(false));
        let (wake, woken) = mpsc::channel(1);
        let copier = Copier { path: path.to_owned(), connection, lengths, file: None };
        let copying = tokio::spawn(copier.run(woken, Arc::clone(&is_nearly_copied)));
        let Lengths { look_bytes, .. } = lengths;
        Self { look_bytes, written: 0, wake, is_nearly_copied, copying }
    }

    /// Between two groups: copies the end of the log if that is all that is left of it, so that it
    /// begins anew with the next group, unless a reader is at it just then.
    pub(super) async fn finish(&mut self, writer: &mut SqliteConnection) {
        if self.is_nearly_copied.swap(false, Ordering::Acquire) {
            // Whatever goes wrong here, the next commit meets it too, and says so.
            let _ = ask(writer, PASS).await;
        }
    }

    /// About so many bytes were written.
    pub(super) fn grew(&mut self, bytes: usize) {
        self.written += bytes;
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
    /// The database's file, once there was something to copy.
    file: Option<&'static File>,
}

impl Copier {
    async fn run(mut self, mut woken: mpsc::Receiver<()>, is_nearly_copied: Arc<AtomicBool>) {
        while woken.recv().await.is_some() {
            // After an error the log grows on, until commits copy it; they say what is wrong.
            if self.copy().await.unwrap_or(false) {
                is_nearly_copied.store(true, Ordering::Release);
            }
        }
        // It has nothing to lose.
        let _ = self.connection.close().await;
    }

    /// Copies most of a log that has become long; gives whether there was one.
    async fn copy(&mut self) -> Result<bool, StoreError> {
        let mut log = ask(&mut self.connection, LOOK).await?;
        let is_long = log.length >= self.lengths.due;
        for _ in 0..MOST_PASSES {
            if !is_long || log.left() <= self.lengths.little {
                break;
            }
            ask(&mut self.connection, PASS).await?;
            self.sync().await.map_err(|error| during("syncing the database")(error.into()))?;
            log = ask(&mut self.connection, LOOK).await?;
        }
        Ok(is_long)
    }

    /// Gets what was copied onto the disk, which SQLite itself does at the end of the log alone.
    async fn sync(&mut self) -> io::Result<()> {
        let path = self.path.clone();
        let file = match self.file {
            Some(file) => file,
            // Never closed: that would end all locks that the process has on the database, as POSIX
            // wants it, and another process could take it for abandoned.
            None => Box::leak(Box::new(OpenOptions::new().append(true).open(path)?)),
        };
        self.file = Some(file);
        spawn_blocking(|| file.sync_data()).await?
    }
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

async fn ask(connection: &mut SqliteConnection, what: &'static str) -> Result<Place, StoreError> {
    let row = query(what).fetch_one(connection).await.map_err(during("copying the log"))?;
    Ok(Place { length: value(&row, "log")?, copied: value(&row, "checkpointed")? })
}

#[cfg(test)]
mod tests;
