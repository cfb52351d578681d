//! The floor's log, copied to its places in the database beside the floor, as the gateway does it:
//! whoever writes copies only the last little.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

/// In pages: a log that is so long is copied, and so few of them are left to the writer. At the
/// third a commit copies by itself.
const DUE: i64 = 16_000;
const LITTLE: i64 = 1_000;
pub const LONGEST: &str = "64000";

/// Whoever is not near the end by then is slower than the writer.
const MOST_PASSES: usize = 4;

/// The log is looked at after so many bytes, of which a transaction counts for some at least.
const LOOK: usize = 2 * 1024 * 1024;
const LEAST: usize = 64 * 1024;

/// The writer's side.
pub struct Log {
    written: usize,
    wake: Option<SyncSender<()>>,
    is_nearly_copied: Arc<AtomicBool>,
    copying: Option<JoinHandle<()>>,
}

impl Log {
    pub fn new(database: &Path) -> Self {
        let (wake, woken) = sync_channel(1);
        let is_nearly_copied = Arc::new(AtomicBool::new(false));
        let (path, flag) = (database.to_owned(), Arc::clone(&is_nearly_copied));
        let copying = std::thread::spawn(move || copy_when_woken(&path, &woken, &flag));
        Self { written: 0, wake: Some(wake), is_nearly_copied, copying: Some(copying) }
    }

    /// Between two transactions: copies the last little.
    pub fn finish(&self, writer: &Connection) {
        if self.is_nearly_copied.swap(false, Ordering::Acquire) {
            pass(writer, "PASSIVE");
        }
    }

    /// A transaction of about so many bytes was written.
    pub fn grew(&mut self, bytes: usize) {
        self.written += bytes.max(LEAST);
        if self.written >= LOOK {
            self.written = 0;
            let wake = self.wake.as_ref().expect("it is there until the end");
            // If it is being copied already, the next look is early enough.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.wake = None;
        let copying = self.copying.take().expect("it ends once");
        copying.join().expect("the log can be copied");
    }
}

fn copy_when_woken(path: &Path, woken: &Receiver<()>, is_nearly_copied: &AtomicBool) {
    let connection = Connection::open(path).expect("a database");
    let file = OpenOptions::new().append(true).open(path).expect("a database");
    while woken.recv().is_ok() {
        if copy(&connection, &file) {
            is_nearly_copied.store(true, Ordering::Release);
        }
    }
    // Only now, since that ends all locks that the process has on the database: nobody writes.
    drop((connection, file));
}

/// Copies most of a log that has become long; gives whether the rest is for the writer.
fn copy(connection: &Connection, file: &File) -> bool {
    let (mut length, mut copied) = pass(connection, "NOOP");
    if length < DUE {
        return false;
    }
    for _ in 0..MOST_PASSES {
        if length - copied <= LITTLE {
            return true;
        }
        let before = copied;
        pass(connection, "PASSIVE");
        (length, copied) = pass(connection, "NOOP");
        if copied <= before {
            return false;
        }
        file.sync_data().expect("a disk that works");
    }
    length - copied < DUE
}

/// The log's length, and how much of it is copied.
fn pass(connection: &Connection, how: &str) -> (i64, i64) {
    let pass = format!("PRAGMA wal_checkpoint({how})");
    let log = connection.query_row(&pass, [], |row| Ok((row.get(1)?, row.get(2)?)));
    log.expect("the log can be copied")
}
