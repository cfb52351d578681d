//! Reading what a message may need: threads with a connection each, which take all that waits.
//!
//! Of a query of sqlx's each row crosses from the driver's thread to the request's task, with copies
//! of all its columns; here one thread reads all of it and hands over what it made of it. And after
//! each commit a connection forgets every page that it has read, so that each transaction reads the
//! way down to its rows anew: so whatever waits when a reader is free shares a transaction. Nobody
//! waits for others to come, and what is read is never older than the question.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connect::{READER_CACHE, READER_TIMEOUT};
use super::connection::{failed, keep_plans};
use crate::storage::error::StoreError;
use crate::storage::open::StorageConfig;

/// So many questions share a transaction at most: while it lasts, the log cannot begin anew.
const AT_ONCE: usize = 64;

/// Threads that read.
pub(super) struct Readers {
    line: Arc<Line>,
    ends: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// What waits for a reader.
#[derive(Default)]
struct Line {
    waiting: Mutex<Waiting>,
    come: Condvar,
}

#[derive(Default)]
struct Waiting {
    questions: VecDeque<Box<dyn Question>>,
    is_closed: bool,
}

/// A question, and who asked.
trait Question: Send {
    /// Its turn has come; says whether anybody waits for it still.
    fn begin(&self) -> bool;

    /// Asks it, and tells whoever waits.
    fn answer(self: Box<Self>, connection: Result<&Connection, StoreError>);
}

struct Asked<T, F> {
    ask: F,
    reply: oneshot::Sender<Result<T, StoreError>>,
    has_begun: Arc<AtomicBool>,
}

impl<T, F> Question for Asked<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn begin(&self) -> bool {
        self.has_begun.store(true, Ordering::Release);
        !self.reply.is_closed()
    }

    fn answer(self: Box<Self>, connection: Result<&Connection, StoreError>) {
        // Whoever went away meanwhile needs no answer.
        let _ = self.reply.send(connection.and_then(self.ask));
    }
}

impl Readers {
    /// Readers of a database that is being written.
    ///
    /// # Errors
    /// When the system has no thread to spare.
    pub(super) fn start(config: &StorageConfig) -> io::Result<Self> {
        Self::with(config, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Readers that could not change anything if they tried.
    ///
    /// # Errors
    /// When the system has no thread to spare.
    pub(super) fn onlookers(config: &StorageConfig) -> io::Result<Self> {
        Self::with(config, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn with(config: &StorageConfig, flags: OpenFlags) -> io::Result<Self> {
        let StorageConfig { path, busy_timeout, .. } = config;
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let readers = Self { line: Arc::default(), ends: Mutex::default() };
        for _ in 0..config.readers.max(1) {
            let (over, end) = oneshot::channel();
            let reader = Reader {
                path: path.clone(),
                flags,
                busy_timeout: *busy_timeout,
                line: Arc::clone(&readers.line),
                connection: None,
            };
            let thread = thread::Builder::new().name("sealpost-reader".to_owned());
            thread.spawn(move || {
                reader.work();
                drop(over);
            })?;
            readers.ends.lock().unwrap_or_else(PoisonError::into_inner).push(end);
        }
        Ok(readers)
    }

    /// Asks a question: one statement, since only those that wait together share a transaction.
    ///
    /// # Errors
    /// When nobody is free for long, when there is no connection, or when the question fails.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, mut answer) = oneshot::channel();
        let has_begun = Arc::new(AtomicBool::new(false));
        self.line.push(Box::new(Asked { ask, reply, has_begun: Arc::clone(&has_begun) }))?;
        let answered = match timeout(READER_TIMEOUT, &mut answer).await {
            Ok(answered) => answered,
            Err(_) if has_begun.load(Ordering::Acquire) => answer.await,
            Err(_) => return Err(StoreError::NobodyFree),
        };
        // It is dropped by a panic alone.
        answered.unwrap_or(Err(StoreError::Panicked))
    }

    /// Takes no more questions, waits until those that wait are answered, and lets go of all
    /// connections.
    pub(super) async fn close(&self) {
        self.line.close();
        let ends = std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner));
        for end in ends {
            // It comes by itself; nothing is ever sent.
            let _ = end.await;
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.line.close();
    }
}

impl Line {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, question: Box<dyn Question>) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(StoreError::Closed);
        }
        waiting.questions.push_back(question);
        drop(waiting);
        self.come.notify_one();
        Ok(())
    }

    fn close(&self) {
        self.waiting().is_closed = true;
        self.come.notify_all();
    }

    /// Waits for questions and takes all, up to a bound; none once there will be no more.
    fn take(&self) -> Vec<Box<dyn Question>> {
        let waiting = self.waiting();
        let idle = |waiting: &mut Waiting| waiting.questions.is_empty() && !waiting.is_closed;
        let waiting = self.come.wait_while(waiting, idle);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let count = waiting.questions.len().min(AT_ONCE);
        waiting.questions.drain(..count).collect()
    }
}

/// One of the threads.
struct Reader {
    path: PathBuf,
    flags: OpenFlags,
    busy_timeout: Duration,
    line: Arc<Line>,
    /// Missing at first, and after a panic.
    connection: Option<Connection>,
}

impl Reader {
    fn work(mut self) {
        loop {
            let questions = self.line.take();
            if questions.is_empty() {
                return;
            }
            self.answer(questions);
        }
    }

    /// Answers questions in one transaction.
    fn answer(&mut self, mut questions: Vec<Box<dyn Question>>) {
        questions.retain(|question| question.begin());
        let mut connection = None;
        while connection.is_none() && !questions.is_empty() {
            match self.connection.take().map_or_else(|| self.open(), Ok) {
                Ok(open) => connection = Some(open),
                // Each of the others is told by an attempt of its own.
                Err(error) => questions.remove(0).answer(Err(error)),
            }
        }
        let Some(connection) = connection else { return };
        let together = questions.len() > 1 && connection.execute_batch("BEGIN").is_ok();
        let mut is_sound = true;
        for question in questions {
            let answered = catch_unwind(AssertUnwindSafe(|| question.answer(Ok(&connection))));
            is_sound &= answered.is_ok();
        }
        if together {
            is_sound &= connection.execute_batch("COMMIT").is_ok();
        }
        self.connection = Some(connection).filter(|_| is_sound);
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let open = || {
            let connection = Connection::open_with_flags(&self.path, self.flags)?;
            connection.busy_timeout(self.busy_timeout)?;
            connection.pragma_update(None, "query_only", "ON")?;
            connection.pragma_update(None, "cache_size", READER_CACHE)?;
            keep_plans(&connection)?;
            Ok(connection)
        };
        open().map_err(failed("opening a connection that reads"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::remove_file;

    use tempfile::TempDir;

    use super::super::connection::hand_out;
    use super::*;
    use crate::storage::cells::Cells;

    fn config(folder: &TempDir, readers: u32) -> StorageConfig {
        let config = StorageConfig { readers, ..StorageConfig::at(folder.path().join("a.db")) };
        let rows = "CREATE TABLE IF NOT EXISTS t (n); INSERT INTO t VALUES (1)";
        Connection::open(&config.path).unwrap().execute_batch(rows).unwrap();
        config
    }

    fn rows(connection: &Connection) -> Result<i64, StoreError> {
        let mut rows = 0;
        hand_out(connection, "SELECT count(*) AS rows FROM t", [], "counting", |row| {
            rows = row.integer("rows")?;
            Ok(())
        })?;
        Ok(rows)
    }

    #[tokio::test]
    async fn a_question_that_fails_or_panics_is_told_so_and_others_are_answered() {
        let folder = TempDir::new().unwrap();
        let readers = Readers::start(&config(&folder, 1)).unwrap();
        let failed = readers.read(|_| Err::<(), _>(StoreError::Corrupt { column: "n" })).await;
        assert!(matches!(failed, Err(StoreError::Corrupt { .. })), "{failed:?}");
        let panics = readers.read(|_| -> Result<(), StoreError> { panic!("as asked") });
        let (panicked, beside) = tokio::join!(panics, readers.read(rows));
        assert!(matches!(panicked, Err(StoreError::Panicked)), "{panicked:?}");
        assert_eq!(beside.unwrap(), 1);
        assert_eq!(readers.read(rows).await.unwrap(), 1);
        let write = |connection: &Connection| {
            hand_out(connection, "INSERT INTO t VALUES (1)", [], "writing", |_| Ok(()))
        };
        let refused = readers.read(write).await;
        assert!(matches!(refused, Err(StoreError::Sqlite { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn what_waits_is_answered_together_and_what_comes_later_sees_what_was_written() {
        let folder = TempDir::new().unwrap();
        let config = config(&folder, 1);
        let readers = Readers::start(&config).unwrap();
        // The only reader is kept busy until the others wait.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let slow = readers.read(move |connection| {
            wait.recv().unwrap();
            rows(connection)
        });
        let others = futures_util::future::join_all((0..100).map(|_| readers.read(rows)));
        let (slow, others, ()) = tokio::join!(slow, others, async { go.send(()).unwrap() });
        assert_eq!(slow.unwrap(), 1);
        assert!(others.into_iter().all(|found| found.unwrap() == 1));
        Connection::open(&config.path).unwrap().execute_batch("INSERT INTO t VALUES (2)").unwrap();
        assert_eq!(readers.read(rows).await.unwrap(), 2, "the transaction is over");
    }

    #[tokio::test]
    async fn closing_waits_for_what_was_asked() {
        let folder = TempDir::new().unwrap();
        let readers = Readers::start(&config(&folder, 2)).unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let slow = readers.read(move |connection| {
            wait.recv().unwrap();
            rows(connection)
        });
        let (slow, (), ()) = tokio::join!(slow, readers.close(), async { go.send(()).unwrap() });
        assert_eq!(slow.unwrap(), 1);
        assert!(matches!(readers.read(rows).await, Err(StoreError::Closed)));
    }

    #[tokio::test]
    async fn without_a_database_each_is_told() {
        let folder = TempDir::new().unwrap();
        let config = config(&folder, 2);
        let readers = Readers::start(&config).unwrap();
        remove_file(&config.path).unwrap();
        let asked = futures_util::future::join_all((0..9).map(|_| readers.read(rows))).await;
        assert!(asked.iter().all(|it| matches!(it, Err(StoreError::Sqlite { .. }))), "{asked:?}");
    }
}
